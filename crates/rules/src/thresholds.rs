//! `threshold.config`: how often rules may speak, apart from what they say themselves
//! (<https://docs.suricata.io/en/suricata-7.0.10/configuration/global-thresholds.html>).
//!
//! In: the text of the file, variables. Out: settings, which [`apply_thresholds`] puts into rules.

use crate::address::Addresses;
use crate::environment::Environment;
use crate::ir::{
    Action, Rate, RateFilter, Rule, SuppressedSide, Suppression, Threshold, ThresholdKind, Track,
};
use crate::number::decimal;
use crate::variable::resolve;

/// One line of the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThresholdSetting {
    /// Generator number of the rules that it is about; 0: of all.
    gid: u32,
    /// Rule number; 0: of all.
    sid: u32,
    what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    Threshold(Threshold),
    RateFilter(RateFilter),
    Suppress(Suppression),
}

/// A line that cannot be understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ThresholdError {
    /// Line, from 1; of one that goes over several lines the first.
    pub line: u32,
    /// What is wrong, and what is expected.
    pub problem: String,
}

/// Parses the text of a `threshold.config`.
///
/// # Errors
///
/// The first line that is no setting.
pub fn parse_thresholds(
    text: &str,
    environment: &Environment,
) -> Result<Vec<ThresholdSetting>, ThresholdError> {
    let mut settings = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((line, first)) = lines.next() {
        let mut whole = first.trim().to_owned();
        while let Some(begun) = whole.strip_suffix('\\') {
            let next = lines.next().map_or("", |(_, next)| next);
            whole = format!("{} {}", begun.trim_end(), next.trim());
        }
        let whole = whole.trim();
        if whole.is_empty() || whole.starts_with('#') {
            continue;
        }
        settings.push(setting(whole, environment).map_err(|problem| ThresholdError { line, problem })?);
    }
    Ok(settings)
}

/// The parts of a line: each a word and what follows it.
struct Parts<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let mut parts = Vec::new();
        let (mut depth, mut begin) = (0_u32, 0);
        let mut part = |text: Option<&'a str>| {
            let text = text.unwrap_or_default().trim();
            let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
            parts.push((word, rest.trim()));
        };
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'[' => depth += 1,
                b']' => depth = depth.saturating_sub(1),
                b',' if depth == 0 => {
                    part(text.get(begin..at));
                    begin = at + 1;
                }
                _ => {}
            }
        }
        part(text.get(begin..));
        Self(parts)
    }

    /// What follows a word; it is taken out.
    fn take(&mut self, word: &str) -> Option<&'a str> {
        let at = self.0.iter().position(|(other, _)| *other == word)?;
        Some(self.0.remove(at).1)
    }

    fn text(&mut self, word: &str) -> Result<&'a str, String> {
        self.take(word).ok_or_else(|| format!("'{word}' is missing"))
    }

    fn number(&mut self, word: &str) -> Result<u32, String> {
        let text = self.text(word)?;
        decimal(text).ok_or_else(|| format!("'{word}' needs a number, not '{text}'"))
    }

    fn track(&mut self) -> Result<Track, String> {
        Ok(match self.text("track")? {
            "by_src" => Track::Source,
            "by_dst" => Track::Destination,
            "by_both" => Track::Pair,
            "by_rule" => Track::Rule,
            other => return Err(format!("track is by_src, by_dst, by_both or by_rule, not '{other}'")),
        })
    }

    fn rate(&mut self) -> Result<Rate, String> {
        let rate =
            Rate { track: self.track()?, count: self.number("count")?, seconds: self.number("seconds")? };
        if rate.count == 0 || rate.seconds == 0 {
            return Err("count and seconds are 1 or more".to_owned());
        }
        Ok(rate)
    }
}

fn setting(text: &str, environment: &Environment) -> Result<ThresholdSetting, String> {
    let (kind, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let mut parts = Parts::of(rest);
    let (gid, sid) = (parts.number("gen_id")?, parts.number("sig_id")?);
    let what = match kind {
        "threshold" | "event_filter" => {
            let kind = match parts.text("type")? {
                "limit" => ThresholdKind::Limit,
                "threshold" => ThresholdKind::Threshold,
                "both" => ThresholdKind::Both,
                other => return Err(format!("type is limit, threshold or both, not '{other}'")),
            };
            What::Threshold(Threshold { kind, rate: parts.rate()? })
        }
        "rate_filter" => What::RateFilter(RateFilter {
            rate: parts.rate()?,
            action: match parts.text("new_action")? {
                "alert" => Action::Alert,
                "drop" => Action::Drop,
                "pass" => Action::Pass,
                "reject" => Action::Reject,
                other => return Err(format!("new_action is alert, drop, pass or reject, not '{other}'")),
            },
            timeout_s: parts.number("timeout")?,
        }),
        "suppress" => What::Suppress(match parts.take("track") {
            None => Suppression::default(),
            Some(track) => {
                let side = match track {
                    "by_src" => SuppressedSide::Source,
                    "by_dst" => SuppressedSide::Destination,
                    "by_either" => SuppressedSide::Either,
                    other => return Err(format!("track is by_src, by_dst or by_either, not '{other}'")),
                };
                let addresses =
                    resolve::<Addresses>(parts.text("ip")?, &|name| environment.address_variable(name))
                        .map_err(|reason| reason.to_string())?;
                Suppression { side, addresses }
            }
        }),
        other => {
            return Err(format!(
                "'{other}' is not known here; write threshold, event_filter, rate_filter or suppress"
            ));
        }
    };
    match parts.0.first() {
        None => Ok(ThresholdSetting { gid, sid, what }),
        Some((word, _)) => Err(format!("'{word}' does not belong here, or stands here twice")),
    }
}

/// Puts settings into the rules that they are about. Of several thresholds or rate filters of one rule the last counts;
/// one for all rules leaves those alone that have their own.
pub fn apply_thresholds(settings: &[ThresholdSetting], rules: &mut [Rule]) {
    for rule in rules {
        let own = rule.threshold.is_some() || rule.detection_filter.is_some();
        for setting in settings {
            let matches = |wanted, number| wanted == 0 || wanted == number;
            if !matches(setting.gid, rule.meta.gid) || !matches(setting.sid, rule.meta.sid) {
                continue;
            }
            let leave = own && (setting.gid == 0 || setting.sid == 0);
            match &setting.what {
                What::Threshold(_) | What::RateFilter(_) if leave => {}
                What::Threshold(threshold) => {
                    rule.threshold = Some(*threshold);
                    rule.detection_filter = None;
                }
                What::RateFilter(filter) => rule.rate_filter = Some(*filter),
                What::Suppress(suppression) => rule.suppressions.push(suppression.clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<ThresholdSetting>, ThresholdError> {
        parse_thresholds(text, &Environment::default())
    }

    #[test]
    fn every_kind_of_line_is_read() {
        let text = "# comment\n\nsuppress gen_id 1, sig_id 5\n\
            suppress gen_id 1, sig_id 5, track by_either, ip [10.0.0.1,$HOME_NET]\n\
            threshold gen_id 1, sig_id 5, type limit, track by_src, \\\n  count 1, seconds 60\n\
            event_filter gen_id 1, sig_id 0, type both, track by_both, count 3, seconds 5\n\
            rate_filter gen_id 1, sig_id 6, track by_rule, count 10, seconds 60, new_action drop, timeout 300\n";
        let settings = parse(text).unwrap();
        assert_eq!(settings.len(), 5);
        let rate = Rate { track: Track::Rule, count: 10, seconds: 60 };
        let filter = RateFilter { rate, action: Action::Drop, timeout_s: 300 };
        assert_eq!(settings[4], ThresholdSetting { gid: 1, sid: 6, what: What::RateFilter(filter) });

        let rules = "alert ip any any -> any any (sid:5; detection_filter:track by_src,count 9,seconds 9;)\n\
            alert ip any any -> any any (sid:6;)\n";
        let mut rules = crate::parse_file(rules.as_bytes(), 0, &Environment::default()).rules;
        apply_thresholds(&settings, &mut rules);
        assert_eq!((rules[0].suppressions.len(), rules[0].detection_filter), (2, None));
        assert_eq!(rules[0].threshold.map(|threshold| threshold.kind), Some(ThresholdKind::Limit));
        assert_eq!(rules[1].threshold.map(|threshold| threshold.kind), Some(ThresholdKind::Both));
        assert_eq!(rules[1].rate_filter, Some(filter));
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        for (line, expected) in [
            ("ignore gen_id 1, sig_id 1", "'ignore' is not known"),
            ("suppress gen_id 1", "'sig_id' is missing"),
            ("suppress gen_id 1, sig_id 1, track by_src", "'ip' is missing"),
            ("suppress gen_id 1, sig_id 1, track by_src, ip $NOWHERE", "$NOWHERE is not defined"),
            ("threshold gen_id 1, sig_id 1, type limit, track by_src, count 0, seconds 1", "1 or more"),
            ("threshold gen_id 1, sig_id x, type limit", "needs a number"),
            ("suppress gen_id 1, sig_id 1, color red", "'color' does not belong here"),
        ] {
            let error = parse(&format!("\n{line}")).unwrap_err();
            assert_eq!(error.line, 2);
            assert!(error.problem.contains(expected), "{}", error.problem);
        }
    }
}
