//! How the lab changes when the kernel changes it: what goes with what.

use std::net::IpAddr;

use super::lab::{DraftInterface, Lab, is_link_local};
use crate::plan::{End, InterfaceKind, NodeId, Route};
use crate::source::Spanned;
use crate::words::{Cidr, Mac, RouteType};

impl Lab {
    /// Takes an interface up or down, and its VLANs with it. Down, the kernel drops its routes and its IPv6 addresses, but
    /// those that `keep_addr_on_down` of ip-sysctl is about. With `lo` go the IPv6 routes that lead nowhere.
    pub(super) fn set_up(&mut self, end: End, up: bool) {
        if self.at(end).up != up {
            for vlan in self.carried_by(end) {
                if matches!(self.at(vlan).kind, Some(InterfaceKind::Vlan { .. })) {
                    self.set_up(vlan, up);
                }
            }
        }
        self.at_mut(end).up = up;
        if !up {
            let keeps = self.is_on(end, "ipv6", "keep_addr_on_down");
            self.take_addresses(end, |cidr| cidr.address.is_ipv6() && (!keeps || is_link_local(cidr.address)));
            self.drop_routes(end, |_| true);
        }
    }

    /// Changes the MAC address of an interface, and of the VLANs that have it from there.
    pub(super) fn set_mac(&mut self, end: End, mac: Spanned<Mac>) {
        let interface = self.at_mut(end);
        interface.mac = Some(mac);
        interface.follows = false;
        self.follow_macs();
    }

    /// Changes the largest packet of an interface; what stands on it gets no larger ones. A VXLAN stays as it is.
    pub(super) fn set_mtu(&mut self, end: End, mtu: Spanned<u32>) {
        self.at_mut(end).mtu = Some(mtu);
        for above in self.carried_by(end) {
            let shrinks = !matches!(self.at(above).kind, Some(InterfaceKind::Vxlan(_)));
            if shrinks && self.at(above).mtu.is_some_and(|own| own.value > mtu.value) {
                self.set_mtu(above, mtu);
            }
        }
    }

    /// Deletes an interface and all that stands on it, and the other end with it if it is a veth; a bridge lets go of
    /// its ports.
    pub(super) fn delete(&mut self, end: End) {
        if let Some(InterfaceKind::Veth { peer }) = self.at(end).kind {
            self.remove_with_carried(peer);
        }
        self.remove_with_carried(end);
    }

    fn remove_with_carried(&mut self, end: End) {
        for carried in self.carried_by(end) {
            self.remove_with_carried(carried);
        }
        self.remove(end);
    }

    /// Moves an interface to another node, where it is down, without addresses, and a port of nothing. What stands on it
    /// stays where it is; but a VXLAN is deleted, since it has to have its `dev` beside it.
    pub(super) fn move_to(&mut self, end: End, node: NodeId) -> End {
        let carried = self.carried_by(end);
        let (gone, carried): (Vec<End>, Vec<End>) =
            carried.into_iter().partition(|above| matches!(self.at(*above).kind, Some(InterfaceKind::Vxlan(_))));
        for vxlan in gone {
            self.remove_with_carried(vxlan);
        }
        self.set_up(end, false);
        let old = self.at(end);
        let moved = DraftInterface {
            kind: old.kind.clone(),
            mac: old.mac,
            follows: old.follows,
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
        for above in carried {
            if let Some(dev) = self.at_mut(above).kind.as_mut().and_then(InterfaceKind::dev_mut) {
                *dev = arrived;
            }
        }
        arrived
    }

    fn remove(&mut self, end: End) {
        let name = self.at(end).name.value.clone();
        let interface = self.at_mut(end);
        interface.present = false;
        interface.up = false;
        interface.master = None;
        self.take_addresses(end, |_| true);
        let draft = &mut self.nodes[end.node];
        draft.forget(&name);
        for port in draft.interfaces.iter_mut().filter(|port| port.master == Some(end.interface)) {
            port.master = None;
        }
        self.drop_routes(end, |_| true);
    }

    /// Takes addresses away from an interface, and what the kernel takes with them: routes that name one as `src`, and with
    /// the last IPv4 address every IPv4 route over the interface. An IPv6 route only forgets its `src`.
    pub(super) fn take_addresses(&mut self, end: End, gone: impl Fn(Cidr) -> bool) {
        let interface = self.at_mut(end);
        let before: Vec<Cidr> = interface.addresses.iter().map(|cidr| cidr.value).collect();
        interface.addresses.retain(|cidr| !gone(cidr.value));
        let had = before.iter().any(|cidr| cidr.address.is_ipv4());
        let silenced = had && !interface.addresses.iter().any(|cidr| cidr.address.is_ipv4());
        let draft = &mut self.nodes[end.node];
        let lost: Vec<IpAddr> =
            before.iter().map(|cidr| cidr.address).filter(|address| !draft.owns(*address)).collect();
        let orphan = |route: &Route| route.src.is_some_and(|src| lost.contains(&src));
        draft.routes.retain(|route| {
            let over = silenced && route.over == Some(end.interface);
            !route.to.address.is_ipv4() || !(over || orphan(route))
        });
        for route in draft.routes.iter_mut().filter(|route| orphan(route)) {
            route.src = None;
        }
    }

    /// Has the interfaces of a node that a setting names speak IPv6, or not: then they lose what they have of it.
    pub(super) fn speak_ipv6(&mut self, node: NodeId, named: &str, speaks: bool) {
        let meant = |end: &End| end.node == node && (named == "all" || *self.at(*end).name == named);
        for end in self.ends().filter(meant).collect::<Vec<_>>() {
            self.at_mut(end).link_local = speaks && end.interface > 0;
            if !speaks {
                self.take_addresses(end, |cidr| cidr.address.is_ipv6());
                self.drop_routes(end, |route| route.to.address.is_ipv6());
            }
        }
    }

    /// Whether the later addresses of a network stay without the first one.
    pub(super) fn promotes(&self, end: End) -> bool {
        self.is_on(end, "ipv4", "promote_secondaries")
    }

    /// Whether a setting is on for an interface, by its own name or for all.
    fn is_on(&self, end: End, family: &str, setting: &str) -> bool {
        let draft = &self.nodes[end.node];
        ["all", self.at(end).name.as_str()].iter().any(|named| {
            let path = format!("net/{family}/conf/{named}/{setting}");
            let set = draft.sysctls.iter().find(|sysctl| sysctl.path == path);
            set.is_some_and(|sysctl| sysctl.value.parse().is_ok_and(|value: i32| value > 0))
        })
    }

    /// Drops the routes over an interface that are meant; those of IPv6 that lead nowhere are over `lo`.
    fn drop_routes(&mut self, end: End, meant: impl Fn(&Route) -> bool) {
        let nowhere = |route: &Route| route.to.address.is_ipv6() && route.kind != RouteType::Unicast;
        let over = |route: &Route| route.over == Some(end.interface) || (end.interface == 0 && nowhere(route));
        self.nodes[end.node].routes.retain(|route| !(over(route) && meant(route)));
    }
}
