//! How the lab changes when the kernel changes it: what goes with what.

use super::lab::{DraftInterface, Lab};
use crate::plan::{End, InterfaceKind, NodeId};

impl Lab {
    /// Takes an interface up or down. Down, the kernel drops its routes and its IPv6 addresses (`keep_addr_on_down` in
    /// ip-sysctl is off).
    pub(super) fn set_up(&mut self, end: End, up: bool) {
        self.at_mut(end).up = up;
        if !up {
            self.at_mut(end).addresses.retain(|cidr| cidr.address.is_ipv4());
            self.drop_routes(end);
        }
    }

    /// Deletes an interface, and the other end with it if it is a veth; a bridge lets go of its ports.
    pub(super) fn delete(&mut self, end: End) {
        if let Some(InterfaceKind::Veth { peer }) = self.at(end).kind {
            self.remove(peer);
        }
        self.remove(end);
    }

    /// Moves an interface to another node, where it is down, without addresses, and a port of nothing.
    pub(super) fn move_to(&mut self, end: End, node: NodeId) -> End {
        let old = self.at(end);
        let moved = DraftInterface {
            kind: old.kind,
            mac: old.mac,
            mtu: old.mtu,
            index: old.index,
            up: false,
            sound: old.sound,
            ..DraftInterface::new(old.name.clone(), None)
        };
        self.remove(end);
        let arrived = End { node, interface: self.nodes[node].add(moved) };
        if let Some(InterfaceKind::Veth { peer }) = self.at(arrived).kind {
            self.at_mut(peer).kind = Some(InterfaceKind::Veth { peer: arrived });
        }
        arrived
    }

    fn remove(&mut self, end: End) {
        let name = self.at(end).name.value.clone();
        let interface = self.at_mut(end);
        interface.present = false;
        interface.up = false;
        interface.master = None;
        interface.addresses.clear();
        let draft = &mut self.nodes[end.node];
        draft.forget(&name);
        for port in draft.interfaces.iter_mut().filter(|port| port.master == Some(end.interface)) {
            port.master = None;
        }
        self.drop_routes(end);
    }

    /// Drops the routes that cannot be without an interface: those over it, and those whose gateway was on its link.
    fn drop_routes(&mut self, end: End) {
        let draft = &mut self.nodes[end.node];
        let interfaces = &draft.interfaces;
        draft.routes.retain(|route| match (route.dev, route.via) {
            (Some(dev), _) => dev != end.interface,
            (None, Some(via)) => interfaces.iter().any(|interface| interface.up && interface.reaches(via)),
            (None, None) => true,
        });
    }
}
