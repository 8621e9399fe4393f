//! A checked rule: what the text means, with every variable resolved and every number checked, ready to compile.
//!
//! In the order in which a packet meets it: [`Header`] (addresses, ports, protocol), [`FlowCondition`], packet
//! [`HeaderCondition`]s, then for each buffer a [`Group`] of [`Condition`]s, application-layer [`AppCondition`]s,
//! [`StateOperation`]s (flowbits and their kin), and last the [`Threshold`] that says how often it may speak.

mod condition;
mod header;
mod industrial;
mod state;

pub use condition::*;
pub use header::*;
pub use industrial::*;
pub use state::*;

use app::Protocol;

use crate::Position;

/// What a rule does when it matches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Say so.
    Alert,
    /// Look no further into the packet (stream rules: the flow); no alert.
    Pass,
    /// Drop; here, where packets are looked at beside their path, an alert that says `drop`.
    Drop,
    /// Reject towards the sender, the receiver or both; treated as [`Action::Drop`].
    Reject,
    /// `config`: no alert; what [`Rule::config`] says is done instead.
    Config,
}

/// One checked rule.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// Where it stands.
    pub position: Position,
    /// What it does.
    pub action: Action,
    /// Protocol, addresses, ports and direction.
    pub header: Header,
    /// The application protocol that the flow must have: from the header, or from the buffers and keywords of a rule
    /// whose header says `tcp`, `ip` … `None`: none is asked for.
    pub app_protocol: Option<AppProtocol>,
    /// What people are told of it.
    pub meta: Meta,
    /// `flow`, if any. Its direction is also set when the rule does not say it but looks into a buffer that only one
    /// direction has.
    pub flow: FlowCondition,
    /// Conditions on packet headers, in their order.
    pub packet: Vec<HeaderCondition>,
    /// Conditions on buffers. A buffer that a rule comes back to is one group, unless the buffer can occur several
    /// times in a transaction ([`app::Buffer::is_multiple`]): then each mention is its own.
    pub groups: Vec<Group>,
    /// Conditions on the application layer beyond buffers, in their order.
    pub app: Vec<AppCondition>,
    /// Flowbits and their kin, in their order.
    pub state: Vec<StateOperation>,
    /// How often it may speak.
    pub threshold: Option<Threshold>,
    /// Matches needed before it speaks.
    pub detection_filter: Option<Rate>,
    /// What it does instead when it matches too often; only a `threshold.config` says so.
    pub rate_filter: Option<RateFilter>,
    /// Of whom it does not speak; only a `threshold.config` says so.
    pub suppressions: Vec<Suppression>,
    /// `noalert`: the rule sets state but says nothing.
    pub noalert: bool,
    /// `tag`: what follows a match is logged too.
    pub tag: Option<Tag>,
    /// `config`: what is no longer logged after a match.
    pub config: Option<LoggingOff>,
    /// `bypass`: after a match the flow is only counted.
    pub bypass: bool,
    /// The condition that `fast_pattern` names: group and condition index. `None`: the compiler chooses.
    pub fast_pattern: Option<FastPattern>,
    /// `prefilter`: let the keyword before it select candidates; index into [`Rule::packet`].
    pub prefilter: Option<usize>,
}

/// The application protocol that a rule asks of the flow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AppProtocol {
    /// HTTP/1 or HTTP/2.
    Http,
    /// This one. [`Protocol::Dcerpc`] is also what SMB carries.
    Only(Protocol),
}

impl AppProtocol {
    /// Whether a flow of `protocol` will do.
    pub fn allows(self, protocol: Protocol) -> bool {
        match self {
            Self::Http => matches!(protocol, Protocol::Http1 | Protocol::Http2),
            Self::Only(Protocol::Dcerpc) => matches!(protocol, Protocol::Dcerpc | Protocol::Smb),
            Self::Only(own) => own == protocol,
        }
    }
}

/// What `config: logging disable` names. Whatever it names, what is not logged is the event of the transaction that
/// matched, as in the reference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LoggingOff {
    /// `type tx, scope tx`: the event of the transaction that matched.
    Transaction,
    /// `type tx, scope flow`: those of every transaction of the flow.
    FlowTransactions,
    /// `type flow, scope flow`: the flow record.
    Flow,
}

/// What `fast_pattern` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FastPattern {
    /// Index into [`Rule::groups`].
    pub group: usize,
    /// Index into [`Group::conditions`]; a [`Condition::Content`].
    pub condition: usize,
    /// `fast_pattern:only`: the content need not be verified again.
    pub only: bool,
    /// `fast_pattern:offset,length`: use this part of the content.
    pub chop: Option<(usize, usize)>,
}

/// What people are told of a rule.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Meta {
    /// Generator number, 1 if not given.
    pub gid: u32,
    /// Rule number.
    pub sid: u32,
    /// Revision, 0 if not given.
    pub rev: u32,
    /// Message, unescaped.
    pub msg: String,
    /// Short name of the class, as in classification.config.
    pub classtype: Option<String>,
    /// Description of the class (EVE's `category`), empty if there is none.
    pub category: String,
    /// 1 is most severe; from `priority`, else from the class, else 3.
    pub priority: u32,
    /// `reference:type,value`, in their order.
    pub references: Vec<(String, String)>,
    /// `metadata` keys and values, in their order.
    pub metadata: Vec<(String, String)>,
    /// `target`.
    pub target: Option<Target>,
}

/// Which end of the packet is the attacked one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// The packet's source.
    Source,
    /// The packet's destination.
    Destination,
}
