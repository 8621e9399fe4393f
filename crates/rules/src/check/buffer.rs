//! Sticky buffers, the older content modifiers, transforms, and conditions on a whole buffer.

use app::{Buffer, Protocol, Scope};

use crate::ir::{
    AppProtocol, Comparison, Condition, DataReputation, Dataset, DatasetKind, DatasetOperation,
    HeaderProtocol, Transform,
};
use crate::number::{comparison_of, decimal};
use crate::refusal::{Fault, Outcome, RefusalReason};
use crate::syntax::Span;

use super::builder::{Builder, Last};
use super::keyword::Keyword;

pub(super) const STICKY_STILL_SET: &str =
    "a sticky buffer is still set; end it with pkt_data, or use the sticky buffer of this name";

impl Builder<'_> {
    /// Leaves the sticky buffer that is set, in which something must have been asked.
    pub(super) fn leave_sticky(&mut self) -> Outcome {
        if !self.transforms.is_empty() {
            return Err(self.conflict("no condition follows the transforms before"));
        }
        // Decoding alone is a condition, so nothing needs to be asked of what it decodes.
        let empty = |index: usize| {
            let group = self.rule.groups.get(index);
            group.is_some_and(|group| group.conditions.is_empty() && group.buffer != Buffer::Base64Data)
        };
        if self.sticky.is_some_and(empty) {
            return Err(
                self.conflict("the sticky buffer before has no condition; nothing would be looked for in it")
            );
        }
        self.sticky = None;
        Ok(())
    }

    /// Moves the last content of the payload into another buffer.
    pub(super) fn move_last_content(&mut self, buffer: Buffer) -> Outcome {
        let missing = |offset| Fault::at(offset, RefusalReason::NeedsBefore("content, in no other buffer,"));
        let offset = self.keyword_offset;
        let from = self.last_content.ok_or_else(|| missing(offset))?;
        let payload = self.rule.groups.get_mut(from.0).filter(|group| group.buffer == Buffer::Payload);
        let payload = payload.filter(|group| from.1 < group.conditions.len());
        let group = payload.ok_or_else(|| missing(offset))?;
        let condition = group.conditions.remove(from.1);
        let target = self.open(buffer, Vec::new());
        let last = self.last;
        let to = self.push_to(target, condition);
        self.last = last;
        for fast in &mut self.fast_patterns {
            if (fast.group, fast.condition) == from {
                (fast.group, fast.condition) = to;
            } else if fast.group == from.0 && fast.condition > from.1 {
                fast.condition -= 1;
            }
        }
        self.raw.retain(|place| *place != from);
        for place in &mut self.raw {
            if place.0 == from.0 && place.1 > from.1 {
                place.1 -= 1;
            }
        }
        self.note_buffer(buffer)
    }

    /// What follows for the rule from looking into this buffer.
    pub(super) fn note_buffer(&mut self, buffer: Buffer) -> Outcome {
        for direction in app::Direction::BOTH {
            if !buffer.is_in(direction.flipped()) {
                self.only(direction)?;
            }
        }
        Ok(())
    }
}

pub(super) fn sticky(builder: &mut Builder<'_>, keyword: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    let Some(buffer) = keyword.buffer else { return Ok(()) };
    builder.leave_sticky()?;
    match buffer {
        Buffer::Payload => return Ok(()),
        Buffer::Base64Data if !builder.seen.base64_decode => {
            return Err(builder.fault(RefusalReason::NeedsBefore("base64_decode")));
        }
        Buffer::FileData => {
            let protocol = builder.rule.header.protocol;
            if matches!(protocol, HeaderProtocol::Udp | HeaderProtocol::Icmp { .. } | HeaderProtocol::Sctp) {
                return Err(
                    builder.conflict("files are looked into over TCP only; let the rule's header say tcp")
                );
            }
            builder.file()?;
        }
        Buffer::FileName | Buffer::FileMagic => builder.file()?,
        Buffer::IpSource | Buffer::IpDestination => {}
        Buffer::DceStubData => builder.require_first_of(&DCERPC)?,
        _ if buffer.scope() == Scope::Packet => {
            check_header(builder, buffer)?;
            builder.seen.packet = true;
        }
        _ => {}
    }
    match protocols(buffer) {
        &[] => {}
        [Protocol::Http1, Protocol::Http2] => builder.require(AppProtocol::Http)?,
        &[protocol] => builder.require(AppProtocol::Only(protocol))?,
        several => builder.require_one_of(several)?,
    }
    builder.note_buffer(buffer)?;
    let group = builder.open(buffer, Vec::new());
    builder.sticky = Some(group);
    Ok(())
}

impl Builder<'_> {
    /// The rule's protocol, if it is known, must be one of these.
    pub(super) fn require_one_of(&mut self, protocols: &[Protocol]) -> Outcome {
        let allowed = match self.rule.app_protocol {
            None => true,
            Some(AppProtocol::Only(own)) => protocols.contains(&own),
            Some(AppProtocol::Http) => protocols.contains(&Protocol::Http1),
        };
        if allowed { Ok(()) } else { Err(self.conflict("no flow of the rule's protocol has this")) }
    }

    /// Like `require_one_of`, but a rule of no protocol becomes one of the first.
    pub(super) fn require_first_of(&mut self, protocols: &[Protocol]) -> Outcome {
        self.require_one_of(protocols)?;
        if self.rule.app_protocol.is_none() {
            self.rule.app_protocol = protocols.first().copied().map(AppProtocol::Only);
        }
        Ok(())
    }

    /// The rule is about files: its protocol must be one that carries them.
    pub(super) fn file(&mut self) -> Outcome {
        self.seen.file = true;
        self.require_one_of(&FILE_PROTOCOLS)
    }
}

/// DCE/RPC, by itself or within SMB.
pub(super) const DCERPC: [Protocol; 2] = [Protocol::Dcerpc, Protocol::Smb];

/// Protocols that carry files.
const FILE_PROTOCOLS: [Protocol; 6] =
    [Protocol::Http1, Protocol::Http2, Protocol::Smtp, Protocol::FtpData, Protocol::Smb, Protocol::Nfs];

/// Protocols whose transactions have this buffer; several: any of them, without the rule being bound to one.
fn protocols(buffer: Buffer) -> &'static [Protocol] {
    match buffer {
        Buffer::HttpStart => &[Protocol::Http1],
        Buffer::Http2HeaderName | Buffer::Http2Header => &[Protocol::Http2],
        Buffer::DnsQuery | Buffer::DnsQueriesRrname | Buffer::DnsAnswerName | Buffer::DnsQueryName => {
            &[Protocol::Dns]
        }
        Buffer::Ja3Hash | Buffer::Ja3String | Buffer::Ja3sHash | Buffer::Ja3sString | Buffer::Ja4Hash => {
            &[Protocol::Tls, Protocol::Quic]
        }
        Buffer::FtpCommand => &[Protocol::Ftp],
        Buffer::FtpdataCommand => &[Protocol::FtpData],
        // Set apart below: these begin like the name of their protocol.
        _ => match buffer.name().split(['.', '_']).next() {
            Some("dnp3") => &[Protocol::Dnp3],
            Some("http") => &[Protocol::Http1, Protocol::Http2],
            Some("tls") => &[Protocol::Tls],
            Some("ssh") => &[Protocol::Ssh],
            Some("smb") => &[Protocol::Smb],
            Some("quic") => &[Protocol::Quic],
            Some("krb5") => &[Protocol::Krb5],
            Some("sip") => &[Protocol::Sip],
            Some("snmp") => &[Protocol::Snmp],
            Some("rfb") => &[Protocol::Rfb],
            Some("mqtt") => &[Protocol::Mqtt],
            Some("ike") => &[Protocol::Ike],
            _ => &[],
        },
    }
}

/// A header can be looked into only by rules whose packets have it.
fn check_header(builder: &Builder<'_>, buffer: Buffer) -> Outcome {
    use HeaderProtocol as Header;
    let protocol = builder.rule.header.protocol;
    let icmp = |want_v4: bool| match protocol {
        Header::Icmp { v4, v6 } => {
            if want_v4 {
                v4
            } else {
                v6
            }
        }
        Header::Ip | Header::PacketHeader => true,
        Header::Ipv4 => want_v4,
        Header::Ipv6 => !want_v4,
        _ => false,
    };
    let has_it = match buffer {
        Buffer::TcpHeader => !matches!(protocol, Header::Udp | Header::Icmp { .. } | Header::Sctp),
        Buffer::UdpHeader => matches!(protocol, Header::Udp | Header::App(_)),
        Buffer::Icmpv4Header => icmp(true),
        Buffer::Icmpv6Header => icmp(false),
        _ => true,
    };
    if has_it {
        Ok(())
    } else {
        Err(builder.conflict("packets of the rule's protocol do not have this header"))
    }
}

pub(super) fn modifier(builder: &mut Builder<'_>, keyword: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    let Some(buffer) = keyword.buffer else { return Ok(()) };
    if builder.sticky.is_some() {
        return Err(builder.conflict(STICKY_STILL_SET));
    }
    builder.move_last_content(buffer)?;
    // Older keywords know HTTP/1 only.
    builder.require(AppProtocol::Only(Protocol::Http1))
}

pub(super) fn transform(builder: &mut Builder<'_>, keyword: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let transform = match keyword.name {
        "strip_whitespace" => Transform::StripWhitespace,
        "compress_whitespace" => Transform::CompressWhitespace,
        "dotprefix" => Transform::DotPrefix,
        "to_md5" => Transform::Md5,
        "to_sha1" => Transform::Sha1,
        "to_sha256" => Transform::Sha256,
        "to_lowercase" => Transform::LowerCase,
        "to_uppercase" => Transform::UpperCase,
        "header_lowercase" => Transform::HeaderLowerCase,
        "strip_pseudo_headers" => Transform::StripPseudoHeaders,
        "url_decode" => Transform::UrlDecode,
        "xor" => Transform::Xor(xor_key(value)?),
        _ => Transform::PcreCapture(one_capture(value)?),
    };
    let transformed = |index: usize| is_transformed(builder, index);
    if builder.sticky.is_none_or(transformed) {
        return Err(builder.conflict("a transform must directly follow the sticky buffer that it changes"));
    }
    builder.transforms.push(transform);
    Ok(())
}

fn is_transformed(builder: &Builder<'_>, index: usize) -> bool {
    builder.rule.groups.get(index).is_some_and(|group| !group.transforms.is_empty())
}

fn xor_key(value: Span<'_>) -> Outcome<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        value.text.chars().map(|letter| letter.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0 && (2..=512).contains(&digits.len()));
    let digits = digits.ok_or_else(|| value.invalid("1 to 256 bytes as pairs of hexadecimal digits"))?;
    Ok(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

/// A regular expression that has one capture.
fn one_capture(value: Span<'_>) -> Outcome<String> {
    let pattern = super::pattern::ascii(value)?;
    if super::pattern::captures(&pattern) != 1 {
        return Err(value.invalid("a regular expression with exactly one capture"));
    }
    Ok(pattern)
}

/// The sticky buffer's group, for keywords that are about a whole buffer.
fn whole_buffer(builder: &mut Builder<'_>) -> Outcome<usize> {
    if builder.sticky.is_none() {
        return Err(builder.fault(RefusalReason::NeedsBefore("sticky buffer")));
    }
    Ok(builder.group())
}

pub(super) fn bsize(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let size = comparison_of(value, u64::MAX)?;
    let group = whole_buffer(builder)?;
    builder.push_to(group, Condition::Size(size));
    Ok(())
}

pub(super) fn urilen(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let mut parts = value.split(',');
    let length = parts.next().unwrap_or(value);
    let buffer = match parts.next().map(|part| part.text) {
        None | Some("norm") => Buffer::HttpUri,
        Some("raw") => Buffer::HttpUriRaw,
        Some(_) => return Err(value.invalid("a length, and after a comma norm or raw")),
    };
    let length = comparison_of(length, u16::MAX)?;
    builder.require(AppProtocol::Http)?;
    builder.note_buffer(buffer)?;
    let group = builder.open(buffer, Vec::new());
    builder.push_to(group, Condition::UriLength(length));
    Ok(())
}

fn dataset_kind(value: Span<'_>) -> Outcome<DatasetKind> {
    Ok(match value.text {
        "string" => DatasetKind::Text,
        "md5" => DatasetKind::Md5,
        "sha256" => DatasetKind::Sha256,
        "ipv4" => DatasetKind::Ipv4,
        "ip" | "ipv6" => DatasetKind::Ip,
        _ => return Err(value.invalid("type string, md5, sha256, ipv4, ipv6 or ip")),
    })
}

/// A file named in a rule: within the rule directory.
fn file(value: Span<'_>) -> Outcome<String> {
    let outside = value.text.starts_with('/') || value.text.split('/').any(|part| part == "..");
    if value.text.is_empty() || outside {
        return Err(value.invalid("a file within the directory of the rules, by its relative path"));
    }
    Ok(value.text.to_owned())
}

/// A word and what follows it.
fn word(part: Span<'_>) -> (&str, Span<'_>) {
    let Some((word, rest)) = part.text.split_once(char::is_whitespace) else {
        return (part.text, Span { text: "", offset: part.offset });
    };
    (word, Span { text: rest, offset: part.offset + word.len() + 1 }.trim())
}

pub(super) fn dataset(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let mut parts = value.split(',');
    let operation = match parts.next().map(|part| part.text) {
        Some("isset") => DatasetOperation::IsSet,
        Some("isnotset") => DatasetOperation::IsNotSet,
        Some("set") => DatasetOperation::Set,
        Some("unset") => DatasetOperation::Unset,
        _ => return Err(value.invalid("isset, isnotset, set or unset first")),
    };
    let name = parts.next().filter(|name| !name.text.is_empty());
    let name = name.ok_or_else(|| value.invalid("the name of the set second"))?.text.to_owned();
    let mut kind = None;
    let (mut load, mut state, mut memory_bytes_max, mut hash_size) = (None, None, None, None);
    for part in parts {
        match word(part) {
            ("type", rest) => kind = Some(dataset_kind(rest)?),
            ("load", rest) => load = Some(file(rest)?),
            ("save", rest) => state = Some(file(rest)?),
            ("state", rest) => {
                state = Some(file(rest)?);
                load = Some(file(rest)?);
            }
            ("memcap", rest) => {
                memory_bytes_max = Some(bytes(rest.text).ok_or_else(|| rest.invalid("bytes, as in 10mb"))?);
            }
            ("hashsize", rest) => {
                hash_size = Some(decimal(rest.text).ok_or_else(|| rest.invalid("a number"))?);
            }
            _ => return Err(part.invalid("type, load, state, save, memcap or hashsize")),
        }
    }
    let group = whole_buffer(builder)?;
    let dataset = Dataset { operation, name, kind, load, state, memory_bytes_max, hash_size };
    builder.push_to(group, Condition::Dataset(dataset));
    Ok(())
}

/// A number of bytes with an optional unit, powers of 1024.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let units = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)];
    for (unit, factor) in units {
        if let Some(number) = lower.strip_suffix(unit) {
            return decimal::<u64>(number.trim_end())?.checked_mul(factor);
        }
    }
    decimal(&lower)
}

pub(super) fn datarep(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected = "name, an operator (<, > or ==), a value, type, and load with a file";
    let mut parts = value.split(',');
    let (Some(name), Some(operator), Some(number)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(value.invalid(expected));
    };
    let number: u16 = decimal(number.text).ok_or_else(|| number.invalid("a number up to 65535"))?;
    let compared = match operator.text {
        "<" => Comparison::Less(number),
        ">" => Comparison::Greater(number),
        "==" | "=" => Comparison::Equal(number),
        _ => return Err(operator.invalid("<, > or ==")),
    };
    let (mut kind, mut load) = (None, None);
    for part in parts {
        match word(part) {
            ("type", rest) => kind = Some(dataset_kind(rest)?),
            ("load", rest) => load = Some(file(rest)?),
            _ => return Err(part.invalid("type or load")),
        }
    }
    let kind = kind.ok_or_else(|| value.invalid("a type, as in type string"))?;
    let group = whole_buffer(builder)?;
    let name = name.text.to_owned();
    builder.push_to(group, Condition::DataReputation(DataReputation { name, kind, value: compared, load }));
    builder.last = Last::Other(false);
    Ok(())
}
