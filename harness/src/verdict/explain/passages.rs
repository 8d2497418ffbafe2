//! What each captured frame is to the probe, in words.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ptr;

use super::trails::{Ends, Sight, Trail, Trails};
use crate::evidence::{Evidence, Frame, Payload};

/// A comment for each frame of a probe, in the order of [`Evidence::frames`]; empty for others.
pub fn comments(evidence: &Evidence) -> Vec<String> {
    let trails = Trails::of(evidence);
    let mut known: HashMap<*const Frame, String> = HashMap::new();
    let answered = !trails.back.is_empty() || !trails.errors.is_empty();
    for (trails, word) in
        [(&trails.there, "request"), (&trails.back, "answer"), (&trails.errors, "ICMP error about the request")]
    {
        for trail in trails {
            let lost = if word == "request" {
                !answered
            } else {
                trail.last().is_some_and(|last| last.frame.node != evidence.flow.from)
            };
            for (sight, comment) in trail.sights.iter().zip(of_trail(trail, word, lost)) {
                known.insert(ptr::from_ref(sight.frame), comment);
            }
        }
    }
    for sight in &trails.questions {
        if let Payload::Neighbour(question) = &sight.packet.payload {
            let about = question.about;
            let word = if question.answer { format!("says who has {about}") } else { format!("asks who has {about}") };
            known.insert(ptr::from_ref(sight.frame), word);
        }
    }
    for sight in &trails.strays {
        known.insert(ptr::from_ref(sight.frame), "an answer from an address that was not asked".to_owned());
    }
    evidence.frames.iter().map(|frame| known.remove(&ptr::from_ref(frame)).unwrap_or_default()).collect()
}

fn of_trail(trail: &Trail<'_>, word: &str, lost: bool) -> Vec<String> {
    let mut before: Option<&Sight<'_>> = None;
    let last = trail.sights.len().saturating_sub(1);
    let mut comments = Vec::with_capacity(trail.sights.len());
    for (at, sight) in trail.sights.iter().enumerate() {
        let mut comment = word.to_owned();
        if let Some(before) = before
            && let (Some(from), Some(to)) = (Ends::of(&before.packet), Ends::of(&sight.packet))
            && from != to
        {
            comment.push_str(&format!(", translated from {} to {}", words(from, before), words(to, sight)));
        }
        if lost && at == last {
            comment.push_str(", last seen here");
        }
        before = Some(sight);
        comments.push(comment);
    }
    comments
}

fn words(ends: Ends, sight: &Sight<'_>) -> String {
    let ports = !matches!(sight.packet.payload, Payload::Icmp(_));
    let end = |address: IpAddr, port: u16| {
        if ports { SocketAddr::new(address, port).to_string() } else { address.to_string() }
    };
    format!("{} -> {}", end(ends.from, ends.source_port), end(ends.to, ends.port))
}
