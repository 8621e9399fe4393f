//! What a client says of itself when it connects (MS-RDPBCGR, section 2.2.1.3).

use event::json::{literal, number, number_after, string};

use super::layouts;

/// Little-endian numbers and text.
#[derive(Clone, Copy)]
pub(super) struct Little<'a>(pub &'a [u8]);

impl<'a> Little<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    /// UTF-16 in a field of `len` bytes, up to its first zero.
    fn text(&mut self, len: usize) -> Option<String> {
        let units = self.take(len)?.chunks_exact(2).map_while(|pair| match *pair {
            [low, high] => Some(u16::from_le_bytes([low, high])).filter(|&unit| unit != 0),
            _ => None,
        });
        Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    }
}

/// Appends a list of the names whose bits are set.
pub(super) fn flags(to: &mut Vec<u8>, bits: u32, names: &[(u32, &str)]) {
    to.push(b'[');
    let mut first = true;
    for &(bit, name) in names {
        if bits & bit != 0 {
            if !first {
                to.push(b',');
            }
            first = false;
            string(to, name);
        }
    }
    to.push(b']');
}

const CAPABILITIES: [(u32, &str); 10] = [
    (0x001, "support_errinfo_pdf"),
    (0x002, "want_32bpp_session"),
    (0x004, "support_statusinfo_pdu"),
    (0x008, "strong_asymmetric_keys"),
    (0x020, "valid_connection_type"),
    (0x040, "support_monitor_layout_pdu"),
    (0x080, "support_netchar_autodetect"),
    (0x100, "support_dynvc_gfx_protocol"),
    (0x200, "support_dynamic_time_zone"),
    (0x400, "support_heartbeat_pdu"),
];

/// Bits of the capabilities that there are.
const CAPABILITIES_KNOWN: u16 = 0x7ff;

const HINTS: [&str; 7] =
    ["modem", "low_broadband", "satellite", "high_broadband", "wan", "lan", "autodetect"];

const KEYBOARDS: [&str; 7] = ["xt", "ico", "at", "enhanced", "1050", "9140", "jp"];

fn version(number: u32) -> &'static str {
    match number {
        0x0008_0001 => "v4",
        0x0008_0004 => "v5",
        0x0008_0005 => "v10.0",
        0x0008_0006 => "v10.1",
        0x0008_0007 => "v10.2",
        0x0008_0008 => "v10.3",
        0x0008_0009 => "v10.4",
        0x0008_000a => "v10.5",
        0x0008_000b => "v10.6",
        0x0008_000c => "v10.7",
        _ => "unknown",
    }
}

fn build(number: u32) -> &'static str {
    match number {
        1381 => "Windows NT 4.0",
        2195 => "Windows 2000",
        2600 => "Windows XP",
        3790 => "Windows Server 2003",
        6000 => "Windows Vista RTM",
        6001 => "Windows Vista SP1",
        6002 => "Windows Vista SP2",
        7600 => "Windows 7 RTM",
        7601 => "Windows 7 SP1",
        9200 => "Windows 8",
        9600 => "Windows 8.1",
        10_240 => "Windows 10 TH1",
        10_586 => "Windows 10 TH2",
        14_393 => "Windows 10 RS1",
        15_063 => "Windows 10 RS2",
        16_299 => "Windows 10 RS3",
        17_134 => "Windows 10 RS4",
        17_763 => "Windows 10 RS5",
        _ => "unknown",
    }
}

const fn early_depth(number: u16) -> Option<u64> {
    match number {
        0xca00 => Some(4),
        0xca01 => Some(8),
        _ => None,
    }
}

/// Core data (section 2.2.1.3.2) as the members of `client`, without braces; `None` if not all that must be is there.
pub(super) fn core(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Little(bytes);
    let version = version(reader.u32()?);
    let width = reader.u16()?;
    let height = reader.u16()?;
    let color = reader.u16()?;
    reader.u16()?;
    let layout = layouts::layout(reader.u32()?);
    let build = build(reader.u32()?);
    let name = reader.text(32)?;
    let keyboard = reader.u32()?;
    let keyboard_subtype = reader.u32()?;
    let function_keys = reader.u32()?;
    let ime = reader.text(64)?;
    let (mut tail, depth) = optional(reader);
    let depth = depth.or(early_depth(color));

    let mut to = Vec::with_capacity(512);
    literal(&mut to, r#""version":"#);
    string(&mut to, version);
    number_after(&mut to, r#","desktop_width":"#, u64::from(width));
    number_after(&mut to, r#","desktop_height":"#, u64::from(height));
    if let Some(depth) = depth {
        number_after(&mut to, r#","color_depth":"#, depth);
    }
    literal(&mut to, r#","keyboard_layout":"#);
    string(&mut to, layout);
    literal(&mut to, r#","build":"#);
    string(&mut to, build);
    if !name.is_empty() {
        literal(&mut to, r#","client_name":"#);
        string(&mut to, &name);
    }
    let keyboard = keyboard.checked_sub(1).and_then(|index| KEYBOARDS.get(usize::try_from(index).ok()?));
    if let Some(keyboard) = keyboard {
        literal(&mut to, r#","keyboard_type":"#);
        string(&mut to, keyboard);
    }
    for (key, value) in [("keyboard_subtype", keyboard_subtype), ("function_keys", function_keys)] {
        if value != 0 {
            member(&mut to, key, value);
        }
    }
    if !ime.is_empty() {
        literal(&mut to, r#","ime":"#);
        string(&mut to, &ime);
    }
    to.append(&mut tail);
    Some(to)
}

fn member(to: &mut Vec<u8>, key: &str, value: u32) {
    literal(to, ",\"");
    literal(to, key);
    literal(to, "\":");
    number(to, u64::from(value));
}

/// The fields that newer clients send, as members, and the depth of colours that they say. They end where the client
/// ends them, or at the first that says nothing known.
fn optional(mut reader: Little<'_>) -> (Vec<u8>, Option<u64>) {
    let (mut to, mut depth) = (Vec::new(), None);
    // Only the members are of interest: where they end is not.
    let _ = optional_fields(&mut reader, &mut to, &mut depth);
    (to, depth)
}

fn optional_fields(reader: &mut Little<'_>, to: &mut Vec<u8>, depth: &mut Option<u64>) -> Option<()> {
    *depth = early_depth(reader.u16()?);
    member(to, "product_id", u32::from(reader.u16()?));
    let serial = reader.u32()?;
    if serial != 0 {
        member(to, "serial_number", serial);
    }
    let high = reader.u16()?;
    if matches!(high, 4 | 8 | 15 | 16 | 24) {
        *depth = Some(u64::from(high));
    }
    reader.u16()?;
    let capabilities = reader.u16()?;
    if capabilities & !CAPABILITIES_KNOWN != 0 {
        return None;
    }
    if capabilities != 0 {
        literal(to, r#","capabilities":"#);
        flags(to, u32::from(capabilities), &CAPABILITIES);
    }
    let product = reader.text(64)?;
    if !product.is_empty() {
        literal(to, r#","id":"#);
        string(to, &product);
    }
    let hint = reader.u8()?;
    if let Some(hint) = hint.checked_sub(1).and_then(|index| HINTS.get(usize::from(index))) {
        literal(to, r#","connection_hint":"#);
        string(to, hint);
    }
    reader.u8()?;
    reader.u32()?;
    for key in ["physical_width", "physical_height"] {
        let millimetres = reader.u32()?;
        if !(10..=10_000).contains(&millimetres) {
            return None;
        }
        member(to, key, millimetres);
    }
    let orientation = reader.u16()?;
    if !matches!(orientation, 0 | 90 | 180 | 270) {
        return None;
    }
    member(to, "desktop_orientation", u32::from(orientation));
    let scale = reader.u32()?;
    if !(100..=500).contains(&scale) {
        return None;
    }
    member(to, "scale_factor", scale);
    let device = reader.u32()?;
    if !matches!(device, 100 | 140 | 180) {
        return None;
    }
    member(to, "device_scale_factor", device);
    Some(())
}
