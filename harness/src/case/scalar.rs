//! The small values of the format: durations, addresses, prefixes, MAC addresses, ports, texts.

use std::net::IpAddr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::decode::{Decode, Scalar, Value, Wrong, meant, mismatch, read_words};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::Spanned;
use crate::words::{
    Admin, Answer, Cidr, Family, Ipv6Mode, LinkState, Mac, MacvlanMode, NeighState, Outcome, Port, Rcode, RecordType,
    RouteKind, RouteProto, RouteScope, RouteType, Stream, Transport, string_schema,
};

read_words!(
    Admin,
    Answer,
    Family,
    Ipv6Mode,
    LinkState,
    MacvlanMode,
    NeighState,
    Outcome,
    Rcode,
    RecordType,
    RouteKind,
    RouteProto,
    RouteScope,
    RouteType,
    Stream,
    Transport,
);

impl Scalar for String {
    const EXPECTED: &'static str = "a string";

    fn parse(text: &str) -> Result<Self, Wrong> {
        Ok(text.to_owned())
    }
}

/// A span of time, written with its unit: `"250ms"`, `"2s"`, `"1.5s"`, `"1m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

string_schema!(Time, "a duration with its unit, such as \"250ms\", \"2s\" or \"1m\"");

/// The longest duration that a case may ask for.
const LONGEST: Duration = Duration::from_secs(3600);

impl Scalar for Time {
    const EXPECTED: &'static str = "a duration with its unit, such as \"250ms\" or \"2s\"";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = |label: &str| Wrong::new(format!("`{text}` is not a duration"), label);
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let Ok(number) = number.parse::<f64>() else {
            return Err(wrong("write a number and a unit, such as \"250ms\" or \"2s\""));
        };
        let seconds = match unit {
            "ms" => number / 1e3,
            "s" => number,
            "m" => number * 60.0,
            "" => return Err(wrong("the unit is missing: one of `ms`, `s`, `m`")),
            _ => return Err(wrong("the unit is one of `ms`, `s`, `m`")),
        };
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) if duration <= LONGEST => Ok(Self(duration)),
            _ => Err(wrong("at most \"60m\"")),
        }
    }
}

impl Scalar for Cidr {
    const EXPECTED: &'static str = "an address with its prefix, such as \"10.1.1.2/16\"";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(Wrong::new(format!("`{text}` is not an address with its prefix"), "such as \"10.1.1.2/16\""));
        };
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let Some(length) = length else {
            let usual = if address.is_ipv4() { 24 } else { 64 };
            return Err(Wrong::new(
                format!("`{text}` has no prefix length"),
                format!("write `{address}/{usual}` for a network, `{address}/{longest}` for a single address"),
            ));
        };
        match length.parse::<u8>() {
            Ok(length) if length <= longest => Ok(Self { address, length }),
            _ => {
                let wrong = format!("`/{length}` is not a prefix length");
                let start = text.len() - length.len() - 1;
                Err(Wrong::new(wrong, format!("a number from 0 to {longest}")).part(start..text.len()))
            }
        }
    }
}

/// A bare address.
impl Scalar for IpAddr {
    const EXPECTED: &'static str = "an address, such as \"10.1.1.2\"";

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| {
            let label = match text.split_once('/') {
                Some((address, _)) if address.parse::<IpAddr>().is_ok() => format!("without the prefix: `{address}`"),
                _ => "such as \"10.1.1.2\" or \"fd00::1\"".to_owned(),
            };
            Wrong::new(format!("`{text}` is not an address"), label)
        })
    }
}

impl Scalar for Mac {
    const EXPECTED: &'static str = "a MAC address, such as \"02:00:00:00:00:01\"";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = |label: &str| Wrong::new(format!("`{text}` is not a MAC address an interface can have"), label);
        match Self::read(text) {
            Some(Self([first, ..])) if first & 1 == 1 => {
                Err(wrong("the lowest bit of the first byte marks a group address"))
            }
            Some(Self([0, 0, 0, 0, 0, 0])) => Err(wrong("all zeros")),
            Some(mac) => Ok(mac),
            None => Err(wrong("six pairs of hexadecimal digits, such as \"02:00:00:00:00:01\"")),
        }
    }
}

impl Scalar for Port {
    const EXPECTED: &'static str = "a port with its protocol, such as \"80/tcp\"";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong =
            || Wrong::new(format!("`{text}` is not a port with its protocol"), "such as \"80/tcp\" or \"53/udp\"");
        let (number, transport) = text.split_once('/').ok_or_else(wrong)?;
        let number = number.parse::<u16>().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
        Ok(Self { number, transport: Transport::parse(transport)? })
    }
}

/// What `forwarding` may be: both families, none, or one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum Forwarding {
    /// `true` or `false`.
    Both(bool),
    /// `"ipv4"` or `"ipv6"`.
    Only(Family),
}

impl Forwarding {
    /// Whether this family is forwarded.
    pub fn forwards(self, family: Family) -> bool {
        match self {
            Self::Both(both) => both,
            Self::Only(only) => only == family,
        }
    }
}

impl Decode for Spanned<Forwarding> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let meant = meant(value);
        match meant.as_ref().unwrap_or(value).get_ref() {
            toml::de::DeValue::Boolean(flag) => Some(Self::new(Forwarding::Both(*flag), value.span().into())),
            toml::de::DeValue::String(_) => {
                <Spanned<Family>>::decode(value, out).map(|family| family.map(Forwarding::Only))
            }
            _ => {
                out.push(mismatch(value, "`true`, `false`, \"ipv4\" or \"ipv6\""));
                None
            }
        }
    }
}

/// A value of a sysctl: a string or a whole number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SysctlValue(pub String);

impl JsonSchema for SysctlValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SysctlValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "description": "the value as sysctl(8) takes it" })
    }
}

impl Decode for Spanned<SysctlValue> {
    fn decode(value: &Value<'_>, out: &mut Diagnostics) -> Option<Self> {
        let text = match value.get_ref() {
            toml::de::DeValue::String(text) if !text.trim().is_empty() => text.to_string(),
            toml::de::DeValue::Integer(integer) => integer.as_str().replace('_', ""),
            toml::de::DeValue::String(_) => {
                out.push(Diagnostic::error(value.span().into(), "this value is empty").label("a sysctl has a value"));
                return None;
            }
            _ => {
                let wrong = mismatch(value, "a whole number or a string");
                out.push(match value.get_ref() {
                    toml::de::DeValue::Table(_) => wrong
                        .label("its dots split the key")
                        .help("quote the whole key, such as sysctls.\"net.ipv4.ip_forward\" = 1"),
                    _ => wrong,
                });
                return None;
            }
        };
        Some(Self::new(SysctlValue(text), value.span().into()))
    }
}

/// How much of a ping may be lost: `"<= 20%"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// The largest share that may be lost, in per cent.
    pub percent: f64,
}

string_schema!(Loss, "the largest share that may be lost, such as \"<= 20%\"");

impl Scalar for Loss {
    const EXPECTED: &'static str = "a limit such as \"<= 20%\"";

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.strip_prefix("<=")
            .and_then(|rest| rest.trim().strip_suffix('%'))
            .and_then(|number| number.trim().parse::<f64>().ok())
            .filter(|percent| (0.0..100.0).contains(percent))
            .map(|percent| Self { percent })
            .ok_or_else(|| Wrong::new(format!("`{text}` is not a limit of loss"), "such as \"<= 20%\", below 100%"))
    }
}
