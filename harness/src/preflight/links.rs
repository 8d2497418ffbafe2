//! Which kinds of link the kernel knows, as far as that can be told without making one.

use std::fs;
use std::path::Path;

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
/// as in many containers, the kind is taken to be there; then building the case says what is missing.
pub fn knows_link(kind: &str) -> bool {
    if matches!(kind, "veth" | "bridge") {
        return true;
    }
    let module = MODULES.iter().find(|(name, _)| *name == kind).map_or(kind, |(_, module)| module).replace('-', "_");
    if Path::new("/sys/module").join(&module).exists() {
        return true;
    }
    let Ok(release) = fs::read_to_string("/proc/sys/kernel/osrelease") else { return true };
    let folder = Path::new("/lib/modules").join(release.trim());
    let lists = ["modules.builtin", "modules.dep"].map(|list| fs::read_to_string(folder.join(list)));
    match lists {
        [Err(_), Err(_)] => true,
        lists => lists.iter().flatten().any(|list| lists_module(list, &module)),
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
