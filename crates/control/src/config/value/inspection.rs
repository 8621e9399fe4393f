//! The small languages of `[inspection]`: overlap policies, protocols, variables of rules.

use std::fmt;
use std::str::FromStr;

use app::Protocol;
use flow::stream::OverlapPolicy;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ValueError, form, text_serde};

/// How hosts treat overlapping TCP segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Overlap(pub OverlapPolicy);

const OVERLAP_WANTED: &str = "the kind of hosts: \"bsd\", \"bsd-right\", \"linux\", \"old-linux\", \"solaris\", \
     \"old-solaris\", \"windows\", \"windows2k3\", \"vista\", \"hpux10\", \"hpux11\", \"irix\", \"macos\", \"first\" or \
     \"last\"";

impl FromStr for Overlap {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        OverlapPolicy::by_name(text).map(Self).ok_or(form(OVERLAP_WANTED))
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

text_serde!(Overlap, numbers: false, OVERLAP_WANTED);

/// An application protocol by its name in EVE's `app_proto`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProtocolName(pub Protocol);

const PROTOCOL_WANTED: &str = "an application protocol such as \"http\", \"smb\" or \"quic\"";

impl ProtocolName {
    /// The protocol of this name, if there is one.
    pub fn known(name: &str) -> Option<Self> {
        Protocol::ALL.into_iter().find(|protocol| protocol.as_str() == name).map(Self)
    }
}

impl FromStr for ProtocolName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::known(text).ok_or(form(PROTOCOL_WANTED))
    }
}

impl fmt::Display for ProtocolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

text_serde!(ProtocolName, numbers: false, PROTOCOL_WANTED);

/// A group of addresses or ports in the rule language: `"[10.0.0.0/8,!10.1.0.0/16]"`. A list is read as such a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variable(pub String);

impl Serialize for Variable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VariableVisitor)
    }
}

struct VariableVisitor;

impl<'de> Visitor<'de> for VariableVisitor {
    type Value = Variable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a group of the rule language such as \"[10.0.0.0/8,!10.1.0.0/16]\", or a list of its parts",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Variable, E> {
        Ok(Variable(text.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Variable, E> {
        Ok(Variable(number.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Variable, A::Error> {
        let mut parts: Vec<String> = Vec::new();
        while let Some(Variable(part)) = list.next_element()? {
            parts.push(part);
        }
        Ok(Variable(format!("[{}]", parts.join(","))))
    }
}
