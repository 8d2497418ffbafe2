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

/// How often a packet must have gone round before it is not shown each time.
const ROUNDS: usize = 3;

fn line(hops: &[&Hop]) -> String {
    let mut text = String::new();
    let round = round(hops);
    for (at, hop) in hops.iter().enumerate() {
        if let Some((begin, length, times)) = round {
            if at == begin + length {
                text.push_str(" -> ... (round and round)");
            }
            if (begin + length..begin + length * times).contains(&at) {
                continue;
            }
        }
        let place = match &hop.interface {
            Some(interface) => format!("{}.{interface}", hop.node),
            None => hop.node.clone(),
        };
        let (arrow, words) = match &hop.act {
            Act::Sent { .. } | Act::Received { .. } | Act::Forwarded => (" -> ", place),
            Act::Bridged { bridge } => (" -> ", format!("{place} (by {bridge})")),
            Act::Translated { from, to } => (" -> ", format!("{place} ({from} became {to})")),
            Act::LeftOut { hops } => (" -> ", format!("({hops} more)")),
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

/// Where a packet begins to go round, how many hops a round has, and how often it goes.
fn round(hops: &[&Hop]) -> Option<(usize, usize, usize)> {
    let places = hops.len();
    (0..places).find_map(|begin| {
        (1..=(places - begin) / ROUNDS).find_map(|length| {
            let times =
                1 + hops[begin + length..].iter().zip(&hops[begin..]).take_while(|(a, b)| a == b).count() / length;
            (times >= ROUNDS).then_some((begin, length, times))
        })
    })
}
