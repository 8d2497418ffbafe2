//! What was gathered of a lab, to be changed fact by fact.

use std::net::IpAddr;

use netcase::evidence::{
    Address, Ask, CauseKind, Chosen, Decision, Explanation, Interface, NodeState, PortState, TraceVerdict,
};
use netcase::plan::Plan;
use netcase::verdict::Explained;
use netcase::words::Cidr;

use crate::record::Record;

/// A record and the plan that it belongs to.
pub(crate) struct Facts {
    pub(crate) plan: Plan,
    pub(crate) record: Record,
}

impl Facts {
    pub(crate) fn node(&mut self, name: &str) -> &mut NodeState {
        let nodes = &mut self.record.evidence.nodes;
        nodes.iter_mut().find(|node| node.name == name).unwrap_or_else(|| panic!("there is no node {name}"))
    }

    fn place(&self, name: &str) -> usize {
        let place = self.plan.nodes.iter().position(|node| node.name == name);
        place.unwrap_or_else(|| panic!("there is no node {name}"))
    }

    /// The interface `NODE.INTERFACE`.
    pub(crate) fn interface(&mut self, words: &str) -> &mut Interface {
        let (node, name) = words.split_once('.').expect("an interface is called NODE.INTERFACE");
        let interfaces = &mut self.node(node).interfaces;
        interfaces.iter_mut().find(|it| it.name == name).unwrap_or_else(|| panic!("there is no interface {words}"))
    }

    /// Gives a node another value of a setting that it has.
    pub(crate) fn set(&mut self, node: &str, path: &str, value: &str) {
        let known = self.node(node).sysctls.get_mut(path);
        value.clone_into(known.unwrap_or_else(|| panic!("{node} has no setting {path}")));
    }

    /// Leaves only the frames of which this is so: the name of the node, and whether that has sent it.
    pub(crate) fn seen_on(&mut self, is_seen: impl Fn(&str, bool) -> bool) {
        let names: Vec<String> = self.plan.nodes.iter().map(|node| node.name.clone()).collect();
        let before = self.record.evidence.frames.len();
        self.record.evidence.frames.retain(|frame| is_seen(&names[frame.node], frame.outgoing));
        assert!(self.record.evidence.frames.len() < before, "no frame was of others");
    }

    /// Forgets what the kernel of a node has answered, so that it is asked again.
    pub(crate) fn ask_again(&mut self, node: &str) {
        let place = self.place(node);
        self.record.evidence.decisions.retain(|decision| decision.asked.node != place);
    }

    /// Gives an interface one more address, like its first but for the host.
    pub(crate) fn add_address(&mut self, words: &str, address: &str) {
        let own = &mut self.interface(words).addresses;
        let length = own.first().map_or(24, |first| first.cidr.length);
        let cidr = Cidr { address: address.parse().expect("it is an address"), length };
        own.push(Address { cidr, tentative: false, duplicate: false });
    }

    /// Has the ports of a bridge forward.
    pub(crate) fn forward(&mut self, ports: &[&str]) {
        for words in ports {
            self.interface(words).port.as_mut().expect("it is a port").state = PortState::Forwarding;
        }
    }

    /// Has the kernel of a node give other answers to what it was asked about an address.
    pub(crate) fn answers(&mut self, node: &str, to: &str, answer: Result<Chosen, i32>) {
        let (place, to): (usize, IpAddr) = (self.place(node), to.parse().expect("it is an address"));
        let of_it = |it: &&mut netcase::evidence::Decision| it.asked.node == place && it.asked.to == to;
        let known: Vec<_> = self.record.evidence.decisions.iter_mut().filter(of_it).collect();
        assert!(!known.is_empty(), "{node} was not asked about {to}");
        for decision in known {
            decision.answer.clone_from(&answer);
        }
    }

    /// Has the kernel of a node send what is for an address out by an interface.
    pub(crate) fn routes(&mut self, node: &str, to: &str, by: &str, via: Option<&str>) {
        let oif = Some(self.interface(by).index);
        let via = via.map(|via| via.parse().expect("it is an address"));
        let chosen = Chosen { local: false, many: false, via, oif, source: None, table: 254, mtu: None };
        self.answers(node, to, Ok(chosen));
    }

    /// Has every rule let pass what it has dropped.
    pub(crate) fn accept(&mut self) {
        let traces = self.record.evidence.traces.iter_mut();
        let dropping: Vec<_> = traces.filter(|trace| trace.verdict == TraceVerdict::Drop).collect();
        assert!(!dropping.is_empty(), "nothing was dropped by a rule");
        for trace in dropping {
            trace.verdict = TraceVerdict::Accept;
        }
    }

    /// What is said now. A kernel that is asked for more than the one of the lab was says what it plainly would.
    pub(crate) fn said(&mut self) -> Explanation {
        loop {
            match self.record.probed.explain(&self.plan, &self.record.evidence) {
                Explained::Done(said) => return *said,
                // Nothing was heard of what is sent on.
                Explained::SendOn(packet) => self.record.evidence.sent_on = Some(packet),
                Explained::Asks(asks) => {
                    let more: Vec<_> = asks.into_iter().map(|asked| self.plainly(asked)).collect();
                    self.record.evidence.decisions.extend(more);
                }
            }
        }
    }

    /// What a kernel says that goes by its addresses and the routes of the case, and by nothing else.
    fn plainly(&self, asked: Ask) -> Decision {
        let to = asked.to;
        let interfaces = &self.record.evidence.nodes[asked.node].interfaces;
        let on_link = |to: IpAddr| {
            let has = |it: &&Interface| it.addresses.iter().any(|own| own.cidr.contains(to));
            interfaces.iter().find(has).map(|it| it.index)
        };
        let chosen =
            |local, oif, via| Chosen { local, many: false, via, oif: Some(oif), source: None, table: 254, mtu: None };
        let own = interfaces.iter().any(|it| it.addresses.iter().any(|own| own.cidr.address == to));
        let mut routes: Vec<_> =
            self.plan.nodes[asked.node].routes.iter().filter(|route| route.to.contains(to)).collect();
        routes.sort_by_key(|route| route.to.length);
        let routed = || {
            let via = routes.last()?.via?;
            Some(chosen(false, on_link(via)?, Some(via)))
        };
        let answer = if own { Some(chosen(true, 1, None)) } else { on_link(to).map(|oif| chosen(false, oif, None)) };
        Decision { asked, answer: answer.or_else(routed).ok_or(libc::ENETUNREACH) }
    }
}

/// The kinds of what is said.
pub(crate) fn kinds(said: &Explanation) -> Vec<CauseKind> {
    said.causes.iter().map(|cause| cause.kind).collect()
}
