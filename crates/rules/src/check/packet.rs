//! Conditions on the headers of a packet.

use app::Protocol;

use crate::events;
use crate::ir::{
    AddressSide, AppProtocol, ChecksumLayer, Comparison, FlagMode, GeoIp, HeaderCondition, HeaderProtocol,
    IpOption, Reputation, ReputationScore,
};
use crate::number::{comparison_of, decimal};
use crate::refusal::{Outcome, RefusalReason};
use crate::syntax::Span;

use super::builder::Builder;
use super::keyword::Keyword;

/// A number that `!` may negate.
fn number<T: std::str::FromStr>(value: Span<'_>, expected: &'static str) -> Outcome<T> {
    decimal(value.text).ok_or_else(|| value.invalid(expected))
}

pub(super) fn ttl(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.packet(HeaderCondition::Ttl(comparison_of(value, u8::MAX)?), true)
}

pub(super) fn tos(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, negated: bool) -> Outcome {
    let text = value
        .text
        .strip_prefix(['x', 'X'])
        .map_or_else(|| decimal(value.text), |digits| u8::from_str_radix(digits, 16).ok());
    let value = text.ok_or_else(|| value.invalid("a number up to 255"))?;
    builder.packet(HeaderCondition::Tos { value, negated }, false)
}

pub(super) fn ip_id(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.packet(HeaderCondition::IpId(number(value, "a number up to 65535")?), true)
}

/// Names of IP protocols, as `/etc/protocols` has them.
const IP_PROTOCOLS: [(&str, u8); 22] = [
    ("ip", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ggp", 3),
    ("ipencap", 4),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("udp", 17),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("l2tp", 115),
    ("sctp", 132),
];

pub(super) fn ip_protocol(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    if builder.rule.header.protocol != HeaderProtocol::Ip {
        return Err(builder.conflict("ip_proto is for rules whose header says ip"));
    }
    let parse = |text: &str| -> Option<u8> {
        let text = text.trim();
        let named = || IP_PROTOCOLS.iter().find(|row| row.0.eq_ignore_ascii_case(text)).map(|row| row.1);
        decimal(text).or_else(named)
    };
    let of = |prefix| value.text.strip_prefix(prefix).map(parse);
    let comparison = if let Some(number) = of('!') {
        number.map(Comparison::NotEqual)
    } else if let Some(number) = of('<') {
        number.map(Comparison::Less)
    } else if let Some(number) = of('>') {
        number.map(Comparison::Greater)
    } else {
        parse(value.text).map(Comparison::Equal)
    };
    let comparison =
        comparison.ok_or_else(|| value.invalid("a number up to 255 or a name, perhaps after !, < or >"))?;
    let is_exact =
        |condition: &HeaderCondition| matches!(condition, HeaderCondition::IpProtocol(Comparison::Equal(_)));
    let others =
        builder.rule.packet.iter().filter(|condition| matches!(condition, HeaderCondition::IpProtocol(_)));
    let others: Vec<bool> = others.map(is_exact).collect();
    if others.contains(&true) || (!others.is_empty() && matches!(comparison, Comparison::Equal(_))) {
        return Err(builder.conflict("a packet has one IP protocol; give it once"));
    }
    builder.packet(HeaderCondition::IpProtocol(comparison), false)
}

pub(super) fn ip_option(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let option = match value.text.to_ascii_lowercase().as_str() {
        "rr" => IpOption::RecordRoute,
        "eol" => IpOption::EndOfList,
        "nop" => IpOption::NoOperation,
        "ts" => IpOption::Timestamp,
        "sec" => IpOption::Security,
        "esec" => IpOption::ExtendedSecurity,
        "lsrr" => IpOption::LooseSourceRoute,
        "ssrr" => IpOption::StrictSourceRoute,
        "satid" => IpOption::StreamId,
        "cipso" => IpOption::Cipso,
        "rtralt" => IpOption::RouterAlert,
        "any" => IpOption::Any,
        _ => {
            return Err(value.invalid("rr, eol, nop, ts, sec, esec, lsrr, ssrr, satid, cipso, rtralt or any"));
        }
    };
    builder.packet(HeaderCondition::IpOption(option), false)
}

/// Takes the operator `+`, `*` or `!` off flags, before or behind them.
fn flag_mode(text: &str) -> (&str, FlagMode) {
    let text = text.trim();
    let modes = [('+', FlagMode::AllOf), ('*', FlagMode::AnyOf), ('!', FlagMode::Not)];
    for (sign, mode) in modes {
        if let Some(rest) = text.strip_prefix(sign).or_else(|| text.strip_suffix(sign)) {
            return (rest.trim(), mode);
        }
    }
    (text, FlagMode::Exact)
}

pub(super) fn fragment_bits(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let (letters, mode) = flag_mode(value.text);
    let mut bits = 0;
    for letter in letters.chars() {
        bits |= match letter {
            'M' => 1,
            'D' => 2,
            'R' => 4,
            _ => return Err(value.invalid("letters out of M D R, perhaps with + * or !")),
        };
    }
    if bits == 0 {
        return Err(value.invalid("letters out of M D R, perhaps with + * or !"));
    }
    builder.packet(HeaderCondition::FragmentBits { bits, mode }, true)
}

pub(super) fn fragment_offset(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let of = |prefix| value.text.strip_prefix(prefix).map(|text| decimal(text.trim()));
    let comparison = if let Some(number) = of('<') {
        number.map(Comparison::Less)
    } else if let Some(number) = of('>') {
        number.map(Comparison::Greater)
    } else {
        decimal(value.text).map(Comparison::Equal)
    };
    let comparison = comparison.ok_or_else(|| value.invalid("a number up to 65535, perhaps after < or >"))?;
    builder.packet(HeaderCondition::FragmentOffset(comparison), true)
}

pub(super) fn same_ip(builder: &mut Builder<'_>, _: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    builder.packet(HeaderCondition::SameIp, false)
}

pub(super) fn ip_version(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let version = match value.text.to_ascii_lowercase().as_str() {
        "ipv4" | "ip4" => 4,
        "ipv6" | "ip6" => 6,
        _ => return Err(value.invalid("ipv4 or ipv6")),
    };
    builder.loose_packet(HeaderCondition::IpVersion(version), false);
    Ok(())
}

fn side(word: &str) -> Option<AddressSide> {
    Some(match word {
        "any" => AddressSide::Any,
        "both" => AddressSide::Both,
        "src" => AddressSide::Source,
        "dst" | "dest" => AddressSide::Destination,
        _ => return None,
    })
}

pub(super) fn geoip(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let mut parts = value.split(',').peekable();
    let mut whose = AddressSide::Any;
    if let Some(side) = parts.peek().and_then(|part| side(part.text)) {
        whose = side;
        parts.next();
    }
    let mut negated = false;
    let mut countries = Vec::new();
    for (index, part) in parts.enumerate() {
        let code = match part.text.strip_prefix('!') {
            // The sign before the first country is about all of them.
            Some(code) if index == 0 => {
                negated = true;
                code.trim()
            }
            _ => part.text,
        };
        match code.as_bytes() {
            &[a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                countries.push([a.to_ascii_uppercase(), b.to_ascii_uppercase()]);
            }
            _ => {
                return Err(part.invalid(
                    "any, both, src or dst, then countries by their two letters, as in src,!US,CA",
                ));
            }
        }
    }
    if countries.is_empty() {
        return Err(value.invalid("at least one country by its two letters"));
    }
    builder.packet(HeaderCondition::GeoIp(GeoIp { side: whose, countries, negated }), false)
}

pub(super) fn reputation(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected =
        "any, both, src or dst, a category, then isset, isnotset or an operator and a score up to 127";
    let parts: Vec<_> = value.split(',').map(|part| part.text).collect();
    let (whose, category, score) = match parts.as_slice() {
        [whose, category, "isset"] => (*whose, *category, ReputationScore::IsSet),
        [whose, category, "isnotset"] => (*whose, *category, ReputationScore::IsNotSet),
        [whose, category, operator, score] => {
            let score =
                decimal(score).filter(|score| *score <= 127).ok_or_else(|| value.invalid(expected))?;
            let comparison = match *operator {
                "<" => Comparison::Less(score),
                "<=" => Comparison::LessOrEqual(score),
                ">" => Comparison::Greater(score),
                ">=" => Comparison::GreaterOrEqual(score),
                "=" => Comparison::Equal(score),
                "!=" => Comparison::NotEqual(score),
                _ => return Err(value.invalid(expected)),
            };
            (*whose, *category, ReputationScore::Is(comparison))
        }
        _ => return Err(value.invalid(expected)),
    };
    let side = side(whose).filter(|_| !category.is_empty()).ok_or_else(|| value.invalid(expected))?;
    builder.loose_packet(
        HeaderCondition::Reputation(Reputation { side, category: category.to_owned(), score }),
        false,
    );
    Ok(())
}

/// The bits that letters of `tcp.flags` stand for.
fn tcp_flag(letter: char) -> Option<u8> {
    Some(match letter {
        'F' => 0x01,
        'S' => 0x02,
        'R' => 0x04,
        'P' => 0x08,
        'A' => 0x10,
        'U' => 0x20,
        'E' | '2' => 0x40,
        'C' | '1' => 0x80,
        _ => return None,
    })
}

pub(super) fn tcp_flags(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected =
        "letters out of F S R P A U E C, or 0, perhaps with + * or !, and after a comma letters to ignore";
    let (letters, ignored) = value.text.split_once(',').unwrap_or((value.text, ""));
    let bits = |letters: &str| letters.chars().try_fold(0, |bits, letter| Some(bits | tcp_flag(letter)?));
    let (letters, mode) = flag_mode(letters);
    let flags = if letters == "0" { Some(0) } else { bits(letters).filter(|_| !letters.is_empty()) };
    let flags = flags.ok_or_else(|| value.invalid(expected))?;
    let ignored = if value.text.contains(',') {
        bits(ignored.trim()).filter(|bits| *bits > 0).ok_or_else(|| value.invalid(expected))?
    } else {
        0
    };
    builder.packet(HeaderCondition::TcpFlags { flags, mode, ignored }, true)
}

pub(super) fn tcp_sequence(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.packet(HeaderCondition::TcpSequence(number(value, "a number up to 4294967295")?), true)
}

pub(super) fn tcp_acknowledgement(
    builder: &mut Builder<'_>,
    _: &Keyword,
    value: Span<'_>,
    _: bool,
) -> Outcome {
    builder.packet(HeaderCondition::TcpAcknowledgement(number(value, "a number up to 4294967295")?), true)
}

pub(super) fn tcp_window(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, negated: bool) -> Outcome {
    builder
        .packet(HeaderCondition::TcpWindow { value: number(value, "a number up to 65535")?, negated }, false)
}

pub(super) fn tcp_mss(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.packet(HeaderCondition::TcpMss(comparison_of(value, u16::MAX)?), true)
}

pub(super) fn icmp_type(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.packet(HeaderCondition::IcmpType(comparison_of(value, u8::MAX)?), true)
}

pub(super) fn icmp_code(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.packet(HeaderCondition::IcmpCode(comparison_of(value, u8::MAX)?), true)
}

pub(super) fn icmp_id(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.packet(HeaderCondition::IcmpId(number(value, "a number up to 65535")?), true)
}

pub(super) fn icmp_sequence(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let sequence = number(value, "a number up to 65535")?;
    builder.loose_packet(HeaderCondition::IcmpSequence(sequence), true);
    Ok(())
}

pub(super) fn icmpv6_mtu(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.packet(HeaderCondition::Icmpv6Mtu(comparison_of(value, u32::MAX)?), true)
}

pub(super) fn payload_size(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    if builder.rule.packet.iter().any(|condition| matches!(condition, HeaderCondition::PayloadSize(_))) {
        return Err(builder.fault(RefusalReason::Repeated("dsize")));
    }
    builder.packet(HeaderCondition::PayloadSize(comparison_of(value, u16::MAX)?), true)
}

pub(super) fn ftp_bounce(builder: &mut Builder<'_>, _: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    builder.require(AppProtocol::Only(Protocol::Ftp))?;
    builder.only(app::Direction::ToServer)?;
    builder.loose_packet(HeaderCondition::FtpBounce, false);
    Ok(())
}

pub(super) fn rpc(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected = "program,version,procedure; version and procedure may be *";
    let mut parts = value.split(',').map(|part| part.text);
    let program = parts.next().and_then(decimal).ok_or_else(|| value.invalid(expected))?;
    let mut optional = || match parts.next() {
        None | Some("*") => Ok(None),
        Some(number) => decimal(number).map(Some).ok_or_else(|| value.invalid(expected)),
    };
    let (version, procedure) = (optional()?, optional()?);
    if parts.next().is_some() {
        return Err(value.invalid(expected));
    }
    builder.packet(HeaderCondition::Rpc { program, version, procedure }, false)
}

pub(super) fn checksum(builder: &mut Builder<'_>, keyword: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let layer = match keyword.name {
        "ipv4-csum" => ChecksumLayer::Ipv4,
        "tcpv4-csum" => ChecksumLayer::TcpV4,
        "tcpv6-csum" => ChecksumLayer::TcpV6,
        "udpv4-csum" => ChecksumLayer::UdpV4,
        "udpv6-csum" => ChecksumLayer::UdpV6,
        "icmpv4-csum" => ChecksumLayer::IcmpV4,
        _ => ChecksumLayer::IcmpV6,
    };
    let valid = match value.text.to_ascii_lowercase().as_str() {
        "valid" => true,
        "invalid" => false,
        _ => return Err(value.invalid("valid or invalid")),
    };
    builder.loose_packet(HeaderCondition::Checksum { layer, valid }, false);
    Ok(())
}

pub(super) fn decode_event(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    if !events::is_known(&events::DECODE, value.text) {
        return Err(value.invalid("a known decoder event, such as ipv4.trunc_pkt"));
    }
    builder.loose_packet(HeaderCondition::DecodeEvent(value.text.to_owned()), false);
    Ok(())
}

pub(super) fn stream_event(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    if !events::is_known(&events::STREAM, value.text) {
        return Err(value.invalid("a known stream event, such as 3whs_ack_in_wrong_dir"));
    }
    // Both spellings are in use.
    let name = match value.text.strip_suffix("_with_diff_ack") {
        Some(start) => format!("{start}_with_different_ack"),
        None => value.text.to_owned(),
    };
    builder.loose_packet(HeaderCondition::StreamEvent(name), false);
    Ok(())
}

pub(super) fn engine_event(
    builder: &mut Builder<'_>,
    keyword: &Keyword,
    value: Span<'_>,
    negated: bool,
) -> Outcome {
    if let Some(name) = value.strip_prefix("decoder.") {
        return decode_event(builder, keyword, name, negated);
    }
    if let Some(name) = value.strip_prefix("stream.") {
        return stream_event(builder, keyword, name, negated);
    }
    Err(value.invalid("decoder. or stream. and the name of an event"))
}
