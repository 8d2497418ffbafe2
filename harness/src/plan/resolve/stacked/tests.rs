//! Interfaces that stand on others, from the text to the plan.

use crate::plan::resolve::tests::{action_words, plan_of};
use crate::plan::{Action, Need, Node};

const LAB: &str = r#"
title = "every kind"
[nodes.a.interfaces]
"v5.6" = { vlan = { dev = "v5", id = 6 }, up = false }
v5 = { vlan = { dev = "eth0", id = 5 }, address = "10.0.5.1/24" }
vx = { vxlan = { id = 7, remote = "b", dev = "v5" } }
d0 = { dummy = {}, address = "192.0.2.1/32" }
br0 = { bridge = { ports = ["vx"] } }
eth0 = { veth = { peer = "b.eth0" }, mtu = 1400 }
[nodes.b.interfaces]
eth0 = { address = "10.0.5.2/24", mtu = 1400 }
[nodes.c.interfaces]
mv0 = { macvlan = { dev = "a.eth0" } }
"#;

#[test]
fn what_stands_on_others_is_made_after_them_and_taken_up_after_them() {
    let (plan, warnings) = plan_of(&format!("{LAB}[[expect]]\nlink = {{ on = \"a.vx\", kind = \"vxlan\" }}\n"));
    assert_eq!(warnings, [""; 0]);
    assert_eq!(
        action_words(&plan),
        [
            "bridge a.br0",
            "veth a.eth0 b.eth0",
            "dummy a.d0",
            "vlan a.v5",
            "macvlan c.mv0",
            "vlan a.v5.6",
            "vxlan a.vx",
            "up a.lo",
            "up b.lo",
            "up c.lo",
            "up a.br0",
            "up a.eth0",
            "address b.eth0 10.0.5.2/24",
            "up b.eth0",
            "address a.d0 192.0.2.1/32",
            "up a.d0",
            "address a.v5 10.0.5.1/24",
            "up a.v5",
            "up c.mv0",
            // The kernel took it up with v5.
            "down a.v5.6",
            "up a.vx",
        ]
    );
    let made = |name: &str| {
        plan.operations.iter().find_map(|operation| match &operation.action {
            Action::AddLink(made) if made.interface.name == name => Some(made),
            _ => None,
        })
    };
    let dev = |name| made(name).and_then(|made| made.dev.as_ref()).map(|dev| (dev.node, dev.name.as_str()));
    assert_eq!(
        [dev("vx"), dev("v5.6"), dev("mv0"), dev("d0")],
        [Some((0, "v5")), Some((0, "v5")), Some((0, "eth0")), None]
    );
    assert_eq!(made("vx").and_then(|made| made.master.as_ref()).map(|master| &*master.name), Some("br0"));
    assert_eq!(made("v5").map(|made| made.interface.mac), Some(None), "the kernel gives it that of its `dev`");
    let interface =
        |node: usize, name: &str| plan.nodes[node].interfaces.iter().find(|interface| interface.name == name);
    let mtu = |node, name| interface(node, name).and_then(|interface| interface.mtu);
    assert_eq!(
        [mtu(0, "v5"), mtu(0, "v5.6"), mtu(0, "vx"), mtu(2, "mv0")],
        [Some(1400), Some(1400), Some(1350), Some(1400)]
    );
    let mac = |name| interface(0, name).and_then(|interface| interface.mac);
    assert_eq!([mac("v5"), mac("v5.6")], [mac("eth0"), mac("eth0")]);
    let kinds: Vec<Need> = ["vlan", "vxlan", "dummy", "macvlan"].map(|kind| Need::Link(kind.to_owned())).into();
    assert_eq!(plan.needs, kinds);
}

#[test]
fn a_step_needs_the_kinds_that_it_makes() {
    let (plan, _) = plan_of(
        r#"
title = "later"
[nodes.a.interfaces]
eth0 = { veth = { peer = "b.eth0" }, address = "10.0.0.1/24" }
[nodes.b.interfaces]
eth0 = { address = "10.0.0.2/24" }
[[steps]]
do = [{ link-add = { on = "a.d0", dummy = {} } }, { link-del = { on = "a.d0" } }]
expect = [{ ping = { from = "a", to = "b" } }]
"#,
    );
    assert_eq!(plan.needs, [Need::Link("dummy".to_owned())]);
}

#[test]
fn the_lab_changes_as_the_kernel_changes_it() {
    let (plan, _) = plan_of(&format!(
        r#"{LAB}
[[steps]]
do = [{{ link-set = {{ on = "a.eth0", up = false }} }}]
[[steps]]
do = [{{ link-set = {{ on = "a.eth0", up = true, mac = "02:00:00:00:00:01", mtu = 1300 }} }}]
[[steps]]
do = [{{ link-set = {{ on = "a.v5", node = "c" }} }}]
[[steps]]
do = [{{ link-del = {{ on = "b.eth0" }} }}]
[[steps]]
expect = [{{ link = {{ on = "a.d0", kind = "dummy" }} }}]
"#
    ));
    let after = |step: usize| plan.steps[step].nodes.as_deref().expect("a step that does something");
    let there = |nodes: &[Node]| -> Vec<String> {
        let named = nodes.iter().flat_map(|node| node.interfaces.iter().map(move |interface| (node, interface)));
        let named = named.filter(|(_, interface)| interface.present && interface.name != "lo");
        named.map(|(node, it)| format!("{}.{}{}", node.name, it.name, if it.up { "" } else { " down" })).collect()
    };
    assert_eq!(
        there(after(0)),
        ["a.v5.6 down", "a.v5 down", "a.vx", "a.d0", "a.br0", "a.eth0 down", "b.eth0", "c.mv0"],
        "VLANs go down with what carries them, all others do not"
    );
    assert_eq!(
        there(after(1)),
        ["a.v5.6", "a.v5", "a.vx", "a.d0", "a.br0", "a.eth0", "b.eth0", "c.mv0"],
        "and up, also the one that was down before"
    );
    let mtus = |name: &str| {
        let interfaces = after(1).iter().flat_map(|node| &node.interfaces);
        interfaces.filter(|interface| interface.name == name).filter_map(|interface| interface.mtu).collect::<Vec<_>>()
    };
    assert_eq!([mtus("v5"), mtus("v5.6"), mtus("vx"), mtus("mv0")], [[1300], [1300], [1350], [1300]]);
    assert_eq!(
        there(after(2)),
        ["a.v5.6 down", "a.d0", "a.br0", "a.eth0", "b.eth0", "c.mv0", "c.v5 down"],
        "a VXLAN does not outlive that its `dev` moves"
    );
    assert_eq!(there(after(3)), ["a.d0", "a.br0"], "what stood on the other end of the cable goes too");
}
