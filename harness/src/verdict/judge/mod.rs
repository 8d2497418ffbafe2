//! The only place that decides.
//!
//! Pure: the same plan, expectation and observation give the same answer on every machine. What satisfies no word of an
//! expectation is a mismatch; nothing passes because it could not be understood.

mod dns;
mod http;
pub(crate) mod refuser;
pub(crate) mod run;
mod seen_from;
mod solicit;
mod state;
mod trace;
mod traffic;

#[cfg(test)]
mod tests;

use super::Finding;
use super::describe::describe_check;
use crate::observation::{Departure, Life, Observation};
use crate::plan::{Check, Expectation, Plan, RouteQuery};
pub(crate) use http::is_as_expected;
use traffic::Question;

/// What one observation means for one expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is as expected; a reason stands there when that proves less than it seems to.
    Match {
        /// Why the match proves less than it seems to.
        unproven: Option<String>,
    },
    /// It is not as expected.
    Mismatch(Finding),
}

impl Judgement {
    /// A match that needs no further proof.
    fn proven() -> Self {
        Self::Match { unproven: None }
    }
}

/// Decides whether an observation is what was expected.
///
/// An observation of another kind than the check asks for is a fault of the probe; it satisfies nothing, and the
/// finding says so.
pub fn judge(plan: &Plan, expectation: &Expectation, observation: &Observation) -> Judgement {
    decide(plan, &expectation.check, observation)
        .unwrap_or_else(|| Judgement::Mismatch(wrong_shape(plan, &expectation.check, observation)))
}

/// The decision, or `None` when the observation answers another question.
fn decide(plan: &Plan, check: &Check, observation: &Observation) -> Option<Judgement> {
    use Observation as Seen;
    Some(match (check, observation) {
        (Check::Ping(ping), Seen::Traffic(traffic)) => traffic::judge(plan, &Question::of_ping(ping), traffic),
        (Check::Tcp(transfer), Seen::Traffic(traffic)) => traffic::judge(plan, &Question::of_tcp(transfer), traffic),
        (Check::Udp(transfer), Seen::Traffic(traffic)) => traffic::judge(plan, &Question::of_udp(transfer), traffic),
        (Check::Http(http), Seen::Traffic(traffic)) => traffic::judge(plan, &Question::of_http(http), traffic),
        (Check::Http(http), Seen::Http(answer)) => http::judge(plan, http, answer),
        (Check::Http(http), Seen::NoName { name, why }) => Judgement::Mismatch(http::no_name(plan, http, name, why)),
        (Check::Http(http), Seen::NoAnswer { traffic, why }) => {
            let question = Question::of_http(http);
            match traffic::judge(plan, &question, traffic) {
                // An open port answers what `outcome` asks; whatever came over it is no HTTP.
                judged @ Judgement::Match { .. } => judged,
                Judgement::Mismatch(_) => {
                    Judgement::Mismatch(traffic::no_answer(plan, &question, traffic, why.as_deref()))
                }
            }
        }
        (Check::Dns(query), Seen::Traffic(traffic)) => traffic::judge(plan, &Question::of_dns(query), traffic),
        (Check::Dns(query), Seen::Dns(answer)) => dns::judge(plan, query, answer),
        (Check::Dns(query), Seen::NoAnswer { traffic, why }) => {
            Judgement::Mismatch(traffic::no_answer(plan, &Question::of_dns(query), traffic, why.as_deref()))
        }
        (Check::Trace(trace), Seen::Trace(hops)) => trace::judge(plan, trace, hops),
        (Check::Arp(solicit) | Check::Ndp(solicit), Seen::Answers(answers)) => solicit::judge(plan, solicit, answers),
        (Check::Neigh(neigh), Seen::Neighbours(entries)) => state::neigh(plan, neigh, entries),
        (Check::Route(route), seen) => match (&route.query, seen) {
            (RouteQuery::Table(prefix), Seen::Routes(routes)) => state::route::table(plan, route, *prefix, routes),
            (RouteQuery::Lookup(target), Seen::Lookup(found)) => state::route::lookup(plan, route, target, found),
            _ => return None,
        },
        (Check::Run(run), Seen::Ran(ran)) => run::judge(plan, run, ran),
        (Check::Link(link), Seen::Link(found)) => state::link::judge(plan, link, found.as_ref()),
        (Check::Isolated(one, other), Seen::Shared(shared)) => state::isolated::judge(plan, *one, *other, shared),
        (Check::Listing(listing), Seen::Listed(found)) => state::listing::judge(plan, listing, found),
        _ => return None,
    })
}

fn wrong_shape(plan: &Plan, check: &Check, observation: &Observation) -> Finding {
    let answered = match observation {
        Observation::Traffic(_) => "what traffic did",
        Observation::Http(_) => "an HTTP answer",
        Observation::NoAnswer { .. } => "an open port without an answer",
        Observation::Dns(_) => "a DNS answer",
        Observation::NoName { .. } => "a name without an address",
        Observation::Trace(_) => "the way of a packet",
        Observation::Answers(_) => "who answered on the wire",
        Observation::Neighbours(_) => "entries of a neighbour table",
        Observation::Routes(_) => "routes of a table",
        Observation::Lookup(_) => "the route that would be chosen",
        Observation::Link(_) => "an interface",
        Observation::Ran(_) => "the end of a program",
        Observation::Listed(_) => "a list",
        Observation::Shared(_) => "what two nodes have in common",
    };
    Finding::new(format!("the probe answered another question: `{}` got {answered}", describe_check(plan, check)))
        .note("this is a fault of netcase, not of the case")
}

/// Why silence proves nothing, or `None` when it does: the request left, and the target lives.
fn silence_unproven(departure: &Departure, life: &Life, sender: &str, target: &str) -> Option<String> {
    let reasons: Vec<String> =
        [left_unproven(departure, sender), life_unproven(life, target)].into_iter().flatten().collect();
    (!reasons.is_empty()).then(|| format!("the silence proves nothing: {}", reasons.join("; ")))
}

fn left_unproven(departure: &Departure, sender: &str) -> Option<String> {
    match departure {
        Departure::Said | Departure::Stamped => None,
        Departure::Unproven(reason) => Some(format!("it is not known whether the request left {sender} ({reason})")),
    }
}

fn life_unproven(life: &Life, target: &str) -> Option<String> {
    match life {
        Life::Alive => None,
        Life::NotAsked => Some(format!("nobody looked whether {target} lives")),
        Life::Unproven(reason) => Some(format!("it is not known whether {target} lives ({reason})")),
    }
}
