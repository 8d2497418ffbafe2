//! Conditions on HTTP answers.

use super::*;
use crate::observation::HttpAnswer;
use crate::plan::{Http, HttpExpected, Text};

pub(super) fn request(outcome: &[Outcome]) -> Http {
    Http {
        lookup: None,
        open: None,
        names: None,
        connection: transfer(outcome),
        url: "http://lan:7/".to_owned(),
        host: "lan:7".to_owned(),
        path: "/".to_owned(),
        method: "GET".to_owned(),
        headers: Vec::new(),
        body: String::new(),
        redirects: 0,
        answer: HttpExpected::default(),
    }
}

fn expecting(answer: HttpExpected) -> Check {
    Check::Http(Box::new(Http { answer, ..request(&[Outcome::Open]) }))
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Observation {
    Observation::Http(HttpAnswer {
        status,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.to_owned(),
        cut: false,
        url: "http://lan:7/".to_owned(),
        astray: None,
        flow: Some((([10, 0, 0, 2], 41532).into(), ([192, 168, 1, 3], 7).into())),
        seen_from: None,
    })
}

fn equals(text: &str) -> Text {
    Text { equals: Some(text.to_owned()), ..Text::default() }
}

fn contains(text: &str) -> Text {
    Text { contains: Some(text.to_owned()), ..Text::default() }
}

fn regex(text: &str) -> Text {
    Text { regex: Some(text.to_owned()), ..Text::default() }
}

fn status(list: &[u16]) -> HttpExpected {
    HttpExpected { status: list.to_vec(), ..HttpExpected::default() }
}

fn header(name: &str, text: Text) -> HttpExpected {
    HttpExpected { headers: vec![(name.to_owned(), text)], ..HttpExpected::default() }
}

fn body(text: Text) -> HttpExpected {
    HttpExpected { body: Some(text), ..HttpExpected::default() }
}

#[test]
fn conditions_both_ways() {
    let all = Text { equals: Some("hello".to_owned()), contains: Some("ell".to_owned()), regex: Some("^h".to_owned()) };
    let two = Text { contains: Some("ell".to_owned()), regex: Some("^x".to_owned()), equals: None };
    for (expected, matched) in [
        (HttpExpected::default(), true),
        (status(&[200]), true),
        (status(&[204, 200]), true),
        (status(&[404]), false),
        (header("CONTENT-type", equals("text/plain")), true),
        (header("content-type", equals("text/html")), false),
        (header("set-cookie", equals("b=2")), true),
        (header("set-cookie", equals("c=3")), false),
        (header("server", regex(".*")), false),
        (body(equals("hello")), true),
        (body(equals("hell")), false),
        (body(contains("ell")), true),
        (body(contains("Ell")), false),
        (body(regex("l+o$")), true),
        (body(regex("^l")), false),
        (body(regex("(")), false),
        (body(all), true),
        (body(two), false),
    ] {
        let headers = [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")];
        let row = format!("{expected:?}");
        assert_eq!(matches(expecting(expected), answer(200, &headers, "hello")), matched, "{row}");
    }
}

#[test]
fn an_answer_where_none_was_expected() {
    let finding = found(Check::Http(Box::new(request(&[Outcome::Refused]))), answer(200, &[], ""));
    assert_eq!(
        finding.message,
        "blue got an answer with status 200 from http://lan:7/ (192.168.1.3:7), expected refused"
    );
    assert_eq!(finding.label, "10.0.0.2:41532 -> 192.168.1.3:7");
}

#[test]
fn messages_name_every_difference() {
    let expected = HttpExpected {
        status: vec![200, 204],
        headers: vec![("Server".to_owned(), equals("x")), ("Via".to_owned(), contains("p"))],
        body: Some(equals("one\ntwo\n")),
    };
    let finding = found(expecting(expected), answer(404, &[("server", "y")], "one\ntwö\n"));
    assert_eq!(
        finding.message,
        "blue got a different answer from http://lan:7/ (192.168.1.3:7): status is 404, expected 200 or 204; \
         header `Server` is not \"x\" but is \"y\"; there is no header `Via`, only server; \
         body is not \"one\\ntwo\\n\""
    );
    assert_eq!(finding.notes, ["line 2 is \"twö\", expected \"two\"", "the body (9 bytes) is \"one\\ntwö\\n\""]);
}

#[test]
fn bodies_are_escaped_cut_and_compared_by_line() {
    let finding = found(expecting(body(equals("a\nb"))), answer(200, &[], "a\nb\n"));
    assert_eq!(finding.notes[0], "line 3 is \"\", expected no such line");
    let finding = found(expecting(body(equals("a\nb"))), answer(200, &[], "a"));
    assert_eq!(finding.notes[0], "line 2 is missing, expected \"b\"");
    let finding = found(expecting(body(contains("x"))), answer(200, &[], "\u{1b}[2J"));
    assert_eq!(finding.notes, ["the body (4 bytes) is \"\\u{1b}[2J\""]);
    let finding = found(expecting(body(contains("x"))), answer(200, &[], ""));
    assert_eq!(finding.notes, ["the body is empty"]);
    let Observation::Http(full) = answer(200, &[], "a") else { unreachable!("it is an HTTP answer") };
    let finding = found(expecting(body(contains("x"))), Observation::Http(HttpAnswer { cut: true, ..full }));
    assert_eq!(finding.notes[0], "the body was cut; what is behind was not looked at");
}

#[test]
fn redirects_are_shown() {
    let finding = found(expecting(status(&[200])), answer(301, &[("Location", "/new")], ""));
    assert_eq!(finding.notes, ["it redirects to \"/new\""]);
    let Observation::Http(full) = answer(404, &[], "") else { unreachable!("it is an HTTP answer") };
    let followed = HttpAnswer { url: "http://lan:7/new".to_owned(), ..full };
    let finding = found(expecting(status(&[200])), Observation::Http(followed));
    assert_eq!(finding.notes, ["after redirects it was http://lan:7/new that answered"]);
}

#[test]
fn a_redirect_out_of_the_lab_is_never_what_was_expected() {
    let Observation::Http(full) = answer(301, &[("location", "https://example.org/")], "") else { unreachable!() };
    let astray = || Observation::Http(HttpAnswer { astray: Some("https://example.org/".to_owned()), ..full.clone() });
    for expected in [HttpExpected::default(), status(&[200]), status(&[301])] {
        let finding = found(expecting(expected), astray());
        assert_eq!(
            finding.message,
            "blue was redirected by http://lan:7/ (192.168.1.3:7) to \"https://example.org/\", which leads out of the lab"
        );
    }
}
