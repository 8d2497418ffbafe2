//! What an HTTP answer must be.

use regex::Regex;

use super::traffic::Question;
use super::{Judgement, seen_from};
use crate::observation::HttpAnswer;
use crate::plan::{Http, Plan, Text};
use crate::verdict::Finding;
use crate::verdict::describe::{flow, node};
use crate::verdict::words::{all_of, any_of, excerpt};
use crate::words::{Port, Transport};

/// Decides about an answer that came.
pub(super) fn judge(plan: &Plan, http: &Http, answer: &HttpAnswer) -> Judgement {
    let question = Question::of_http(http);
    let from = node(plan, http.connection.from);
    let mut finding = Finding { label: answer.flow.map(flow).unwrap_or_default(), ..Finding::default() };
    if answer.url.trim_end_matches('/') != http.url.trim_end_matches('/') {
        finding.notes.push(format!("after redirects it was {} that answered", answer.url));
    }
    if !question.wants_answer() {
        finding.message = format!(
            "{from} got an answer with status {} from {}, {}",
            answer.status,
            question.target(),
            question.expected()
        );
        return Judgement::Mismatch(finding.about(&["outcome"]));
    }
    if let Some(location) = &answer.astray {
        let (target, location) = (question.target(), excerpt(location));
        finding.message = format!("{from} was redirected by {target} to {location}, which leads out of the lab");
        finding.notes.push("a redirect is followed to `http://` and a node of the case, or an address".to_owned());
        return Judgement::Mismatch(finding.about(&["redirects"]));
    }
    let mut wrong = differences(http, answer, &mut finding);
    let port = Port { number: http.connection.port, transport: Transport::Tcp };
    let expected = http.connection.seen_from.as_ref();
    let source = seen_from::difference(plan, &http.connection.to, port, expected, answer.seen_from);
    if source.is_some() {
        let own = answer.flow.map(|(from, _)| from.ip());
        finding.notes.extend(seen_from::untranslated(plan, own, answer.seen_from));
    }
    if let (true, Some(difference)) = (wrong.is_empty(), &source) {
        finding.message = format!("{from} got its answer from {}, but {difference}", question.target());
        return Judgement::Mismatch(finding.about(&["seen-from"]));
    }
    wrong.extend(source.map(|difference| ("seen-from", difference)));
    if wrong.is_empty() {
        return Judgement::proven();
    }
    let (keys, words): (Vec<&str>, Vec<String>) = wrong.into_iter().unzip();
    finding.message = format!("{from} got a different answer from {}: {}", question.target(), words.join("; "));
    Judgement::Mismatch(finding.about(&keys))
}

/// Whether an answer with these parts would be what is expected.
pub(crate) fn is_as_expected(http: &Http, status: u16, headers: &[(String, String)], body: &str) -> bool {
    let answer = HttpAnswer {
        status,
        headers: headers.to_vec(),
        body: body.to_owned(),
        cut: false,
        url: http.url.clone(),
        astray: None,
        flow: None,
        seen_from: None,
    };
    differences(http, &answer, &mut Finding::default()).is_empty()
}

/// The finding for a name that did not become an address: nothing was tried, so it satisfies no outcome.
pub(super) fn no_name(plan: &Plan, http: &Http, name: &str, why: &str) -> Finding {
    let from = node(plan, http.connection.from);
    Finding::new(format!("{from} could not resolve {name}: {why}")).about(&["url"])
}

/// What is not as expected, each with the key of the check that expects it.
fn differences(http: &Http, answer: &HttpAnswer, finding: &mut Finding) -> Vec<(&'static str, String)> {
    let expected = &http.answer;
    let mut wrong = Vec::new();
    let status_differs = !expected.status.is_empty() && !expected.status.contains(&answer.status);
    if status_differs {
        wrong.push(("status", format!("status is {}, expected {}", answer.status, any_of(&expected.status))));
        if let Some((_, location)) = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location")) {
            let followed = match http.redirects {
                0 => String::new(),
                most => format!(" once more, after as many redirects as are followed (`redirects = {most}`)"),
            };
            finding.notes.push(format!("it redirects to {}{followed}", excerpt(location)));
        }
    }
    for (name, text) in &expected.headers {
        wrong.extend(header_difference(name, text, answer).map(|words| ("headers", words)));
    }
    let body_difference = expected.body.as_ref().and_then(|text| unmet(text, &answer.body));
    if let Some(difference) = &body_difference {
        wrong.push(("body", format!("body {difference}")));
        let line = expected.body.as_ref().and_then(|text| text.equals.as_deref());
        finding.notes.extend(line.and_then(|line| first_difference(line, &answer.body)));
        if answer.cut {
            finding.notes.push("the body was cut; what is behind was not looked at".to_owned());
        }
    }
    if body_difference.is_some() || (status_differs && !answer.body.is_empty()) {
        finding.notes.push(body_note(&answer.body));
    }
    wrong
}

fn body_note(body: &str) -> String {
    match body.len() {
        0 => "the body is empty".to_owned(),
        bytes => format!("the body ({bytes} bytes) is {}", excerpt(body)),
    }
}

/// What is wrong with a header field. Names know no case; of several fields of one name any may match.
fn header_difference(name: &str, text: &Text, answer: &HttpAnswer) -> Option<String> {
    let values: Vec<&str> = answer
        .headers
        .iter()
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
        .collect();
    if values.is_empty() {
        let fields: Vec<&str> = answer.headers.iter().map(|(field, _)| field.as_str()).collect();
        return Some(format!("there is no header `{name}`, only {}", all_of(&fields)));
    }
    let unmet: Vec<String> = values.iter().filter_map(|value| unmet(text, value)).collect();
    if unmet.len() < values.len() {
        return None;
    }
    let found: Vec<String> = values.iter().map(|value| excerpt(value)).collect();
    let condition = unmet.first()?;
    Some(format!("header `{name}` {condition} but is {}", all_of(&found)))
}

/// The conditions that a text does not meet, or `None`.
pub(super) fn unmet(text: &Text, found: &str) -> Option<String> {
    let mut wrong = Vec::new();
    if let Some(equals) = &text.equals
        && equals != found
    {
        wrong.push(format!("is not {}", excerpt(equals)));
    }
    if let Some(contains) = &text.contains
        && !found.contains(contains)
    {
        wrong.push(format!("does not contain {}", excerpt(contains)));
    }
    if let Some(pattern) = &text.regex {
        match Regex::new(pattern) {
            Ok(regex) if regex.is_match(found) => {}
            Ok(_) => wrong.push(format!("does not match /{pattern}/")),
            // Reading a case compiles its patterns; a plan from elsewhere may hold a bad one, and it matches nothing.
            Err(_) => wrong.push(format!("cannot be held against /{pattern}/, which is not a regular expression")),
        }
    }
    (!wrong.is_empty()).then(|| wrong.join(" and "))
}

/// The first line in which two texts differ.
fn first_difference(expected: &str, found: &str) -> Option<String> {
    let mut expected_lines = expected.split('\n');
    let mut found_lines = found.split('\n');
    for number in 1.. {
        match (expected_lines.next(), found_lines.next()) {
            (None, None) => return None,
            (Some(expected), Some(found)) if expected == found => {}
            (Some(expected), Some(found)) => {
                return Some(format!("line {number} is {}, expected {}", excerpt(found), excerpt(expected)));
            }
            (Some(expected), None) => {
                return Some(format!("line {number} is missing, expected {}", excerpt(expected)));
            }
            (None, Some(found)) => return Some(format!("line {number} is {}, expected no such line", excerpt(found))),
        }
    }
    None
}
