//! The keywords of DNP3: `dnp3_func`, `dnp3_ind`, `dnp3_obj`.

use app::Protocol;

use crate::ir::{AppCondition, AppProtocol, Comparison};
use crate::number::{decimal, hexadecimal_or_decimal};
use crate::refusal::Outcome;
use crate::syntax::Span;

use super::builder::Builder;
use super::keyword::Keyword;

/// Names of functions from 0 (IEEE 1815, table 4-1).
const FUNCTIONS: [&str; 34] = [
    "confirm",
    "read",
    "write",
    "select",
    "operate",
    "direct_operate",
    "direct_operate_nr",
    "immed_freeze",
    "immed_freeze_nr",
    "freeze_clear",
    "freeze_clear_nr",
    "freeze_at_time",
    "freeze_at_time_nr",
    "cold_restart",
    "warm_restart",
    "initialize_data",
    "initialize_appl",
    "start_appl",
    "stop_appl",
    "save_config",
    "enable_unsolicited",
    "disable_unsolicited",
    "assign_class",
    "delay_measure",
    "record_current_time",
    "open_file",
    "close_file",
    "delete_file",
    "get_file_info",
    "authenticate_file",
    "abort_file",
    "activate_config",
    "authenticate_req",
    "authenticate_err",
];

/// Functions of responses.
const RESPONSES: [(&str, u64); 2] = [("response", 129), ("unsolicited_response", 130)];

/// Names of internal indications, from the highest bit of the first octet to the lowest of the second.
const INDICATIONS: [&str; 16] = [
    "device_restart",
    "device_trouble",
    "local_control",
    "need_time",
    "class_3_events",
    "class_2_events",
    "class_1_events",
    "all_stations",
    "reserved_1",
    "reserved_2",
    "config_corrupt",
    "already_executing",
    "event_buffer_overflow",
    "parameter_error",
    "object_unknown",
    "no_func_code_support",
];

fn require(builder: &mut Builder<'_>) -> Outcome {
    builder.require(AppProtocol::Only(Protocol::Dnp3))
}

pub(super) fn function(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let name = value.text.to_ascii_lowercase();
    let named = || {
        let request = FUNCTIONS.iter().position(|known| *known == name).map(|place| place as u64);
        request.or_else(|| RESPONSES.iter().find(|row| row.0 == name).map(|row| row.1))
    };
    let code = decimal::<u8>(&name).map(u64::from).or_else(named);
    let code =
        code.ok_or_else(|| value.invalid("a function by its number up to 255, or its name, such as read"))?;
    require(builder)?;
    builder.application(AppCondition::Number { field: "dnp3_func", value: Comparison::Equal(code) })
}

pub(super) fn indications(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let set = match hexadecimal_or_decimal(value.text).map(u16::try_from) {
        Some(Ok(set)) => set,
        Some(Err(_)) => return Err(value.invalid("16 bits")),
        None => {
            let mut set = 0;
            for part in value.split(',') {
                let name = part.text.to_ascii_lowercase();
                let place = INDICATIONS.iter().position(|known| *known == name);
                let place = place.ok_or_else(|| {
                    part.invalid("indications by their names, such as need_time, or their bits as a number")
                })?;
                set |= 0x8000_u16 >> place;
            }
            set
        }
    };
    require(builder)?;
    // Any of them will do.
    let bits = (0..16).map(|bit| 1_u16 << bit).filter(|bit| set & bit != 0);
    let values = bits.map(|bit| (u64::from(bit), false)).collect();
    builder.application(AppCondition::AnyOf { field: "dnp3_ind", values })
}

pub(super) fn object(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let parts = value.text.split_once(',');
    let kind = parts.and_then(|(group, variation)| {
        Some(u16::from_be_bytes([decimal(group.trim())?, decimal(variation.trim())?]))
    });
    let kind = kind.ok_or_else(|| value.invalid("a group and a variation up to 255, as in 12,1"))?;
    require(builder)?;
    let value = Comparison::Equal(u64::from(kind));
    builder.application(AppCondition::Number { field: "dnp3_obj", value })
}
