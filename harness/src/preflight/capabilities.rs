//! Which of the capabilities that a lab takes the process has.

use std::fs;

/// What building and probing a lab takes, by number (`linux/capability.h`).
const NEEDED: &[(u32, &str)] = &[(12, "CAP_NET_ADMIN"), (13, "CAP_NET_RAW"), (21, "CAP_SYS_ADMIN")];

/// The capabilities that building a lab takes and this process lacks: root in a container has only some of them.
///
/// Where the kernel does not say, none is taken to be missing, and the first refused step tells.
pub fn missing_capabilities() -> Vec<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    effective(&status).map(lacking).unwrap_or_default()
}

/// The effective set as proc(5) prints it: `CapEff:` and hexadecimal digits.
fn effective(status: &str) -> Option<u64> {
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

fn lacking(set: u64) -> Vec<&'static str> {
    NEEDED.iter().filter(|(bit, _)| set & (1 << bit) == 0).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_set_as_the_kernel_prints_it() {
        // The second is what Docker gives to root, the third that with `--cap-add SYS_ADMIN`.
        for (set, expected) in [
            ("000001ffffffffff", vec![]),
            ("00000000a80425fb", vec!["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]),
            ("00000000a82425fb", vec!["CAP_NET_ADMIN"]),
            ("0000000000000000", vec!["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN"]),
        ] {
            let status = format!("Name:\tnetcase\nCapPrm:\t0000000000000000\nCapEff:\t{set}\nCapBnd:\t0\n");
            assert_eq!(effective(&status).map(lacking), Some(expected), "{set}");
        }
        assert_eq!(effective("Name:\tnetcase\n"), None);
    }
}
