//! Messages of version 2 (RFC 7296).

use event::json::{literal, number_after};

use super::log::Members;
use super::version1::payload;
use super::{Facts, Header, names2};
use crate::reader::Reader;

pub(super) const WEAK_ENCRYPTION: &str = "ike.weak_crypto_enc";
pub(super) const WEAK_PSEUDO_RANDOM: &str = "ike.weak_crypto_prf";
pub(super) const WEAK_INTEGRITY: &str = "ike.weak_crypto_auth";
pub(super) const WEAK_GROUP: &str = "ike.weak_crypto_dh";
pub(super) const NO_GROUP: &str = "ike.weak_crypto_no_dh";
pub(super) const NO_INTEGRITY: &str = "ike.weak_crypto_no_auth";
pub(super) const NO_ENCRYPTION: &str = "ike.no_encryption";
pub(super) const INVALID_PROPOSAL: &str = "ike.invalid_proposal";
pub(super) const UNKNOWN_PROPOSAL: &str = "ike.unknown_proposal";

/// Payloads and notifications of one message that are told.
const PAYLOADS_MAX: usize = 256;

/// The message is a response.
const RESPONSE: u8 = 0x20;
/// The protocol of a proposal that authenticates and does not encrypt.
const AUTHENTICATION_HEADER: u8 = 2;
/// Notifications below are errors.
const STATUS: u16 = 16_384;

/// A transform, by its kind, with its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Transform {
    Encryption(u16),
    PseudoRandom(u16),
    Integrity(u16),
    Group(u16),
    SequenceNumbers(u16),
}

/// What the responder has chosen so far.
#[derive(Debug)]
pub(super) struct Version2 {
    encryption: u16,
    pseudo_random: u16,
    integrity: u16,
    group: u16,
    sequence_numbers: u16,
}

impl Default for Version2 {
    fn default() -> Self {
        // Nothing is encrypted: ENCR_NULL.
        Self { encryption: 11, pseudo_random: 0, integrity: 0, group: 0, sequence_numbers: 0 }
    }
}

/// A proposal: its protocol and its transforms, `None` for those of no known kind.
struct Proposal {
    protocol: u8,
    transforms: Vec<Option<Transform>>,
}

/// What is collected from one message.
#[derive(Default)]
struct Found {
    payloads: Vec<u8>,
    notifications: Vec<u16>,
    errors: u64,
    proposals: Vec<Proposal>,
}

impl Version2 {
    /// Takes a message of `len` bytes in all; its record.
    pub(super) fn message(
        &mut self,
        header: &Header,
        len: usize,
        reader: Reader<'_>,
        facts: &mut Facts,
    ) -> Members {
        let is_response = header.flags & RESPONSE != 0;
        // Of what cannot be read whole nothing is told, as in the reference.
        let whole = header.len as usize == len;
        let found = whole.then(|| Found::read(header.next, reader)).flatten().unwrap_or_default();
        for proposal in &found.proposals {
            judge(proposal, facts);
            for transform in proposal.transforms.iter().flatten() {
                if is_response {
                    self.choose(*transform, facts);
                }
            }
        }
        self.write(header, is_response, &found)
    }

    fn choose(&mut self, transform: Transform, facts: &mut Facts) {
        let (place, name, number) = match transform {
            Transform::Encryption(number) => (&mut self.encryption, Some("alg_enc"), number),
            Transform::PseudoRandom(number) => (&mut self.pseudo_random, Some("alg_prf"), number),
            Transform::Integrity(number) => (&mut self.integrity, Some("alg_auth"), number),
            Transform::Group(number) => (&mut self.group, Some("alg_dh"), number),
            Transform::SequenceNumbers(number) => (&mut self.sequence_numbers, None, number),
        };
        *place = number;
        if let Some(name) = name {
            facts.chosen.push((name, u64::from(number)));
        }
    }

    /// `"ike":{…}`.
    fn write(&self, header: &Header, is_response: bool, found: &Found) -> Members {
        let mut members = Members::begin(header);
        let to = members.rest();
        literal(to, r#","role":""#);
        literal(to, if is_response { "responder\"" } else { "initiator\"" });
        if is_response {
            for (key, transform) in [
                ("alg_enc", Transform::Encryption(self.encryption)),
                ("alg_auth", Transform::Integrity(self.integrity)),
                ("alg_prf", Transform::PseudoRandom(self.pseudo_random)),
                ("alg_dh", Transform::Group(self.group)),
                ("alg_esn", Transform::SequenceNumbers(self.sequence_numbers)),
            ] {
                literal(to, ",\"");
                literal(to, key);
                literal(to, r#"":""#);
                names2::transform(to, transform);
                to.push(b'"');
            }
        }
        literal(to, r#","payload":["#);
        for (index, &number) in found.payloads.iter().enumerate() {
            literal(to, if index == 0 { "\"" } else { ",\"" });
            names2::payload(to, number);
            to.push(b'"');
        }
        number_after(to, r#"],"ikev2":{"errors":"#, found.errors);
        for (index, &number) in found.notifications.iter().enumerate() {
            literal(to, if index == 0 { r#","notify":[""# } else { r#"",""# });
            names2::notification(to, number);
        }
        if !found.notifications.is_empty() {
            literal(to, r#""]"#);
        }
        literal(to, "}}");
        members
    }
}

impl Found {
    fn read(mut next: u8, mut reader: Reader<'_>) -> Option<Self> {
        let mut found = Self { payloads: vec![next], ..Self::default() };
        while next != 0 {
            let (following, body) = payload(&mut reader)?;
            found.payload(next, body)?;
            next = following;
            if found.payloads.len() < PAYLOADS_MAX {
                found.payloads.push(next);
            }
        }
        reader.is_empty().then_some(found)
    }

    fn payload(&mut self, number: u8, mut body: Reader<'_>) -> Option<()> {
        match number {
            33 => {
                self.proposals = proposals(body)?;
            }
            // Key exchange, identifications, authentication and deletions begin with four bytes that say what they are.
            34..=36 | 39 | 42 => {
                body.take(4)?;
            }
            37 | 38 => {
                body.u8()?;
            }
            41 => {
                body.u8()?;
                let identifier = usize::from(body.u8()?);
                let kind = body.u16()?;
                body.take(identifier)?;
                if self.notifications.len() < PAYLOADS_MAX {
                    self.notifications.push(kind);
                    self.errors += u64::from(kind < STATUS);
                }
            }
            44 | 45 => selectors(body)?,
            _ => {}
        }
        Some(())
    }
}

/// Traffic selectors (RFC 7296, section 3.13).
fn selectors(mut body: Reader<'_>) -> Option<()> {
    let count = body.u8()?;
    body.take(3)?;
    for _ in 0..count {
        body.take(2)?;
        let len = usize::from(body.u16()?).checked_sub(4)?;
        body.take(len)?;
    }
    body.is_empty().then_some(())
}

/// The proposals of a security association (RFC 7296, section 3.3).
fn proposals(mut body: Reader<'_>) -> Option<Vec<Proposal>> {
    let mut proposals = Vec::new();
    while !body.is_empty() {
        let (_, mut contents) = payload(&mut body)?;
        contents.u8()?;
        let protocol = contents.u8()?;
        let identifier = usize::from(contents.u8()?);
        let count = contents.u8()?;
        contents.take(identifier)?;
        let mut transforms = Vec::new();
        for _ in 0..count {
            let (_, mut transform) = payload(&mut contents)?;
            let kind = transform.u8()?;
            transform.u8()?;
            let number = transform.u16()?;
            transforms.push(match kind {
                1 => Some(Transform::Encryption(number)),
                2 => Some(Transform::PseudoRandom(number)),
                3 => Some(Transform::Integrity(number)),
                4 => Some(Transform::Group(number)),
                5 => Some(Transform::SequenceNumbers(number)),
                _ => None,
            });
        }
        proposals.push(Proposal { protocol, transforms });
    }
    (!proposals.is_empty()).then_some(proposals)
}

/// Raises what is weak or wrong in a proposal.
fn judge(proposal: &Proposal, facts: &mut Facts) {
    let (mut has_group, mut has_integrity, mut is_authenticating) = (false, false, false);
    for transform in &proposal.transforms {
        let event = match *transform {
            Some(Transform::Encryption(number)) => {
                // AES and Camellia with CCM or GCM, ChaCha20 with Poly1305: they authenticate what they encrypt.
                is_authenticating |= matches!(number, 14..=16 | 18..=20 | 25..=28);
                matches!(number, 1..=9 | 11).then_some(WEAK_ENCRYPTION)
            }
            Some(Transform::PseudoRandom(number)) => match number {
                0 => Some(INVALID_PROPOSAL),
                1 | 2 => Some(WEAK_PSEUDO_RANDOM),
                _ => None,
            },
            Some(Transform::Integrity(number)) => {
                has_integrity |= number != 0;
                matches!(number, 1..=7).then_some(WEAK_INTEGRITY)
            }
            Some(Transform::Group(number)) => {
                has_group = true;
                match number {
                    0 => Some(INVALID_PROPOSAL),
                    1 | 2 | 5 | 22 => Some(WEAK_GROUP),
                    _ => None,
                }
            }
            Some(Transform::SequenceNumbers(_)) => None,
            None => Some(UNKNOWN_PROPOSAL),
        };
        if let Some(event) = event {
            facts.raise(event);
        }
    }
    let lacks_encryption = proposal.protocol == AUTHENTICATION_HEADER;
    for (is, event) in [
        (!has_group, NO_GROUP),
        (lacks_encryption, NO_ENCRYPTION),
        (!has_integrity && !is_authenticating, NO_INTEGRITY),
    ] {
        if is {
            facts.raise(event);
        }
    }
}
