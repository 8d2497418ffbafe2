//! What runs inside a node, as written.

use std::net::IpAddr;

use super::decode::record;
use super::shape::{List, Many, Map, Number};
use crate::source::Spanned;
use crate::words::Port;

record! {
    /// A service; exactly one kind.
    pub struct Service {
        /// `false`: it waits for a `service-start` (default: true).
        start("start"): Option<Spanned<bool>>,
    }
    one of {
        /// An HTTP server.
        http("http"): HttpService,
        /// A TCP server that sends back what it gets.
        tcp("tcp"): EchoService,
        /// A UDP server that sends back what it gets.
        udp("udp"): EchoService,
        /// A DNS server.
        dns("dns"): DnsService,
        /// A program.
        command("command"): CommandService,
    }
}

record! {
    /// An HTTP/1.1 server that gives every request the same answer.
    pub struct HttpService {
        /// The TCP port.
        port("port"): Spanned<Number<1, 65535>>,
        /// The addresses to listen on; `0.0.0.0` and `::` are all of one family (default: all, in both families).
        listen("listen"): Option<Many<Spanned<IpAddr>>>,
        /// The status of the answer (default: 200).
        status("status"): Option<Spanned<Number<200, 599>>>,
        /// Header fields of the answer.
        headers("headers"): Option<Map<Spanned<String>>>,
        /// The body of the answer (default: empty).
        body("body"): Option<Spanned<String>>,
    }
}

record! {
    /// A server that sends back what it gets.
    pub struct EchoService {
        /// The port.
        port("port"): Spanned<Number<1, 65535>>,
        /// The addresses to listen on; `0.0.0.0` and `::` are all of one family (default: all, in both families).
        listen("listen"): Option<Many<Spanned<IpAddr>>>,
    }
}

record! {
    /// A DNS server that knows its own records and asks nobody; over UDP and TCP.
    pub struct DnsService {
        /// The port (default: 53).
        port("port"): Option<Spanned<Number<1, 65535>>>,
        /// The addresses to listen on (default: all, in both families).
        listen("listen"): Option<Many<Spanned<IpAddr>>>,
        /// What it knows, by name.
        records("records"): Map<DnsRecords>,
    }
}

record! {
    /// The records of one name.
    pub struct DnsRecords {
        /// IPv4 addresses.
        a("a"): Option<Many<Spanned<String>>>,
        /// IPv6 addresses.
        aaaa("aaaa"): Option<Many<Spanned<String>>>,
        /// The name it is an alias of.
        cname("cname"): Option<Spanned<String>>,
        /// Mail servers, such as "10 mail.example.com".
        mx("mx"): Option<Many<Spanned<String>>>,
        /// Name servers.
        ns("ns"): Option<Many<Spanned<String>>>,
        /// The name of an address.
        ptr("ptr"): Option<Many<Spanned<String>>>,
        /// Services, such as "0 5 80 web.example.com".
        srv("srv"): Option<Many<Spanned<String>>>,
        /// Texts.
        txt("txt"): Option<Many<Spanned<String>>>,
    }
}

record! {
    /// A program that runs as root of its node until the case ends.
    pub struct CommandService {
        /// The program and its arguments.
        run("run"): List<Spanned<String>>,
        /// Environment variables beside the fixed ones.
        env("env"): Option<Map<Spanned<String>>>,
        /// When the service counts as started.
        ready("ready"): Ready,
    }
}

record! {
    /// When a program counts as started; exactly one condition.
    pub struct Ready {
        /// It listens on this port.
        port("port"): Option<Spanned<Port>>,
        /// It has printed this text, on standard output or standard error.
        output("output"): Option<Spanned<String>>,
    }
}
