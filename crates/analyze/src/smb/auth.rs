//! Who logs on: NTLMSSP (MS-NLMP) and Kerberos (RFC 4120) in a security blob (RFC 4178, RFC 2743).

use super::fields::{narrow, part, u16_at, u32_at};

/// What an AUTHENTICATE message says (MS-NLMP 2.2.1.3).
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Ntlmssp {
    pub user: Vec<u8>,
    pub domain: Vec<u8>,
    pub host: Vec<u8>,
    /// Major, minor, build, revision.
    pub version: Option<(u8, u8, u16, u8)>,
}

/// For whom a ticket is.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Kerberos {
    pub realm: Vec<u8>,
    pub names: Vec<Vec<u8>>,
}

const SIGNATURE: &[u8] = b"NTLMSSP\0";
const AUTHENTICATE: u32 = 3;
const HAS_UNICODE: u32 = 1;
const HAS_VERSION: u32 = 0x0200_0000;

/// What was found in a blob.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Ntlmssp(Ntlmssp),
    /// An AUTHENTICATE message that cannot be read.
    Malformed,
    Kerberos(Kerberos),
}

/// Looks into a security blob, wherever in its wrappings the token lies.
pub(super) fn read(blob: &[u8]) -> Found {
    if let Some(at) = memchr::memmem::find(blob, SIGNATURE) {
        let message = blob.get(at..).unwrap_or_default();
        if u32_at(message, 8) != Some(AUTHENTICATE) {
            return Found::Nothing;
        }
        return ntlmssp(message).map_or(Found::Malformed, Found::Ntlmssp);
    }
    kerberos(blob).map_or(Found::Nothing, Found::Kerberos)
}

fn ntlmssp(message: &[u8]) -> Option<Ntlmssp> {
    let flags = u32_at(message, 60)?;
    let text = |at: usize| {
        let len = usize::from(u16_at(message, at)?);
        let bytes = part(message, u32_at(message, at + 4)? as usize, len)?;
        Some(if flags & HAS_UNICODE == 0 { bytes.to_vec() } else { narrow(bytes) })
    };
    let version = if flags & HAS_VERSION == 0 {
        None
    } else {
        let &[major, minor, low, high, _, _, _, revision] = message.get(64..)?.first_chunk::<8>()?;
        Some((major, minor, u16::from_le_bytes([low, high]), revision))
    };
    Some(Ntlmssp { domain: text(28)?, user: text(36)?, host: text(44)?, version })
}

/// Kerberos 5's identifier behind its tag, and what marks a request to a server.
const KERBEROS: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x01, 0x00];

/// One DER element: tag, contents, what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, len], rest) = bytes.split_first_chunk::<2>()?;
    let (len, rest) = match len {
        0..=0x7f => (usize::from(len), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(len & 0x7f))?;
            (digits.iter().fold(0, |len, &digit| len << 8 | usize::from(digit)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(len)?;
    Some((tag, contents, rest))
}

/// The element with a tag among those that follow each other.
fn find(mut bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    while let Some((tag, contents, rest)) = element(bytes) {
        if tag == wanted {
            return Some(contents);
        }
        bytes = rest;
    }
    None
}

/// An AP-REQ's ticket: realm and names of the service.
fn kerberos(blob: &[u8]) -> Option<Kerberos> {
    let at = memchr::memmem::find(blob, KERBEROS)?;
    let request = find(blob.get(at + KERBEROS.len()..)?, 0x6e)?;
    let ticket = find(find(find(find(request, 0x30)?, 0xa3)?, 0x61)?, 0x30)?;
    let realm = find(find(ticket, 0xa1)?, 0x1b)?.to_vec();
    let mut rest = find(find(find(find(ticket, 0xa2)?, 0x30)?, 0xa1)?, 0x30)?;
    let mut names = Vec::new();
    while let Some((0x1b, name, after)) = element(rest) {
        if names.len() < 16 {
            names.push(name.to_vec());
        }
        rest = after;
    }
    Some(Kerberos { realm, names })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authenticate() -> Vec<u8> {
        let mut message = SIGNATURE.to_vec();
        message.extend_from_slice(&AUTHENTICATE.to_le_bytes());
        message.resize(28, 0);
        let mut offset = 72_u32;
        for text in ["D", "us", "H"] {
            let len = (text.len() * 2) as u16;
            message.extend_from_slice(&len.to_le_bytes());
            message.extend_from_slice(&len.to_le_bytes());
            message.extend_from_slice(&offset.to_le_bytes());
            offset += u32::from(len);
        }
        message.resize(60, 0);
        message.extend_from_slice(&(HAS_UNICODE | HAS_VERSION).to_le_bytes());
        message.extend_from_slice(&[10, 0, 0x61, 0x4a, 0, 0, 0, 15]);
        message.extend("DusH".encode_utf16().flat_map(u16::to_le_bytes));
        message
    }

    #[test]
    fn an_authenticate_message_names_its_user() {
        let expected = Ntlmssp {
            user: b"us".to_vec(),
            domain: b"D".to_vec(),
            host: b"H".to_vec(),
            version: Some((10, 0, 19041, 15)),
        };
        let mut blob = vec![0xa1, 7];
        blob.extend_from_slice(&authenticate());
        assert_eq!(read(&blob), Found::Ntlmssp(expected));
        for len in 14..blob.len() {
            assert_eq!(read(&blob[..len]), Found::Malformed, "{len}");
        }
        assert_eq!(read(b"nothing"), Found::Nothing);
    }

    #[test]
    fn a_ticket_names_its_service() {
        fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
            let mut bytes = vec![tag, contents.len() as u8];
            bytes.extend_from_slice(contents);
            bytes
        }
        let names = [der(0x1b, b"cifs"), der(0x1b, b"host")].concat();
        let name = der(0x30, &der(0xa1, &der(0x30, &names)));
        let ticket = [der(0xa0, &[2, 1, 5]), der(0xa1, &der(0x1b, b"R")), der(0xa2, &name)].concat();
        let request =
            der(0x30, &[der(0xa0, &[2, 1, 5]), der(0xa3, &der(0x61, &der(0x30, &ticket)))].concat());
        let blob = [KERBEROS, &der(0x6e, &request)].concat();
        let expected = Kerberos { realm: b"R".to_vec(), names: vec![b"cifs".to_vec(), b"host".to_vec()] };
        assert_eq!(read(&blob), Found::Kerberos(expected));
        assert_eq!(read(&blob[..blob.len() - 1]), Found::Nothing);
    }
}
