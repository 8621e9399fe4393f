//! Numbers as people read them.

/// With a comma between thousands: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in decimal units, as link rates are: `110.1 MB`.
pub(crate) fn bytes(number: u64) -> String {
    scaled(number as f64, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// Bits per second: `4.12 Gbit/s`.
pub(crate) fn bit_rate(bits_per_s: f64) -> String {
    scaled(bits_per_s, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"])
}

/// Packets per second: `3.2 Mpps`.
pub(crate) fn packet_rate(packets_per_s: f64) -> String {
    scaled(packets_per_s, &["pps", "kpps", "Mpps", "Gpps"])
}

/// Three digits at least, in the largest unit of which there is one.
fn scaled(number: f64, units: &[&str]) -> String {
    let mut number = number;
    let mut units = units.iter().peekable();
    let mut unit = units.next().copied().unwrap_or_default();
    let first = unit;
    // 999.95 would be written as 1000.0.
    while number >= 999.5 {
        let Some(next) = units.next() else { break };
        number /= 1000.0;
        unit = next;
    }
    let decimals = match number {
        n if unit == first || n >= 99.95 => 0,
        n if n >= 9.995 => 1,
        _ => 2,
    };
    format!("{number:.decimals$} {unit}")
}

/// A length of time: `0.214 s`, `12.3 s`, `2 min 5 s`, `3 h 20 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 9.9995 => format!("{s:.3} s"),
        s if s < 59.95 => format!("{s:.1} s"),
        _ if whole < 3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ if whole < 86_400 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// A moment in UTC, from microseconds since 1970: `2026-11-23 10:41:35`.
pub(crate) fn moment(at_us: u64) -> String {
    let mut text = Vec::new();
    event::json::timestamp(&mut text, at_us);
    let text = String::from_utf8_lossy(&text);
    text.get(..19).unwrap_or(&text).replace('T', " ")
}

/// A part of a whole: `12.3 %`; nothing of nothing is a dash.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    if part > 0 && percent < 0.05 { "< 0.1 %".to_owned() } else { format!("{percent:.1} %") }
}
