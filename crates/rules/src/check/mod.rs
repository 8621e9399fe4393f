//! Gives every option of a rule its meaning, in their order, and refuses what cannot be meant.
//!
//! In: the text of one rule. Out: an [`ir::Rule`]. `keyword` says which function reads which keyword; the other files
//! hold those functions by subject; `finish` checks the rule as a whole.

#![allow(clippy::unnecessary_wraps, reason = "the functions of all keywords have one signature")]

mod application;
mod buffer;
mod builder;
mod bytes;
mod content;
mod dnp3;
mod enip;
mod finish;
mod inert;
mod keyword;
mod lists;
mod meta;
mod modbus;
mod packet;
mod pattern;
mod state;
mod tls;

use app::Protocol;

use crate::environment::Environment;
use crate::ir;
use crate::refusal::{Fault, Outcome, RefusalReason};
use crate::syntax::{RuleOption, Span, Statement};
use crate::variable::Sets;

use builder::Builder;
use keyword::{Keyword, Quotes, Value};

/// Checks the text of one rule. [`ir::Rule::position`] is left to the caller.
pub(crate) fn check(text: &str, environment: &Environment, sets: &mut Sets<'_>) -> Outcome<ir::Rule> {
    let statement = Statement::parse(text)?;
    let (protocol, app_protocol) = protocol(statement.protocol)?;
    let bidirectional = match statement.direction.text {
        "->" => false,
        "<>" => true,
        other => {
            let reason = RefusalReason::UnknownDirection(RefusalReason::quoted(other));
            return Err(statement.direction.fault(reason));
        }
    };
    let header = ir::Header {
        protocol,
        source: ir::Endpoint {
            addresses: sets.addresses(statement.source_addresses)?,
            ports: sets.ports(statement.source_ports)?,
        },
        destination: ir::Endpoint {
            addresses: sets.addresses(statement.destination_addresses)?,
            ports: sets.ports(statement.destination_ports)?,
        },
        bidirectional,
    };
    let mut builder = Builder::new(action(statement.action.text), header, app_protocol, environment);
    for option in &statement.options {
        apply(&mut builder, *option).map_err(|fault| with_keyword(fault, option.name.text))?;
    }
    builder.finish(text.len())
}

fn with_keyword(mut fault: Box<Fault>, name: &str) -> Box<Fault> {
    if fault.keyword.is_none() && !name.is_empty() {
        fault.keyword = Some(RefusalReason::quoted(name));
    }
    fault
}

/// Checks the form of one option and hands it to its keyword.
fn apply(builder: &mut Builder<'_>, option: RuleOption<'_>) -> Outcome {
    let RuleOption { name, value } = option;
    let keyword = Keyword::find(name.text).ok_or_else(|| name.fault(RefusalReason::UnknownKeyword))?;
    builder.keyword_offset = name.offset;
    let text = match (keyword.value, value.filter(|value| !value.text.is_empty())) {
        (Value::None, Some(value)) => return Err(value.fault(RefusalReason::ValueUnexpected)),
        (Value::Required, None) => return Err(name.fault(RefusalReason::ValueMissing)),
        (_, None) => Span { text: "", offset: name.offset },
        (_, Some(value)) => value,
    };
    if keyword.value == Value::None || text.text.is_empty() {
        return (keyword.apply)(builder, keyword, text, false);
    }
    let (text, negated) = match text.strip_prefix("!") {
        Some(rest) if keyword.negatable => (rest.trim(), true),
        _ => (text, false),
    };
    let quoted = text.text.len() >= 2 && text.text.starts_with('"') && text.text.ends_with('"');
    let text = match keyword.quotes {
        Quotes::Required if !quoted => return Err(text.fault(RefusalReason::QuotesMissing)),
        Quotes::Refused if text.text.starts_with('"') => {
            return Err(text.fault(RefusalReason::QuotesUnexpected));
        }
        Quotes::Required | Quotes::Allowed if quoted => {
            let inner = text.text.get(1..text.text.len() - 1).unwrap_or_default();
            if inner.is_empty() {
                return Err(text.fault(RefusalReason::ValueMissing));
            }
            Span { text: inner, offset: text.offset + 1 }
        }
        _ => text,
    };
    (keyword.apply)(builder, keyword, text, negated)
}

fn action(word: &str) -> ir::Action {
    match word.to_ascii_lowercase().as_str() {
        "pass" => ir::Action::Pass,
        "drop" => ir::Action::Drop,
        "reject" | "rejectsrc" | "rejectdst" | "rejectboth" => ir::Action::Reject,
        "config" => ir::Action::Config,
        _ => ir::Action::Alert,
    }
}

/// What the protocol of a header means.
fn protocol(word: Span<'_>) -> Outcome<(ir::HeaderProtocol, Option<ir::AppProtocol>)> {
    use ir::HeaderProtocol as Header;
    let name = word.text.to_ascii_lowercase();
    let header = match name.as_str() {
        "ip" => Header::Ip,
        "pkthdr" => Header::PacketHeader,
        "ipv4" | "ip4" => Header::Ipv4,
        "ipv6" | "ip6" => Header::Ipv6,
        "tcp" => Header::Tcp,
        "tcp-pkt" => Header::TcpPacket,
        "tcp-stream" => Header::TcpStream,
        "udp" => Header::Udp,
        "icmp" => Header::Icmp { v4: true, v6: true },
        "icmpv4" => Header::Icmp { v4: true, v6: false },
        "icmpv6" => Header::Icmp { v4: false, v6: true },
        "sctp" => Header::Sctp,
        "http" => return Ok((Header::Http, Some(ir::AppProtocol::Http))),
        other => {
            let protocol = app_protocol(other).ok_or_else(|| {
                word.fault(RefusalReason::UnknownProtocol(RefusalReason::quoted(word.text)))
            })?;
            return Ok((Header::App(protocol), Some(ir::AppProtocol::Only(protocol))));
        }
    };
    Ok((header, None))
}

/// The application protocol that rules call `name`. Suricata's defaults have Modbus, DNP3, ENIP and `PostgreSQL`
/// turned off; here a rule about one of them turns it on.
fn app_protocol(name: &str) -> Option<Protocol> {
    match name {
        "http1" => Some(Protocol::Http1),
        "ikev2" => Some(Protocol::Ike),
        // `http` is both versions; whoever accepts it has seen to it before.
        "http" => None,
        other => Protocol::ALL.into_iter().find(|protocol| protocol.as_str() == other),
    }
}
