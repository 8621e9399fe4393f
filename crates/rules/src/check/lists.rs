//! Keywords of application protocols whose values are names out of a list: attributes, encryptions, flags, settings.

use app::Protocol;

use crate::ir::{AppCondition, AppProtocol, Comparison};
use crate::number::{comparison_of, decimal};
use crate::refusal::Outcome;
use crate::syntax::Span;

use super::builder::Builder;
use super::keyword::Keyword;

/// Attributes of a chosen proposal: as rules call them, and the field.
const IKE_ATTRIBUTES: [(&str, &str); 10] = [
    ("alg_enc", "ike.chosen_sa_attribute.alg_enc"),
    ("alg_hash", "ike.chosen_sa_attribute.alg_hash"),
    ("alg_auth", "ike.chosen_sa_attribute.alg_auth"),
    ("alg_dh", "ike.chosen_sa_attribute.alg_dh"),
    ("alg_prf", "ike.chosen_sa_attribute.alg_prf"),
    ("sa_group_type", "ike.chosen_sa_attribute.sa_group_type"),
    ("sa_life_type", "ike.chosen_sa_attribute.sa_life_type"),
    ("sa_life_duration", "ike.chosen_sa_attribute.sa_life_duration"),
    ("sa_key_length", "ike.chosen_sa_attribute.sa_key_length"),
    ("sa_field_size", "ike.chosen_sa_attribute.sa_field_size"),
];

pub(super) fn ike_attribute(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let parts = value.text.split_once('=').map(|(name, number)| (name.trim(), number.trim()));
    let field = parts.and_then(|(name, _)| IKE_ATTRIBUTES.iter().find(|row| row.0 == name)).map(|row| row.1);
    let number = parts.and_then(|(_, number)| decimal::<u32>(number));
    let (field, number) =
        field.zip(number).ok_or_else(|| value.invalid("an attribute and its number, as in alg_hash=2"))?;
    builder.require(AppProtocol::Only(Protocol::Ike))?;
    builder.application(AppCondition::Number { field, value: Comparison::Equal(u64::from(number)) })
}

/// Encryption types of Kerberos (IANA) by name.
const KRB5_ENCRYPTIONS: [(&str, u64); 13] = [
    ("des-cbc-crc", 1),
    ("des-cbc-md4", 2),
    ("des-cbc-md5", 3),
    ("des3-cbc-md5", 5),
    ("des3-cbc-sha1", 7),
    ("aes128-cts-hmac-sha1-96", 17),
    ("aes256-cts-hmac-sha1-96", 18),
    ("aes128-cts-hmac-sha256-128", 19),
    ("aes256-cts-hmac-sha384-192", 20),
    ("rc4-hmac", 23),
    ("rc4-hmac-exp", 24),
    ("camellia128-cts-cmac", 25),
    ("camellia256-cts-cmac", 26),
];

pub(super) fn krb5_encryption(
    builder: &mut Builder<'_>,
    keyword: &Keyword,
    value: Span<'_>,
    _: bool,
) -> Outcome {
    builder.require(AppProtocol::Only(Protocol::Krb5))?;
    let (names, negated) = value.strip_prefix("!").map_or((value, false), |rest| (rest, true));
    if names.text.trim() == "weak" {
        // Negated it still asks for a ticket.
        let values = vec![(1, negated)];
        return builder.application(AppCondition::AnyOf { field: "krb5.ticket_encryption.weak", values });
    }
    let mut values = Vec::new();
    for name in names.split(',') {
        let named = || KRB5_ENCRYPTIONS.iter().find(|row| row.0 == name.text).map(|row| row.1);
        let number = decimal::<u32>(name.text).map(u64::from).or_else(named);
        values.push((
            number.ok_or_else(|| name.invalid("weak, or encryption types by name or number"))?,
            negated,
        ));
    }
    if negated && values.len() > 1 {
        return Err(value.invalid("one encryption type behind !"));
    }
    builder.application(AppCondition::AnyOf { field: keyword.name, values })
}

/// Flags of MQTT packets: keyword, flag, its bit. The number is all of them.
const MQTT_FLAGS: [(&str, &str, u64); 7] = [
    ("mqtt.flags", "dup", 0x08),
    ("mqtt.flags", "retain", 0x01),
    ("mqtt.connect.flags", "username", 0x80),
    ("mqtt.connect.flags", "password", 0x40),
    ("mqtt.connect.flags", "will", 0x04),
    ("mqtt.connect.flags", "will_retain", 0x20),
    ("mqtt.connect.flags", "clean_session", 0x02),
];

/// The flags that are asked for must stand in one packet: any number that has them will do.
pub(super) fn mqtt_flags(builder: &mut Builder<'_>, keyword: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.require(AppProtocol::Only(Protocol::Mqtt))?;
    let rows = || MQTT_FLAGS.iter().filter(|row| row.0 == keyword.name);
    let (mut set, mut clear) = (0, 0);
    for part in value.split(',') {
        let (name, negated) = part.strip_prefix("!").map_or((part, false), |rest| (rest.trim(), true));
        let flag = rows().find(|row| row.1 == name.text).map(|row| row.2);
        let flag = flag.ok_or_else(|| {
            part.invalid(
                "dup or retain; in mqtt.connect.flags username, password, will, will_retain or clean_session",
            )
        })?;
        if negated {
            clear |= flag;
        } else {
            set |= flag;
        }
    }
    let all = rows().fold(0, |all, row| all | row.2);
    let fits = |number: &u64| number & !all == 0 && number & set == set && number & clear == 0;
    let values = (0..=all).filter(fits).map(|number| (number, false)).collect();
    builder.application(AppCondition::AnyOf { field: keyword.name, values })
}

pub(super) fn mqtt_session(
    builder: &mut Builder<'_>,
    keyword: &Keyword,
    value: Span<'_>,
    _: bool,
) -> Outcome {
    let present = match value.text {
        "yes" | "true" => 1,
        "no" | "false" => 0,
        _ => return Err(value.invalid("yes or no")),
    };
    builder.require(AppProtocol::Only(Protocol::Mqtt))?;
    builder.application(AppCondition::Number { field: keyword.name, value: Comparison::Equal(present) })
}

/// Settings of HTTP/2 (RFC 9113 6.5.2), and the field.
const HTTP2_SETTINGS: [(&str, &str); 6] = [
    ("SETTINGS_HEADER_TABLE_SIZE", "http2.settings.header_table_size"),
    ("SETTINGS_ENABLE_PUSH", "http2.settings.enable_push"),
    ("SETTINGS_MAX_CONCURRENT_STREAMS", "http2.settings.max_concurrent_streams"),
    ("SETTINGS_INITIAL_WINDOW_SIZE", "http2.settings.initial_window_size"),
    ("SETTINGS_MAX_FRAME_SIZE", "http2.settings.max_frame_size"),
    ("SETTINGS_MAX_HEADER_LIST_SIZE", "http2.settings.max_header_list_size"),
];

pub(super) fn http2_settings(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let end = value.text.find(|letter: char| letter != '_' && !letter.is_ascii_alphabetic());
    let (name, rest) = value.text.split_at(end.unwrap_or(value.text.len()));
    let field = HTTP2_SETTINGS.iter().find(|row| row.0 == name).map(|row| row.1);
    let field = field.ok_or_else(|| value.invalid("a setting such as SETTINGS_ENABLE_PUSH=0"))?;
    builder.require(AppProtocol::Only(Protocol::Http2))?;
    if rest.is_empty() {
        // That it is there, with whatever value.
        let value = Comparison::GreaterOrEqual(0);
        return builder.application(AppCondition::Number { field, value });
    }
    let rest = Span { text: rest, offset: value.offset + name.len() };
    let compared = comparison_of(rest, u32::MAX)?.map(u64::from);
    builder.application(AppCondition::Number { field, value: compared })
}
