//! Databases of payload patterns.
//!
//! Payload is most of the traffic, so what is looked for in it is sorted by what looking for it costs. Many rules name
//! the place of a pattern: if there is one place only it is compared there; if it is near the beginning it is looked for
//! there and nowhere else. Patterns that are both short and anywhere turn up by chance all the time and slow down the
//! search for all others: they have a database of their own, which few flows need.

use std::collections::BTreeSet;

use app::{Direction, Scope};
use rules::ir::{Comparison, HeaderCondition, Rule};

use super::anchors::Anchors;
use super::databases::{Compiler, Database, literal};
use super::header::{DistinctHeaders, Ends, Transports};
use super::place::Place;
use super::{BuildError, Ready, RuleIndex};
use crate::literal::Literal;

/// Where payload is looked for patterns in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum PayloadSlot {
    TcpStream,
    TcpPacket,
    Udp,
    Other,
}

impl PayloadSlot {
    /// How many there are.
    pub const COUNT: usize = 4;
    const ALL: [Self; Self::COUNT] = [Self::TcpStream, Self::TcpPacket, Self::Udp, Self::Other];

    /// The place for packets of a transport.
    pub const fn of(transport: u8) -> Self {
        match transport {
            Transports::TCP => Self::TcpPacket,
            Transports::UDP => Self::Udp,
            _ => Self::Other,
        }
    }

    const fn takes(self, rule: &Ready) -> bool {
        let transports = rule.header.transports;
        let packet = rule.inspects.packet;
        match self {
            Self::TcpStream => rule.inspects.stream && transports.has(Transports::TCP),
            Self::TcpPacket => packet && transports.has(Transports::TCP),
            // Only TCP has a stream to look into; what asks for "the stream" of another transport asks for its packets.
            Self::Udp => (packet || rule.inspects.stream) && transports.has(Transports::UDP),
            Self::Other => {
                (packet || rule.inspects.stream) && transports.0 & !(Transports::TCP | Transports::UDP) != 0
            }
        }
    }
}

/// A pattern that ends within so many bytes of the beginning is looked for there only.
pub(super) const NEAR_BYTES: usize = 128;
/// A pattern of rules about packets with no more payload than this is looked for in no others.
const SMALL_BYTES: usize = 512;
/// A pattern that is shorter than this many bytes turns up by chance too often.
pub(super) const SHORT_BYTES: usize = 4;

/// The databases of one slot and direction: what they hold differs in where it is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    /// Patterns near the beginning.
    Near,
    /// Patterns of small packets.
    Small,
    /// Short patterns, anywhere.
    Short,
    /// Other patterns, anywhere.
    Far,
}

impl Class {
    /// The class of a pattern in this place, of a rule about packets with no more payload than `payload_max`.
    fn of(literal: &Literal, place: Place, payload_max: Option<usize>) -> Self {
        if place.end.is_some_and(|end| end <= NEAR_BYTES) {
            Self::Near
        } else if payload_max.is_some_and(|max| max <= SMALL_BYTES) {
            Self::Small
        } else if literal.bytes.len() < SHORT_BYTES {
            Self::Short
        } else {
            Self::Far
        }
    }

    /// What bounds its patterns: the bytes of payload that they reach, or that there may be.
    fn limit(self, place: Place, payload_max: Option<usize>) -> usize {
        match self {
            Self::Near => place.end.unwrap_or(usize::MAX),
            Self::Small => payload_max.unwrap_or(usize::MAX),
            Self::Short | Self::Far => usize::MAX,
        }
    }
}

/// Databases of one slot and direction.
#[derive(Debug, Default)]
pub struct PayloadDatabases {
    /// What has one fixed place.
    pub anchors: Anchors,
    /// By [`Class`].
    classes: [Option<PayloadDatabase>; Self::COUNT],
}

/// What of the databases of one slot and direction a flow needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Needed {
    /// By [`Class`], as bits.
    classes: u8,
    /// As [`Anchors::needed`] says.
    pub anchors: u32,
}

/// One of them.
#[derive(Debug)]
pub struct PayloadDatabase {
    /// The patterns.
    pub database: Database,
    /// All of them end within so many bytes of the beginning of the payload.
    pub reach: usize,
    /// All of its rules are about packets with no more payload than this, in bytes.
    pub payload_max: usize,
    /// What its rules are about.
    headers: DistinctHeaders,
}

impl PayloadDatabases {
    /// How many there can be.
    pub const COUNT: usize = 4;

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty() && self.iter().next().is_none()
    }

    /// Those that there are.
    pub fn iter(&self) -> impl Iterator<Item = &PayloadDatabase> {
        self.classes.iter().flatten()
    }

    /// What of all this packets between `ends` need.
    pub fn needed(&self, ends: &Ends) -> Needed {
        let classes = self.classes.iter().enumerate().fold(0, |bits, (class, database)| {
            let needed = database.as_ref().is_some_and(|database| database.headers.cover(ends));
            bits | u8::from(needed) << class
        });
        Needed { classes, anchors: self.anchors.needed(ends) }
    }

    /// Those that `needed` says.
    pub fn wanted(&self, needed: Needed) -> impl Iterator<Item = &PayloadDatabase> {
        let wanted = move |&(class, _): &(usize, _)| needed.classes & (1 << class) != 0;
        self.classes.iter().enumerate().filter(wanted).filter_map(|(_, database)| database.as_ref())
    }
}

pub(super) type Payload = [[PayloadDatabases; 2]; PayloadSlot::COUNT];

/// The databases of payload, by [`PayloadSlot`] and direction.
pub(super) fn build(rules: &[Ready], compiler: &mut Compiler<'_>) -> Result<Payload, BuildError> {
    let mut payload = Payload::default();
    for (slot, ways) in PayloadSlot::ALL.into_iter().zip(&mut payload) {
        for (direction, databases) in Direction::BOTH.into_iter().zip(ways) {
            let mut pairs: [Vec<(Literal, RuleIndex)>; PayloadDatabases::COUNT] = Default::default();
            let (mut anchored, mut limits) = (Vec::new(), [0; PayloadDatabases::COUNT]);
            let taken = |rule: &&Ready| rule.directions[direction.index()] && slot.takes(rule);
            let in_packets = slot != PayloadSlot::TcpStream;
            for (rule, number) in rules.iter().zip(0..).filter(|(rule, _)| taken(rule)) {
                let Some(chosen) = rule.anchor.filter(|_| in_packets).or(rule.chosen) else { continue };
                let Some(literal) = literal(rule, &chosen, Scope::Payload) else { continue };
                // `fast_pattern` may have named only a part, which begins elsewhere.
                if let Some(at) = chosen.place.fixed(literal.bytes.len()) {
                    anchored.push((at, literal, number));
                    continue;
                }
                let payload_max = payload_max(&rule.rule).filter(|_| in_packets);
                let class = Class::of(&literal, chosen.place, payload_max);
                pairs[class as usize].push((literal, number));
                let limit = &mut limits[class as usize];
                *limit = (*limit).max(class.limit(chosen.place, payload_max));
            }
            databases.anchors = Anchors::new(anchored, rules);
            for (class, pairs) in pairs.into_iter().enumerate() {
                let numbers: BTreeSet<RuleIndex> = pairs.iter().map(|&(_, number)| number).collect();
                let headers = numbers.into_iter().filter_map(|number| rules.get(number as usize));
                let headers = DistinctHeaders::of(headers.map(|rule| &rule.header));
                let database = compiler.database(pairs)?;
                databases.classes[class] = database.map(|database| PayloadDatabase {
                    database,
                    reach: if class == Class::Near as usize { limits[class] } else { usize::MAX },
                    payload_max: if class == Class::Small as usize { limits[class] } else { usize::MAX },
                    headers,
                });
            }
        }
    }
    Ok(payload)
}

/// How much payload the rule's packets have at most, if it says (`dsize`).
fn payload_max(rule: &Rule) -> Option<usize> {
    let most = |condition: &HeaderCondition| {
        let HeaderCondition::PayloadSize(size) = condition else { return None };
        match *size {
            Comparison::Equal(size)
            | Comparison::LessOrEqual(size)
            | Comparison::Less(size)
            | Comparison::Between(_, size) => Some(usize::from(size)),
            _ => None,
        }
    };
    rule.packet.iter().filter_map(most).min()
}
