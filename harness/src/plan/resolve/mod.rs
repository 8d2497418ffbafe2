//! From what was written to what will be done.
//!
//! Pure: nothing is asked of the machine. A mistake is reported where it stands and left out, and resolving goes on,
//! so that one run shows all of them; what merely follows from an earlier mistake is not said (`sound`).

mod actions;
mod aims;
mod change;
mod checker;
mod choice;
mod dns;
mod endpoint;
mod expectations;
mod http;
mod lab;
mod links;
mod listing;
mod macs;
mod names;
mod nat;
mod needs;
mod networks;
mod nodes;
mod operations;
mod outcomes;
mod ports;
mod program;
mod refuser;
mod route_check;
mod routes;
mod rules;
mod scripts;
mod seen_from;
mod serves;
mod services;
mod solicit;
mod stacked;
mod state;
mod steps;
mod subnet;
mod sysctls;
mod targets;
#[cfg(test)]
mod tests;
mod traffic;
mod warnings;

use std::time::Duration;

use super::{Placing, Plan, Rules, Script, Service};
use crate::case::scalar::Time;
use crate::case::topology::{Network, Node};
use crate::case::{Case, CaseMap};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{Span, Spanned};
use lab::Lab;

/// How long a case may take when it does not say.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long nothing must be heard before it counts as silence, when the case does not say.
const SILENCE: Duration = Duration::from_secs(1);

/// What `silence` may be. Below, an answer of a busy machine is missed; above, nobody would wait.
const SILENCES: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(60);

/// Resolves a case. Every mistake and every doubt goes to `out`; there is a plan only when there is no error.
pub fn resolve(case: Case, out: &mut Diagnostics) -> Option<Plan> {
    let Case {
        title,
        description: _,
        tags: _,
        timeout,
        silence,
        needs,
        params: _,
        matrix: _,
        topology: _,
        nodes,
        networks,
        expect,
        steps,
        span: _,
        sound: _,
    } = case;
    let title = title.0;
    if let Some(title) = title.as_ref().filter(|title| title.trim().is_empty() || title.chars().any(char::is_control)) {
        out.push(
            Diagnostic::error(title.span, "this is not a title").label("one sentence that says what the case proves"),
        );
    }
    let (timeout, silence) = times(timeout, silence, out);
    let Built { mut lab, services, setup, rules, files } = build(nodes, networks, out);
    scripts::mention(&mut lab, expect.iter().flat_map(|list| &list.items));
    let actions = steps.iter().flat_map(|list| &list.items).filter_map(|step| step.r#do.as_ref());
    scripts::mention_in_actions(&mut lab, actions.flat_map(|list| &list.items));
    let later = steps.iter().flat_map(|list| &list.items).filter_map(|step| step.expect.as_ref());
    scripts::mention(&mut lab, later.flat_map(|list| &list.items));
    lab.number();
    let nodes = lab.finish();
    let operations = operations::order(&lab);
    let told = steps::resolve(&mut lab, &services, timeout, steps::Written { expect, steps }, out);
    let needs = needs::resolve(needs, &lab, &services, &told, out);
    if out.has_errors() {
        return None;
    }
    let steps::Told { steps, expectations } = told;
    Some(Plan {
        title: title?.value,
        folder: None,
        timeout,
        silence,
        nodes,
        operations,
        setup,
        rules,
        files,
        services,
        expectations,
        steps,
        needs,
    })
}

/// What there is before the first step.
struct Built {
    lab: Lab,
    services: Vec<Service>,
    setup: Vec<Script>,
    rules: Vec<Rules>,
    files: Vec<Placing>,
}

/// The topology, in the order in which one thing needs another: interfaces, cables, addresses, and what names them.
fn build(nodes: Option<CaseMap<Node>>, networks: Option<CaseMap<Network>>, out: &mut Diagnostics) -> Built {
    let mut lab = Lab::default();
    let rests = nodes::declare(&mut lab, nodes.unwrap_or_default(), out);
    links::plug(&mut lab, out);
    let laid = networks::declare(&mut lab, networks.unwrap_or_default(), out);
    stacked::lay(&mut lab, out);
    let (mut services, mut nats) = (Vec::new(), Vec::new());
    let setup = scripts::resolve(&mut lab, &rests, out);
    let (mut loaded, mut placed) = (Vec::new(), Vec::new());
    let created = rests.iter().filter_map(|rest| Some((rest.node, rest.created_by.clone()?))).collect();
    for rest in rests {
        let nodes::Rest { node, routes, nat, forwarding, sysctls, resolver, services: written, .. } = rest;
        loaded.extend(rules::resolve(node, rest.rules, out));
        placed.extend(rules::files(node, rest.files, out));
        sysctls::add(&mut lab, node, forwarding, sysctls.unwrap_or_default(), out);
        if let Some(routes) = routes {
            routes::add_listed(&mut lab, node, routes, out);
        }
        if let Some(resolver) = resolver {
            dns::add_resolver(&mut lab, node, resolver, out);
        }
        services.extend(services::resolve(&lab, node, written.unwrap_or_default(), out));
        nats.extend(nat.map(|nat| (node, nat)));
    }
    scripts::find_processes(&mut lab, created, &services, out);
    routes::add_defaults(&mut lab, laid.defaults, out);
    for node in 0..lab.nodes.len() {
        serves::check(&lab, node, out);
    }
    for (node, nat) in nats {
        nat::add(&mut lab, node, nat, out);
    }
    lab.index_addresses();
    warnings::look(&lab, &laid.gateways, out);
    Built { lab, services, setup, rules: loaded, files: placed }
}

fn times(
    timeout: Option<Spanned<Time>>,
    silence: Option<Spanned<Time>>,
    out: &mut Diagnostics,
) -> (Duration, Duration) {
    if let Some(silence) = silence.filter(|silence| !SILENCES.contains(&silence.0)) {
        out.push(Diagnostic::error(silence.span, "`silence` is out of its limits").label("from \"50ms\" to \"60s\""));
    }
    let (until, quiet) = (timeout.map_or(TIMEOUT, |time| time.0), silence.map_or(SILENCE, |time| time.0));
    let place: Option<Span> = timeout.map(|time| time.span).or(silence.map(|time| time.span));
    if let Some(place) = place.filter(|_| until <= quiet) {
        out.push(
            Diagnostic::error(place, format!("the timeout ({until:?}) ends before silence is known ({quiet:?})"))
                .label("`timeout` must be longer than `silence`"),
        );
    }
    (until, quiet)
}
