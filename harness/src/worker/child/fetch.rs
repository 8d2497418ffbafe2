//! Attempts over HTTP: a request, those that its redirects ask for, and before them the name.

use std::net::IpAddr;
use std::time::Instant;

use super::attempt::Bench;
use super::clock::Window;
use super::transfer::connect;
use super::{query, redirect};
use crate::dns::Record;
use crate::observation::{HttpAnswer, Observation, Seen};
use crate::plan::{self, Dns, End, Http, NodeId, Target, Transfer};
use crate::probe::ProbeError;
use crate::probe::http::{Asked, Exchange, exchange};
use crate::verdict::{describe_traffic, target_words};
use crate::words::Rcode;

/// One HTTP request, and those that its redirects ask for.
pub(super) async fn fetch(bench: &Bench, http: &Http, mut window: Window) -> Result<Observation, ProbeError> {
    let began = Instant::now();
    let mut transfer = http.connection.clone();
    if let Some(lookup) = &http.lookup {
        match look_up(bench, lookup, &mut window).await? {
            Ok(found) => transfer.to = found,
            Err(why) => return Ok(Observation::NoName { name: lookup.name.clone(), why }),
        }
    }
    let mut step = Step { transfer, url: http.url.clone(), host: http.host.clone(), path: http.path.clone() };
    let (mut method, mut body) = (&*http.method, &*http.body);
    for redirect in 0..=http.redirects {
        let (mut traffic, connection) = connect(bench, &step.transfer, &mut window).await?;
        if traffic.seen != Seen::Answered {
            return Ok(Observation::Traffic(traffic));
        }
        let asked = Asked { url: &step.url, host: &step.host, path: &step.path, method, headers: &http.headers, body };
        let mut answer = match exchange(connection, asked, window.end()).await? {
            Exchange::Answer(answer) => HttpAnswer { seen_from: traffic.seen_from, ..answer },
            // The connection stands and no HTTP came: an open port that is no answer.
            Exchange::Silent => {
                traffic.elapsed = began.elapsed();
                return Ok(Observation::NoAnswer { traffic, why: None });
            }
            Exchange::Broken(why) => {
                traffic.elapsed = began.elapsed();
                return Ok(Observation::NoAnswer { traffic, why: Some(why) });
            }
        };
        let next = answer
            .headers
            .iter()
            .find(|(name, _)| (300..400).contains(&answer.status) && name.eq_ignore_ascii_case("location"));
        match next {
            Some((_, location)) if redirect < http.redirects => {
                match step.follow(bench, location, http.names.as_ref(), &mut window).await? {
                    Ok(followed) => step = followed,
                    Err(Astray::NoName { name, why }) => return Ok(Observation::NoName { name, why }),
                    Err(Astray::Elsewhere) => {
                        answer.astray = Some(location.clone());
                        return Ok(Observation::Http(answer));
                    }
                }
                // RFC 9110, section 15.4.4: what was sent has been taken, and the answer is to be fetched elsewhere.
                if answer.status == 303 && method != "HEAD" {
                    (method, body) = ("GET", "");
                }
            }
            _ => return Ok(Observation::Http(answer)),
        }
    }
    Err(ProbeError("the request was redirected without end".to_owned()))
}

/// The address of a name, asked of the sender's resolver; or why there is none.
async fn look_up(bench: &Bench, query: &Dns, window: &mut Window) -> Result<Result<Target, String>, ProbeError> {
    let server = target_words(&query.carrier.to);
    Ok(match query::ask(bench, query, window).await? {
        Observation::Dns(answer) => {
            let of_kind = |record: &&Record| record.kind == Some(query.kind);
            let found = answer.reply.records.iter().find(of_kind).and_then(|record| record.value.parse().ok());
            match (found, answer.reply.rcode) {
                (Some(address), _) => {
                    let owner = holder(bench, address);
                    Ok(Target { words: query.name.clone(), address, owner, read: None })
                }
                (None, Some(Rcode::NoError)) => Err(format!("{server} knows no {} record of it", query.kind)),
                (None, Some(rcode)) => Err(format!("{server} says {rcode}")),
                (None, None) => Err(format!("{server} gave a response code that netcase does not know")),
            }
        }
        Observation::Traffic(traffic) => Err(format!("asked {server}: {}", describe_traffic(&traffic))),
        Observation::NoAnswer { why, .. } => {
            Err(format!("{server}: {}", why.unwrap_or_else(|| "no answer".to_owned())))
        }
        _ => Err(format!("{server} was not asked")),
    })
}

/// The interface that has an address.
fn holder(bench: &Bench, address: IpAddr) -> Option<End> {
    find(bench, &address.to_string(), address.is_ipv6()).and_then(|(_, owner)| owner)
}

/// Where a request goes.
struct Step {
    transfer: Transfer,
    url: String,
    host: String,
    path: String,
}

/// Why a redirect is not followed.
enum Astray {
    /// It leads out of the lab.
    Elsewhere,
    /// It leads to a name that has no address.
    NoName { name: String, why: String },
}

impl Step {
    /// The request that a `Location` field asks for.
    async fn follow(
        &self,
        bench: &Bench,
        location: &str,
        names: Option<&Dns>,
        window: &mut Window,
    ) -> Result<Result<Self, Astray>, ProbeError> {
        let Some((host, path)) = redirect::resolve(&self.host, &self.path, location) else {
            return Ok(Err(Astray::Elsewhere));
        };
        let url = format!("http://{host}{path}");
        if host == self.host {
            return Ok(Ok(Self { transfer: self.transfer.clone(), url, host, path }));
        }
        let Some((name, port)) = redirect::host_and_port(&host) else { return Ok(Err(Astray::Elsewhere)) };
        let to = match (find(bench, name, self.transfer.to.address.is_ipv6()), names) {
            (Some((address, owner)), _) => Target { words: name.to_owned(), address, owner, read: None },
            (None, None) => return Ok(Err(Astray::Elsewhere)),
            (None, Some(names)) => match look_up(bench, &Dns { name: name.to_owned(), ..names.clone() }, window).await?
            {
                Ok(found) => found,
                Err(why) => return Ok(Err(Astray::NoName { name: name.to_owned(), why })),
            },
        };
        let transfer = Transfer { to, port, ..self.transfer.clone() };
        Ok(Ok(Self { transfer, url, host, path }))
    }
}

/// A node's or an address's place in the lab.
fn find(bench: &Bench, name: &str, v6: bool) -> Option<(IpAddr, Option<End>)> {
    let literal = name.parse::<IpAddr>().ok();
    let ends = bench.plan.nodes.iter().enumerate().flat_map(|(node, planned): (NodeId, _)| {
        planned
            .interfaces
            .iter()
            .enumerate()
            .map(move |(interface, planned_interface)| (End { node, interface }, &planned.name, planned_interface))
    });
    for (end, node, interface) in ends {
        for cidr in &interface.addresses {
            let by_name = node == name && cidr.address.is_ipv6() == v6;
            if by_name || literal == Some(cidr.address) {
                return Some((cidr.address, Some(end)));
            }
        }
    }
    literal.map(|address| (address, plan::holder(&bench.plan.nodes, address)))
}
