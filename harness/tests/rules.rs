//! What a node's rules do with a packet is told by its kernel, whoever has made them: nft, iptables, root or not.

#[expect(dead_code, reason = "no case is run here")]
#[path = "support/program.rs"]
mod program;
#[path = "support/reachable.rs"]
mod reachable;
#[expect(dead_code, reason = "nobody's namespaces are counted here")]
#[path = "support/scratch.rs"]
mod scratch;

use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;
use std::time::Duration;

use netcase::evidence::{LOOKS, Protocol, Trace, TraceKind, TraceVerdict};
use netcase::lab::{Ruleset, Tracer};
use netcase::namespace::Namespace;
use nix::unistd::geteuid;

use scratch::{User, is_inside, run_inside};

/// A router with a client and a server; the latter lives as long as the link to it.
struct World {
    client: Namespace,
    router: Namespace,
    _server: Namespace,
}

fn sh(namespace: &Namespace, script: &str) -> String {
    // Where Debian has nft and ip is not on the search path of every user.
    let path = "/usr/sbin:/sbin:/usr/bin:/bin";
    let run = || Command::new("sh").args(["-ec", script]).env("PATH", path).output();
    let ended = namespace.within(run).expect("there is a shell");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{script}: {said}");
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

impl World {
    fn make() -> Self {
        let client = Namespace::home().expect("root makes namespaces");
        let (router, ()) = client.beside(|| Ok(())).expect("root makes namespaces");
        let (server, ()) = client.beside(|| Ok(())).expect("root makes namespaces");
        let own = |namespace: &Namespace| format!("/proc/{}/fd/{}", std::process::id(), namespace.as_fd().as_raw_fd());
        sh(&router, "ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward");
        for (end, net) in [(&client, 1), (&server, 2)] {
            sh(
                &router,
                &format!(
                    "ip link add r{net} type veth peer name e0 netns {}; ip address add 10.0.{net}.1/24 dev r{net}
                     ip link set r{net} up",
                    own(end)
                ),
            );
            sh(
                end,
                &format!(
                    "ip link set lo up; ip address add 10.0.{net}.2/24 dev e0; ip link set e0 up
                     ip route add default via 10.0.{net}.1"
                ),
            );
        }
        Self { client, router, _server: server }
    }

    /// What the rules of the router say of it, in words: up to the next echo reply that arrives.
    fn told(&self, protocol: Protocol, send: impl FnOnce(&Self)) -> Vec<String> {
        let tracer = Tracer::start(&self.router, &[protocol]).expect("rules can be traced").expect("there are chains");
        send(self);
        // What was sent before has passed the router when this is answered.
        sh(&self.client, "ping -q -c 1 -W 5 10.0.1.1");
        let (steps, missing) = tracer.take(0).expect("traces can be read");
        tracer.stop().expect("the tables of traces can be deleted");
        assert_eq!(missing, None);
        // The tracer's own steps show the packet, and nothing else.
        assert!(steps.iter().all(|step| step.table != LOOKS || step.packet.is_some()), "{steps:?}");
        let mut words: Vec<String> = steps.iter().filter(|step| step.table != LOOKS).map(words).collect();
        // Kernels differ in whether the end of a chain without a verdict is a step.
        words.retain(|words| !words.contains(" return: "));
        words
    }

    /// The name of a rule of the router: what is written in it.
    fn handle(&self, text: &str) -> u64 {
        let listing = sh(&self.router, "nft -a list ruleset");
        let line = listing.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {listing}"));
        line.rsplit_once("# handle ").and_then(|(_, number)| number.trim().parse().ok()).expect("rules have handles")
    }
}

/// A step as the tests write it.
fn words(step: &Trace) -> String {
    let kind = match step.kind {
        TraceKind::Rule(handle) => format!("rule {handle}"),
        TraceKind::Return => "return".to_owned(),
        TraceKind::Policy => "policy".to_owned(),
    };
    let verdict = match &step.verdict {
        TraceVerdict::Jump(chain) => format!("jump {chain}"),
        other => format!("{other:?}").to_lowercase(),
    };
    format!("{} {} {} {kind}: {verdict}", step.family, step.table, step.chain)
}

/// Runs a test's body in a world of its own: as it is when root runs it, and in a user namespace of nobody's.
fn everywhere(test: &str, body: fn()) {
    if is_inside() || geteuid().is_root() {
        std::thread::spawn(body).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
    if !is_inside() {
        run_inside(test, User::Root, &[]);
    }
}

/// Sends a datagram from the client to the server.
fn udp(world: &World, port: u16) {
    let socket = world.client.within(|| UdpSocket::bind("0.0.0.0:0")).expect("a socket");
    socket.send_to(b"x", ("10.0.2.2", port)).expect("the client has a route");
}

/// Begins a connection from the client to the server.
fn syn(world: &World, port: u16) {
    let to = std::net::SocketAddr::from(([10, 0, 2, 2], port));
    let _ = world.client.within(|| TcpStream::connect_timeout(&to, Duration::from_millis(50)));
}

#[test]
fn the_rule_that_decides_is_told() {
    everywhere("the_rule_that_decides_is_told", || {
        let world = World::make();
        assert!(Tracer::start(&world.router, &[Protocol::Udp]).expect("an empty node").is_none());
        assert_eq!(Ruleset::read(&world.router).expect("an empty node"), Ruleset::default());
        sh(
            &world.router,
            r#"nft -f - <<'END'
table inet fw {
    chain late { type filter hook forward priority 10; policy drop;
        ip saddr 10.0.2.2 accept
        tcp dport 81 accept
    }
    chain forward { type filter hook forward priority 0; policy accept;
        tcp dport 80 jump other
        udp dport 53 reject
        udp dport 54 counter drop
    }
    chain other {
        tcp dport 80 counter
    }
}
table ip nat {
    chain post { type nat hook postrouting priority 100; oifname "r2" masquerade
    }
}
END
            iptables-nft -A FORWARD -p udp --dport 55 -j DROP"#,
        );
        let before = sh(&world.router, "nft -s -a list ruleset");
        let rule = |text: &str| format!("rule {}", world.handle(text));
        let passed = ["ip filter FORWARD policy: accept".to_owned(), "inet fw forward policy: accept".to_owned()];
        let passed = |end: &[&str]| [&passed[..], &end.iter().map(|&end| end.to_owned()).collect::<Vec<_>>()].concat();
        let ends = |step: String| vec![passed(&[])[0].clone(), step];
        let told = |protocol, send: fn(&World)| world.told(protocol, send);
        assert_eq!(told(Protocol::Udp, |world| udp(world, 56)), passed(&["inet fw late policy: drop"]));
        let dropped = format!("inet fw forward {}: drop", rule("dport 54"));
        assert_eq!(told(Protocol::Udp, |world| udp(world, 54)), ends(dropped));
        let rejected = format!("inet fw forward {}: drop", rule("dport 53"));
        assert_eq!(told(Protocol::Udp, |world| udp(world, 53)), ends(rejected));
        let by_iptables = format!("ip filter FORWARD {}: drop", rule("dport 55"));
        assert_eq!(told(Protocol::Udp, |world| udp(world, 55)), [by_iptables]);
        let [jump, counted] = [rule("jump other"), rule("dport 80 counter")];
        let mut jumped = ends(format!("inet fw forward {jump}: jump other"));
        jumped.push(format!("inet fw other {counted}: continue"));
        jumped.extend(passed(&["inet fw late policy: drop"]).split_off(1));
        assert_eq!(told(Protocol::Tcp, |world| syn(world, 80)), jumped);
        let [there, translated, back] = [rule("dport 81"), rule("masquerade"), rule("saddr 10.0.2.2")];
        let there = format!("inet fw late {there}: accept");
        let answered = passed(&[&format!("inet fw late {back}: accept")]);
        let translated = format!("ip nat post {translated}: accept");
        assert_eq!(told(Protocol::Tcp, |world| syn(world, 81)), [passed(&[&there, &translated]), answered].concat());
        assert!(told(Protocol::Tcp, |world| udp(world, 54)).is_empty(), "another protocol is not followed");
        assert_eq!(sh(&world.router, "nft -s -a list ruleset"), before, "the rules are as they were");
    });
}

#[test]
fn the_rules_of_bridges_are_told_too() {
    everywhere("the_rules_of_bridges_are_told_too", || {
        let bridge = Namespace::home().expect("root makes namespaces");
        let (host, ()) = bridge.beside(|| Ok(())).expect("root makes namespaces");
        let own = format!("/proc/{}/fd/{}", std::process::id(), host.as_fd().as_raw_fd());
        sh(&bridge, "ip link add br0 type bridge; ip address add 10.0.0.1/24 dev br0; ip link set br0 up");
        sh(&bridge, &format!("ip link add p0 master br0 type veth peer name e0 netns {own}; ip link set p0 up"));
        sh(&host, "ip address add 10.0.0.2/24 dev e0; ip link set e0 up");
        sh(
            &bridge,
            r"nft -f - <<'END'
table bridge fw {
    chain in { type filter hook input priority 0;
        udp dport 53 drop
        arp operation request accept
    }
}
table arp fw {
    chain in { type filter hook input priority 0; policy drop;
    }
}
END",
        );
        let tracer = Tracer::start(&bridge, &[Protocol::Udp]).expect("rules can be traced").expect("there are chains");
        let socket = host.within(|| UdpSocket::bind("0.0.0.0:0")).expect("a socket");
        socket.send_to(b"x", ("10.0.0.1", 53)).expect("the host has a route");
        let (steps, _) = tracer.take(0).expect("traces can be read");
        tracer.stop().expect("the tables of traces can be deleted");
        let words: Vec<String> = steps.iter().filter(|step| step.table != LOOKS).map(words).collect();
        assert_eq!(words[..2], ["bridge fw in rule 3: accept", "arp fw in policy: drop"], "{words:?}");
    });
}
