//! `ClientHello` and `ServerHello` (RFC 8446 4.1.2, 4.1.3), and the fingerprints made of them.

use event::json::hex;
use md5::Digest;

use crate::reader::Reader;

/// Extension numbers (IANA, TLS `ExtensionType` Values).
pub(crate) mod extension {
    pub(crate) const SERVER_NAME: u16 = 0;
    pub(crate) const SUPPORTED_GROUPS: u16 = 10;
    pub(crate) const EC_POINT_FORMATS: u16 = 11;
    pub(crate) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(crate) const ALPN: u16 = 16;
    pub(crate) const SESSION_TICKET: u16 = 35;
    pub(crate) const EARLY_DATA: u16 = 42;
    pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
}

/// What was wrong with a hello that could be read all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct HelloFaults {
    pub sni_length: bool,
    pub sni_type: bool,
    pub sni_multiple: bool,
}

/// A `ClientHello`, or with one cipher suite a `ServerHello`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Hello {
    /// The version field, which TLS 1.3 leaves at 1.2.
    pub legacy_version: u16,
    pub random: Vec<u8>,
    pub session_id: Vec<u8>,
    pub ciphers: Vec<u16>,
    /// Types of the extensions in their order.
    pub extensions: Vec<u16>,
    pub sni: Option<Vec<u8>>,
    pub groups: Vec<u16>,
    pub point_formats: Vec<u8>,
    pub alpn: Vec<Vec<u8>>,
    pub signature_algorithms: Vec<u16>,
    /// `supported_versions`: the client's list, or the server's choice.
    pub versions: Vec<u16>,
    /// A session ticket that is not empty.
    pub ticket: bool,
    pub faults: HelloFaults,
}

/// Numbers that clients send to keep servers tolerant (RFC 8701).
pub(crate) const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

impl Hello {
    /// Reads the body of a `ClientHello` message.
    pub(crate) fn client(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let mut hello = Self::start(&mut reader)?;
        hello.ciphers = reader.counted16()?.numbers16();
        reader.counted8()?;
        hello.read_extensions(&mut reader, true)?;
        Some(hello)
    }

    /// Reads the body of a `ServerHello` message.
    pub(crate) fn server(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let mut hello = Self::start(&mut reader)?;
        hello.ciphers = vec![reader.u16()?];
        reader.u8()?;
        hello.read_extensions(&mut reader, false)?;
        Some(hello)
    }

    fn start(reader: &mut Reader<'_>) -> Option<Self> {
        let legacy_version = reader.u16()?;
        let random = reader.take(32)?.to_vec();
        let session_id = reader.counted8()?.0.to_vec();
        Some(Self { legacy_version, random, session_id, ..Self::default() })
    }

    fn read_extensions(&mut self, reader: &mut Reader<'_>, client: bool) -> Option<()> {
        if reader.is_empty() {
            return Some(());
        }
        let mut extensions = reader.counted16()?;
        while !extensions.is_empty() {
            let kind = extensions.u16()?;
            let content = extensions.counted16()?;
            self.extensions.push(kind);
            self.read_extension(kind, content, client);
        }
        Some(())
    }

    /// Takes what is wanted of an extension; what cannot be read is as if it were empty.
    fn read_extension(&mut self, kind: u16, mut content: Reader<'_>, client: bool) {
        match kind {
            extension::SERVER_NAME if client => {
                if self.sni.is_some() {
                    self.faults.sni_multiple = true;
                    return;
                }
                let Some(mut list) = content.counted16().filter(|list| !list.is_empty()) else {
                    self.faults.sni_length |= !content.is_empty();
                    return;
                };
                if list.u8() != Some(0) {
                    self.faults.sni_type = true;
                    return;
                }
                match list.counted16() {
                    Some(name) => self.sni = Some(name.0.to_vec()),
                    None => self.faults.sni_length = true,
                }
            }
            extension::SUPPORTED_GROUPS => {
                self.groups = content.counted16().map(Reader::numbers16).unwrap_or_default();
            }
            extension::EC_POINT_FORMATS => {
                self.point_formats = content.counted8().map(|list| list.0.to_vec()).unwrap_or_default();
            }
            extension::SIGNATURE_ALGORITHMS => {
                self.signature_algorithms = content.counted16().map(Reader::numbers16).unwrap_or_default();
            }
            extension::ALPN => {
                let mut list = content.counted16().unwrap_or(Reader(&[]));
                self.alpn = std::iter::from_fn(|| list.counted8()).map(|name| name.0.to_vec()).collect();
            }
            extension::SESSION_TICKET => self.ticket = !content.is_empty(),
            extension::SUPPORTED_VERSIONS if client => {
                self.versions = content.counted8().map(Reader::numbers16).unwrap_or_default();
            }
            extension::SUPPORTED_VERSIONS => self.versions = content.numbers16(),
            _ => {}
        }
    }

    /// The JA3 string of a `ClientHello` (<https://github.com/salesforce/ja3>).
    pub(crate) fn ja3(&self) -> String {
        let mut text = self.legacy_version.to_string();
        text.push(',');
        let wide = |list: &[u16]| -> Vec<u32> {
            list.iter().filter(|value| !is_grease(**value)).map(|&value| u32::from(value)).collect()
        };
        push_dashed(&mut text, &wide(&self.ciphers));
        text.push(',');
        push_dashed(&mut text, &wide(&self.extensions));
        text.push(',');
        push_dashed(&mut text, &wide(&self.groups));
        text.push(',');
        push_dashed(
            &mut text,
            &self.point_formats.iter().map(|&format| u32::from(format)).collect::<Vec<_>>(),
        );
        text
    }

    /// The JA3S string of a `ServerHello`.
    pub(crate) fn ja3s(&self) -> String {
        let mut text = self.legacy_version.to_string();
        for list in [&self.ciphers, &self.extensions] {
            text.push(',');
            push_dashed(&mut text, &list.iter().map(|&value| u32::from(value)).collect::<Vec<_>>());
        }
        text
    }

    /// The JA4 fingerprint of a `ClientHello` over TCP (`t`) or QUIC (`q`)
    /// (<https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>).
    pub(crate) fn ja4(&self, transport: char) -> String {
        let plain =
            |list: &[u16]| -> Vec<u16> { list.iter().copied().filter(|value| !is_grease(*value)).collect() };
        let version = plain(&self.versions).into_iter().max().unwrap_or(self.legacy_version);
        let version = match version {
            0x0304 => "13",
            0x0303 => "12",
            0x0302 => "11",
            0x0301 => "10",
            0x0300 => "s3",
            0x0002 => "s2",
            _ => "00",
        };
        let name = if self.extensions.contains(&extension::SERVER_NAME) { 'd' } else { 'i' };
        let mut ciphers = plain(&self.ciphers);
        let mut extensions = plain(&self.extensions);
        let counts = format!("{:02}{:02}", ciphers.len().min(99), extensions.len().min(99));
        let alpn = self.alpn.first().map_or_else(|| "00".to_owned(), |alpn| ends_of(alpn));
        ciphers.sort_unstable();
        extensions.retain(|kind| !matches!(*kind, extension::SERVER_NAME | extension::ALPN));
        extensions.sort_unstable();
        let mut second = hex_list(&extensions);
        if !self.signature_algorithms.is_empty() {
            second.push('_');
            second.push_str(&hex_list(&plain(&self.signature_algorithms)));
        }
        let short = |text: &str, empty: bool| {
            if empty { "000000000000".to_owned() } else { sha256_start(text) }
        };
        format!(
            "{transport}{version}{name}{counts}{alpn}_{}_{}",
            short(&hex_list(&ciphers), ciphers.is_empty()),
            short(&second, extensions.is_empty()),
        )
    }
}

/// First and last character of an ALPN name; of its hexadecimal digits if they are no letters or digits.
fn ends_of(alpn: &[u8]) -> String {
    let (Some(&first), Some(&last)) = (alpn.first(), alpn.last()) else { return "00".to_owned() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(first), char::from(last)].iter().collect();
    }
    [char::from(hex(first)[0]), char::from(hex(last)[1])].iter().collect()
}

fn hex_list(values: &[u16]) -> String {
    values.iter().map(|value| format!("{value:04x}")).collect::<Vec<_>>().join(",")
}

fn push_dashed(text: &mut String, values: &[u32]) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            text.push('-');
        }
        text.push_str(&value.to_string());
    }
}

fn sha256_start(text: &str) -> String {
    sha2::Sha256::digest(text.as_bytes()).iter().take(6).flat_map(|&byte| hex(byte)).map(char::from).collect()
}

/// The MD5 of a fingerprint's string, in hexadecimal digits.
pub(crate) fn md5_hex(text: &str) -> String {
    md5::Md5::digest(text.as_bytes()).iter().flat_map(|&byte| hex(byte)).map(char::from).collect()
}
