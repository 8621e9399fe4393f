//! How the points of each kind of object are laid out (IEEE 1815, annex A), with the names that records give their fields.

use Kind::{Base64, Bits, Double, Float, Signed, Text, Unsigned};
use Layout::{Fields, Opaque, Packed, Sized};

/// A field of a point: its name and how it is written.
pub(super) type Field = (&'static str, Kind);

/// How a field is written. Numbers are little-endian.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// So many of the bits of an octet, from the lowest on.
    Bits(u8),
    /// A number of so many octets.
    Unsigned(usize),
    /// The same, with a sign.
    Signed(usize),
    /// Four octets (IEEE 754).
    Float,
    /// Eight octets (IEEE 754).
    Double,
    /// The rest, told as text.
    Text,
    /// The rest, told in base64.
    Base64,
}

/// How the points of a kind of object are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Layout {
    /// Fields one after the other.
    Fields(&'static [&'static [Field]]),
    /// One field of so many bits, points packed into octets.
    Packed(&'static str, u8),
    /// Fields of points that have their size before them.
    Sized(&'static [Field]),
    /// Points that have their size before them and whose fields are not told.
    Opaque,
}

/// The layout of a group's variation, if it is known.
pub(super) fn of(group: u8, variation: u8) -> Option<Layout> {
    let at = LAYOUTS.binary_search_by_key(&(group, variation), |row| (row.0, row.1)).ok()?;
    LAYOUTS.get(at).map(|row| row.2)
}

const BINARY: &[Field] = &[
    ("online", Bits(1)),
    ("restart", Bits(1)),
    ("comm_lost", Bits(1)),
    ("remote_forced", Bits(1)),
    ("local_forced", Bits(1)),
    ("chatter_filter", Bits(1)),
    ("reserved", Bits(1)),
    ("state", Bits(1)),
];
const DOUBLE: &[Field] = &[
    ("online", Bits(1)),
    ("restart", Bits(1)),
    ("comm_lost", Bits(1)),
    ("remote_forced", Bits(1)),
    ("local_forced", Bits(1)),
    ("chatter_filter", Bits(1)),
    ("state", Bits(2)),
];
const OUTPUT: &[Field] = &[
    ("online", Bits(1)),
    ("restart", Bits(1)),
    ("comm_lost", Bits(1)),
    ("remote_forced", Bits(1)),
    ("local_forced", Bits(1)),
    ("reserved0", Bits(1)),
    ("reserved1", Bits(1)),
    ("state", Bits(1)),
];
const CONTROL: &[Field] = &[("op_type", Bits(4)), ("qu", Bits(1)), ("cr", Bits(1)), ("tcc", Bits(2))];
const STATUS: &[Field] = &[("status_code", Bits(7)), ("reserved", Bits(1))];
const COMMANDED_STATE: &[Field] = &[("status_code", Bits(7)), ("commanded_state", Bits(1))];
const COUNTER: &[Field] = &[
    ("online", Bits(1)),
    ("restart", Bits(1)),
    ("comm_lost", Bits(1)),
    ("remote_forced", Bits(1)),
    ("local_forced", Bits(1)),
    ("rollover", Bits(1)),
    ("discontinuity", Bits(1)),
    ("reserved0", Bits(1)),
];
const DELTA: &[Field] = &[
    ("online", Bits(1)),
    ("restart", Bits(1)),
    ("comm_lost", Bits(1)),
    ("remote_forced", Bits(1)),
    ("local_forced", Bits(1)),
    ("rollover", Bits(1)),
    ("reserved0", Bits(1)),
    ("reserved1", Bits(1)),
];
const COUNTER_1: &[Field] = &[
    ("online", Bits(1)),
    ("restart", Bits(1)),
    ("comm_lost", Bits(1)),
    ("remote_forced", Bits(1)),
    ("local_forced", Bits(1)),
    ("rollover", Bits(1)),
    ("discontinuity", Bits(1)),
    ("reserved1", Bits(1)),
];
const ANALOG: &[Field] = &[
    ("online", Bits(1)),
    ("restart", Bits(1)),
    ("comm_lost", Bits(1)),
    ("remote_forced", Bits(1)),
    ("local_forced", Bits(1)),
    ("over_range", Bits(1)),
    ("reference_err", Bits(1)),
    ("reserved0", Bits(1)),
];
const COMMANDED: &[Field] = &[("status_code", Bits(7)), ("reserved0", Bits(1))];
const FILL: &[Field] = &[("fill_percentage", Bits(7)), ("overflow_state", Bits(1))];
const CHARACTERISTICS: &[Field] = &[
    ("rd", Bits(1)),
    ("wr", Bits(1)),
    ("st", Bits(1)),
    ("ev", Bits(1)),
    ("df", Bits(1)),
    ("padding0", Bits(1)),
    ("padding1", Bits(1)),
    ("padding2", Bits(1)),
];
const SECURITY: &[Field] = &[
    ("online", Bits(1)),
    ("restart", Bits(1)),
    ("comm_lost", Bits(1)),
    ("remote_forced", Bits(1)),
    ("local_forced", Bits(1)),
    ("reserved0", Bits(1)),
    ("discontinuity", Bits(1)),
    ("reserved1", Bits(1)),
];
const STATE_U8: &[Field] = &[("state", Unsigned(1))];
const TIMESTAMP_U48: &[Field] = &[("timestamp", Unsigned(6))];
const TIMESTAMP_U16: &[Field] = &[("timestamp", Unsigned(2))];
const RELATIVE_TIME_MS_U16: &[Field] = &[("relative_time_ms", Unsigned(2))];
const COUNT_U8: &[Field] = &[("count", Unsigned(1))];
const ONTIME_U32: &[Field] = &[("ontime", Unsigned(4))];
const OFFTIME_U32: &[Field] = &[("offtime", Unsigned(4))];
const COUNT_U32: &[Field] = &[("count", Unsigned(4))];
const COUNT_U16: &[Field] = &[("count", Unsigned(2))];
const VALUE_I32: &[Field] = &[("value", Signed(4))];
const VALUE_I16: &[Field] = &[("value", Signed(2))];
const VALUE_F32: &[Field] = &[("value", Float)];
const VALUE_F64: &[Field] = &[("value", Double)];
const DEADBAND_VALUE_U16: &[Field] = &[("deadband_value", Unsigned(2))];
const DEADBAND_VALUE_U32: &[Field] = &[("deadband_value", Unsigned(4))];
const DEADBAND_VALUE_F32: &[Field] = &[("deadband_value", Float)];
const CONTROL_STATUS_U8: &[Field] = &[("control_status", Unsigned(1))];
const COMMANDED_VALUE_I32: &[Field] = &[("commanded_value", Signed(4))];
const COMMANDED_VALUE_I16: &[Field] = &[("commanded_value", Signed(2))];
const COMMANDED_VALUE_F32: &[Field] = &[("commanded_value", Float)];
const COMMANDED_VALUE_F64: &[Field] = &[("commanded_value", Double)];
const INTERVAL_U32: &[Field] = &[("interval", Unsigned(4))];
const INTERVAL_COUNT_U32: &[Field] = &[("interval_count", Unsigned(4))];
const INTERVAL_UNITS_U8: &[Field] = &[("interval_units", Unsigned(1))];
const DELAY_SECS_U16: &[Field] = &[("delay_secs", Unsigned(2))];
const DELAY_MS_U16: &[Field] = &[("delay_ms", Unsigned(2))];
const GROUP_U8: &[Field] = &[("group", Unsigned(1))];
const VARIATION_U8: &[Field] = &[("variation", Unsigned(1))];
const VALUE_U8: &[Field] = &[("value", Unsigned(1))];
const CSQ_U32: &[Field] = &[("csq", Unsigned(4))];
const USER_NUMBER_U16: &[Field] = &[("user_number", Unsigned(2))];
const ASSOCIATION_ID_U16: &[Field] = &[("association_id", Unsigned(2))];
const COUNT_VALUE_U32: &[Field] = &[("count_value", Unsigned(4))];

/// By group and variation, in order.
#[rustfmt::skip]
static LAYOUTS: [(u8, u8, Layout); 149] = [
    (1, 1, Packed("state", 1)),
    (1, 2, Fields(&[BINARY])),
    (2, 1, Fields(&[STATE_U8])),
    (2, 2, Fields(&[BINARY, TIMESTAMP_U48])),
    (2, 3, Fields(&[BINARY, TIMESTAMP_U16])),
    (3, 1, Packed("state", 2)),
    (3, 2, Fields(&[DOUBLE])),
    (4, 1, Fields(&[DOUBLE])),
    (4, 2, Fields(&[DOUBLE, TIMESTAMP_U48])),
    (4, 3, Fields(&[DOUBLE, RELATIVE_TIME_MS_U16])),
    (10, 1, Packed("state", 1)),
    (10, 2, Fields(&[OUTPUT])),
    (11, 1, Fields(&[OUTPUT])),
    (11, 2, Fields(&[OUTPUT, TIMESTAMP_U48])),
    (12, 1, Fields(&[CONTROL, COUNT_U8, ONTIME_U32, OFFTIME_U32, STATUS])),
    (12, 2, Fields(&[CONTROL, COUNT_U8, ONTIME_U32, OFFTIME_U32, STATUS])),
    (12, 3, Packed("point", 1)),
    (13, 1, Fields(&[COMMANDED_STATE])),
    (13, 2, Fields(&[COMMANDED_STATE, TIMESTAMP_U48])),
    (20, 1, Fields(&[COUNTER, COUNT_U32])),
    (20, 2, Fields(&[COUNTER, COUNT_U16])),
    (20, 3, Fields(&[DELTA, COUNT_U32])),
    (20, 4, Fields(&[DELTA, COUNT_U16])),
    (20, 5, Fields(&[COUNT_U32])),
    (20, 6, Fields(&[COUNT_U16])),
    (20, 7, Fields(&[COUNT_U32])),
    (20, 8, Fields(&[COUNT_U16])),
    (21, 1, Fields(&[COUNTER, COUNT_U32])),
    (21, 2, Fields(&[COUNTER, COUNT_U16])),
    (21, 3, Fields(&[DELTA, COUNT_U32])),
    (21, 4, Fields(&[DELTA, COUNT_U16])),
    (21, 5, Fields(&[COUNTER_1, COUNT_U32, TIMESTAMP_U48])),
    (21, 6, Fields(&[COUNTER_1, COUNT_U16, TIMESTAMP_U48])),
    (21, 7, Fields(&[DELTA, COUNT_U32, TIMESTAMP_U48])),
    (21, 8, Fields(&[DELTA, COUNT_U16, TIMESTAMP_U48])),
    (21, 9, Fields(&[COUNT_U32])),
    (21, 10, Fields(&[COUNT_U16])),
    (21, 11, Fields(&[COUNT_U32])),
    (21, 12, Fields(&[COUNT_U16])),
    (22, 1, Fields(&[COUNTER, COUNT_U32])),
    (22, 2, Fields(&[COUNTER, COUNT_U16])),
    (22, 3, Fields(&[DELTA, COUNT_U32])),
    (22, 4, Fields(&[DELTA, COUNT_U16])),
    (22, 5, Fields(&[DELTA, COUNT_U32, TIMESTAMP_U48])),
    (22, 6, Fields(&[COUNTER, COUNT_U16, TIMESTAMP_U48])),
    (22, 7, Fields(&[DELTA, COUNT_U32, TIMESTAMP_U48])),
    (22, 8, Fields(&[DELTA, COUNT_U16, TIMESTAMP_U48])),
    (23, 1, Fields(&[COUNTER, COUNT_U32])),
    (23, 2, Fields(&[DELTA, COUNT_U16])),
    (23, 3, Fields(&[DELTA, COUNT_U32])),
    (23, 4, Fields(&[DELTA, COUNT_U16])),
    (23, 5, Fields(&[COUNTER, COUNT_U32, TIMESTAMP_U48])),
    (23, 6, Fields(&[COUNTER, COUNT_U16, TIMESTAMP_U48])),
    (23, 7, Fields(&[DELTA, COUNT_U32, TIMESTAMP_U48])),
    (23, 8, Fields(&[DELTA, COUNT_U16, TIMESTAMP_U48])),
    (30, 1, Fields(&[ANALOG, VALUE_I32])),
    (30, 2, Fields(&[ANALOG, VALUE_I16])),
    (30, 3, Fields(&[VALUE_I32])),
    (30, 4, Fields(&[VALUE_I16])),
    (30, 5, Fields(&[ANALOG, VALUE_F32])),
    (30, 6, Fields(&[ANALOG, VALUE_F64])),
    (31, 1, Fields(&[ANALOG, VALUE_I32])),
    (31, 2, Fields(&[ANALOG, VALUE_I16])),
    (31, 3, Fields(&[ANALOG, VALUE_I32, TIMESTAMP_U48])),
    (31, 4, Fields(&[ANALOG, VALUE_I16, TIMESTAMP_U48])),
    (31, 5, Fields(&[VALUE_I32])),
    (31, 6, Fields(&[VALUE_I16])),
    (31, 7, Fields(&[ANALOG, VALUE_F32])),
    (31, 8, Fields(&[ANALOG, VALUE_F64])),
    (32, 1, Fields(&[ANALOG, VALUE_I32])),
    (32, 2, Fields(&[ANALOG, VALUE_I16])),
    (32, 3, Fields(&[ANALOG, VALUE_I32, TIMESTAMP_U48])),
    (32, 4, Fields(&[ANALOG, VALUE_I16, TIMESTAMP_U48])),
    (32, 5, Fields(&[ANALOG, VALUE_F32])),
    (32, 6, Fields(&[ANALOG, VALUE_F64])),
    (32, 7, Fields(&[ANALOG, VALUE_F32, TIMESTAMP_U48])),
    (32, 8, Fields(&[ANALOG, VALUE_F64, TIMESTAMP_U48])),
    (33, 1, Fields(&[ANALOG, VALUE_I32])),
    (33, 2, Fields(&[ANALOG, VALUE_I16])),
    (33, 3, Fields(&[ANALOG, VALUE_I32, TIMESTAMP_U48])),
    (33, 4, Fields(&[ANALOG, VALUE_I16, TIMESTAMP_U48])),
    (33, 5, Fields(&[ANALOG, VALUE_F32])),
    (33, 6, Fields(&[ANALOG, VALUE_F64])),
    (33, 7, Fields(&[ANALOG, VALUE_F32, TIMESTAMP_U48])),
    (33, 8, Fields(&[ANALOG, VALUE_F64, TIMESTAMP_U48])),
    (34, 1, Fields(&[DEADBAND_VALUE_U16])),
    (34, 2, Fields(&[DEADBAND_VALUE_U32])),
    (34, 3, Fields(&[DEADBAND_VALUE_F32])),
    (40, 1, Fields(&[ANALOG, VALUE_I32])),
    (40, 2, Fields(&[ANALOG, VALUE_I16])),
    (40, 3, Fields(&[ANALOG, VALUE_F32])),
    (40, 4, Fields(&[ANALOG, VALUE_F64])),
    (41, 1, Fields(&[VALUE_I32, CONTROL_STATUS_U8])),
    (41, 2, Fields(&[VALUE_I16, CONTROL_STATUS_U8])),
    (41, 3, Fields(&[VALUE_F32, CONTROL_STATUS_U8])),
    (41, 4, Fields(&[VALUE_F64, CONTROL_STATUS_U8])),
    (42, 1, Fields(&[ANALOG, VALUE_I32])),
    (42, 2, Fields(&[ANALOG, VALUE_I16])),
    (42, 3, Fields(&[ANALOG, VALUE_I32, TIMESTAMP_U48])),
    (42, 4, Fields(&[ANALOG, VALUE_I16, TIMESTAMP_U48])),
    (42, 5, Fields(&[ANALOG, VALUE_F32])),
    (42, 6, Fields(&[ANALOG, VALUE_F64])),
    (42, 7, Fields(&[ANALOG, VALUE_F32, TIMESTAMP_U48])),
    (42, 8, Fields(&[ANALOG, VALUE_F64, TIMESTAMP_U48])),
    (43, 1, Fields(&[COMMANDED, COMMANDED_VALUE_I32])),
    (43, 2, Fields(&[COMMANDED, COMMANDED_VALUE_I16])),
    (43, 3, Fields(&[COMMANDED, COMMANDED_VALUE_I32, TIMESTAMP_U48])),
    (43, 4, Fields(&[COMMANDED, COMMANDED_VALUE_I16, TIMESTAMP_U48])),
    (43, 5, Fields(&[COMMANDED, COMMANDED_VALUE_F32])),
    (43, 6, Fields(&[COMMANDED, COMMANDED_VALUE_F64])),
    (43, 7, Fields(&[COMMANDED, COMMANDED_VALUE_F32, TIMESTAMP_U48])),
    (43, 8, Fields(&[COMMANDED, COMMANDED_VALUE_F64, TIMESTAMP_U48])),
    (50, 1, Fields(&[TIMESTAMP_U48])),
    (50, 2, Fields(&[TIMESTAMP_U48, INTERVAL_U32])),
    (50, 3, Fields(&[TIMESTAMP_U48])),
    (50, 4, Fields(&[TIMESTAMP_U48, INTERVAL_COUNT_U32, INTERVAL_UNITS_U8])),
    (51, 1, Fields(&[TIMESTAMP_U48])),
    (51, 2, Fields(&[TIMESTAMP_U48])),
    (52, 1, Fields(&[DELAY_SECS_U16])),
    (52, 2, Fields(&[DELAY_MS_U16])),
    (70, 2, Opaque),
    (70, 3, Opaque),
    (70, 4, Sized(&[("file_handle", Unsigned(4)), ("file_size", Unsigned(4)), ("maximum_block_size", Unsigned(2)), ("request_id", Unsigned(2)), ("status_code", Unsigned(1)), ("optional_text", Text)])),
    (70, 5, Sized(&[("file_handle", Unsigned(4)), ("block_number", Unsigned(4)), ("file_data", Text)])),
    (70, 6, Sized(&[("file_handle", Unsigned(4)), ("block_number", Unsigned(4)), ("status_code", Unsigned(1)), ("optional_text", Text)])),
    (70, 7, Opaque),
    (70, 8, Sized(&[("file_specification", Text)])),
    (80, 1, Packed("state", 1)),
    (81, 1, Fields(&[FILL, GROUP_U8, VARIATION_U8])),
    (86, 2, Fields(&[CHARACTERISTICS])),
    (102, 1, Fields(&[VALUE_U8])),
    (120, 1, Sized(&[("csq", Unsigned(4)), ("usr", Unsigned(2)), ("mal", Unsigned(1)), ("reason", Unsigned(1)), ("data->challenge_data", Base64)])),
    (120, 2, Sized(&[("csq", Unsigned(4)), ("usr", Unsigned(2)), ("data->mac_value", Base64)])),
    (120, 3, Fields(&[CSQ_U32, USER_NUMBER_U16])),
    (120, 4, Fields(&[USER_NUMBER_U16])),
    (120, 5, Opaque),
    (120, 6, Sized(&[("ksq", Unsigned(3)), ("usr", Unsigned(2)), ("data->wrapped_key_data", Base64)])),
    (120, 7, Sized(&[("sequence_number", Unsigned(4)), ("usr", Unsigned(2)), ("association_id", Unsigned(2)), ("error_code", Unsigned(1)), ("time_of_error", Unsigned(6)), ("error_text", Text)])),
    (120, 8, Sized(&[("key_change_method", Unsigned(1)), ("certificate_type", Unsigned(1)), ("data->certificate", Base64)])),
    (120, 9, Sized(&[("data->mac_value", Base64)])),
    (120, 10, Opaque),
    (120, 11, Opaque),
    (120, 12, Opaque),
    (120, 13, Opaque),
    (120, 14, Sized(&[("data->digital_signature", Base64)])),
    (120, 15, Sized(&[("data->mac", Base64)])),
    (121, 1, Fields(&[SECURITY, ASSOCIATION_ID_U16, COUNT_VALUE_U32])),
    (122, 1, Fields(&[SECURITY, ASSOCIATION_ID_U16, COUNT_VALUE_U32])),
    (122, 2, Fields(&[SECURITY, ASSOCIATION_ID_U16, COUNT_VALUE_U32, TIMESTAMP_U48])),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_flags_fill_octets() {
        assert!(LAYOUTS.is_sorted_by_key(|row| (row.0, row.1)));
        for (group, variation, layout) in LAYOUTS {
            let Fields(parts) = layout else { continue };
            for part in parts {
                let bits: u32 = part
                    .iter()
                    .map(|(_, kind)| if let Bits(width) = kind { u32::from(*width) } else { 8 })
                    .sum();
                assert_eq!(bits % 8, 0, "{group} {variation}");
            }
        }
    }
}
