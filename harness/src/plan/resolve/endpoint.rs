//! `HOST:PORT`: the target of TCP and UDP.

use std::net::{IpAddr, Ipv6Addr};

use crate::diagnostic::Diagnostic;
use crate::source::Spanned;

/// A host and a port.
pub(super) struct Endpoint {
    /// A node, `NODE.INTERFACE` or an address, without brackets.
    pub host: Spanned<String>,
    /// The port.
    pub port: u16,
}

/// Takes `HOST:PORT` apart. `ports` gives an example for a host without a port, from what is known to listen there.
pub(super) fn parse(word: &Spanned<String>, ports: &dyn Fn(&str) -> Option<String>) -> Result<Endpoint, Diagnostic> {
    let missing = |host: &str, shown: &str| {
        Diagnostic::error(word.span, format!("`{}` has no port", **word)).label(match ports(host) {
            Some(listening) => format!("write `{shown}:PORT`; {listening}"),
            None => format!("write `{shown}:PORT`, such as \"{shown}:80\""),
        })
    };
    if let Some(rest) = word.strip_prefix('[') {
        let Some((inner, tail)) = rest.split_once(']') else {
            return Err(Diagnostic::error(word.span, "this bracket is not closed").label("such as \"[fd00::1]:80\""));
        };
        if inner.parse::<Ipv6Addr>().is_err() && !word.span.is_open() {
            return Err(Diagnostic::error(word.part(1..1 + inner.len()), format!("`{inner}` is not an IPv6 address"))
                .label("only an IPv6 address stands in brackets"));
        }
        let Some(port) = tail.strip_prefix(':') else { return Err(missing(inner, &format!("[{inner}]"))) };
        let host = Spanned::new(inner.to_owned(), word.part(1..1 + inner.len()));
        return Ok(Endpoint { host, port: number(word, port)? });
    }
    if word.parse::<Ipv6Addr>().is_ok() {
        let wrong = missing(word, &format!("[{}]", **word));
        // What was meant as a port may read as the end of the address.
        return Err(match word.rsplit_once(':') {
            Some((host, port))
                if host.parse::<Ipv6Addr>().is_ok() && port.parse::<u16>().is_ok_and(|port| port > 0) =>
            {
                wrong.help(format!("if {port} is the port, write `[{host}]:{port}`"))
            }
            _ => wrong,
        });
    }
    if word.parse::<IpAddr>().is_ok() {
        return Err(missing(word, word));
    }
    let Some((host, port)) = word.rsplit_once(':') else { return Err(missing(word, word)) };
    if host.contains(':') {
        return Err(Diagnostic::error(word.span, format!("`{}` is not `HOST:PORT`", **word))
            .label("an IPv6 address stands in brackets, such as \"[fd00::1]:80\""));
    }
    if host.is_empty() {
        return Err(Diagnostic::error(word.span, format!("`{}` has no host", **word)).label("such as \"blue:80\""));
    }
    Ok(Endpoint { host: Spanned::new(host.to_owned(), word.part(0..host.len())), port: number(word, port)? })
}

fn number(word: &Spanned<String>, port: &str) -> Result<u16, Diagnostic> {
    let place = word.part(word.len() - port.len()..word.len());
    let wrong = |label: &str| Err(Diagnostic::error(place, format!("`{port}` is not a port")).label(label));
    match port.split_once('/') {
        Some((number, _)) if number.parse::<u16>().is_ok_and(|number| number > 0) => {
            return wrong(&format!("the protocol is the check's own: write `{number}`"));
        }
        _ => {}
    }
    match port.parse::<u16>() {
        Ok(number) if number > 0 && !port.starts_with('+') => Ok(number),
        _ => wrong("a number from 1 to 65535"),
    }
}
