//! The kernel's answers as they may come, among them those that an ordinary reader takes for an empty table.

use std::cell::Cell;
use std::num::NonZero;

use futures_util::stream;
use rtnetlink::packet_core::{DoneMessage, ErrorMessage, NetlinkHeader};
use rtnetlink::packet_route::link::LinkMessage;

use super::*;

type Message = NetlinkMessage<RouteNetlinkMessage>;

fn message(payload: NetlinkPayload<RouteNetlinkMessage>, flags: u16) -> Message {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    NetlinkMessage::new(header, payload)
}

fn link(flags: u16) -> Message {
    message(NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(LinkMessage::default())), flags)
}

fn done(code: i32, flags: u16) -> Message {
    let mut done = DoneMessage::default();
    done.code = code;
    message(NetlinkPayload::Done(done), flags)
}

fn error(code: i32) -> Message {
    let mut error = ErrorMessage::default();
    error.code = NonZero::new(code);
    message(NetlinkPayload::Error(error), 0)
}

fn inside<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(work)
}

/// What comes of a dump when the kernel gives these answers one time after the other, and how often it was asked.
fn dumped(rounds: &[Vec<Message>]) -> (Result<usize, String>, usize) {
    let asked = Cell::new(0);
    let result = inside(whole("ip link show", async || {
        let round = asked.replace(asked.get() + 1).min(rounds.len() - 1);
        collect(stream::iter(rounds[round].clone()), undecodable::count()).await
    }));
    (result.map(|messages| messages.len()).map_err(|error| error.to_string()), asked.get())
}

#[test]
fn only_a_whole_table_is_a_table() {
    let interrupted = || vec![link(0), link(DUMP_INTERRUPTED), done(0, 0)];
    let mut faults = Vec::new();
    for (name, rounds, expected, asked) in [
        ("whole", vec![vec![link(0), link(0), done(0, 0)]], Ok(2), 1),
        ("empty", vec![vec![done(0, 0)]], Ok(0), 1),
        ("failed at its end", vec![vec![link(0), done(-libc::ENOMEM, 0)]], Err("(ENOMEM)"), 1),
        ("refused", vec![vec![error(-libc::EPERM)]], Err("(EPERM)"), 1),
        ("without an end", vec![vec![link(0), link(0)]], Err("has no end"), 1),
        ("without anything", vec![vec![]], Err("has no end"), 1),
        ("with answers lost", vec![vec![link(0), message(NetlinkPayload::Overrun(vec![]), 0)]], Err("was lost"), 1),
        ("interrupted once", vec![interrupted(), vec![link(0), done(0, 0)]], Ok(1), 2),
        ("interrupted at its end", vec![vec![link(0), done(0, DUMP_INTERRUPTED)], vec![done(0, 0)]], Ok(0), 2),
        ("always interrupted", vec![interrupted()], Err("the table changed during each of 10 dumps"), 10),
    ] {
        let (found, times) = dumped(&rounds);
        let right = match (&found, &expected) {
            (Ok(found), Ok(expected)) => found == expected,
            (Err(found), Err(expected)) => found.contains(expected),
            _ => false,
        };
        if !right || times != asked {
            faults.push(format!("{name}: {found:?} after {times}, expected {expected:?} after {asked}"));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn an_answer_that_cannot_be_decoded_is_an_error() {
    undecodable::watch();
    let before = undecodable::count();
    log::error!(target: "netlink_proto::framed", "failed to decode packet");
    let told = |result: Result<Answers, Refusal>| result.expect_err("it is an error").named(String::new()).to_string();
    // It was the only answer, and none comes any more; or others came.
    let alone = told(inside(collect(stream::pending(), before)));
    let among = told(inside(collect(stream::iter([link(0), done(0, 0)]), before)));
    for text in [alone, among] {
        assert!(text.contains("could not be decoded: failed to decode packet"), "{text}");
    }
}
