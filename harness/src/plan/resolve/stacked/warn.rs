//! What is possibly meant so of tunnels.

use super::Places;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::resolve::lab::Lab;
use crate::plan::{End, InterfaceKind, Vxlan};

/// Warns of doubtful tunnels.
pub(super) fn look(lab: &Lab, standing: &[(End, Places)], out: &mut Diagnostics) {
    for (end, places) in standing {
        if let Some(InterfaceKind::Vxlan(vxlan)) = &lab.at(*end).kind {
            out.extend(too_large_outside(lab, *end, vxlan, *places));
            out.extend(too_large_inside(lab, *end, *places));
            out.extend(nobody(lab, *end, vxlan, *places));
        }
    }
}

/// Without a `dev` the kernel does not know what the frames have to fit into.
fn too_large_outside(lab: &Lab, end: End, vxlan: &Vxlan, places: Places) -> Option<Diagnostic> {
    if vxlan.dev.is_some() {
        return None;
    }
    let target = vxlan.local.or(vxlan.remotes.first().copied())?;
    let draft = &lab.nodes[end.node];
    let under = draft.interfaces.iter().position(|interface| interface.present && interface.reaches(target))?;
    let under = End { node: end.node, interface: under };
    let (needed, room) = (lab.mtu(end) + vxlan.overhead(), lab.mtu(under));
    (needed > room).then(|| {
        let (name, under) = (&*lab.at(end).name, &*lab.at(under).name);
        let message = format!("the largest packets of `{name}` do not fit into `{under}` once they are wrapped");
        let label = format!("{} and {} for the tunnel are more than {room}", lab.mtu(end), vxlan.overhead());
        let fits = room.saturating_sub(vxlan.overhead());
        Diagnostic::warning(places.id, message)
            .label(label)
            .help(format!("`dev = \"{under}\"` has the kernel take that into account; or write `mtu = {fits}`"))
    })
}

/// A bridge drops in silence what is too large for the port it leaves by.
fn too_large_inside(lab: &Lab, end: End, places: Places) -> Option<Diagnostic> {
    let bridge = lab.at(end).master?;
    let room = lab.mtu(end);
    let sender =
        lab.ends().filter(|port| port.node == end.node && lab.at(*port).master == Some(bridge)).find_map(|port| {
            match lab.at(port).kind {
                Some(InterfaceKind::Veth { peer }) => (lab.mtu(peer) > room).then_some(peer),
                _ => None,
            }
        })?;
    let (name, sender_name) = (&*lab.at(end).name, lab.end_name(sender));
    let message = format!("`{sender_name}` may send packets that are too large for `{name}`");
    Some(
        Diagnostic::warning(places.id, message)
            .label(format!("{} there, {room} here", lab.mtu(sender)))
            .note("a bridge drops in silence what is too large for the port it leaves by")
            .help(format!("give both ends of that cable `mtu = {room}`")),
    )
}

/// A remote that is no machine of the case.
fn nobody(lab: &Lab, end: End, vxlan: &Vxlan, places: Places) -> Option<Diagnostic> {
    let held = |address| lab.nodes.iter().any(|node| node.addresses().any(|(_, cidr)| cidr.address == address));
    let sound = lab.nodes.iter().all(|node| node.sound);
    let missing = vxlan.remotes.iter().copied().find(|remote| sound && !held(*remote))?;
    let message = format!("no node of this case has the address {missing}, where `{}` ends", lab.end_name(end));
    Some(Diagnostic::warning(places.remote, message).label("nobody unwraps the frames there"))
}
