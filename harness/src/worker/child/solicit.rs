//! Attempts to ask on the wire who has an address.

use std::time::{Duration, Instant};

use super::attempt::Bench;
use super::clock::Window;
use crate::observation::{Answers, Departure};
use crate::plan::{End, Interface, Solicit};
use crate::probe::ProbeError;
use crate::probe::solicit::Asker;
use crate::words::{Answer, Mac};

/// How long is listened for a second answer after the first. All nodes of a link get a question at the same moment;
/// on the virtual links of a lab their answers are microseconds apart.
const SECOND_ANSWER: Duration = Duration::from_millis(20);

/// From one time that a question is asked to the next, as long as nobody answers.
const AGAIN: Duration = Duration::from_millis(200);

/// One question.
pub(super) async fn ask(bench: &Bench, solicit: &Solicit, window: &Window) -> Result<Answers, ProbeError> {
    let began = Instant::now();
    let End { node, .. } = solicit.from;
    let interface = bench.plan.interface(solicit.from);
    let asker = Asker {
        end: solicit.from,
        index: interface.index,
        mac: interface.mac.unwrap_or(Mac([0; 6])),
        address: source(interface, solicit),
    };
    let mut question = bench.wires.start(&bench.node(node).namespace, asker, solicit.to.address)?;
    let only_several = solicit.outcome == [Answer::Several];
    let enough = |macs: &[Mac]| macs.len() > usize::from(only_several);
    let mut macs = question.wait(window.until().min(began + AGAIN), enough).await?;
    let mut asked = 1;
    while macs.is_empty() && !window.is_over() {
        asked += 1;
        question.ask()?;
        macs = question.wait(window.until().min(began + AGAIN * asked), enough).await?;
    }
    while !enough(&macs) && !window.is_over() {
        macs = question.wait(window.until(), enough).await?;
    }
    if macs.len() == 1 && !only_several {
        let second = bench.clock.window(SECOND_ANSWER);
        while macs.len() == 1 && !second.is_over() {
            macs = question.wait(second.until(), |macs| macs.len() > 1).await?;
        }
    }
    let departure = match macs.is_empty() {
        false => Departure::Said,
        true if question.left() => Departure::Stamped,
        true => Departure::Unproven("no transmit time stamp says that the question left".to_owned()),
    };
    Ok(Answers { macs, departure, elapsed: began.elapsed() })
}

/// The address to ask from: one of the target's network, else any of its family.
fn source(interface: &Interface, solicit: &Solicit) -> Option<std::net::IpAddr> {
    let target = solicit.to.address;
    let family = || interface.addresses.iter().filter(|cidr| cidr.address.is_ipv6() == target.is_ipv6());
    family().find(|cidr| cidr.contains(target)).or_else(|| family().next()).map(|cidr| cidr.address)
}
