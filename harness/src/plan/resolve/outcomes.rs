//! Outcome words: which fit which check, and what they imply.

use std::time::Duration;

use super::checker::Checker;
use crate::case::Many;
use crate::diagnostic::{Diagnostic, quoted};
use crate::source::{Span, Spanned};
use crate::words::Outcome;

/// The checks that have outcome words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Ping,
    Tcp,
    Udp,
    Http,
    Dns,
}

/// What traffic must do.
#[derive(Clone)]
pub(super) struct Wanted {
    pub outcomes: Vec<Outcome>,
    /// The words, where they are written.
    pub span: Option<Span>,
    /// Whether the traffic must get through.
    pub positive: bool,
}

impl Wanted {
    /// That it must be answered.
    pub(super) fn answered(&self) -> Self {
        Self { outcomes: vec![Outcome::Open], span: self.span, positive: true }
    }
}

impl Protocol {
    /// Its key.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Http => "http",
            Self::Dns => "dns",
        }
    }

    fn default(self) -> Outcome {
        match self {
            Self::Ping => Outcome::Reachable,
            Self::Tcp | Self::Udp | Self::Http | Self::Dns => Outcome::Open,
        }
    }

    fn takes(self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Reachable | Outcome::Unreachable => self == Self::Ping,
            Outcome::Open => matches!(self, Self::Tcp | Self::Udp),
            Outcome::Closed | Outcome::Refused => self != Self::Ping,
            Outcome::Delivered => self == Self::Udp,
            Outcome::Rejected
            | Outcome::Silent
            | Outcome::NoRoute
            | Outcome::Blackhole
            | Outcome::Prohibited
            | Outcome::BlockedLocally
            | Outcome::HostUnreachable
            | Outcome::NetUnreachable
            | Outcome::TtlExceeded
            | Outcome::TooBig => true,
        }
    }

    /// What to say instead of a word that it does not take.
    fn instead(self, outcome: Outcome) -> &'static str {
        match (self, outcome) {
            (Self::Ping, Outcome::Open | Outcome::Delivered) => "say `reachable`",
            (Self::Ping, _) => "say `unreachable`",
            (Self::Http, Outcome::Open | Outcome::Reachable | Outcome::Delivered) => {
                "an answer is expected by `status`, `headers` or `body`"
            }
            (Self::Dns, Outcome::Open | Outcome::Reachable | Outcome::Delivered) => {
                "an answer is expected by `answer` or `rcode`"
            }
            (_, Outcome::Unreachable) => "say `closed`",
            (_, _) => "say `open`",
        }
    }
}

/// Whether the traffic gets through.
pub(super) fn is_positive(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Reachable | Outcome::Open | Outcome::Delivered)
}

/// Whether another machine may have said it, so that it makes sense to ask who.
pub(super) fn is_said_by_another(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Unreachable
        | Outcome::Closed
        | Outcome::Refused
        | Outcome::Rejected
        | Outcome::Prohibited
        | Outcome::HostUnreachable
        | Outcome::NetUnreachable
        | Outcome::TtlExceeded
        | Outcome::TooBig => true,
        Outcome::Reachable
        | Outcome::Open
        | Outcome::Delivered
        | Outcome::Silent
        | Outcome::NoRoute
        | Outcome::Blackhole
        | Outcome::BlockedLocally => false,
    }
}

/// Whether it may be met by nothing being heard.
pub(super) fn is_met_by_silence(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Silent | Outcome::Closed | Outcome::Unreachable)
}

/// How long the first match may take when the case does not say: what must come may take a second, and where silence
/// counts the first answer decides.
pub(super) fn within(outcomes: &[Outcome]) -> Duration {
    if outcomes.iter().copied().any(is_met_by_silence) { Duration::ZERO } else { Duration::from_secs(1) }
}

/// Reads `outcome`.
pub(super) fn read(protocol: Protocol, written: Option<Many<Spanned<Outcome>>>, checker: &mut Checker<'_>) -> Wanted {
    let Some(Many { items, span }) = written else {
        let outcome = protocol.default();
        return Wanted { outcomes: vec![outcome], span: None, positive: true };
    };
    for word in &items {
        if !protocol.takes(word.value) {
            let valid: Vec<&str> = Outcome::WORDS
                .iter()
                .copied()
                .filter(|word| Outcome::from_word(word).is_some_and(|word| protocol.takes(word)))
                .collect();
            checker.say(
                Diagnostic::error(word.span, format!("`{}` is not an outcome of `{}`", word.value, protocol.word()))
                    .label(protocol.instead(word.value))
                    .help(format!("its outcomes are {}", every(&valid))),
            );
        }
    }
    let good = items.iter().find(|word| is_positive(word.value));
    let bad = items.iter().find(|word| !is_positive(word.value));
    if let (Some(good), Some(bad)) = (good, bad) {
        checker.say(
            Diagnostic::error(span, format!("`{}` and `{}` in one list", good.value, bad.value))
                .label("a check that is met whether or not the traffic gets through proves nothing")
                .help("write two expectations, or one outcome"),
        );
    }
    Wanted { outcomes: items.iter().map(|word| word.value).collect(), span: Some(span), positive: good.is_some() }
}

/// Refuses `by` where nobody can have said it.
pub(super) fn check_by(wanted: &Wanted, by: Span, checker: &mut Checker<'_>) {
    if wanted.outcomes.iter().copied().any(is_said_by_another) {
        return;
    }
    let wrong = Diagnostic::error(by, "`by` names who refused, and here nobody does");
    let wrong = match wanted.span {
        Some(span) if wanted.positive => wrong.label("without `by`").related(span, "the traffic gets through"),
        Some(span) => wrong
            .label("without `by`")
            .related(span, "nobody is heard, or the sender's own kernel refuses")
            .help("to name the sender of an ICMP error, say `rejected`"),
        None => {
            wrong.label("the traffic is expected to get through").help("say which refusal: `outcome = \"rejected\"`")
        }
    };
    checker.derive(wrong);
}

fn every(words: &[&str]) -> String {
    words.chunks(12).map(quoted).collect::<Vec<_>>().join(", ")
}
