//! One rule made ready.

use app::{Buffer, Direction, Scope, Stage};
use rules::ir::{
    AppCondition, AppProtocol, BitOperation, Comparison, Condition, HeaderCondition, HeaderProtocol,
    HostTrack, IntegerOperation, IntegerValue, Rule, StateOperation,
};

use super::databases::Buffers;
use super::fast_pattern::{self, Chosen};
use super::file::{self, FileCheck};
use super::header::{HeaderCompiler, Protocols, ReadyHeader};
use super::setup::Setup;
use crate::dataset::Definitions;
use crate::lookup::Lookup;
use crate::names::Names;
use crate::verify::{Check, CompileError, Variable};

/// A rule that can be asked.
#[derive(Debug)]
pub struct Ready {
    /// The rule as it was checked.
    pub rule: Rule,
    /// Addresses, ports and transports.
    pub header: ReadyHeader,
    /// Application protocols; none: whatever it is.
    pub protocols: Protocols,
    /// Which ways it looks, by [`Direction::index`].
    pub directions: [bool; 2],
    /// What it looks at.
    pub inspects: Inspects,
    /// Conditions on buffers; parallel to the rule's groups.
    pub groups: Vec<ReadyGroup>,
    /// Conditions on addresses that a database answers.
    pub lookups: Box<[Lookup]>,
    /// Conditions on files as wholes.
    pub files: Box<[FileCheck]>,
    /// Flowbits and their kin.
    pub state: Vec<ReadyState>,
    /// The content by which it is found.
    pub chosen: Option<Chosen>,
    /// The content with a place by which it is found in single packets, if it has one.
    pub anchor: Option<Chosen>,
}

/// What a rule looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Inspects {
    /// Packets one by one.
    pub packet: bool,
    /// The reassembled stream of TCP.
    pub stream: bool,
    /// Transactions.
    pub transaction: bool,
    /// Payload, of packets or of the stream.
    pub payload: bool,
}

/// The conditions on one buffer.
#[derive(Debug)]
pub struct ReadyGroup {
    /// Index into the set's buffers.
    pub slot: usize,
    /// What the buffer belongs to.
    pub scope: Scope,
    /// When it is there.
    pub stage: Stage,
    /// Its conditions, in their order.
    pub checks: Vec<Check>,
}

/// Flowbits and their kin with names as numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadyState {
    /// `flowbits`.
    FlowBit(BitOperation, Box<[u32]>),
    /// `flowint`: assigned (0), added (1), subtracted (-1).
    FlowIntegerChange(u32, i8, IntegerOperand),
    /// `flowint` compared.
    FlowIntegerIs(u32, Comparison<u32>),
    /// `flowint` compared with another.
    FlowIntegerIsAsOther(u32, Comparison<()>, u32),
    /// `flowint: isset` or not.
    FlowIntegerIsSet(u32, bool),
    /// `hostbits` and `xbits`.
    HostBit {
        /// What is done.
        operation: BitOperation,
        /// Its name.
        name: u32,
        /// Whose.
        track: HostTrack,
        /// For how long, in seconds; 0: for ever.
        expire_s: u32,
    },
    /// `flowvar` and `pktvar`: the variable holds this.
    VariableHolds(Variable, Box<[u8]>),
}

/// What is assigned to or added to an integer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntegerOperand {
    /// A number.
    Literal(u32),
    /// Another integer of the flow.
    Variable(u32),
}

impl ReadyState {
    fn new(operation: &StateOperation, names: &Names) -> Self {
        let number = |kind: &str, name: &str| names.number(&format!("{kind} {name}"));
        match operation {
            StateOperation::FlowBit { operation, names } => {
                Self::FlowBit(*operation, names.iter().map(|name| number("flowbit", name)).collect())
            }
            StateOperation::FlowInteger { name, operation } => {
                let name = number("flowint", name);
                let operand = |value: &IntegerValue| match value {
                    IntegerValue::Literal(value) => IntegerOperand::Literal(*value),
                    IntegerValue::Variable(name) => IntegerOperand::Variable(number("flowint", name)),
                };
                match operation {
                    IntegerOperation::Assign(value) => Self::FlowIntegerChange(name, 0, operand(value)),
                    IntegerOperation::Add(value) => Self::FlowIntegerChange(name, 1, operand(value)),
                    IntegerOperation::Subtract(value) => Self::FlowIntegerChange(name, -1, operand(value)),
                    IntegerOperation::Compare(comparison) => Self::FlowIntegerIs(name, *comparison),
                    IntegerOperation::CompareVariable(comparison, other) => {
                        Self::FlowIntegerIsAsOther(name, *comparison, number("flowint", other))
                    }
                    IntegerOperation::IsSet => Self::FlowIntegerIsSet(name, true),
                    IntegerOperation::IsNotSet => Self::FlowIntegerIsSet(name, false),
                }
            }
            StateOperation::HostBit { operation, name, track } => Self::HostBit {
                operation: *operation,
                name: number("hostbit", name),
                track: *track,
                expire_s: 0,
            },
            StateOperation::Variable { scope, name, bytes } => {
                Self::VariableHolds(Variable::new(*scope, name, names), bytes.as_slice().into())
            }
            StateOperation::CrossBit { operation, name, track, expire_s } => Self::HostBit {
                operation: *operation,
                name: number("xbit", name),
                track: *track,
                expire_s: *expire_s,
            },
        }
    }

    /// Whether it asks, and does not change anything.
    pub fn is_question(&self) -> bool {
        match self {
            Self::FlowBit(operation, _) | Self::HostBit { operation, .. } => {
                matches!(operation, BitOperation::IsSet | BitOperation::IsNotSet)
            }
            Self::FlowIntegerChange(..) => false,
            Self::FlowIntegerIs(..)
            | Self::FlowIntegerIsAsOther(..)
            | Self::FlowIntegerIsSet(..)
            | Self::VariableHolds(..) => true,
        }
    }
}

/// What rules have in common, as it comes up.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) headers: HeaderCompiler,
    pub(super) buffers: Buffers,
    lists: file::Lists,
    pub(super) datasets: Definitions,
}

impl Ready {
    pub(super) fn new(
        rule: Rule,
        setup: &Setup<'_>,
        shared: &mut Shared,
    ) -> Result<Self, (Box<Rule>, CompileError)> {
        let mut groups = Vec::with_capacity(rule.groups.len());
        for group in &rule.groups {
            let checks = group
                .conditions
                .iter()
                .map(|condition| Check::new(condition, rule.position, setup, &mut shared.datasets));
            let checks = checks.collect::<Result<Vec<_>, _>>();
            let slot = shared.buffers.slot(group);
            match (checks, slot) {
                (Ok(checks), Ok(slot)) => {
                    groups.push(ReadyGroup {
                        slot,
                        scope: group.buffer.scope(),
                        stage: group.buffer.stage(),
                        checks,
                    });
                }
                (Err(reason), _) | (_, Err(reason)) => return Err((Box::new(rule), reason)),
            }
        }
        if let Err(reason) = supported(&rule) {
            return Err((Box::new(rule), reason));
        }
        let files = FileCheck::all(&rule, setup, &mut shared.lists);
        let (files, lookups) = match (files, Lookup::all(&rule, setup)) {
            (Ok(files), Ok(lookups)) => (files, lookups),
            (Err(reason), _) | (_, Err(reason)) => return Err((Box::new(rule), reason)),
        };
        let (chosen, anchor) = (fast_pattern::choose(&rule), fast_pattern::anchor(&rule));
        Ok(Self {
            header: shared.headers.compile(&rule.header),
            protocols: Protocols::of(rule.app_protocol),
            directions: directions(&rule),
            inspects: Inspects::of(&rule),
            state: rule.state.iter().map(|operation| ReadyState::new(operation, setup.names)).collect(),
            groups,
            files,
            lookups,
            chosen,
            anchor,
            rule,
        })
    }

    /// About addresses and ports alone: asked once for each direction of a flow, as the reference asks it.
    pub(super) fn is_address_only(&self) -> bool {
        self.is_about_all_packets() && self.rule.app.is_empty()
    }

    /// About addresses, ports and what the flow's protocol is: asked once for each direction of a flow, when it is known
    /// what the direction's data shows.
    pub(crate) fn is_protocol_only(&self) -> bool {
        self.is_about_all_packets()
            && !self.rule.app.is_empty()
            && self.rule.app.iter().all(|condition| matches!(condition, AppCondition::Protocol { .. }))
    }

    /// Neither packets nor data of a flow are told apart.
    fn is_about_all_packets(&self) -> bool {
        let of_flow = |state: &ReadyState| match state {
            ReadyState::FlowBit(operation, _) => *operation == BitOperation::Set,
            ReadyState::HostBit { .. } | ReadyState::FlowIntegerChange(..) => true,
            _ => false,
        };
        !matches!(self.rule.header.protocol, HeaderProtocol::Http | HeaderProtocol::App(_))
            && self.rule.groups.is_empty()
            && self.state.iter().all(of_flow)
            && self.rule.flow == rules::ir::FlowCondition::default()
            && self.rule.packet.iter().all(|condition| {
                matches!(condition, HeaderCondition::IpProtocol(_) | HeaderCondition::Reputation(_))
            })
    }

    pub(super) fn is_packet_unfiltered(&self) -> bool {
        self.chosen.is_none()
            && !self.inspects.transaction
            && !self.is_address_only()
            && !self.is_about_faults()
    }

    /// About what is wrong with a packet: `decode-event`.
    pub(super) fn is_about_faults(&self) -> bool {
        self.rule.packet.iter().any(|condition| matches!(condition, HeaderCondition::DecodeEvent(_)))
    }
}

/// What this version cannot do, it says.
fn supported(rule: &Rule) -> Result<(), CompileError> {
    if rule.groups.iter().any(|group| group.buffer == Buffer::FileMagic) {
        return Err(CompileError::Unsupported("file.magic (the reference's names of file types)"));
    }
    let asked = rule.app.iter().filter_map(|condition| match condition {
        AppCondition::Protocol { protocol, negated: false } => *protocol,
        _ => None,
    });
    for protocol in asked.chain(rule.app_protocol) {
        if let AppProtocol::Only(protocol) = protocol
            && !analyze::knows_protocol(protocol)
        {
            return Err(CompileError::NotAnalysed(protocol.as_str()));
        }
    }
    for condition in &rule.app {
        let what = match condition {
            AppCondition::Event(name)
                if name.contains('.') && !analyze::event_names().any(|known| known == name) =>
            {
                return Err(CompileError::UnknownEvent(name.clone()));
            }
            AppCondition::Number { field, .. }
            | AppCondition::AnyOf { field, .. }
            | AppCondition::Is { field, .. }
                if !analyze::knows_number(field) =>
            {
                field
            }
            _ => continue,
        };
        return Err(CompileError::Unsupported(what));
    }
    Ok(())
}

fn directions(rule: &Rule) -> [bool; 2] {
    Direction::BOTH.map(|direction| {
        let flow = rule.flow.direction.is_none_or(|only| only == direction);
        let buffers = rule
            .groups
            .iter()
            .all(|group| group.buffer.scope() != Scope::Transaction || group.buffer.is_in(direction));
        flow && buffers
    })
}

impl Inspects {
    fn of(rule: &Rule) -> Self {
        let payload = rule.groups.iter().any(|group| group.buffer.scope() == Scope::Payload);
        let headers = rule.groups.iter().any(|group| group.buffer.scope() == Scope::Packet);
        let transaction = rule.groups.iter().any(|group| group.buffer.scope() == Scope::Transaction)
            || rule.app.iter().any(|condition| match condition {
                AppCondition::Protocol { .. } => false,
                AppCondition::Event(name) => name.contains('.'),
                _ => true,
            });
        let header = rule.header.protocol;
        let streams = matches!(
            header,
            HeaderProtocol::Tcp
                | HeaderProtocol::TcpStream
                | HeaderProtocol::Ip
                | HeaderProtocol::Ipv4
                | HeaderProtocol::Ipv6
                | HeaderProtocol::Http
                | HeaderProtocol::App(_)
        );
        // What is true of one packet says nothing about a stream.
        let packet_bound = headers
            || rule.flow.no_stream
            || header == HeaderProtocol::TcpPacket
            || rule.packet.iter().any(is_packet_bound);
        let stream_bound = rule.flow.only_stream || header == HeaderProtocol::TcpStream;
        let positioned = rule
            .groups
            .iter()
            .filter(|group| group.buffer.scope() == Scope::Payload)
            .flat_map(|group| &group.conditions)
            .any(|condition| match condition {
                Condition::Content(content) => {
                    let placed = content.offset.is_some() || content.depth.is_some();
                    placed && !content.from_distance || content.startswith
                }
                _ => false,
            });
        let stream = payload && streams && (stream_bound || !packet_bound);
        Self {
            // A pattern with a place is meant for the packet's beginning as much as for the stream's.
            packet: !stream_bound && (!stream || positioned || packet_bound),
            stream,
            transaction,
            payload,
        }
    }
}

/// Whether a condition binds its rule to single packets.
fn is_packet_bound(condition: &HeaderCondition) -> bool {
    // The reference takes all but the IP version and the addresses' reputation so, also what is said of the flow (`stream_size`, `flow.age`).
    !matches!(condition, HeaderCondition::IpVersion(_) | HeaderCondition::Reputation(_))
}
