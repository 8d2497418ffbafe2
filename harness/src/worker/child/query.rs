//! Attempts of DNS queries.

use std::net::SocketAddr;
use std::time::Instant;

use super::attempt::Bench;
use super::clock::Window;
use super::quiet::settled;
use super::receiver;
use super::transfer::{connect, known};
use crate::dns;
use crate::observation::{Departure, DnsAnswer, Life, Observation, Seen, Traffic};
use crate::plan::Dns;
use crate::probe::udp::Datagram;
use crate::probe::{self, ProbeError};
use crate::words::Transport;

/// Asks once; over TCP again when the answer is too long for a datagram, as resolvers do (RFC 7766, section 5).
pub(super) async fn ask(bench: &Bench, query: &Dns, window: &mut Window) -> Result<Observation, ProbeError> {
    let id = u16::from_be_bytes([random(), random()]);
    let question = dns::question(id, &query.name, query.kind)
        .map_err(|why| ProbeError(format!("{} cannot be asked for: {why}", query.name)))?;
    if query.transport == Transport::Udp {
        let observation = over_udp(bench, query, question.clone(), window).await?;
        match &observation {
            Observation::Dns(answer) if answer.reply.truncated => {}
            _ => return Ok(observation),
        }
    }
    over_tcp(bench, query, &question, window).await
}

/// A byte that nobody can guess: what makes an answer to another question be taken for one is chance alone.
fn random() -> u8 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0_u8).to_be_bytes()[0]
}

async fn over_udp(
    bench: &Bench,
    query: &Dns,
    question: Vec<u8>,
    window: &mut Window,
) -> Result<Observation, ProbeError> {
    let began = Instant::now();
    let carrier = &query.carrier;
    let target = SocketAddr::new(carrier.to.address, carrier.port);
    let namespace = &bench.node(carrier.from).namespace;
    let mut datagram = Datagram::start(namespace, &bench.ports, carrier.source, target, question, dns::answers)?;
    let seen =
        settled(bench, carrier.from, &carrier.to, window, async |window| datagram.wait(window.until()).await).await?;
    let (departure, life) = match seen {
        Seen::Silent => {
            let departure = if datagram.left() {
                Departure::Stamped
            } else {
                Departure::Unproven("no transmit time stamp says that the query left".to_owned())
            };
            (departure, receiver::lives(bench, carrier, Transport::Udp).await?)
        }
        _ => (Departure::Said, Life::NotAsked),
    };
    let answered = u32::from(seen == Seen::Answered);
    let flow = known(datagram.flow);
    let elapsed = began.elapsed();
    let traffic = Traffic { seen, flow, sent: 1, answered, elapsed, departure, life, seen_from: None };
    Ok(match seen {
        Seen::Answered => read(traffic, datagram.answer()),
        _ => Observation::Traffic(traffic),
    })
}

async fn over_tcp(bench: &Bench, query: &Dns, question: &[u8], window: &mut Window) -> Result<Observation, ProbeError> {
    let (traffic, connection) = connect(bench, &query.carrier, window).await?;
    if traffic.seen != Seen::Answered {
        return Ok(Observation::Traffic(traffic));
    }
    Ok(match probe::dns::exchange(connection, question, window.until()).await? {
        Ok(answer) if dns::answers(question, &answer) => read(traffic, &answer),
        Ok(_) => Observation::NoAnswer { traffic, why: Some("what came answers another question".to_owned()) },
        Err(why) => Observation::NoAnswer { traffic, why: Some(why) },
    })
}

fn read(traffic: Traffic, answer: &[u8]) -> Observation {
    match dns::read(answer) {
        Ok(reply) => Observation::Dns(DnsAnswer { reply, flow: traffic.flow }),
        Err(why) => Observation::NoAnswer { traffic, why: Some(format!("what came is not a DNS message: {why}")) },
    }
}
