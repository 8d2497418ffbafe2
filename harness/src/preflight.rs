//! What this machine can do.

mod capabilities;
pub mod doctor;
mod links;
pub mod scratch;

use std::path::Path;

use crate::plan::Need;

pub use capabilities::missing_capabilities;
pub use links::lacks_link;

/// Where programs are looked for, whatever the environment says: a case means the same on every machine.
pub const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What of these needs this machine lacks, each with words that read behind "skipped:".
pub fn missing(needs: &[Need]) -> Vec<(&Need, String)> {
    needs.iter().filter_map(|need| Some((need, lacking(need)?))).collect()
}

fn lacking(need: &Need) -> Option<String> {
    match need {
        Need::Program(name) if finds_program(name) => None,
        Need::Program(name) if name.contains('/') => Some(format!("there is no program {name}")),
        Need::Program(name) => Some(format!("there is no program `{name}` in {SEARCH_PATH}")),
        Need::Link(kind) => lacks_link(kind).map(|words| format!("this kernel has no links of type `{kind}`: {words}")),
        Need::Ipv6 if has_ipv6() => None,
        Need::Ipv6 => Some("this kernel has no IPv6, or it is turned off".into()),
    }
}

/// Whether a program is there: at this path when it has a slash, else on the search path.
pub fn finds_program(name: &str) -> bool {
    if name.contains('/') {
        return is_executable(Path::new(name));
    }
    SEARCH_PATH.split(':').any(|folder| is_executable(&Path::new(folder).join(name)))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Whether the kernel speaks IPv6.
pub fn has_ipv6() -> bool {
    Path::new("/proc/net/if_inet6").exists()
}
