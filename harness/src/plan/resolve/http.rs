//! The parts of HTTP that a case spells out: URLs, methods, header fields, and what an answer must be.

use super::checker::Checker;
use crate::case::CaseMap;
use crate::case::expect::{Http as Written, HttpRequest};
use crate::case::matcher::{Conditions, Matcher};
use crate::diagnostic::{Diagnostic, Diagnostics, suggest};
use crate::plan::{HttpExpected, Text};
use crate::source::{Span, Spanned};

/// The methods of RFC 9110, section 9, and PATCH.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];

/// A header field and the place of its name.
pub(super) type Header = ((String, String), Span);

/// Where a request goes.
pub(super) struct Url {
    /// Host and port as written: the `Host` field of the request.
    pub authority: Spanned<String>,
    /// The host alone, an IPv6 address without its brackets.
    pub host: Spanned<String>,
    /// The port, 80 when not written.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

/// Whether a text is a token of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn check_header_name(name: &Spanned<String>, out: &mut Diagnostics) {
    if !is_token(name) {
        out.push(
            Diagnostic::error(name.span, format!("`{}` cannot name a header field", **name))
                .label("letters, digits and `-`, such as \"Content-Type\""),
        );
    }
}

/// Header fields to send.
pub(super) fn headers(written: CaseMap<Spanned<String>>, out: &mut Diagnostics) -> Vec<Header> {
    let mut headers = Vec::new();
    for (name, value) in written.entries {
        check_header_name(&name, out);
        let Some(value) = value else { continue };
        if value.chars().any(|c| c.is_control() && c != '\t') {
            out.push(
                Diagnostic::error(value.span, "a header field is one line of text")
                    .label("it contains a control character"),
            );
        }
        headers.push(((name.value, value.value), name.span));
    }
    headers
}

/// What a request carries: method, header fields and body.
pub(super) fn request(
    method: Option<Spanned<String>>,
    request: Option<HttpRequest>,
    checker: &mut Checker<'_>,
) -> (String, Vec<(String, String)>, String) {
    let method = method.map_or_else(
        || "GET".to_owned(),
        |method| {
            check_method(&method, checker);
            method.value
        },
    );
    let Some(HttpRequest { headers: fields, body, span: _, sound: _ }) = request else {
        return (method, Vec::new(), String::new());
    };
    let fields = headers(fields.unwrap_or_default(), checker.out);
    let fields = fields.into_iter().map(|(field, _)| field).collect();
    (method, fields, body.map(|body| body.value).unwrap_or_default())
}

fn check_method(method: &Spanned<String>, checker: &mut Checker<'_>) {
    let upper = method.to_ascii_uppercase();
    let wrong = Diagnostic::error(method.span, format!("unknown HTTP method `{}`", **method));
    if **method == "CONNECT" {
        checker.say(
            Diagnostic::error(method.span, "`CONNECT` asks a proxy for a tunnel, not for an answer")
                .label("any other method"),
        );
    } else if upper != **method && METHODS.contains(&&*upper) {
        checker.say(wrong.label(format!("methods are written in capitals: `{upper}`")));
    } else if !is_token(method) {
        checker.say(wrong.label(suggest(&upper, METHODS)));
    }
}

/// What the answer must be.
pub(super) fn answer(written: &mut Written, out: &mut Diagnostics) -> HttpExpected {
    let status = written.status.take().map(|status| status.items).unwrap_or_default();
    let mut headers = Vec::new();
    for (name, value) in written.headers.take().unwrap_or_default().entries {
        check_header_name(&name, out);
        headers.extend(value.map(|value| (name.value, text(value.value))));
    }
    HttpExpected {
        status: status.into_iter().map(|status| status.value.u16()).collect(),
        headers,
        body: written.body.take().map(|body| text(body.value)),
    }
}

/// Conditions on a text.
pub(super) fn text(matcher: Matcher) -> Text {
    match matcher {
        Matcher::Equals(equals) => Text { equals: Some(equals), ..Text::default() },
        Matcher::Conditions(Conditions { equals, contains, regex, span: _, sound: _ }) => Text {
            equals: equals.map(|equals| equals.value),
            contains: contains.map(|contains| contains.value),
            regex: regex.map(|regex| regex.value.0),
        },
    }
}

/// Takes a URL apart.
pub(super) fn parse_url(url: &Spanned<String>) -> Result<Url, Diagnostic> {
    const SCHEME: &str = "http://";
    let wrong = |message: String, label: &str| Err(Diagnostic::error(url.span, message).label(label));
    let Some(rest) = url.strip_prefix(SCHEME) else {
        return match url.split_once("://") {
            Some((scheme, rest)) => Err(Diagnostic::error(
                url.part(0..scheme.len()),
                format!("`{scheme}` is not a scheme that netcase speaks"),
            )
            .label("only http:// is supported")
            .help(format!("`tcp` checks that the port of `{}` opens", rest.split(['/', '?']).next().unwrap_or(rest)))),
            None => wrong(format!("`{}` is not a URL", **url), &format!("did you mean `http://{}`?", **url)),
        };
    };
    if let Some(c) = rest.chars().find(|c| !c.is_ascii_graphic()) {
        return wrong(format!("a URL cannot contain {c:?}"), &format!("write it as `{}`", percent(c)));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if let Some(at) = path.find('#') {
        let start = SCHEME.len() + end + at;
        return Err(
            Diagnostic::error(url.part(start..url.len()), "a fragment is never sent to a server").label("leave it out")
        );
    }
    if let Some(at) = authority.find('@') {
        return Err(Diagnostic::error(
            url.part(SCHEME.len()..SCHEME.len() + at + 1),
            "a URL with a user is not sent as such",
        )
        .label("leave it out")
        .help("give `request = { headers = { Authorization = \"Basic ...\" } }`"));
    }
    let place = url.part(SCHEME.len()..SCHEME.len() + end);
    let authority = Spanned::new(authority.to_owned(), place);
    let (host, port) = host_and_port(&authority)?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Url { authority, host, port, path })
}

fn host_and_port(authority: &Spanned<String>) -> Result<(Spanned<String>, u16), Diagnostic> {
    let bracketed = authority.starts_with('[');
    if authority.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err(Diagnostic::error(authority.span, "an IPv6 address stands in brackets in a URL")
            .label(format!("write `[{}]`", **authority)));
    }
    let has_port = if bracketed { authority.contains("]:") } else { authority.contains(':') };
    if has_port {
        let endpoint = super::endpoint::parse(authority, &|_| None)?;
        return Ok((endpoint.host, endpoint.port));
    }
    if authority.is_empty() {
        return Err(Diagnostic::error(authority.span, "this URL has no host").label("a node or an address is expected"));
    }
    let inner = authority.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host = match inner {
        Some(inner) => Spanned::new(inner.to_owned(), authority.part(1..authority.len() - 1)),
        None => authority.clone(),
    };
    Ok((host, 80))
}

fn percent(c: char) -> String {
    let mut bytes = [0; 4];
    c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect()
}
