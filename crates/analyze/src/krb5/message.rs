//! Reading one Kerberos message (RFC 4120, section 5).

use crate::ber::{APPLICATION, Ber, SEQUENCE};

/// Components of a name that are kept, and bytes of each.
const COMPONENTS_MAX: usize = 16;
const TEXT_BYTES_MAX: usize = 1024;

/// `GeneralString`.
const GENERAL_STRING: u8 = 0x1b;

/// Numbers of messages.
pub(super) const AS_REQ: u8 = 10;
pub(super) const AS_REP: u8 = 11;
pub(super) const TGS_REQ: u8 = 12;
pub(super) const TGS_REP: u8 = 13;
pub(super) const AP_REQ: u8 = 14;
pub(super) const AP_REP: u8 = 15;
pub(super) const ERROR: u8 = 30;

/// A principal's name: its components.
pub(super) type Name = Vec<Vec<u8>>;

/// What is told of a message.
#[derive(Default, Debug)]
pub(super) struct Message {
    /// Number of its kind.
    pub kind: u8,
    pub client: Option<Name>,
    pub realm: Option<Vec<u8>>,
    pub server: Option<Name>,
    /// Encryption of the reply.
    pub encryption: Option<i64>,
    /// Encryption of the ticket.
    pub ticket_encryption: Option<i64>,
    /// What an error says.
    pub error: Option<i64>,
}

/// The kind of a message, by its first element, and how many bytes it takes in all.
pub(super) fn kind(bytes: &[u8]) -> Option<(u8, usize)> {
    let mut outer = Ber(bytes);
    let (identifier, len) = outer.header()?;
    if identifier & 0xe0 != APPLICATION {
        return None;
    }
    Some((identifier & 0x1f, len.checked_add(bytes.len() - outer.0.len())?))
}

/// Whether bytes begin as a message does: of a kind that there is, with the protocol's version.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    let mut outer = Ber(bytes);
    let Some((identifier, _)) = outer.header() else { return false };
    let number = identifier & 0x1f;
    if identifier & 0xe0 != APPLICATION || !matches!(number, 10..=15 | 20..=22 | 30) {
        return false;
    }
    // In requests for tickets the version is the second field, elsewhere the first.
    let expected = if matches!(number, AS_REQ | TGS_REQ) { [0xa1, 3, 2, 1, 5] } else { [0xa0, 3, 2, 1, 5] };
    outer.header().is_some_and(|(identifier, _)| identifier == SEQUENCE) && outer.0.starts_with(&expected)
}

impl Message {
    /// Reads a message that has a transaction: a request for a ticket, a reply to one, or an error. `None` if it cannot
    /// be read.
    pub(super) fn read(kind: u8, bytes: &[u8]) -> Option<Self> {
        let mut body = Ber(bytes).enter(APPLICATION | kind)?.enter(SEQUENCE)?;
        let mut message = Self { kind, ..Self::default() };
        match kind {
            AS_REQ | TGS_REQ => message.request(&mut body)?,
            ERROR => message.error(&mut body)?,
            _ => message.reply(&mut body)?,
        }
        Some(message)
    }

    fn request(&mut self, body: &mut Ber<'_>) -> Option<()> {
        body.field(1)?.integer()?;
        body.field(2)?.integer()?;
        let mut request = body.field(4)?.enter(SEQUENCE)?;
        request.field(0)?;
        optional(&mut self.client, &mut request, 1)?;
        self.realm = Some(text(&mut request.field(2)?)?);
        optional(&mut self.server, &mut request, 3)?;
        Some(())
    }

    fn reply(&mut self, body: &mut Ber<'_>) -> Option<()> {
        body.field(0)?.integer()?;
        body.field(1)?.integer()?;
        self.realm = Some(text(&mut body.field(3)?)?);
        self.client = Some(name(&mut body.field(4)?)?);
        let mut ticket = body.field(5)?.enter(APPLICATION | 1)?.enter(SEQUENCE)?;
        ticket.field(0)?.integer()?;
        ticket.field(1)?;
        self.server = Some(name(&mut ticket.field(2)?)?);
        self.ticket_encryption = Some(encryption(&mut ticket.field(3)?)?);
        self.encryption = Some(encryption(&mut body.field(6)?)?);
        Some(())
    }

    fn error(&mut self, body: &mut Ber<'_>) -> Option<()> {
        body.field(0)?.integer()?;
        body.field(1)?.integer()?;
        self.error = Some(body.field(6)?.integer()?);
        if let Some(mut realm) = body.field(7) {
            self.realm = Some(text(&mut realm)?);
        }
        optional(&mut self.client, body, 8)?;
        body.field(9)?;
        self.server = Some(name(&mut body.field(10)?)?);
        Some(())
    }
}

/// Puts a name that may be missing in its place; `None` if it is there and cannot be read.
fn optional(to: &mut Option<Name>, from: &mut Ber<'_>, number: u8) -> Option<()> {
    if let Some(mut field) = from.field(number) {
        *to = Some(name(&mut field)?);
    }
    Some(())
}

fn text(from: &mut Ber<'_>) -> Option<Vec<u8>> {
    let text = from.take(GENERAL_STRING)?;
    Some(text.get(..TEXT_BYTES_MAX).unwrap_or(text).to_vec())
}

fn name(from: &mut Ber<'_>) -> Option<Name> {
    let mut fields = from.enter(SEQUENCE)?;
    fields.field(0)?.integer()?;
    let mut components = fields.field(1)?.enter(SEQUENCE)?;
    let mut name = Name::new();
    while !components.0.is_empty() {
        let component = text(&mut components)?;
        if name.len() < COMPONENTS_MAX {
            name.push(component);
        }
    }
    Some(name)
}

fn encryption(from: &mut Ber<'_>) -> Option<i64> {
    from.enter(SEQUENCE)?.field(0)?.integer()
}
