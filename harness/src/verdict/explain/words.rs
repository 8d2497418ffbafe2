//! The path of a packet in lines.

use crate::evidence::{Act, Explanation, Hop, Way};

/// The path as it is read: a line for each way, with a word for it.
pub fn path_lines(explanation: &Explanation) -> Vec<(&'static str, String)> {
    [(Way::Ask, "asked"), (Way::Request, "path"), (Way::Answer, "back")]
        .into_iter()
        .filter_map(|(way, word)| {
            let hops: Vec<&Hop> = explanation.hops.iter().filter(|hop| hop.way == way).collect();
            (!hops.is_empty()).then(|| (word, line(&hops)))
        })
        .collect()
}

fn line(hops: &[&Hop]) -> String {
    let mut text = String::new();
    for hop in hops {
        let place = match &hop.interface {
            Some(interface) => format!("{}.{interface}", hop.node),
            None => hop.node.clone(),
        };
        let (arrow, words) = match &hop.act {
            Act::Sent { .. } | Act::Received { .. } | Act::Forwarded => (" -> ", place),
            Act::Bridged { bridge } => (" -> ", format!("{place} (by {bridge})")),
            Act::Translated { from, to } => (" -> ", format!("{place} ({from} became {to})")),
            Act::Answered => (" -> ", format!("{place}, answered")),
            Act::Asked { about } => (" -> ", format!("{place} (who has {about})")),
            Act::Dropped { by } => {
                let nothing = if hop.way == Way::Answer { "sent no answer" } else { "did not send it" };
                let by = by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
                if text.is_empty() {
                    ("", format!("{place} {nothing}{by}"))
                } else {
                    (", ", format!("dropped in {place}{by}"))
                }
            }
            Act::Rejected { how } => (", ", format!("rejected by {place} {how}")),
        };
        if !text.is_empty() {
            text.push_str(arrow);
        }
        text.push_str(&words);
    }
    text
}
