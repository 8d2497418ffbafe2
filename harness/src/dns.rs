//! DNS messages (RFC 1035): a question, an answer, and records as they are written in a zone file.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use simple_dns::rdata::{A, AAAA, CNAME, MX, NS, PTR, RData, SRV, TXT};
use simple_dns::{
    CLASS, CharacterString, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE,
};

use crate::words::{Rcode, RecordType};

/// How long an answer may be kept, in seconds. Nobody in a lab lives longer.
const TTL: u32 = 60;

/// The longest answer over UDP to who does not say how much it takes (RFC 1035, section 4.2.1).
const PLAIN_UDP: usize = 512;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its name, without the last dot, in small letters.
    pub name: String,
    /// Its type; `None` for one that this version does not know.
    pub kind: Option<RecordType>,
    /// What it says, as written in a zone file: an address, a name without the last dot, `10 mail.example.com`.
    pub value: String,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The response code; `None` for one that this version does not know.
    pub rcode: Option<Rcode>,
    /// The records of the answer section.
    pub records: Vec<Record>,
    /// Whether there was more than fits a datagram.
    pub truncated: bool,
}

/// A question with recursion desired.
///
/// # Errors
///
/// What is wrong with the name.
pub fn question(id: u16, name: &str, kind: RecordType) -> Result<Vec<u8>, String> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = name_of(name)?;
    packet.questions.push(Question::new(name, QTYPE::TYPE(type_of(kind)), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().map_err(|error| error.to_string())
}

/// Whether a message answers a question.
pub fn answers(question: &[u8], message: &[u8]) -> bool {
    message.len() >= 12 && message.get(..2) == question.get(..2) && message[2] & 0x80 != 0
}

/// Reads an answer.
///
/// # Errors
///
/// That it is not a DNS message, and why.
pub fn read(message: &[u8]) -> Result<Reply, String> {
    let packet = Packet::parse(message).map_err(|error| error.to_string())?;
    Ok(Reply {
        rcode: rcode_of(packet.rcode()),
        records: packet.answers.iter().map(|record| in_words(record)).collect(),
        truncated: packet.has_flags(PacketFlag::TRUNCATION),
    })
}

/// The answer of a server that knows these records, and nobody to ask; `None` to what is not a question. Over UDP
/// (`udp`) an answer that is too long says so instead.
pub fn respond(message: &[u8], zone: &[Record], udp: bool) -> Option<Vec<u8>> {
    let asked = Packet::parse(message).ok().filter(|packet| !packet.has_flags(PacketFlag::RESPONSE))?;
    let question = asked.questions.first()?.clone();
    let room = asked.opt().map_or(PLAIN_UDP, |opt| usize::from(opt.udp_packet_size).max(PLAIN_UDP));
    let mut reply = Packet::new_reply(asked.id());
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    if asked.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    let name = plain(&question.qname);
    let found = look_up(&name, &question, zone);
    if found.is_none() {
        *reply.rcode_mut() = RCODE::NameError;
    }
    for record in found.iter().flatten() {
        let owner = Name::new(&record.name).ok()?;
        let data = data_of(record.kind?, &record.value).ok()?;
        reply.answers.push(ResourceRecord::new(owner, CLASS::IN, TTL, data));
    }
    reply.questions.push(question.clone());
    let bytes = reply.build_bytes_vec_compressed().ok()?;
    if !udp || bytes.len() <= room {
        return Some(bytes);
    }
    reply.answers.clear();
    reply.set_flags(PacketFlag::TRUNCATION);
    reply.build_bytes_vec_compressed().ok()
}

/// The records that answer a question, aliases first; `None` where nothing has that name.
fn look_up<'a>(name: &str, question: &Question<'_>, zone: &'a [Record]) -> Option<Vec<&'a Record>> {
    let mut found = Vec::new();
    let mut name = name.to_owned();
    for hop in 0..ALIASES {
        let own: Vec<&Record> = zone.iter().filter(|record| record.name == name).collect();
        if own.is_empty() {
            // What stands below a name makes it exist, though it has no record of its own (RFC 8020).
            let below = zone.iter().any(|record| record.name.ends_with(&format!(".{name}")));
            return (hop > 0 || below).then_some(found);
        }
        let asked = |record: &&&Record| match question.qtype {
            QTYPE::TYPE(kind) => record.kind.map(type_of) == Some(kind),
            _ => true,
        };
        found.extend(own.iter().filter(asked));
        let alias = own.iter().find(|record| record.kind == Some(RecordType::Cname));
        match alias.filter(|_| found.last().is_none_or(|last| last.name != name)) {
            Some(alias) => {
                found.push(alias);
                name.clone_from(&alias.value);
            }
            None => break,
        }
    }
    Some(found)
}

/// Whether a zone leads from a name to records of a type.
pub fn knows(zone: &[Record], name: &str, kind: RecordType) -> bool {
    let Ok(name) = Name::new(name) else { return false };
    let question = Question::new(name, QTYPE::TYPE(type_of(kind)), QCLASS::CLASS(CLASS::IN), false);
    let found = look_up(&plain(&question.qname), &question, zone).unwrap_or_default();
    found.iter().any(|record| record.kind == Some(kind))
}

/// How many aliases are followed: a circle of them has an end.
const ALIASES: usize = 16;

/// Checks that a record can be put into a message, and gives it as it is compared.
///
/// # Errors
///
/// What is wrong with the value, in words that follow "it".
pub fn record(name: &str, kind: RecordType, value: &str) -> Result<Record, String> {
    let name = name_of(name).map(|name| plain(&name)).map_err(|_| "is below a name that DNS does not take")?;
    let data = data_of(kind, value)?;
    Ok(Record { name, kind: Some(kind), value: value_of(&data) })
}

/// A value as it is compared: names in small letters and without the last dot.
///
/// # Errors
///
/// What is wrong with the value.
pub fn value(kind: RecordType, value: &str) -> Result<String, String> {
    data_of(kind, value).map(|data| value_of(&data))
}

fn in_words(record: &ResourceRecord<'_>) -> Record {
    Record { name: plain(&record.name), kind: kind_of(record.rdata.type_code()), value: value_of(&record.rdata) }
}

fn plain(name: &Name<'_>) -> String {
    same(&name.to_string())
}

/// A name as names are compared: without its last dot, in small letters (RFC 4343).
pub fn same(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// A name, none of whose labels is empty; the root is called `.`.
fn name_of(text: &str) -> Result<Name<'_>, String> {
    let labels = text.strip_suffix('.').unwrap_or(text);
    if text != "." && labels.split('.').any(str::is_empty) {
        return Err("a label is empty".to_owned());
    }
    Name::new(text).map_err(|error| error.to_string())
}

fn data_of(kind: RecordType, value: &str) -> Result<RData<'_>, String> {
    let name = |text| name_of(text).map_err(|_| format!("`{text}` is not a name that DNS takes"));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u16>().ok());
    let mut words = value.split_whitespace();
    Ok(match kind {
        RecordType::A => {
            let address: Ipv4Addr = value.parse().map_err(|_| "an IPv4 address is expected")?;
            RData::A(A { address: address.into() })
        }
        RecordType::Aaaa => {
            let address: Ipv6Addr = value.parse().map_err(|_| "an IPv6 address is expected")?;
            RData::AAAA(AAAA { address: address.into() })
        }
        RecordType::Cname => RData::CNAME(CNAME(name(value)?)),
        RecordType::Ns => RData::NS(NS(name(value)?)),
        RecordType::Ptr => RData::PTR(PTR(name(value)?)),
        RecordType::Mx => match (number(words.next()), words.next(), words.next()) {
            (Some(preference), Some(exchange), None) => RData::MX(MX { preference, exchange: name(exchange)? }),
            _ => return Err("a preference and a name are expected, such as \"10 mail.example.com\"".to_owned()),
        },
        RecordType::Srv => {
            let numbers = (number(words.next()), number(words.next()), number(words.next()));
            match (numbers, words.next(), words.next()) {
                ((Some(priority), Some(weight), Some(port)), Some(target), None) => {
                    RData::SRV(SRV { priority, weight, port, target: name(target)? })
                }
                _ => {
                    return Err(
                        "priority, weight, port and name are expected, such as \"0 5 80 web.example.com\"".to_owned()
                    );
                }
            }
        }
        RecordType::Txt => {
            let mut text = TXT::new();
            for part in value.as_bytes().chunks(LONGEST_TEXT) {
                text.add_char_string(CharacterString::new(part).map_err(|error| error.to_string())?);
            }
            RData::TXT(text)
        }
    })
}

/// A text of a TXT record is cut into strings of at most this many bytes (RFC 1035, section 3.3).
const LONGEST_TEXT: usize = 255;

fn value_of(data: &RData<'_>) -> String {
    match data {
        RData::A(A { address }) => Ipv4Addr::from(*address).to_string(),
        RData::AAAA(AAAA { address }) => Ipv6Addr::from(*address).to_string(),
        RData::CNAME(CNAME(name)) | RData::NS(NS(name)) | RData::PTR(PTR(name)) => plain(name),
        RData::MX(MX { preference, exchange }) => format!("{preference} {}", plain(exchange)),
        RData::SRV(SRV { priority, weight, port, target }) => format!("{priority} {weight} {port} {}", plain(target)),
        RData::TXT(text) => String::try_from(text.clone()).unwrap_or_default(),
        other => format!("a record of type {:?}", other.type_code()),
    }
}

fn type_of(kind: RecordType) -> TYPE {
    match kind {
        RecordType::A => TYPE::A,
        RecordType::Aaaa => TYPE::AAAA,
        RecordType::Cname => TYPE::CNAME,
        RecordType::Mx => TYPE::MX,
        RecordType::Ns => TYPE::NS,
        RecordType::Ptr => TYPE::PTR,
        RecordType::Srv => TYPE::SRV,
        RecordType::Txt => TYPE::TXT,
    }
}

fn kind_of(kind: TYPE) -> Option<RecordType> {
    Some(match kind {
        TYPE::A => RecordType::A,
        TYPE::AAAA => RecordType::Aaaa,
        TYPE::CNAME => RecordType::Cname,
        TYPE::MX => RecordType::Mx,
        TYPE::NS => RecordType::Ns,
        TYPE::PTR => RecordType::Ptr,
        TYPE::SRV => RecordType::Srv,
        TYPE::TXT => RecordType::Txt,
        _ => return None,
    })
}

fn rcode_of(code: RCODE) -> Option<Rcode> {
    Some(match code {
        RCODE::NoError => Rcode::NoError,
        RCODE::FormatError => Rcode::FormatError,
        RCODE::ServerFailure => Rcode::ServerFailure,
        RCODE::NameError => Rcode::NxDomain,
        RCODE::NotImplemented => Rcode::NotImplemented,
        RCODE::Refused => Rcode::Refused,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Vec<Record> {
        [
            ("example.com", RecordType::A, "203.0.113.10"),
            ("example.com", RecordType::Aaaa, "2001:db8::10"),
            ("Example.com.", RecordType::Mx, "10 Mail.example.com."),
            ("www.example.com", RecordType::Cname, "example.com"),
            ("loop.test", RecordType::Cname, "loop.test"),
            ("_http._tcp.example.com", RecordType::Srv, "0 5 80 example.com"),
            ("example.com", RecordType::Txt, "v=spf1 -all"),
        ]
        .into_iter()
        .map(|(name, kind, value)| record(name, kind, value).expect("a record"))
        .collect()
    }

    fn ask(name: &str, kind: RecordType) -> Reply {
        let asked = question(7, name, kind).expect("a question");
        let answer = respond(&asked, &zone(), true).expect("an answer");
        assert!(answers(&asked, &answer));
        assert!(!answers(&asked, &asked), "a question is no answer to itself");
        read(&answer).expect("a message")
    }

    fn values(reply: &Reply) -> Vec<&str> {
        reply.records.iter().map(|record| record.value.as_str()).collect()
    }

    #[test]
    fn a_name_has_its_records() {
        assert_eq!(values(&ask("example.com", RecordType::A)), ["203.0.113.10"]);
        assert_eq!(values(&ask("EXAMPLE.com.", RecordType::Aaaa)), ["2001:db8::10"]);
        assert_eq!(values(&ask("example.com", RecordType::Mx)), ["10 mail.example.com"]);
        assert_eq!(values(&ask("example.com", RecordType::Txt)), ["v=spf1 -all"]);
        assert_eq!(values(&ask("_http._tcp.example.com", RecordType::Srv)), ["0 5 80 example.com"]);
    }

    #[test]
    fn an_alias_is_followed_and_told() {
        let reply = ask("www.example.com", RecordType::A);
        assert_eq!(values(&reply), ["example.com", "203.0.113.10"]);
        assert_eq!(reply.records[0].kind, Some(RecordType::Cname));
        assert_eq!(values(&ask("www.example.com", RecordType::Cname)), ["example.com"]);
        assert!(ask("loop.test", RecordType::A).records.len() <= ALIASES, "a circle ends");
    }

    #[test]
    fn no_name_is_not_no_record() {
        assert_eq!(ask("nobody.example.com", RecordType::A).rcode, Some(Rcode::NxDomain));
        let empty = ask("example.com", RecordType::Ns);
        assert_eq!((empty.rcode, empty.records.len()), (Some(Rcode::NoError), 0));
        assert_eq!(ask("_tcp.example.com", RecordType::A).rcode, Some(Rcode::NoError), "a name below it exists");
    }

    #[test]
    fn too_much_for_a_datagram_is_said() {
        let many: Vec<Record> = (0..100)
            .map(|last| record("many.test", RecordType::A, &format!("10.0.0.{last}")).expect("a record"))
            .collect();
        let asked = question(7, "many.test", RecordType::A).expect("a question");
        let short = read(&respond(&asked, &many, true).expect("an answer")).expect("a message");
        assert!(short.truncated && short.records.is_empty());
        let long = read(&respond(&asked, &many, false).expect("an answer")).expect("a message");
        assert_eq!((long.truncated, long.records.len()), (false, 100));
    }

    #[test]
    fn what_is_no_record_is_told() {
        for (kind, value) in [
            (RecordType::A, "fd00::1"),
            (RecordType::Aaaa, "10.0.0.1"),
            (RecordType::Mx, "mail.example.com"),
            (RecordType::Srv, "0 5 example.com"),
        ] {
            assert!(record("example.com", kind, value).is_err(), "{kind} {value}");
        }
        assert!(respond(b"not a message", &zone(), true).is_none());
    }
}
