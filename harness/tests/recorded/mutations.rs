//! One fact of what was gathered is another one, and what is said is what the rest supports: another cause, or none.

use netcase::evidence::CauseKind::{self, *};
use netcase::evidence::{Icmp, Listening, Payload};
use netcase::words::Transport;

use crate::facts;
use crate::facts::{Facts, kinds};

struct Row {
    lab: &'static str,
    /// What is so now.
    now: &'static str,
    change: fn(&mut Facts),
    /// What is said then; nothing where the cause is not known.
    left: &'static [CauseKind],
}

const LINKS: &[Row] = &[
    Row {
        lab: "link-down-bridge",
        now: "the bridge is up, and its ports forward",
        change: |it| {
            it.interface("swi.br0").up = true;
            it.interface("swi.br0").carrier = true;
            it.forward(&["swi.porta", "swi.portb"]);
        },
        left: &[],
    },
    Row {
        lab: "link-down-bridge",
        now: "the bridge is up, and its ports do not forward",
        change: |it| {
            it.interface("swi.br0").up = true;
            it.interface("swi.br0").carrier = true;
        },
        left: &[PortBlocked],
    },
    Row {
        lab: "no-carrier-empty-bridge",
        now: "the bridge has a carrier: what is left is that nobody has the gateway's address",
        change: |it| it.interface("hosta.br0").carrier = true,
        left: &[WrongGateway],
    },
    Row {
        lab: "not-connected-client",
        now: "the cable is a port of the bridge",
        change: |it| {
            let (master, port) = (it.interface("gate.br0").index, it.interface("gate.porta").port);
            (it.interface("gate.portb").master, it.interface("gate.portb").port) = (Some(master), port);
        },
        left: &[],
    },
    Row { lab: "port-blocked-ipv6", now: "the port forwards", change: |it| it.forward(&["swi.porta"]), left: &[] },
    Row {
        lab: "port-isolated",
        now: "one of the two ports is not isolated",
        change: |it| it.interface("swi.porta").port.as_mut().expect("it is a port").isolated = false,
        left: &[],
    },
    Row {
        lab: "mtu-ends-differ",
        now: "both ends take the same",
        change: |it| it.interface("hostb.eth0").mtu = 1500,
        left: &[],
    },
    Row {
        lab: "tunnel-mismatch-id",
        now: "both ends have the same number",
        change: |it| it.interface("gate.vxa").tunnel.as_mut().expect("it is a tunnel").id = 42,
        left: &[],
    },
    Row {
        lab: "echo-ignored-ipv6",
        now: "the first cable is unplugged, though the gateway's MAC address is known, and nothing left",
        change: |it| {
            it.interface("gate.lefta").up = false;
            it.interface("hosta.eth0").carrier = false;
            it.record.evidence.frames.clear();
        },
        left: &[LinkDown, EchoIgnored],
    },
];

const ADDRESSES: &[Row] = &[
    Row {
        lab: "no-address-router",
        now: "the router has the address, and does not say so; its routes are those from before",
        change: |it| it.add_address("gate.lefta", "10.1.0.1"),
        left: &[NoNeighbour, NoRoute],
    },
    Row {
        lab: "wrong-prefix-ipv6",
        now: "the sender's prefix is that of its link",
        change: |it| {
            it.interface("hosta.eth0").addresses.iter_mut().for_each(|own| own.cidr.length = 64);
            it.ask_again("hosta");
        },
        left: &[],
    },
    Row {
        lab: "duplicate-address-gateway",
        now: "who got the packet does not have the address: it does not pass the packet on, either",
        change: |it| it.interface("hostc.eth0").addresses.clear(),
        left: &[WrongGateway],
    },
    Row {
        lab: "no-neighbour-arp-off",
        now: "the server answers questions: that it has not, the frames show",
        change: |it| it.interface("hostb.eth0").noarp = false,
        left: &[NoNeighbour],
    },
    Row {
        lab: "no-neighbour-arp-off",
        now: "the server answers questions, and whether one came to it was not seen",
        change: |it| {
            it.interface("hostb.eth0").noarp = false;
            it.seen_on(|node, _| node != "hostb");
        },
        left: &[],
    },
    Row {
        lab: "arp-ignored-gateway",
        now: "the gateway answers questions: that it has not, the frames show",
        change: |it| it.set("gate", "ipv4/conf/all/arp_ignore", "0"),
        left: &[NoNeighbour],
    },
    Row {
        lab: "tentative-sender",
        now: "the sender's address is its own",
        change: |it| it.interface("hosta.eth0").addresses.iter_mut().for_each(|own| own.tentative = false),
        left: &[],
    },
];

const ROUTES: &[Row] = &[
    Row {
        lab: "no-route-router-ipv6",
        now: "the router's kernel knows a way",
        change: |it| it.routes("gate", "fd02::2", "gate.righta", Some("fd03::2")),
        left: &[],
    },
    Row {
        lab: "wrong-gateway-host",
        now: "nobody else on the link passes packets on",
        change: |it| it.set("gate", "ipv4/ip_forward", "0"),
        left: &[ForwardingOff],
    },
    Row {
        lab: "forwarding-off-interface",
        now: "the router forwards",
        change: |it| {
            it.set("gate", "ipv4/conf/lefta/forwarding", "1");
            it.ask_again("gate");
        },
        left: &[],
    },
    Row {
        lab: "reverse-path-arp",
        now: "nothing looks at the way back",
        change: |it| it.set("hostb", "ipv4/conf/eth0/rp_filter", "0"),
        left: &[NoNeighbour],
    },
    Row {
        lab: "no-way-back-networks",
        now: "the server's kernel knows a way back",
        change: |it| it.routes("hostb", "10.1.0.5", "hostb.eth0", Some("10.2.0.1")),
        left: &[],
    },
    Row {
        lab: "policy-rule-answer",
        now: "there is no policy rule",
        change: |it| it.node("hostb").policy.clear(),
        left: &[],
    },
    Row {
        lab: "policy-rule-answer",
        now: "the server's kernel knows a way back",
        change: |it| it.routes("hostb", "10.1.0.2", "hostb.eth0", Some("10.2.0.1")),
        left: &[],
    },
    Row {
        lab: "route-refuses-ipv6",
        now: "the router's kernel knows a way",
        change: |it| it.routes("gate", "fd02::2", "gate.righta", None),
        left: &[],
    },
    Row {
        lab: "ttl-loop-ipv6",
        now: "the packet was not seen to come back, nor any error",
        change: |it| it.record.evidence.frames.truncate(14),
        left: &[],
    },
];

const RULES: &[Row] = &[
    Row {
        lab: "let-through-iptables",
        now: "no rule was seen to accept it",
        change: |it| it.record.evidence.traces.clear(),
        left: &[],
    },
    Row { lab: "rule-dropped-answer", now: "the rule let it pass", change: Facts::accept, left: &[] },
    Row {
        lab: "rule-dropped-answer",
        now: "the trace is of another node",
        change: |it| it.record.evidence.traces.iter_mut().for_each(|trace| trace.node = 0),
        left: &[],
    },
    Row {
        lab: "rule-dropped-answer",
        now: "the trace is of another packet",
        change: |it| {
            let packets = it.record.evidence.traces.iter_mut().filter_map(|trace| trace.packet.as_mut());
            for packet in packets {
                if let Payload::Icmp(Icmp::Echo { identifier, sequence, .. }) = &mut packet.payload {
                    (*identifier, *sequence) = (*identifier ^ 1, *sequence ^ 1);
                }
            }
        },
        left: &[],
    },
    Row {
        lab: "rule-rejected-forward-ipv6",
        now: "the rule drops without a word",
        change: |it| it.node("gate").rules.iter_mut().for_each(|rule| "counter drop".clone_into(&mut rule.text)),
        left: &[RuleDropped],
    },
    Row { lab: "policy-dropped-forward", now: "the policy is accept", change: Facts::accept, left: &[] },
    Row {
        lab: "bridge-netfilter-rule",
        now: "the bridge has no such ports",
        change: |it| ["swi.porta", "swi.portb"].iter().for_each(|port| it.interface(port).master = None),
        left: &[],
    },
    Row {
        lab: "nat-missing-interface",
        now: "the server's kernel sends the answer out",
        change: |it| it.routes("world", "192.168.1.2", "world.eth0", None),
        left: &[],
    },
    Row {
        lab: "nat-wrong-forward",
        now: "the server has the address to which is forwarded: that it was silent, the frames show",
        change: |it| it.add_address("hostb.eth0", "10.2.0.20"),
        left: &[NoNeighbour],
    },
];

fn listening(at: &str, transport: Transport) -> Listening {
    Listening {
        transport,
        at: at.parse().expect("it is an address with a port"),
        only_v6: false,
        device: None,
        full: false,
        room: None,
    }
}

const ENDS: &[Row] = &[
    Row {
        lab: "queue-full",
        now: "the queue has room",
        change: |it| it.node("hostb").listening.iter_mut().for_each(|listening| listening.full = false),
        left: &[],
    },
    Row {
        lab: "service-fault-closed",
        now: "nothing shows that the server has taken the request",
        change: |it| it.seen_on(|node, sent| node != "hostb" || !sent),
        left: &[],
    },
    Row {
        lab: "nobody-listens-program",
        now: "somebody listens",
        change: |it| it.node("hostb").listening.push(listening("0.0.0.0:80", Transport::Tcp)),
        left: &[],
    },
    Row {
        lab: "listens-elsewhere-ipv4-alone",
        now: "nobody listens at all",
        change: |it| it.node("hostb").listening.clear(),
        left: &[NobodyListens],
    },
    Row {
        lab: "listens-elsewhere-ipv4-alone",
        now: "somebody listens there",
        change: |it| it.node("hostb").listening.push(listening("[fd02::2]:7", Transport::Udp)),
        left: &[],
    },
    Row {
        lab: "service-died-killed",
        now: "the service has not ended",
        change: |it| it.node("hostb").services.iter_mut().for_each(|service| service.ended = None),
        left: &[NobodyListens],
    },
    Row {
        lab: "service-died-killed",
        now: "another one listens in its place",
        change: |it| it.node("hostb").listening.push(listening("0.0.0.0:80", Transport::Tcp)),
        left: &[],
    },
    Row {
        lab: "echo-ignored-ipv6",
        now: "the server answers echo requests",
        change: |it| it.set("hostb", "ipv6/icmp/echo_ignore_all", "0"),
        left: &[],
    },
    Row {
        lab: "wrong-server-forward",
        now: "who answered is the server that is meant",
        change: |it| {
            let own = std::mem::take(&mut it.interface("hostc.eth0").addresses);
            it.interface("hostb.eth0").addresses = own;
            it.seen_on(|node, _| node != "hostc");
        },
        left: &[],
    },
    Row {
        lab: "answer-from-elsewhere-hairpin",
        now: "no answer was seen",
        change: |it| it.record.evidence.frames.truncate(22),
        left: &[],
    },
    Row {
        lab: "name-not-resolved-alias",
        now: "the answer of the name server was not seen to come",
        change: |it| it.record.evidence.frames.truncate(12),
        left: &[],
    },
];

#[test]
fn a_cause_is_named_only_where_the_evidence_supports_it() {
    let mut faults = Vec::new();
    for Row { lab, now, change, left } in [LINKS, ADDRESSES, ROUTES, RULES, ENDS].into_iter().flatten() {
        let mut facts = facts(lab);
        change(&mut facts);
        let said = facts.said();
        let words: Vec<&str> = said.causes.iter().map(|cause| &*cause.words).collect();
        if kinds(&said) != *left {
            faults.push(format!("{lab}, {now}: {left:?} is left, and it is {:?}: {words:?}", kinds(&said)));
        }
        if said.causes == facts.record.explanation.causes {
            faults.push(format!("{lab}, {now}: that makes no difference"));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_cause_loses_its_ground_in_a_row() {
    let labs: Vec<&str> = [LINKS, ADDRESSES, ROUTES, RULES, ENDS].into_iter().flatten().map(|row| row.lab).collect();
    let missing: Vec<String> = crate::labs().into_values().map(|lab| lab.name).collect();
    let missing: Vec<String> = missing.into_iter().filter(|name| !labs.contains(&&**name)).collect();
    assert_eq!(missing, [""; 0]);
}

/// A listener on the same port of the other protocol takes nothing.
#[test]
fn what_does_not_count_changes_nothing() {
    let mut facts = facts("nobody-listens-program");
    facts.node("hostb").listening.push(listening("0.0.0.0:80", Transport::Udp));
    let said = facts.said();
    assert_eq!(kinds(&said), [NobodyListens]);
    assert_eq!(said.causes[0].blame, facts.record.explanation.causes[0].blame);
}
