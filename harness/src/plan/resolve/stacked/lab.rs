//! What of a lab stands on what.

use crate::plan::resolve::lab::Lab;
use crate::plan::{End, InterfaceKind};
use crate::source::Spanned;

/// The MTU of an Ethernet interface to which nobody gives another (`ETH_DATA_LEN` in `linux/if_ether.h`).
pub(in crate::plan::resolve) const USUAL_MTU: u32 = 1500;

/// The MTU of `lo` (drivers/net/loopback.c).
const LOOPBACK_MTU: u32 = 65536;

/// The least that the kernel gives a VXLAN (`ETH_MIN_MTU`).
const LEAST_MTU: u32 = 68;

impl Lab {
    /// What an interface stands on: its `dev`, or for a bridge its ports.
    fn below(&self, end: End) -> Vec<End> {
        match &self.at(end).kind {
            Some(InterfaceKind::Bridge) => {
                let ports = self.nodes[end.node].interfaces.iter().enumerate();
                ports
                    .filter(|(_, port)| port.present && port.master == Some(end.interface))
                    .map(|(interface, _)| End { node: end.node, interface })
                    .collect()
            }
            Some(kind) => kind.dev().into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Whether an interface stands, on whatever way, on another.
    pub(in crate::plan::resolve) fn stands_on(&self, end: End, other: End) -> bool {
        let mut waiting = self.below(end);
        let mut seen = Vec::new();
        while let Some(next) = waiting.pop() {
            if next == other {
                return true;
            }
            if !seen.contains(&next) {
                seen.push(next);
                waiting.extend(self.below(next));
            }
        }
        false
    }

    /// The interfaces that an interface carries, in whatever node.
    pub(in crate::plan::resolve) fn carried_by(&self, dev: End) -> Vec<End> {
        let carried = |end: &End| self.at(*end).kind.as_ref().and_then(InterfaceKind::dev) == Some(dev);
        self.ends().filter(carried).collect()
    }

    /// How many interfaces are below it.
    pub(in crate::plan::resolve) fn height(&self, end: End) -> usize {
        let mut height = 0;
        let mut at = self.at(end).kind.as_ref().and_then(InterfaceKind::dev);
        while let Some(dev) = at {
            height += 1;
            at = self.at(dev).kind.as_ref().and_then(InterfaceKind::dev);
        }
        height
    }

    /// The largest packet of an interface, said or not.
    pub(in crate::plan::resolve) fn mtu(&self, end: End) -> u32 {
        if let Some(mtu) = self.at(end).mtu {
            return mtu.value;
        }
        match &self.at(end).kind {
            Some(InterfaceKind::Loopback) => LOOPBACK_MTU,
            // A bridge takes the smallest of its ports.
            Some(InterfaceKind::Bridge) => {
                self.below(end).into_iter().map(|port| self.mtu(port)).min().unwrap_or(USUAL_MTU)
            }
            _ => self.room(end).unwrap_or(USUAL_MTU),
        }
    }

    /// The largest packet that what carries an interface has room for.
    pub(in crate::plan::resolve) fn room(&self, end: End) -> Option<u32> {
        let kind = self.at(end).kind.as_ref()?;
        let dev = kind.dev()?;
        // Of what a script makes nothing is known yet.
        let below = Some(self.mtu(dev)).filter(|_| self.at(dev).kind != Some(InterfaceKind::Found))?;
        Some(match kind {
            InterfaceKind::Vxlan(vxlan) => below.saturating_sub(vxlan.overhead()).max(LEAST_MTU),
            _ => below,
        })
    }

    /// Gives an interface the largest packet that follows from what carries it, as the kernel does when it is made.
    pub(super) fn inherit_mtu(&mut self, end: End) {
        if let (None, Some(room)) = (self.at(end).mtu, self.room(end)) {
            let span = self.at(end).span;
            self.at_mut(end).mtu = Some(Spanned::new(room, span));
        }
    }

    /// Has every interface that follows its `dev` have that one's MAC address.
    pub(in crate::plan::resolve) fn follow_macs(&mut self) {
        let mut following: Vec<End> = self.ends().filter(|end| self.at(*end).follows).collect();
        following.sort_by_key(|end| self.height(*end));
        for end in following {
            let dev = self.at(end).kind.as_ref().and_then(InterfaceKind::dev);
            if let Some(mac) = dev.and_then(|dev| self.at(dev).mac) {
                self.at_mut(end).mac = Some(mac);
            }
        }
    }

    /// Whether a node can ever put a packet on a wire: a dummy has none, nor has what stands on it.
    pub(in crate::plan::resolve) fn has_wire(&self, node: usize) -> bool {
        self.ends().filter(|end| end.node == node && end.interface > 0).any(|end| self.leads_out(end))
    }

    fn leads_out(&self, end: End) -> bool {
        match &self.at(end).kind {
            Some(InterfaceKind::Loopback | InterfaceKind::Dummy) => false,
            Some(InterfaceKind::Vlan { dev, .. }) => self.leads_out(*dev),
            // The siblings of a macvlan hear each other, whatever they stand on.
            _ => true,
        }
    }
}
