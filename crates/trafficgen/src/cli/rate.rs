//! How a rate is written: `250000`, `1.5Mpps`, `800kpps`, `2.5Gbit/s`, `300Mbps`.

use crate::replay::Pace;

/// Reads a rate: a number, k, M or G (or nothing), and `pps` (or nothing), `bit/s` or `bps`. Case does not matter.
pub(super) fn parse(text: &str) -> Result<Pace, String> {
    let refuse = || format!("{text:?} is no rate; write it like 250000, 1.5Mpps, 300Mbit/s or 2.5Gbit/s");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let (unit, scale) = match unit.split_at_checked(1) {
        Some(("k", rest)) => (rest, 1e3),
        Some(("m", rest)) => (rest, 1e6),
        Some(("g", rest)) => (rest, 1e9),
        _ => (unit.as_str(), 1.0),
    };
    let rate = number.parse::<f64>().map_err(|_| refuse())? * scale;
    // Above this every number is exact, and far beyond what any port sends.
    if !(1.0..=1e15).contains(&rate) {
        return Err(format!("{text:?} is out of range; give at least 1 and at most 10^15 a second"));
    }
    let rate = rate.round() as u64;
    match unit {
        "" | "pps" => Ok(Pace::PacketsPerSecond(rate)),
        "bit/s" | "bps" => Ok(Pace::BitsPerSecond(rate)),
        _ => Err(refuse()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_and_bits() {
        for (text, pace) in [
            ("250000", Pace::PacketsPerSecond(250_000)),
            ("1.5Mpps", Pace::PacketsPerSecond(1_500_000)),
            ("64k", Pace::PacketsPerSecond(64_000)),
            ("1 pps", Pace::PacketsPerSecond(1)),
            ("2.5Gbit/s", Pace::BitsPerSecond(2_500_000_000)),
            ("300 mbps", Pace::BitsPerSecond(300_000_000)),
            ("0.1gbit/s", Pace::BitsPerSecond(100_000_000)),
        ] {
            assert_eq!(parse(text), Ok(pace), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_with_examples() {
        for text in ["", "fast", "Mpps", "1.2.3", "10 horses", "-5", "1e3", "10Tbit/s", "1kk"] {
            assert!(parse(text).unwrap_err().contains("write it like"), "{text}");
        }
        for text in ["0", "0.4pps", "99999999Gbit/s"] {
            assert!(parse(text).unwrap_err().contains("out of range"), "{text}");
        }
    }
}
