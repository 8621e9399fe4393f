//! Reading one SNMP message.

use std::net::Ipv4Addr;

use crate::ber::{Ber, CONTEXT, INTEGER, OBJECT, OCTETS, SEQUENCE, integer, object};

/// Variables of one message that are kept.
const VARIABLES_MAX: usize = 512;

/// The user-based security model (RFC 3414).
const USER_BASED: i64 = 3;

/// `NetworkAddress` of a trap (RFC 1155, section 3.2.3.1), and `TimeTicks`.
const IP_ADDRESS: u8 = 0x40;
const TIME_TICKS: u8 = 0x43;

/// Names of errors, by their number (RFC 1157, section 4.1.1); the later ones have none in the reference.
pub(super) const ERRORS: [&str; 6] = ["NoError", "TooBig", "NoSuchName", "BadValue", "ReadOnly", "GenErr"];

/// What is told of a message.
#[derive(Debug)]
pub(super) struct Message {
    pub community: Option<String>,
    /// The user, of a message that is not encrypted or is.
    pub user: Option<String>,
    /// Its security model is not the user-based one.
    pub is_unknown_model: bool,
    pub content: Content,
}

/// What a message carries.
#[derive(Debug)]
pub(super) enum Content {
    /// An operation.
    Plain {
        /// Its number, 0 to 8.
        operation: u8,
        /// What the response says, 0 if it says nothing.
        error: u32,
        trap: Option<Trap>,
        /// Names of its variables, with dots.
        variables: Vec<String>,
    },
    /// Nobody can say.
    Encrypted,
}

/// A trap of the first version.
#[derive(Debug)]
pub(super) struct Trap {
    pub generic: u8,
    pub enterprise: String,
    pub agent: Ipv4Addr,
}

/// The version that a datagram's message says, 1 to 3, if it looks like a message.
pub(super) fn version(bytes: &[u8]) -> Option<u8> {
    version_of(&mut Ber(bytes).enter(SEQUENCE)?)
}

fn version_of(fields: &mut Ber<'_>) -> Option<u8> {
    match fields.integer()? {
        0 => Some(1),
        1 => Some(2),
        3 => Some(3),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

impl Message {
    /// Reads a message and its version, 1 to 3; `None` if it cannot be read.
    pub(super) fn read(bytes: &[u8]) -> Option<(u8, Self)> {
        let mut fields = Ber(bytes).enter(SEQUENCE)?;
        let version = version_of(&mut fields)?;
        let message =
            if version == 3 { Self::third(&mut fields) } else { Self::early(version, &mut fields) }?;
        fields.0.is_empty().then_some((version, message))
    }

    /// Versions 1 and 2c.
    fn early(version: u8, fields: &mut Ber<'_>) -> Option<Self> {
        let community = text(fields.take(OCTETS)?)?;
        let content = operation(fields, if version == 1 { 4 } else { 8 })?;
        Some(Self { community: Some(community), user: None, is_unknown_model: false, content })
    }

    /// Version 3 (RFC 3412, section 6).
    fn third(fields: &mut Ber<'_>) -> Option<Self> {
        let mut header = fields.enter(SEQUENCE)?;
        header.integer()?;
        header.integer()?;
        header.take(OCTETS)?;
        let is_unknown_model = header.integer()? != USER_BASED;
        let mut security = fields.enter(OCTETS)?;
        let user = if is_unknown_model {
            None
        } else {
            let mut parameters = security.enter(SEQUENCE)?;
            parameters.take(OCTETS)?;
            parameters.integer()?;
            parameters.integer()?;
            Some(text(parameters.take(OCTETS)?)?)
        };
        let content = if let Some(mut scoped) = fields.enter(SEQUENCE) {
            scoped.take(OCTETS)?;
            scoped.take(OCTETS)?;
            operation(&mut scoped, 8)?
        } else {
            fields.take(OCTETS)?;
            Content::Encrypted
        };
        Some(Self { community: None, user, is_unknown_model, content })
    }
}

/// Reads an operation with a number up to `max`.
fn operation(from: &mut Ber<'_>, max: u8) -> Option<Content> {
    let (identifier, contents) = from.next()?;
    let operation = identifier.checked_sub(CONTEXT).filter(|&operation| operation <= max)?;
    let mut fields = Ber(contents);
    let (mut error, mut trap) = (0, None);
    if operation == 4 {
        let enterprise = object(fields.take(OBJECT)?)?;
        let agent = Ipv4Addr::from(<[u8; 4]>::try_from(fields.take(IP_ADDRESS)?).ok()?);
        let generic = u8::try_from(fields.integer()?).ok()?;
        fields.integer()?;
        fields.take(TIME_TICKS)?;
        trap = Some(Trap { generic, enterprise, agent });
    } else {
        let mut numbers = [0; 3];
        for number in &mut numbers {
            *number = integer(fields.take(INTEGER)?)?;
        }
        let [_, status, _] = numbers;
        // In a bulk request the two numbers say how often to repeat.
        if operation != 5 {
            error = u32::try_from(status).ok()?;
        }
    }
    let mut list = fields.enter(SEQUENCE)?;
    let mut variables = Vec::new();
    while !list.0.is_empty() {
        let mut variable = list.enter(SEQUENCE)?;
        let name = object(variable.take(OBJECT)?)?;
        if variables.len() < VARIABLES_MAX {
            variables.push(name);
        }
    }
    Some(Content::Plain { operation, error, trap, variables })
}
