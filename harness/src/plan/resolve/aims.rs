//! What the word of a target names.

use std::net::{IpAddr, Ipv4Addr};

use super::checker::Checker;
use crate::case::Template;
use crate::case::decode::Scalar;
use crate::diagnostic::{Diagnostic, quoted};
use crate::plan::{End, NodeId};
use crate::source::{Span, Spanned};
use crate::words::Cidr;

/// What a target's word names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    Address(IpAddr),
    Node(NodeId),
    Interface(End),
    /// A value that a program says before.
    Captured,
}

impl Checker<'_> {
    /// What a word names: an address, a node or `NODE.INTERFACE`.
    pub(super) fn aim(&mut self, word: &Spanned<String>) -> Option<Aim> {
        if let Some(template) = Template::of(word) {
            return self.is_captured(&template, word).then_some(Aim::Captured);
        }
        if let Ok(address) = word.parse::<IpAddr>() {
            return self.check_address(address, word.span).then_some(Aim::Address(address));
        }
        if self.lab.find(word).is_some() {
            let node = self.lab.machine(word, word.span);
            return self.ok(node).map(Aim::Node);
        }
        if let Some(wrong) = not_a_name(word) {
            self.say(wrong);
            return None;
        }
        if word.contains('.') {
            return self.end(word).map(Aim::Interface);
        }
        // An interface without its node is a frequent slip.
        let ends = self.lab.ends().filter(|end| end.interface > 0 && *self.lab.at(*end).name == **word);
        let meant: Vec<String> = ends.map(|end| self.lab.end_name(end)).collect();
        let meant: Vec<&str> = meant.iter().map(String::as_str).collect();
        if !meant.is_empty() {
            let wrong = Diagnostic::error(word.span, format!("unknown node `{}`", **word));
            self.say(match &*meant {
                [one] => wrong.label(format!("did you mean `{one}`?")),
                several => wrong.label(format!("an interface of that name: one of {}", quoted(several))),
            });
            return None;
        }
        let node = self.lab.machine(word, word.span);
        self.ok(node).map(Aim::Node)
    }

    /// Whether all values of a text, if any are missing in it, are captured before it is used.
    pub(super) fn knows(&mut self, text: &Spanned<String>) -> bool {
        Template::of(text).is_none_or(|template| self.is_captured(&template, text))
    }

    fn is_captured(&mut self, template: &Template, text: &Spanned<String>) -> bool {
        let missing = template.names().find(|name| !self.captured.contains(*name));
        if let Some(name) = missing {
            let written = format!("${{{name}}}");
            let place = text.find(&written).map_or(text.span, |at| text.part(at..at + written.len()));
            let wrong = Diagnostic::error(place, format!("`{name}` is not captured yet at this step"));
            self.say(wrong.label("a later step captures it"));
        }
        missing.is_none()
    }

    /// The network of which an address is the last one, if no node has it.
    fn broadcast(&self, address: Ipv4Addr) -> Option<Cidr> {
        let all = || self.lab.ends().flat_map(|end| &self.lab.at(end).addresses);
        let is_last = |cidr: &&Cidr| match cidr.network().address {
            IpAddr::V4(first) if cidr.length < 31 => u32::from(first) | (u32::MAX >> cidr.length) == u32::from(address),
            _ => false,
        };
        let network = all().map(|cidr| &**cidr).find(is_last)?.network();
        (!all().any(|cidr| cidr.address == IpAddr::V4(address))).then_some(network)
    }

    fn check_address(&mut self, address: IpAddr, span: Span) -> bool {
        let wrong =
            |label: &str| Diagnostic::error(span, format!("{address} is not the address of one machine")).label(label);
        let wrong = match address {
            address if address.is_unspecified() => wrong("it means \"no address\""),
            address if address.is_multicast() => wrong("it names a group"),
            IpAddr::V4(address) if address.is_broadcast() => wrong("it means \"everybody\""),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(inner) => wrong(&format!("it is written `{inner}`")),
                None => return true,
            },
            IpAddr::V4(address) => match self.broadcast(address) {
                Some(network) => wrong(&format!("it means everybody in {network}")),
                None => return true,
            },
        };
        self.say(wrong);
        false
    }
}

/// What a word is that is neither an address nor a name, though it looks like one.
pub(super) fn not_a_name(word: &Spanned<String>) -> Option<Diagnostic> {
    let wrong = |message: String, label: String| Some(Diagnostic::error(word.span, message).label(label));
    if let Ok(cidr) = Cidr::parse(word) {
        return if cidr == cidr.network() {
            wrong(format!("`{}` is a network", **word), "the address of one machine is expected".to_owned())
        } else {
            wrong(format!("`{}` has a prefix", **word), format!("without it: `{}`", cidr.address))
        };
    }
    if word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && word.contains('.') {
        return wrong(format!("`{}` is not an address", **word), "four numbers from 0 to 255".to_owned());
    }
    match word.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && !host.contains(':') => {
            wrong(format!("a port has no place in `{}`", **word), format!("did you mean `{host}`?"))
        }
        Some(_) => wrong(format!("`{}` is not an address", **word), "such as \"fd00::1\"".to_owned()),
        None if word.is_empty() => {
            wrong("this target is empty".to_owned(), "an address, a node or `NODE.INTERFACE`".to_owned())
        }
        None => None,
    }
}
