//! Conditions on transactions of application protocols, other than buffers.

use app::{Buffer, Protocol};

use crate::events;
use crate::ir::{AppCondition, AppProtocol, Comparison, Condition, Content, FileHash, Group, Pcre};
use crate::number::{comparison, comparison_of, comparison_with_ends_of, decimal};
use crate::refusal::{Outcome, RefusalReason};
use crate::syntax::Span;

use super::buffer::DCERPC;
use super::builder::{Builder, Last};
use super::keyword::Keyword;

impl Builder<'_> {
    pub(super) fn application(&mut self, condition: AppCondition) -> Outcome {
        self.rule.app.push(condition);
        self.last = Last::Other(false);
        Ok(())
    }

    /// Adds a group of its own, that later conditions do not join.
    pub(super) fn separate_group(&mut self, buffer: Buffer, condition: Condition) {
        self.separate.push(Group { buffer, transforms: Vec::new(), conditions: vec![condition] });
        self.last = Last::Other(false);
    }
}

pub(super) fn protocol(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, negated: bool) -> Outcome {
    let protocol = match value.text.to_ascii_lowercase().as_str() {
        "failed" => None,
        "http" => Some(AppProtocol::Http),
        name => {
            let protocol = super::app_protocol(name).map(AppProtocol::Only);
            Some(
                protocol
                    .ok_or_else(|| value.invalid("an application protocol that is analysed, or failed"))?,
            )
        }
    };
    if builder.rule.app_protocol.is_some() {
        return Err(builder.conflict("the rule already has an application protocol; take this out"));
    }
    let alone = !negated || protocol.is_none();
    if builder.seen.app_protocol_keyword.is_some_and(|other| other || alone) {
        return Err(builder.conflict("several app-layer-protocol go together only if all are negated"));
    }
    builder.seen.app_protocol_keyword = Some(alone);
    builder.application(AppCondition::Protocol { protocol, negated })?;
    builder.last = Last::Other(true);
    Ok(())
}

pub(super) fn event(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let known = value.text.to_ascii_lowercase();
    if !events::is_known(&events::APPLICATION, &known) {
        return Err(value.invalid("a known event, such as http.invalid_request_chunk_len"));
    }
    if let Some((protocol, _)) = known.split_once('.') {
        let protocol = if protocol == "http" { Some(Protocol::Http1) } else { super::app_protocol(protocol) };
        let protocol = protocol.ok_or_else(|| value.invalid("an event of a protocol that is analysed"))?;
        builder.require(AppProtocol::Only(protocol))?;
    }
    builder.application(AppCondition::Event(known))
}

pub(super) fn dce_interface(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected = "a UUID, then perhaps an operator (<, >, =, !) with a version, and any_frag";
    let mut parts = value.text.split(',');
    let uuid = parts.next().and_then(uuid).ok_or_else(|| value.invalid(expected))?;
    let (mut version, mut any_fragment) = (None, false);
    for part in parts {
        if part == "any_frag" && !any_fragment {
            any_fragment = true;
            continue;
        }
        if version.is_some() || any_fragment {
            return Err(value.invalid(expected));
        }
        let number = |text: &str| decimal::<u16>(text);
        let compared = if let Some(rest) = part.strip_prefix('<') {
            number(rest).map(Comparison::Less)
        } else if let Some(rest) = part.strip_prefix('>') {
            number(rest).map(Comparison::Greater)
        } else if let Some(rest) = part.strip_prefix('!') {
            number(rest).map(Comparison::NotEqual)
        } else {
            number(part.strip_prefix('=').unwrap_or(part)).map(Comparison::Equal)
        };
        version = Some(compared.ok_or_else(|| value.invalid(expected))?);
    }
    builder.require_first_of(&DCERPC)?;
    builder.application(AppCondition::DceInterface { uuid, version, any_fragment })
}

/// Sixteen bytes, as on paper.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let groups: Vec<&str> = text.split('-').collect();
    if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
        return None;
    }
    let digits: Vec<u8> = groups
        .concat()
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    bytes.try_into().ok()
}

pub(super) fn dce_operation(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected = "numbers up to 65535 and ranges first-last, with commas between them";
    let mut ranges = Vec::new();
    for part in value.split(',') {
        let (first, last) = part.text.split_once('-').unwrap_or((part.text, part.text));
        let range = decimal::<u16>(first.trim()).zip(decimal::<u16>(last.trim()));
        ranges.push(range.filter(|(first, last)| first <= last).ok_or_else(|| part.invalid(expected))?);
    }
    builder.require_first_of(&DCERPC)?;
    builder.application(AppCondition::DceOperation(ranges))
}

/// A content that must be somewhere in a buffer of its own.
fn contained(value: Span<'_>, negated: bool, nocase: bool) -> Outcome<Condition> {
    let pattern = super::content::unescape(value)?;
    Ok(Condition::Content(Content { pattern, negated, nocase, ..Content::default() }))
}

pub(super) fn ftp_data_command(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let pattern = match value.text.to_ascii_lowercase().as_str() {
        "stor" => b"STOR".to_vec(),
        "retr" => b"RETR".to_vec(),
        _ => return Err(value.invalid("stor or retr")),
    };
    builder.require(AppProtocol::Only(Protocol::FtpData))?;
    let content = Content { pattern, nocase: true, startswith: true, endswith: true, ..Content::default() };
    builder.separate_group(Buffer::FtpdataCommand, Condition::Content(content));
    Ok(())
}

pub(super) fn file_name(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, negated: bool) -> Outcome {
    builder.file()?;
    builder.separate_group(Buffer::FileName, contained(value, negated, true)?);
    Ok(())
}

pub(super) fn file_magic(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, negated: bool) -> Outcome {
    builder.file()?;
    builder.separate_group(Buffer::FileMagic, contained(value, negated, true)?);
    Ok(())
}

pub(super) fn file_extension(
    builder: &mut Builder<'_>,
    _: &Keyword,
    value: Span<'_>,
    negated: bool,
) -> Outcome {
    builder.file()?;
    builder.application(AppCondition::FileExtension { extension: value.text.to_owned(), negated })
}

pub(super) fn file_size(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let with_unit = || {
        let (operator, rest) =
            value.text.split_at(value.text.len() - value.text.trim_start_matches(['<', '>']).len());
        let bytes = super::buffer::bytes(rest)?;
        match operator {
            "" => Some(Comparison::Equal(bytes)),
            "<" => Some(Comparison::Less(bytes)),
            ">" => Some(Comparison::Greater(bytes)),
            _ => None,
        }
    };
    let size = comparison(value.text, u64::MAX).or_else(with_unit).ok_or_else(|| {
        value.invalid("a number of bytes, or one after =, !, <, <=, > or >=, or a range low<>high")
    })?;
    builder.file()?;
    builder.application(AppCondition::FileSize(size))
}

pub(super) fn file_hash(
    builder: &mut Builder<'_>,
    keyword: &Keyword,
    value: Span<'_>,
    negated: bool,
) -> Outcome {
    let kind = match keyword.name {
        "filemd5" => FileHash::Md5,
        "filesha1" => FileHash::Sha1,
        _ => FileHash::Sha256,
    };
    if value.text.starts_with('/') || value.text.split('/').any(|part| part == "..") {
        return Err(value.invalid("a file within the directory of the rules, by its relative path"));
    }
    builder.file()?;
    builder.application(AppCondition::FileHash { kind, list: value.text.to_owned(), negated })
}

pub(super) fn ssh_version(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let condition = if value.text == "2_compat" {
        Condition::Pcre(Pcre { pattern: r"^(?:2|1\.99$)".to_owned(), ..Pcre::default() })
    } else {
        let is_version = value.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !is_version {
            return Err(value.invalid("a version such as 1.99 or 2.0, or 2_compat"));
        }
        Condition::Content(Content {
            pattern: value.text.as_bytes().to_vec(),
            startswith: true,
            endswith: true,
            ..Content::default()
        })
    };
    builder.require(AppProtocol::Only(Protocol::Ssh))?;
    builder.separate_group(Buffer::SshProto, condition);
    Ok(())
}

pub(super) fn ssh_software(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.require(AppProtocol::Only(Protocol::Ssh))?;
    let condition =
        Condition::Content(Content { pattern: value.text.as_bytes().to_vec(), ..Content::default() });
    builder.separate_group(Buffer::SshSoftware, condition);
    Ok(())
}

/// How a numeric keyword may compare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Any comparison.
    Any,
    /// Any comparison; a range includes its ends.
    WithEnds,
    /// A number, or `!` and a number.
    EqualOrNot,
    /// A number.
    Equal,
}

/// Keyword, protocol, greatest number, forms.
const NUMBERS: [(&str, Protocol, u64, Form); 23] = [
    ("dns.opcode", Protocol::Dns, 255, Form::EqualOrNot),
    ("dhcp.leasetime", Protocol::Dhcp, u64::MAX, Form::Any),
    ("dhcp.rebinding_time", Protocol::Dhcp, u64::MAX, Form::Any),
    ("dhcp.renewal_time", Protocol::Dhcp, u64::MAX, Form::Any),
    ("snmp.version", Protocol::Snmp, u32::MAX as u64, Form::Any),
    ("snmp.pdu_type", Protocol::Snmp, u32::MAX as u64, Form::Equal),
    ("nfs.version", Protocol::Nfs, u32::MAX as u64, Form::WithEnds),
    ("nfs_procedure", Protocol::Nfs, u32::MAX as u64, Form::WithEnds),
    ("rfb.sectype", Protocol::Rfb, u32::MAX as u64, Form::Any),
    ("ike.exchtype", Protocol::Ike, 255, Form::Any),
    ("ike.key_exchange_payload_length", Protocol::Ike, u32::MAX as u64, Form::Any),
    ("ike.nonce_payload_length", Protocol::Ike, u32::MAX as u64, Form::Any),
    ("krb5_msg_type", Protocol::Krb5, 255, Form::Equal),
    ("krb5_err_code", Protocol::Krb5, i32::MAX as u64, Form::Equal),
    ("mqtt.protocol_version", Protocol::Mqtt, 255, Form::Any),
    ("mqtt.reason_code", Protocol::Mqtt, 255, Form::Equal),
    ("mqtt.qos", Protocol::Mqtt, 2, Form::Equal),
    ("http2.priority", Protocol::Http2, 255, Form::Any),
    ("http2.window", Protocol::Http2, u32::MAX as u64, Form::Any),
    ("http2.size_update", Protocol::Http2, u64::MAX, Form::Any),
    ("http2.frametype", Protocol::Http2, 255, Form::Equal),
    ("http2.errorcode", Protocol::Http2, u32::MAX as u64, Form::Equal),
    ("tls.cert_chain_len", Protocol::Tls, u32::MAX as u64, Form::Any),
];

pub(super) fn number(builder: &mut Builder<'_>, keyword: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let row = NUMBERS.iter().find(|row| row.0 == keyword.name);
    let Some(&(_, protocol, max, form)) = row else {
        return Err(builder.fault(RefusalReason::Unsupported { because: "" }));
    };
    let compared = match form {
        Form::WithEnds => comparison_with_ends_of(value, u32::MAX)?,
        _ => comparison_of(value, max)?,
    };
    let any = matches!(form, Form::Any | Form::WithEnds);
    let fits = match compared {
        Comparison::Equal(_) => !value.text.starts_with('=') || any,
        Comparison::NotEqual(_) => form != Form::Equal,
        _ => any,
    };
    if !fits {
        return Err(value.invalid("a number, without an operator"));
    }
    builder.require(AppProtocol::Only(protocol))?;
    builder.application(AppCondition::Number { field: keyword.name, value: compared })
}

/// Types of MQTT control packets, from 1.
const MQTT_TYPES: [&str; 15] = [
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// Types of HTTP/2 frames, from 0 (RFC 9113 6).
const HTTP2_FRAMES: [&str; 10] = [
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RSTSTREAM",
    "SETTINGS",
    "PUSHPROMISE",
    "PING",
    "GOAWAY",
    "WINDOWUPDATE",
    "CONTINUATION",
];

/// Error codes of HTTP/2, from 0 (RFC 9113 7).
const HTTP2_ERRORS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// Results of RFB authentication, from 0.
const RFB_RESULTS: [&str; 4] = ["ok", "fail", "toomany", "unknown"];

pub(super) fn named_number(
    builder: &mut Builder<'_>,
    keyword: &Keyword,
    value: Span<'_>,
    _: bool,
) -> Outcome {
    let (protocol, first, names): (_, u64, &[&str]) = match keyword.name {
        "mqtt.type" => (Protocol::Mqtt, 1, &MQTT_TYPES),
        "rfb.secresult" => (Protocol::Rfb, 0, &RFB_RESULTS),
        "http2.frametype" => (Protocol::Http2, 0, &HTTP2_FRAMES),
        _ => (Protocol::Http2, 0, &HTTP2_ERRORS),
    };
    let Some(index) = names.iter().position(|name| name.eq_ignore_ascii_case(value.text)) else {
        if protocol == Protocol::Http2 {
            return number(builder, keyword, value, false);
        }
        return Err(value.invalid("a name that the documentation of the keyword lists"));
    };
    builder.require(AppProtocol::Only(protocol))?;
    let value = Comparison::Equal(first + index as u64);
    builder.application(AppCondition::Number { field: keyword.name, value })
}
