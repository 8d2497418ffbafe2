//! The path of a packet as a person follows it: one hop a line, with what happened there.

use crate::evidence::{Act, Evidence, Explanation, Hop, TraceKind, TraceVerdict, Way};

/// The hops of each way below a heading, aligned.
pub fn lines(explanation: &Explanation) -> Vec<String> {
    let width = explanation.hops.iter().map(|hop| place(hop).chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (way, heading) in [(Way::Ask, "asked first"), (Way::Request, "there"), (Way::Answer, "back")] {
        let hops: Vec<&Hop> = explanation.hops.iter().filter(|hop| hop.way == way).collect();
        if !hops.is_empty() {
            lines.push(format!("{heading}:"));
            lines.extend(hops.into_iter().map(|hop| format!("  {:width$}  {}", place(hop), what(&hop.act))));
        }
    }
    lines
}

/// The rules that decided something about the packets of a probe, each once, in the order of time.
pub fn decided(evidence: &Evidence) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for trace in &evidence.traces {
        let Some(node) = evidence.nodes.get(trace.node) else { continue };
        let same = |family: &str, table: &str| family == trace.family && table == trace.table;
        let verdict = match &trace.verdict {
            TraceVerdict::Accept => "accepted by",
            TraceVerdict::Drop => "dropped by",
            TraceVerdict::Continue | TraceVerdict::Return => continue,
            TraceVerdict::Jump(_) | TraceVerdict::Goto(_) => "sent on by",
            TraceVerdict::Other(_) => "taken by",
        };
        let by = match trace.kind {
            TraceKind::Return => continue,
            TraceKind::Policy => "the policy".to_owned(),
            TraceKind::Rule(handle) => {
                let rule = node
                    .rules
                    .iter()
                    .find(|rule| same(&rule.family, &rule.table) && rule.chain == trace.chain && rule.handle == handle);
                rule.map_or_else(|| format!("the rule with handle {handle}"), |rule| format!("`{}`", rule.text))
            }
        };
        let name = &node.name;
        let line = format!("{name}: {verdict} {by} in {} {} {}", trace.family, trace.table, trace.chain);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn place(hop: &Hop) -> String {
    match &hop.interface {
        Some(interface) => format!("{}.{interface}", hop.node),
        None => hop.node.clone(),
    }
}

fn what(act: &Act) -> String {
    match act {
        Act::Sent { flow } => format!("sent, {flow}"),
        Act::Received { flow } => format!("received, {flow}"),
        Act::Forwarded => "forwarded".to_owned(),
        Act::Translated { from, to } => format!("forwarded, {}", became(from, to)),
        Act::Bridged { bridge } => format!("passed on by the bridge {bridge}"),
        Act::LeftOut { hops } => format!("and {hops} more"),
        Act::Answered => "answered".to_owned(),
        Act::Dropped { by: Some(by) } => format!("dropped by {by}"),
        Act::Dropped { by: None } => "ended here".to_owned(),
        Act::Rejected { how } => format!("rejected {how}"),
        Act::Asked { about } => format!("asked who has {about}"),
    }
}

/// Which of the ends changed.
fn became(from: &str, to: &str) -> String {
    let (Some((source, target)), Some((new_source, new_target))) = (from.split_once(" -> "), to.split_once(" -> "))
    else {
        return format!("{from} became {to}");
    };
    let changed = |word: &str, old: &str, new: &str| (old != new).then(|| format!("{word} {old} became {new}"));
    let parts = [changed("source", source, new_source), changed("target", target, new_target)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hop_is_a_line() {
        let hop = |way, node: &str, interface: Option<&str>, act| Hop {
            way,
            node: node.into(),
            interface: interface.map(str::to_owned),
            act,
        };
        let flow = || "10.0.0.2:4001 -> 203.0.113.2:80".to_owned();
        let explanation = Explanation {
            hops: vec![
                hop(Way::Request, "blue", Some("eth0"), Act::Sent { flow: flow() }),
                hop(
                    Way::Request,
                    "gate",
                    Some("righta"),
                    Act::Translated { from: flow(), to: "203.0.113.1:4001 -> 203.0.113.2:80".into() },
                ),
                hop(Way::Answer, "gate", None, Act::Dropped { by: None }),
            ],
            ..Explanation::default()
        };
        let expected = [
            "there:",
            "  blue.eth0    sent, 10.0.0.2:4001 -> 203.0.113.2:80",
            "  gate.righta  forwarded, source 10.0.0.2:4001 became 203.0.113.1:4001",
            "back:",
            "  gate         ended here",
        ];
        assert_eq!(lines(&explanation), expected);
    }
}
