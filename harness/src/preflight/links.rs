//! Which kinds of link the kernel knows, by what it says of itself, or by asking it.

use std::fs;
use std::path::Path;

use nix::unistd::geteuid;

use super::scratch::{self, Scratch};

/// Link kinds whose module is not called as `ip link add type` calls them.
const MODULES: &[(&str, &str)] = &[
    ("vlan", "8021q"),
    ("bond", "bonding"),
    ("gre", "ip_gre"),
    ("gretap", "ip_gre"),
    ("erspan", "ip_gre"),
    ("ip6gre", "ip6_gre"),
    ("ip6tnl", "ip6_tunnel"),
    ("vti", "ip_vti"),
    ("vti6", "ip6_vti"),
    ("xfrm", "xfrm_interface"),
    ("ipvtap", "ipvtap"),
];

/// Why the kernel cannot make links of this kind, in its own words; nothing when it can.
///
/// veth pairs and bridges are taken for granted: no case runs without them. What is loaded or built in is there. Else the
/// kernel is asked in a scratch namespace, and loads the module if there is one; where it cannot be asked, the list of its
/// modules decides, and where that cannot be read either, the kind is taken to be there: building the case tells.
pub fn lacks_link(kind: &str) -> Option<String> {
    if matches!(kind, "veth" | "bridge") {
        return None;
    }
    let module = MODULES.iter().find(|(name, _)| *name == kind).map_or(kind, |(_, module)| module).replace('-', "_");
    if Path::new("/sys/module").join(&module).exists() {
        return None;
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let folder = Path::new("/lib/modules").join(release.trim());
    let lists = ["modules.builtin", "modules.dep"].map(|list| fs::read_to_string(folder.join(list)).ok());
    let listed = |list: &Option<String>| list.as_ref().map(|list| lists_module(list, &module));
    if listed(&lists[0]) == Some(true) {
        return None;
    }
    match scratch::examine(!geteuid().is_root(), &[kind]) {
        Ok(Scratch { namespaces: None, unknown_links, .. }) if scratch::tries(kind) => {
            unknown_links.into_iter().next().map(|(_, words)| words)
        }
        _ => (listed(&lists[1]) == Some(false)).then(|| "its list of modules has none for it".to_owned()),
    }
}

/// Whether a list such as `modules.dep` (depmod(8)) has the module: `kernel/drivers/net/dummy.ko.xz: ...`.
fn lists_module(list: &str, module: &str) -> bool {
    list.lines().any(|line| {
        let path = line.split(':').next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        file.split_once(".ko").is_some_and(|(name, _)| name.replace('-', "_") == module)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_modules_in_the_lists_of_depmod() {
        let list =
            "kernel/drivers/net/dummy.ko.xz:\nkernel/net/8021q/8021q.ko: kernel/net/802/mrp.ko\nkernel/a/ip6-gre.ko\n";
        for (module, expected) in [("dummy", true), ("8021q", true), ("mrp", false), ("dum", false), ("ip6_gre", true)]
        {
            assert_eq!(lists_module(list, module), expected, "{module}");
        }
    }
}
