//! What a DNS answer must be.

use super::Judgement;
use super::traffic::Question;
use crate::observation::DnsAnswer;
use crate::plan::{Dns, Plan};
use crate::verdict::Finding;
use crate::verdict::describe::{flow, node};
use crate::verdict::words::all_of;
use crate::words::Rcode;

/// Decides about an answer that came.
pub(super) fn judge(plan: &Plan, query: &Dns, answer: &DnsAnswer) -> Judgement {
    let question = Question::of_dns(query);
    let from = node(plan, query.carrier.from);
    let (name, kind, target) = (&query.name, query.kind, question.target());
    let label = answer.flow.map(flow).unwrap_or_default();
    let rcode = answer.reply.rcode.map_or("a response code that netcase does not know", Rcode::word);
    if !question.wants_answer() {
        let message = format!("{from} got an answer ({rcode}) from {target}, {}", question.expected());
        return Judgement::Mismatch(Finding::new(message).label(label).about(&["outcome"]));
    }
    let found: Vec<&str> =
        answer.reply.records.iter().filter(|record| record.kind == Some(kind)).map(|record| &*record.value).collect();
    let mut wrong = Vec::new();
    let wanted = query.rcode.or(query.answer.as_ref().map(|_| Rcode::NoError));
    if let Some(wanted) = wanted.filter(|wanted| answer.reply.rcode != Some(*wanted)) {
        wrong.push(("rcode", format!("the response code is {rcode}, expected {wanted}")));
    }
    if let Some(expected) = query.answer.as_ref().filter(|expected| !same(expected, &found)) {
        wrong.push(("answer", format!("it says {}, expected {}", list(&found), list(expected))));
    }
    if wrong.is_empty() {
        return Judgement::proven();
    }
    let (keys, words): (Vec<&str>, Vec<String>) = wrong.into_iter().unzip();
    let message = format!("{from} asked {target} for {name} {kind} and got another answer: {}", words.join("; "));
    let mut finding = Finding::new(message).label(label).about(&[&*keys, &["name"]].concat());
    let others = answer.reply.records.iter().filter(|record| record.kind != Some(kind));
    for record in others {
        let kind = record.kind.map_or("?", |kind| kind.word());
        finding.notes.push(format!("the answer has {} {kind} {}", record.name, record.value));
    }
    if answer.reply.truncated {
        finding.notes.push("the answer was cut: there was more than fits".to_owned());
    }
    Judgement::Mismatch(finding)
}

/// Whether two sets of values are the same, in whatever order.
fn same(expected: &[String], found: &[&str]) -> bool {
    let sorted = |mut values: Vec<String>| {
        values.sort();
        values
    };
    sorted(expected.to_vec()) == sorted(found.iter().map(|value| (*value).to_owned()).collect())
}

fn list<T: AsRef<str>>(values: &[T]) -> String {
    let words: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
    if words.is_empty() { "nothing".to_owned() } else { all_of(&words) }
}
