//! The small languages inside the file's strings: names, VLAN ranges, prefixes, port ranges, verdicts.
//!
//! Each type reads its own text and, in its error, says what it wants instead. Each writes itself back as it is read.

mod control;
mod inspection;

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;
use serde::de::{self, Unexpected, Visitor};

pub use control::{Digest, ListenAddress, Role};
pub use inspection::{Overlap, ProtocolName, Variable};

/// Longest name in characters: a DNS label, so that a name can be part of a host name or a file name.
pub const NAME_CHARS_MAX: usize = 63;

/// Lowest and highest VLAN identifier that a frame can carry as its VLAN (IEEE 802.1Q: 0 and 4095 are reserved).
pub const VLANS: RangeInclusive<u16> = 1..=4094;

/// Why a text in the file is not what its field wants.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ValueError {
    /// Not of the wanted form at all; the form is told.
    #[error("{wanted}")]
    Form {
        /// What the field wants, as a noun phrase.
        wanted: &'static str,
    },
    /// Of the right form, but impossible; the whole sentence is given: what is wrong; what to do.
    #[error("{0}")]
    Sentence(String),
}

pub(super) const fn form(wanted: &'static str) -> ValueError {
    ValueError::Form { wanted }
}

/// Reads a value of type `T` from a TOML string, or a number where `T` reads plain numbers too.
pub(super) struct TextVisitor<T> {
    pub(super) wanted: &'static str,
    pub(super) numbers: bool,
    pub(super) value: std::marker::PhantomData<T>,
}

impl<T: FromStr<Err = ValueError>> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wanted)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(|error| match error {
            ValueError::Form { .. } => E::invalid_value(Unexpected::Str(text), &self),
            ValueError::Sentence(sentence) => E::custom(sentence),
        })
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        if !self.numbers {
            return Err(E::invalid_type(Unexpected::Signed(number), &self));
        }
        number.to_string().parse().map_err(|error| match error {
            ValueError::Form { .. } => E::invalid_value(Unexpected::Signed(number), &self),
            ValueError::Sentence(sentence) => E::custom(sentence),
        })
    }
}

/// Gives a type serde through its text: `numbers` also reads a bare number and writes one where the text is one.
macro_rules! text_serde {
    ($type:ty, numbers: $numbers:expr, $wanted:expr) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let visitor = $crate::config::value::TextVisitor {
                    wanted: $wanted,
                    numbers: $numbers,
                    value: std::marker::PhantomData,
                };
                deserializer.deserialize_any(visitor)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let text = self.to_string();
                match text.parse::<u16>() {
                    Ok(number) if $numbers => serializer.serialize_u16(number),
                    _ => serializer.serialize_str(&text),
                }
            }
        }
    };
}

/// An enumeration written as one of a few words.
macro_rules! words {
    ($(#[$doc:meta])* $type:ident, $wanted:literal, { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)+
        }

        impl FromStr for $type {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(form($wanted)),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)+
                })
            }
        }

        text_serde!($type, numbers: false, $wanted);
    };
}

words!(
    /// Whether packet memory is huge pages.
    HugePages, "\"auto\", \"on\" or \"off\"", {
        /// When enough are free.
        Auto = "auto",
        /// Or else refuse to start.
        On = "on",
        /// Never.
        Off = "off",
    }
);

words!(
    /// Whether checksums are verified.
    Verify, "\"auto\", \"on\" or \"off\"", {
        /// When live, and in a replay unless the captures were taken before checksums were filled in.
        Auto = "auto",
        /// Always.
        On = "on",
        /// Never.
        Off = "off",
    }
);

words!(
    /// What is done with a flow that cannot be inspected as it should.
    ExceptionPolicy,
    "\"ignore\", \"pass-flow\" or \"bypass\"; nothing is dropped or rejected, as Forebay stands beside the traffic's path", {
        /// It is inspected as far as that goes.
        Ignore = "ignore",
        /// No rule is asked about it.
        PassFlow = "pass-flow",
        /// It is only counted.
        Bypass = "bypass",
    }
);

words!(
    /// What is done with a connection that has become encrypted.
    Encrypted, "\"default\", \"bypass\" or \"full\"", {
        /// Rules are asked about its packets still, but not about what they carry.
        Default = "default",
        /// No rule is asked about it any more.
        Bypass = "bypass",
        /// It is looked into like any other.
        Full = "full",
    }
);

words!(
    /// How alerts name the client that a proxy has spoken for.
    Forwarding, "\"off\", \"extra-data\" or \"overwrite\"", {
        /// They do not.
        Off = "off",
        /// Beside the packet's addresses.
        ExtraData = "extra-data",
        /// In the place of the packet's address.
        Overwrite = "overwrite",
    }
);

words!(
    /// Where proxies stand that note for whom they speak.
    Deployment, "\"forward\" or \"reverse\"", {
        /// Before our clients: the first address they note counts.
        Forward = "forward",
        /// Before our servers: the last.
        Reverse = "reverse",
    }
);

words!(
    /// How frames of a port find their tenant.
    PortMode, "\"access\" or \"trunk\"", {
        /// Every frame belongs to the port's tenant (a VF with a port VLAN, which strips the tag).
        Access = "access",
        /// The outer VLAN tag says whose the frame is.
        Trunk = "trunk",
    }
);

words!(
    /// Which end of a flow a rule's source is compared with.
    Direction, "\"initiator\" or \"either\"", {
        /// The end that sent the first packet.
        Initiator = "initiator",
        /// Either end.
        Either = "either",
    }
);

/// The name of a tenant, pipeline, port, tool port or steering rule: 1 to 63 of `a-z 0-9 -`, no `-` at either end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(String);

const NAME_WANTED: &str = "a name of a-z, 0-9 and inner -, at most 63 characters";

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Name {
    /// A name that the program itself gives.
    pub(crate) fn builtin(text: &'static str) -> Self {
        Self(text.to_owned())
    }
}

impl FromStr for Name {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let alphabet = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let dashes = text.starts_with('-') || text.ends_with('-');
        if text.is_empty() || text.len() > NAME_CHARS_MAX || !alphabet || dashes {
            return Err(form(NAME_WANTED));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_serde!(Name, numbers: false, NAME_WANTED);

/// One VLAN or a range of them, both ends included: `101` or `"110-119"`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VlanRange {
    /// Lowest VLAN.
    pub first: u16,
    /// Highest VLAN; the lowest again for a single one.
    pub last: u16,
}

const VLAN_WANTED: &str = "a VLAN from 1 to 4094, or a range such as \"110-119\"";

impl VlanRange {
    /// The VLANs in the range.
    pub fn iter(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }
}

impl FromStr for VlanRange {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (first, last) = range_of(text).ok_or(form(VLAN_WANTED))?;
        if !VLANS.contains(&first) || !VLANS.contains(&last) {
            return Err(form(VLAN_WANTED));
        }
        ordered(first, last)?;
        Ok(Self { first, last })
    }
}

impl fmt::Display for VlanRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_range(f, self.first, self.last)
    }
}

text_serde!(VlanRange, numbers: true, VLAN_WANTED);

/// One port number or a range of them, both ends included: `53` or `"1024-65535"`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PortRange {
    /// Lowest port.
    pub first: u16,
    /// Highest port; the lowest again for a single one.
    pub last: u16,
}

const PORT_WANTED: &str = "a port from 0 to 65535, or a range such as \"1024-65535\"";

impl FromStr for PortRange {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (first, last) = range_of(text).ok_or(form(PORT_WANTED))?;
        ordered(first, last)?;
        Ok(Self { first, last })
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_range(f, self.first, self.last)
    }
}

text_serde!(PortRange, numbers: true, PORT_WANTED);

fn range_of(text: &str) -> Option<(u16, u16)> {
    let number = |part: &str| {
        // `parse` would take a leading plus sign.
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if digits { part.parse::<u16>().ok() } else { None }
    };
    match text.split_once('-') {
        Some((first, last)) => Some((number(first.trim())?, number(last.trim())?)),
        None => number(text.trim()).map(|one| (one, one)),
    }
}

fn ordered(first: u16, last: u16) -> Result<(), ValueError> {
    if first > last {
        return Err(ValueError::Sentence(format!(
            "the range {first}-{last} is empty; write the lower end first: \"{last}-{first}\""
        )));
    }
    Ok(())
}

fn write_range(f: &mut fmt::Formatter<'_>, first: u16, last: u16) -> fmt::Result {
    if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
}

/// An IPv4 or IPv6 prefix without host bits; a plain address is a prefix of its full length.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Prefix(pub IpNet);

const PREFIX_WANTED: &str = "an address or a prefix such as \"10.1.0.0/16\" or \"2001:db8::/32\"";

impl FromStr for Prefix {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(IpNet::from(address)));
        }
        let net = text.parse::<IpNet>().map_err(|_| form(PREFIX_WANTED))?;
        if net.addr() != net.network() {
            return Err(ValueError::Sentence(format!(
                "{net} names one host and a whole network; write {} for the network or {} for the host",
                net.trunc(),
                IpNet::from(net.addr()),
            )));
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_serde!(Prefix, numbers: false, PREFIX_WANTED);

/// An IP protocol number (IANA), written by name where it has one here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Protocol(pub u8);

const PROTOCOL_WANTED: &str =
    "\"tcp\", \"udp\", \"sctp\", \"icmp\", \"icmpv6\" or a protocol number from 0 to 255";

const PROTOCOLS: [(&str, u8); 5] = [("tcp", 6), ("udp", 17), ("sctp", 132), ("icmp", 1), ("icmpv6", 58)];

impl Protocol {
    /// Whether packets of this protocol carry ports.
    #[must_use]
    pub fn has_ports(self) -> bool {
        matches!(self.0, 6 | 17 | 132)
    }
}

impl FromStr for Protocol {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Some((_, number)) = PROTOCOLS.iter().find(|(name, _)| *name == text) {
            return Ok(Self(*number));
        }
        match range_of(text) {
            Some((first, last)) if first == last => {
                u8::try_from(first).map(Self).map_err(|_| form(PROTOCOL_WANTED))
            }
            _ => Err(form(PROTOCOL_WANTED)),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PROTOCOLS.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

text_serde!(Protocol, numbers: true, PROTOCOL_WANTED);

/// What a flow gets, by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VerdictText {
    /// `"pipeline NAME"`: its packets go through the pipeline's inspectors.
    Pipeline(Name),
    /// `"shunt"`: not looked into, still counted and recorded.
    Shunt,
    /// `"drop"`: freed at once, still counted.
    Drop,
    /// `"tool NAME"`: sent out of a tool port.
    Tool(Name),
}

impl Default for VerdictText {
    fn default() -> Self {
        Self::Pipeline(Name::builtin(super::schema::DEFAULT_PIPELINE))
    }
}

const VERDICT_WANTED: &str = "\"pipeline NAME\", \"shunt\", \"drop\" or \"tool NAME\"";

impl FromStr for VerdictText {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut words = text.split_ascii_whitespace();
        let verdict = match (words.next(), words.next(), words.next()) {
            (Some("shunt"), None, None) => Some(Self::Shunt),
            (Some("drop"), None, None) => Some(Self::Drop),
            (Some("pipeline"), Some(name), None) => name.parse().ok().map(Self::Pipeline),
            (Some("tool"), Some(name), None) => name.parse().ok().map(Self::Tool),
            _ => None,
        };
        verdict.ok_or(form(VERDICT_WANTED))
    }
}

impl fmt::Display for VerdictText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipeline(name) => write!(f, "pipeline {name}"),
            Self::Shunt => f.write_str("shunt"),
            Self::Drop => f.write_str("drop"),
            Self::Tool(name) => write!(f, "tool {name}"),
        }
    }
}

text_serde!(VerdictText, numbers: false, VERDICT_WANTED);

pub(super) use {text_serde, words};
