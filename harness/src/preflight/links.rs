//! Which kinds of link the kernel knows, by what it says of itself, or by asking it.

use std::fs;
use std::path::Path;

use nix::unistd::geteuid;

use super::scratch;

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

/// Whether the kernel can make links of this kind: its module is loaded, built in, or there to be loaded.
///
/// veth pairs and bridges are taken for granted: no case runs without them. Where the list of modules cannot be read,
/// as in many containers, the kernel is asked in a scratch namespace; where that fails too, the kind is taken to be
/// there, and building the case says what is missing.
pub fn knows_link(kind: &str) -> bool {
    if matches!(kind, "veth" | "bridge") {
        return true;
    }
    let module = MODULES.iter().find(|(name, _)| *name == kind).map_or(kind, |(_, module)| module).replace('-', "_");
    if Path::new("/sys/module").join(&module).exists() {
        return true;
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let folder = Path::new("/lib/modules").join(release.trim());
    let lists = ["modules.builtin", "modules.dep"].map(|list| fs::read_to_string(folder.join(list)));
    match lists {
        [Err(_), Err(_)] => answers_to(kind),
        lists => lists.iter().flatten().any(|list| lists_module(list, &module)),
    }
}

fn answers_to(kind: &str) -> bool {
    let scratch = scratch::examine(!geteuid().is_root(), &[kind]);
    scratch.map_or(true, |scratch| scratch.unknown_links.is_empty())
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
