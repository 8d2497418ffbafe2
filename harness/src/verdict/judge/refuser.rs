//! Who dropped or rejected a packet, against who must have.
//!
//! Only what was seen counts: a node of which the evidence says nothing has proved nothing, and that is no pass.

use super::traffic::{Question, could_not_say};
use crate::evidence::{Act, Blame, Cause, CauseKind, Evidence, Explanation};
use crate::observation::{Observation, Seen, Traffic};
use crate::plan::{Expectation, Plan, Refusal, Refuser};
use crate::verdict::{Finding, Outcome};

/// Decides, from what a second probe showed, whether the refusal came from whom the expectation names.
pub(crate) fn judge(
    plan: &Plan,
    expectation: &Expectation,
    refuser: &Refuser,
    observation: &Observation,
    explanation: &Explanation,
    evidence: &Evidence,
) -> Outcome {
    let (Observation::Traffic(traffic) | Observation::NoAnswer { traffic, .. }) = observation else {
        return Outcome::Error(Finding::new(format!("{}: it cannot be told who refused", expectation.name)));
    };
    let first = explanation.causes.first();
    let fault = match first {
        Some(cause) => fault(plan, refuser, traffic, cause, explanation, evidence),
        None => Some(format!("and nobody can be named who {} it", refuser.how.word())),
    };
    let gaps: Vec<String> = explanation.cut.iter().map(|cut| format!("evidence is missing: {cut}")).collect();
    let certain = is_certain(refuser, explanation);
    let question = Question::of_check(&expectation.check);
    let said = question.map_or_else(|| expectation.name.clone(), |question| could_not_say(plan, &question, traffic));
    let mut finding = match fault {
        None => return Outcome::Pass { unproven: (!certain).then(|| gaps.join("; ")) },
        Some(fault) if certain => {
            let finding = Finding::new(format!("{said}, {fault}"));
            finding.label(format!("expected it to be {}", refuser.words()))
        }
        Some(_) => {
            let words = first.map_or("nobody can be named", |cause| &cause.words);
            Finding::new(format!("{said}, and it is not known whether it was {}: {words}", refuser.words()))
        }
    };
    finding = finding.about(&[refuser.how.key()]);
    finding.notes.extend(gaps);
    finding.notes.extend(explanation.known.iter().filter(|_| first.is_none()).cloned());
    if certain { Outcome::Fail(finding) } else { Outcome::Error(finding) }
}

/// Whether nothing that is missing in the evidence could tell another story. A rule that was seen to end the packet is
/// certain; not which one it is, where its text could not be read.
fn is_certain(refuser: &Refuser, explanation: &Explanation) -> bool {
    let Some(cause) = explanation.causes.first() else { return explanation.cut.is_empty() };
    let unread = refuser.rule.is_some()
        && cause.rule.is_none()
        && cause.node.as_ref() == Some(&refuser.name)
        && matches!(cause.kind, CauseKind::RuleDropped | CauseKind::RuleRejected);
    !unread && (explanation.cut.is_empty() || is_of_rules(cause.kind))
}

/// Why it was not who must have refused; nothing when it was.
fn fault(
    plan: &Plan,
    refuser: &Refuser,
    traffic: &Traffic,
    cause: &Cause,
    explanation: &Explanation,
    evidence: &Evidence,
) -> Option<String> {
    let Refuser { how, node: _, name, rule } = refuser;
    let (verb, words) = (how.word(), &cause.words);
    let by = match how {
        Refusal::Dropped => who_dropped(plan, traffic, cause, evidence),
        Refusal::Rejected => who_rejected(plan, traffic, cause, explanation, evidence),
    };
    let Some(by) = by else { return Some(format!("and it was not {verb} by {name}: {words}")) };
    if by != *name {
        return Some(format!("and it was not {name} that {verb} it: {words}"));
    }
    let rule = rule.as_ref()?;
    let file = match &cause.blame {
        Some(Blame::File { text, command: false, .. }) if is_of_rules(cause.kind) => Some(text),
        _ => None,
    };
    (!cause.rule.iter().chain(file).any(|text| stands_in(rule, text)))
        .then(|| format!("and it was not the rule `{rule}` of {name} that {verb} it: {words}"))
}

/// The node that dropped the packet, where that is what became of it.
fn who_dropped<'a>(plan: &Plan, traffic: &Traffic, cause: &'a Cause, evidence: &Evidence) -> Option<&'a str> {
    let unheard = match traffic.seen {
        Seen::Silent => true,
        // What its own rules drop on its way out, the sender's kernel says to the sender.
        Seen::Local(refusal) => refusal.errno == libc::EPERM,
        _ => false,
    };
    let drops = match cause.kind {
        CauseKind::RuleDropped
        | CauseKind::PolicyDropped
        | CauseKind::BridgeNetfilter
        | CauseKind::ReversePath
        | CauseKind::RouteRefuses
        | CauseKind::ForwardingOff
        | CauseKind::EchoIgnored
        | CauseKind::PortBlocked
        | CauseKind::PortIsolated => true,
        CauseKind::PolicyRule => refused_a_lookup(plan, cause, evidence),
        _ => false,
    };
    cause.node.as_deref().filter(|_| unheard && drops)
}

/// The node that rejected the packet, where that is what became of it.
fn who_rejected<'a>(
    plan: &'a Plan,
    traffic: &Traffic,
    cause: &'a Cause,
    explanation: &'a Explanation,
    evidence: &Evidence,
) -> Option<&'a str> {
    let own = cause.node.as_deref();
    // What a rule has rejected is rejected, also where the word about it is lost: there are limits to how many are sent.
    if cause.kind == CauseKind::RuleRejected {
        return own;
    }
    if !matches!(traffic.seen, Seen::Reset | Seen::Icmp { .. } | Seen::Local(_)) {
        return None;
    }
    match cause.kind {
        // A rule that cannot be read may be one that rejects; the sender has been told something.
        CauseKind::RuleDropped => own.filter(|_| cause.rule.is_none()),
        CauseKind::PolicyDropped => None,
        CauseKind::PolicyRule => own.filter(|_| refused_a_lookup(plan, cause, evidence)),
        CauseKind::BridgeNetfilter
        | CauseKind::RouteRefuses
        | CauseKind::NoRoute
        | CauseKind::NobodyListens
        | CauseKind::ListensElsewhere
        | CauseKind::ServiceDied => own,
        // Who said so of something else, a silent neighbour, a link, a packet's size or age: the sender's own kernel...
        _ if matches!(traffic.seen, Seen::Local(_) | Seen::Icmp { own: true, .. }) => {
            plan.nodes.get(evidence.flow.from).map(|node| &*node.name)
        }
        // ...or a router.
        _ => explanation.hops.iter().rev().find(|hop| matches!(hop.act, Act::Rejected { .. })).map(|hop| &*hop.node),
    }
}

fn is_of_rules(kind: CauseKind) -> bool {
    matches!(
        kind,
        CauseKind::RuleDropped | CauseKind::RuleRejected | CauseKind::PolicyDropped | CauseKind::BridgeNetfilter
    )
}

/// Whether the node's kernel has refused to find a way: a policy rule may also send a packet elsewhere.
fn refused_a_lookup(plan: &Plan, cause: &Cause, evidence: &Evidence) -> bool {
    let node = plan.nodes.iter().position(|node| Some(&node.name) == cause.node.as_ref());
    evidence.decisions.iter().any(|decision| Some(decision.asked.node) == node && decision.answer.is_err())
}

/// Whether the words of a text stand in another one, in a row; blanks and quotes count for nothing.
fn stands_in(part: &str, whole: &str) -> bool {
    let (part, whole) = (words(part), words(whole));
    !part.is_empty() && whole.windows(part.len()).any(|window| window == part)
}

/// The words and signs of a rule, so that `80` does not stand in `8080`.
fn words(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) { rest.find(|c| !is_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (word, behind) = rest.split_at(length);
        if !first.is_whitespace() && !matches!(first, '"' | '\'') {
            words.push(word);
        }
        rest = behind;
    }
    words
}
