//! The cases that are measured.

use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::measure::Measured;

/// A router between two hosts, and three pings.
pub(crate) const ROUTER: &str = r#"
title = "A router between two hosts"
[nodes.r]
forwarding = true
interfaces.eth0 = { veth = { peer = "a.eth0" }, address = "10.0.1.1/24" }
interfaces.eth1 = { veth = { peer = "b.eth0" }, address = "10.0.2.1/24" }
[nodes.a]
interfaces.eth0 = { address = "10.0.1.2/24" }
routes = [{ to = "default", via = "10.0.1.1" }]
[nodes.b]
interfaces.eth0 = { address = "10.0.2.2/24" }
routes = [{ to = "default", via = "10.0.2.1" }]
[[expect]]
ping = { from = "a", to = "b" }
[[expect]]
ping = { from = "b", to = "a" }
[[expect]]
ping = { from = "a", to = "10.0.1.1" }
"#;

/// Two machines behind a gateway with NAT and a forwarded port, one before it, and five expectations.
pub(crate) const NAT: &str = r#"
title = "Behind a gateway with NAT"
[nodes.host]
forwarding = true
nat = [
  { masquerade = { src = "192.168.15.0/24", dev = "eth0" } },
  { forward = { dev = "eth0", port = "80/tcp", to = "192.168.15.2:80" } },
]
interfaces.v-net-0 = { bridge = { ports = ["red", "blue"] }, address = "192.168.15.5/24" }
interfaces.eth0 = { veth = { peer = "lan.eth0" }, address = "192.168.1.2/24" }
[nodes.red]
interfaces.eth0 = { veth = { peer = "host.red" }, address = "192.168.15.1/24" }
routes = [{ to = "default", via = "192.168.15.5" }]
[nodes.blue]
interfaces.eth0 = { veth = { peer = "host.blue" }, address = "192.168.15.2/24" }
routes = [{ to = "default", via = "192.168.15.5" }]
services.web = { http = { port = 80, body = "blue" } }
[nodes.lan]
interfaces.eth0 = { address = "192.168.1.3/24" }
services.echo = { tcp = { port = 7 } }
services.echo-udp = { udp = { port = 7 } }
[[expect]]
tcp = { from = "blue", to = "lan:7", seen-from = "192.168.1.2" }
[[expect]]
udp = { from = "red", to = "lan:7", seen-from = "192.168.1.2" }
[[expect]]
http = { from = "lan", url = "http://192.168.1.2/", status = 200, body = "blue", seen-from = "lan" }
[[expect]]
http = { from = "red", url = "http://192.168.1.2/", status = 200, seen-from = "host.v-net-0" }
[[expect]]
http = { from = "host", url = "http://192.168.1.2/", status = 200 }
"#;

/// Hosts on one bridge, and one ping.
pub(crate) fn bridge(hosts: usize, from: &str, to: &str) -> String {
    format!("{}[[expect]]\nping = {{ from = \"{from}\", to = \"{to}\" }}\n", network(hosts))
}

/// Hosts on one bridge, each pinging each other one.
pub(crate) fn all_pairs(hosts: usize) -> String {
    let names = names(hosts);
    format!("{}[[expect]]\nping = {{ from = [{names}], to = [{names}] }}\n", network(hosts))
}

fn network(hosts: usize) -> String {
    let mut text = String::from("title = \"Hosts on one bridge\"\n[networks.lan]\nsubnet = \"10.0.0.0/16\"\n");
    let nodes: Vec<String> = (1..=hosts).map(|number| format!("h{number} = {{}}\n")).collect();
    write!(text, "members = [{}]\n[nodes]\n{}", names(hosts), nodes.concat()).expect("a string takes any text");
    text
}

fn names(hosts: usize) -> String {
    (1..=hosts).map(|number| format!("\"h{number}\"")).collect::<Vec<_>>().join(", ")
}

/// Machines that hear a ping and do not answer.
pub(crate) fn silent(count: usize) -> String {
    let mute = (1..=count).map(|number| {
        format!(
            "[nodes.m{number}]\ninterfaces.eth0 = {{ veth = {{ peer = \"a.e{number}\" }}, address = \"10.0.{number}.1/24\" }}\n\
             sysctls = {{ \"net.ipv4.icmp_echo_ignore_all\" = 1 }}\n"
        )
    });
    let ends = (1..=count).map(|number| format!("interfaces.e{number} = {{ address = \"10.0.{number}.2/24\" }}\n"));
    let pings = (1..=count)
        .map(|number| format!("[[expect]]\nping = {{ from = \"a\", to = \"m{number}\", outcome = \"silent\" }}\n"));
    let text: String = mute.chain(["[nodes.a]\n".to_owned()]).chain(ends).chain(pings).collect();
    format!("title = \"Silence\"\n{text}")
}

/// Two hosts behind two routers, of which the second drops what it should forward.
pub(crate) const BROKEN: &str = r#"
title = "A line that is broken"
[nodes.a]
interfaces.eth0 = { veth = { peer = "r1.left" }, address = "10.0.1.2/24" }
routes = [{ to = "default", via = "10.0.1.1" }]
[nodes.r1]
forwarding = true
interfaces.left = { address = "10.0.1.1/24" }
interfaces.right = { veth = { peer = "r2.left" }, address = "10.0.2.1/24" }
routes = [{ to = "10.0.3.0/24", via = "10.0.2.2" }]
[nodes.r2]
interfaces.left = { address = "10.0.2.2/24" }
interfaces.right = { veth = { peer = "b.eth0" }, address = "10.0.3.1/24" }
routes = [{ to = "10.0.1.0/24", via = "10.0.2.1" }]
[nodes.b]
interfaces.eth0 = { address = "10.0.3.2/24" }
routes = [{ to = "default", via = "10.0.3.1" }]
[[expect]]
ping = { from = "a", to = "b" }
"#;

/// Two hosts on one cable and a ping, and what else the second has.
pub(crate) fn pair(second: &str) -> String {
    format!(
        "title = \"A pair\"\n[nodes.a]\ninterfaces.eth0 = {{ veth = {{ peer = \"b.eth0\" }}, address = \"10.0.0.1/24\" }}\n\
         [nodes.b]\ninterfaces.eth0 = {{ address = \"10.0.0.2/24\" }}\n{second}\
         [[expect]]\nping = {{ from = \"a\", to = \"b\" }}\n"
    )
}

/// A program as a service.
pub(crate) fn program(program: &Path) -> String {
    let program = program.display();
    format!(
        "services.late = {{ command = {{ run = [\"{program}\", \"serve\", \"7000\"], ready = {{ port = \"7000/tcp\" }} }} }}\n"
    )
}

/// A folder that goes when it is dropped, and that everybody may look into: a program runs as another user.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn make() -> io::Result<Self> {
        let place = std::env::temp_dir().join(format!("netcase-bench-{}", std::process::id()));
        fs::create_dir_all(&place)?;
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
        Ok(Self(place))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Measured<PathBuf> {
        let place = self.path(&format!("{name}.toml"));
        let parent = place.parent().unwrap_or(&self.0).to_owned();
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&place, text))
            .map_err(|error| format!("{} cannot be written: {error}", place.display()))?;
        Ok(place)
    }

    /// This program where a case can start it.
    pub(crate) fn own_program(&self) -> Measured<PathBuf> {
        let place = self.path("service");
        let copied = std::env::current_exe().and_then(|itself| fs::copy(itself, &place));
        copied.map(|_| place).map_err(|error| format!("this program cannot be copied: {error}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
