//! Numbers of the kernel and of the wire in words: errnos, ICMP errors, durations.

use std::time::Duration;

use crate::observation::{IcmpError, LocalRefusal};

/// Why a node's own kernel refused, with the name of the errno.
///
/// Sources: `errno.h`; ip-route(8), "type" for what blackhole, unreachable and prohibit routes return.
pub(super) fn local_refusal(refusal: LocalRefusal) -> String {
    let (words, name) = match refusal.errno {
        libc::EPERM => ("blocked by its own firewall", "EPERM"),
        libc::EACCES => ("administratively prohibited by its own route", "EACCES"),
        libc::EINVAL => ("dropped by its own blackhole route", "EINVAL"),
        libc::EMSGSIZE => ("larger than its own link or path allows", "EMSGSIZE"),
        libc::EADDRNOTAVAIL => ("no source address to send from", "EADDRNOTAVAIL"),
        libc::ENETDOWN => ("its own interface is down", "ENETDOWN"),
        libc::ENETUNREACH => ("no route", "ENETUNREACH"),
        libc::EHOSTUNREACH => ("host unreachable", "EHOSTUNREACH"),
        errno => return format!("errno {errno}"),
    };
    format!("{words} ({name})")
}

/// Whether an errno says something of the network. Any other one (out of memory, a bad descriptor, a source address that
/// the node does not have) says only that the probe went wrong, and must satisfy no expectation.
pub(super) fn is_of_the_network(refusal: LocalRefusal) -> bool {
    matches!(
        refusal.errno,
        libc::EPERM
            | libc::EACCES
            | libc::EINVAL
            | libc::EMSGSIZE
            | libc::ENETDOWN
            | libc::ENETUNREACH
            | libc::EHOSTUNREACH
    )
}

/// An ICMP error with its type and code.
///
/// Sources: the ICMP and ICMPv6 parameter registries of IANA; RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section
/// 5.2.7.1, RFC 4443 section 3.
pub(super) fn icmp_error(error: IcmpError) -> String {
    let IcmpError { v6, kind, code } = error;
    let words = if v6 { icmp6_words(kind, code) } else { icmp4_words(kind, code) };
    format!("{words} ({} type {kind} code {code})", if v6 { "ICMPv6" } else { "ICMP" })
}

/// Whether an error says that nobody listens: RFC 792 type 3 code 3, RFC 4443 type 1 code 4.
pub(super) fn is_port_unreachable(error: IcmpError) -> bool {
    matches!((error.v6, error.kind, error.code), (false, 3, 3) | (true, 1, 4))
}

fn icmp4_words(kind: u8, code: u8) -> &'static str {
    match (kind, code) {
        (3, 0) => "network unreachable",
        (3, 1) => "host unreachable",
        (3, 2) => "protocol unreachable",
        (3, 3) => "port unreachable",
        (3, 4) => "fragmentation needed",
        (3, 5) => "source route failed",
        (3, 6) => "destination network unknown",
        (3, 7) => "destination host unknown",
        (3, 8) => "source host isolated",
        (3, 9) => "network administratively prohibited",
        (3, 10) => "host administratively prohibited",
        (3, 11) => "network unreachable for this type of service",
        (3, 12) => "host unreachable for this type of service",
        (3, 13) => "administratively prohibited",
        (3, 14) => "host precedence violation",
        (3, 15) => "precedence cutoff in effect",
        (11, 0) => "time to live exceeded",
        (11, 1) => "fragment reassembly time exceeded",
        (12, _) => "parameter problem",
        _ => "an ICMP error",
    }
}

fn icmp6_words(kind: u8, code: u8) -> &'static str {
    match (kind, code) {
        (1, 0) => "no route to destination",
        (1, 1) => "administratively prohibited",
        (1, 2) => "beyond scope of source address",
        (1, 3) => "address unreachable",
        (1, 4) => "port unreachable",
        (1, 5) => "source address failed policy",
        (1, 6) => "reject route to destination",
        (2, 0) => "packet too big",
        (3, 0) => "hop limit exceeded",
        (3, 1) => "fragment reassembly time exceeded",
        (4, _) => "parameter problem",
        _ => "an ICMPv6 error",
    }
}

/// A duration as a reader takes it in: `250 ms`, `1 s`, `1.5 s`.
pub(crate) fn duration(time: Duration) -> String {
    let milliseconds = (time.as_micros() + 500) / 1000;
    if milliseconds < 1000 {
        return format!("{milliseconds} ms");
    }
    let tenths = (milliseconds + 50) / 100;
    match (tenths / 10, tenths % 10) {
        (seconds, 0) => format!("{seconds} s"),
        (seconds, tenths) => format!("{seconds}.{tenths} s"),
    }
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn any_of<T: ToString>(list: &[T]) -> String {
    join(list, "or")
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn all_of<T: ToString>(list: &[T]) -> String {
    join(list, "and")
}

fn join<T: ToString>(list: &[T], last: &str) -> String {
    let words: Vec<String> = list.iter().map(ToString::to_string).collect();
    match words.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((end, before)) => format!("{} {last} {end}", before.join(", ")),
    }
}

/// A text in quotes on one line: what cannot be printed is escaped, what is long is cut, with dots behind.
pub(super) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 120;
    let shown: String = text.chars().take(LONGEST).collect();
    let rest = if shown.len() < text.len() { "..." } else { "" };
    format!("{shown:?}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errnos_have_words_and_a_name() {
        for (errno, words, of_the_network) in [
            (1, "blocked by its own firewall (EPERM)", true),
            (13, "administratively prohibited by its own route (EACCES)", true),
            (22, "dropped by its own blackhole route (EINVAL)", true),
            (90, "larger than its own link or path allows (EMSGSIZE)", true),
            (99, "no source address to send from (EADDRNOTAVAIL)", false),
            (100, "its own interface is down (ENETDOWN)", true),
            (101, "no route (ENETUNREACH)", true),
            (113, "host unreachable (EHOSTUNREACH)", true),
            (24, "errno 24", false),
            (105, "errno 105", false),
        ] {
            let refusal = LocalRefusal { errno };
            assert_eq!(local_refusal(refusal), words, "errno {errno}");
            assert_eq!(is_of_the_network(refusal), of_the_network, "errno {errno}");
        }
    }

    #[test]
    fn icmp_errors_have_words_type_and_code() {
        for (v6, kind, code, words) in [
            (false, 3, 13, "administratively prohibited (ICMP type 3 code 13)"),
            (false, 3, 3, "port unreachable (ICMP type 3 code 3)"),
            (false, 11, 0, "time to live exceeded (ICMP type 11 code 0)"),
            (false, 42, 1, "an ICMP error (ICMP type 42 code 1)"),
            (true, 1, 1, "administratively prohibited (ICMPv6 type 1 code 1)"),
            (true, 1, 4, "port unreachable (ICMPv6 type 1 code 4)"),
            (true, 2, 0, "packet too big (ICMPv6 type 2 code 0)"),
            (true, 99, 0, "an ICMPv6 error (ICMPv6 type 99 code 0)"),
        ] {
            assert_eq!(icmp_error(IcmpError { v6, kind, code }), words);
        }
    }

    #[test]
    fn durations_round_to_what_matters() {
        for (microseconds, words) in [
            (0, "0 ms"),
            (1_400, "1 ms"),
            (250_000, "250 ms"),
            (999_600, "1 s"),
            (1_000_700, "1 s"),
            (1_530_000, "1.5 s"),
            (3_060_000, "3.1 s"),
            (60_000_000, "60 s"),
        ] {
            assert_eq!(duration(Duration::from_micros(microseconds)), words);
        }
    }

    #[test]
    fn lists_and_excerpts_read_aloud() {
        assert_eq!(any_of::<u8>(&[]), "nothing");
        assert_eq!(any_of(&[1]), "1");
        assert_eq!(any_of(&[1, 2, 3]), "1, 2 or 3");
        assert_eq!(all_of(&[1, 2]), "1 and 2");
        assert_eq!(excerpt("a\"b\n\u{1b}[31m"), r#""a\"b\n\u{1b}[31m""#);
        assert_eq!(excerpt(&"é".repeat(121)), format!("\"{}\"...", "é".repeat(120)));
    }
}
