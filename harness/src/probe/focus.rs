//! What of a flood may be a packet of the probe: a filter of packet sockets, as a program of the kernel's.

use socket2::SockFilter;

/// `BPF_LD | BPF_B | BPF_ABS` and its like, `BPF_LDX | BPF_B | BPF_MSH`, `BPF_JMP | BPF_JEQ | BPF_K` and so on, of
/// `linux/bpf_common.h`.
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const LOAD_BYTE_BEHIND: u16 = 0x50;
const LOAD_HEADER_LENGTH: u16 = 0xb1;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// `SKF_AD_OFF + SKF_AD_HATYPE` of linux/filter.h: the kind of interface.
const KIND_OF_INTERFACE: u32 = (-0x1000_i32 + 28).cast_unsigned();

const TCP: u32 = 6;
const UDP: u32 = 17;

/// The protocols of which each packet may be the probe's. Of others TCP and UDP are none, with the errors of ICMP about
/// them: everything else is little, or may carry it.
#[derive(Clone, Debug)]
pub struct Focus(Vec<u32>);

impl Focus {
    /// On the probe's own protocols, by their numbers in IP headers.
    pub fn on(protocols: &[u8]) -> Self {
        Self(protocols.iter().map(|protocol| u32::from(*protocol)).collect())
    }

    /// The filter.
    pub(super) fn filter(&self) -> Vec<SockFilter> {
        self.program().filter()
    }

    /// Whether a frame with an Ethernet header passes the filter.
    pub fn takes(&self, frame: &[u8]) -> bool {
        self.program().run(frame).unwrap_or(false)
    }

    fn program(&self) -> Program {
        let mut program = Program::default();
        // What has no Ethernet header is not looked at (ARPHRD_ETHER, ARPHRD_LOOPBACK).
        program.load(LOAD_WORD, KIND_OF_INTERFACE);
        program.jump(IF_EQUAL, 1, "ethernet", None);
        program.jump(IF_EQUAL, 772, "ethernet", Some("take"));
        program.label("ethernet");
        program.load(LOAD_HALF, 12);
        program.jump(IF_EQUAL, 0x0800, "v4", None);
        program.jump(IF_EQUAL, 0x86dd, "v6", Some("take"));
        program.label("v4");
        program.load(LOAD_BYTE, 23);
        program.jump(IF_EQUAL, 1, "icmp", None);
        self.judge(&mut program);
        program.label("v6");
        program.load(LOAD_BYTE, 20);
        program.jump(IF_EQUAL, 58, "icmp6", None);
        self.judge(&mut program);
        // Unreachable, quench, redirect, exceeded and problem quote a packet (RFC 792), as all below 128 do in ICMPv6
        // (RFC 4443, section 2.1).
        program.label("icmp");
        program.load(LOAD_HEADER_LENGTH, 14);
        program.load(LOAD_BYTE_BEHIND, 14);
        for kind in [3, 4, 5, 11] {
            program.jump(IF_EQUAL, kind, "quoted", None);
        }
        program.jump(IF_EQUAL, 12, "quoted", Some("take"));
        program.label("quoted");
        program.load(LOAD_BYTE_BEHIND, 14 + 8 + 9);
        self.judge(&mut program);
        program.label("icmp6");
        program.load(LOAD_BYTE, 54);
        program.jump(IF_AT_LEAST, 128, "take", None);
        program.load(LOAD_BYTE, 54 + 8 + 6);
        self.judge(&mut program);
        program.label("take");
        program.load(RETURN, u32::MAX);
        program.label("leave");
        program.load(RETURN, 0);
        program
    }

    /// Decides by the protocol that was loaded.
    fn judge(&self, program: &mut Program) {
        for own in &self.0 {
            program.jump(IF_EQUAL, *own, "take", None);
        }
        program.jump(IF_EQUAL, TCP, "leave", None);
        program.jump(IF_EQUAL, UDP, "leave", Some("take"));
    }
}

/// What it does, with what, and where it goes on if that holds and if not.
type Step = (u16, u32, Option<&'static str>, Option<&'static str>);

/// A program whose jumps know their places by name.
#[derive(Debug, Default)]
struct Program {
    steps: Vec<Step>,
    labels: Vec<(&'static str, usize)>,
}

impl Program {
    fn load(&mut self, code: u16, from: u32) {
        self.steps.push((code, from, None, None));
    }

    /// Jumps if it is so, and if not; without a name, it goes on.
    fn jump(&mut self, code: u16, value: u32, then: &'static str, otherwise: Option<&'static str>) {
        self.steps.push((code, value, Some(then), otherwise));
    }

    fn label(&mut self, name: &'static str) {
        self.labels.push((name, self.steps.len()));
    }

    /// Where it goes on from a step; without a name, at the next one.
    fn target(&self, at: usize, name: Option<&str>) -> usize {
        let to = name.and_then(|name| self.labels.iter().find(|(label, _)| *label == name));
        to.map_or(at + 1, |(_, to)| *to)
    }

    fn filter(&self) -> Vec<SockFilter> {
        let ahead = |at, name| u8::try_from(self.target(at, name) - at - 1).unwrap_or(u8::MAX);
        let step = |(at, &(code, value, then, otherwise)): (usize, &Step)| {
            let is_jump = then.is_some();
            let [then, otherwise] = [then, otherwise].map(|name| if is_jump { ahead(at, name) } else { 0 });
            SockFilter::new(code, then, otherwise, value)
        };
        self.steps.iter().enumerate().map(step).collect()
    }

    /// What the kernel would say; nothing, as there, for a frame that ends before what is looked at.
    fn run(&self, frame: &[u8]) -> Option<bool> {
        let byte = |at: usize| frame.get(at).map(|byte| u32::from(*byte));
        let (mut at, mut value, mut header) = (0, 0, 0);
        loop {
            let (code, operand, then, otherwise) = *self.steps.get(at)?;
            let place = usize::try_from(operand).ok()?;
            match code {
                LOAD_WORD => value = 1,
                LOAD_HALF => value = byte(place)? << 8 | byte(place + 1)?,
                LOAD_BYTE => value = byte(place)?,
                LOAD_BYTE_BEHIND => value = byte(header + place)?,
                LOAD_HEADER_LENGTH => header = usize::try_from(4 * (byte(place)? & 0x0f)).ok()?,
                IF_EQUAL | IF_AT_LEAST => {
                    let holds = if code == IF_EQUAL { value == operand } else { value >= operand };
                    at = self.target(at, if holds { then } else { otherwise });
                    continue;
                }
                _ => return Some(operand > 0),
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of IPv4 or IPv6, and behind its header.
    fn frame(v6: bool, protocol: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 12];
        if v6 {
            bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, protocol, 64]);
            bytes.extend([0; 32]);
        } else {
            bytes.extend([8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0]);
            bytes.extend([0; 8]);
        }
        bytes.extend(rest);
        bytes
    }

    /// An ICMP error about a packet of a protocol.
    fn error(v6: bool, about: u8) -> Vec<u8> {
        let quoted = &frame(v6, about, &[0; 8])[14..];
        let kind = if v6 { 1 } else { 3 };
        frame(v6, if v6 { 58 } else { 1 }, &[&[kind, 0, 0, 0, 0, 0, 0, 0], quoted].concat())
    }

    #[test]
    fn what_cannot_be_the_probes_is_left() {
        let (ping, tcp) = (Focus::on(&[1, 58]), Focus::on(&[6]));
        for v6 in [false, true] {
            let own = if v6 { 58 } else { 1 };
            let echo = frame(v6, own, &[if v6 { 128 } else { 8 }, 0, 0, 0, 0, 0, 0, 0]);
            assert!(ping.takes(&echo) && tcp.takes(&echo), "an echo is little, and may tell something");
            assert!(!ping.takes(&frame(v6, 17, &[0; 8])) && !tcp.takes(&frame(v6, 17, &[0; 8])));
            assert!(!ping.takes(&frame(v6, 6, &[0; 20])) && tcp.takes(&frame(v6, 6, &[0; 20])));
            assert!(ping.takes(&error(v6, own)) && !ping.takes(&error(v6, 17)) && !ping.takes(&error(v6, 6)));
            assert!(tcp.takes(&error(v6, 6)) && !tcp.takes(&error(v6, 17)) && tcp.takes(&error(v6, 47)));
            assert!(ping.takes(&frame(v6, 47, &[0; 8])), "a tunnel may carry it");
        }
        let question = [&[0; 12][..], &[8, 6], &[0; 28]].concat();
        let tagged = [&[0; 12][..], &[0x81, 0, 0, 5, 8, 0], &[0; 28]].concat();
        assert!(ping.takes(&question) && ping.takes(&tagged));
        assert!(!ping.takes(&[0; 13]), "as the kernel does with what is too short");
    }

    #[test]
    fn jumps_are_short_enough_for_the_kernel() {
        let filter = Focus::on(&[1, 58, 6, 17]).filter();
        assert!(filter.len() < 64, "{}", filter.len());
    }
}
