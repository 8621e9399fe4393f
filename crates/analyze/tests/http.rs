//! The reference's golden tests of HTTP, asked by buffer: every rule whose match hangs on contents of HTTP buffers alone
//! finds them where `expected.json` demands an alert, and nowhere else.

#![allow(clippy::unwrap_used)]

mod support;

use analyze::{Config, Transaction};
use app::{Buffer, Direction};
use std::collections::HashMap;
use std::path::Path;

/// A rule, as far as it can be judged here.
#[derive(Debug)]
struct Rule {
    sid: u64,
    contents: Vec<(Buffer, Vec<u8>, bool)>,
    event: Option<String>,
    direction: Option<Direction>,
}

/// Splits options at semicolons that are not quoted.
fn options(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for character in text.chars() {
        match character {
            '"' if !escaped => quoted = !quoted,
            ';' if !quoted && !escaped => {
                parts.push(std::mem::take(&mut part).trim().to_owned());
                continue;
            }
            _ => {}
        }
        escaped = character == '\\' && !escaped;
        part.push(character);
    }
    parts
}

/// The bytes of a content, `|41 42|` and escapes resolved.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, part) in text.split('|').enumerate() {
        if number % 2 == 1 {
            bytes.extend(part.split_whitespace().map(|hex| u8::from_str_radix(hex, 16).unwrap()));
        } else {
            let mut characters = part.bytes();
            while let Some(byte) = characters.next() {
                bytes.push(if byte == b'\\' { characters.next().unwrap_or(b'\\') } else { byte });
            }
        }
    }
    bytes
}

fn parse(line: &str) -> Option<Rule> {
    let inside = line.split_once('(')?.1.rsplit_once(')')?.0;
    let mut rule = Rule { sid: 0, contents: Vec::new(), event: None, direction: None };
    let mut sticky = Buffer::Payload;
    for option in options(inside) {
        let (name, value) =
            option.split_once(':').map_or((option.as_str(), ""), |(name, value)| (name.trim(), value.trim()));
        let legacy = Buffer::all().find(|buffer| buffer.legacy_names().contains(&name));
        match name {
            "sid" => rule.sid = value.parse().ok()?,
            "content" if value.starts_with('"') => {
                rule.contents.push((sticky, bytes(value.trim_matches('"')), false));
            }
            "nocase" => rule.contents.last_mut()?.2 = true,
            "app-layer-event" => rule.event = Some(value.to_owned()),
            "flow" if value.contains("to_server") || value.contains("from_client") => {
                rule.direction = Some(Direction::ToServer);
            }
            "flow" if value.contains("to_client") || value.contains("from_server") => {
                rule.direction = Some(Direction::ToClient);
            }
            "msg" | "rev" | "classtype" | "flow" | "flowint" | "fast_pattern" | "distance" | "metadata"
            | "reference" => {}
            "file_data" => sticky = Buffer::FileData,
            _ if name.starts_with("http_")
                && value.is_empty()
                && !rule.contents.is_empty()
                && sticky == Buffer::Payload =>
            {
                rule.contents.last_mut()?.0 = legacy?;
            }
            _ => sticky = Buffer::by_name(name).or(legacy)?,
        }
    }
    let judged = rule.event.is_some()
        || (!rule.contents.is_empty() && rule.contents.iter().all(|(buffer, ..)| *buffer != Buffer::Payload));
    judged.then_some(rule)
}

impl Rule {
    fn matches(&self, transaction: &dyn Transaction, direction: Direction) -> bool {
        if self.direction.is_some_and(|only| only != direction) {
            return false;
        }
        if let Some(event) = &self.event {
            return Direction::BOTH.iter().any(|&way| transaction.events(way).contains(&event.as_str()));
        }
        self.contents.iter().all(|(buffer, pattern, nocase)| {
            let last = if buffer.is_multiple() { usize::MAX } else { 1 };
            let holds = |bytes: &[u8]| {
                bytes.windows(pattern.len()).any(|window| {
                    if *nocase { window.eq_ignore_ascii_case(pattern) } else { window == pattern.as_slice() }
                })
            };
            let found = |index| {
                let mut scratch = Vec::new();
                let view = transaction.buffer(direction, *buffer, index, &mut scratch)?;
                Some(holds(view.bytes))
            };
            (0..last).map_while(found).any(|found| found)
        })
    }
}

/// The configuration that a test's options ask for; `None` if it needs more than this crate has.
fn config(options: &str) -> Option<Config> {
    if options.contains("midstream") || options.contains("async") {
        return None;
    }
    let mut config = Config::default();
    for option in options.split_whitespace() {
        let Some((name, value)) = option.split_once('=') else { continue };
        let http = &mut config.limits.http;
        if name.ends_with("response-body-decompress-layer-limit") {
            http.decompress.layers = value.parse().unwrap();
        } else if name.ends_with("lzma-enabled") {
            http.decompress.lzma = matches!(value, "yes" | "true");
        } else if name.ends_with("response-body-limit") {
            http.response_body.content = value.trim_end_matches("mb").parse::<u64>().unwrap() << 20;
        }
    }
    Some(config)
}

/// Judges one test; says how many rules were judged, and what is wrong.
fn judge(folder: &Path) -> (usize, Vec<String>) {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let expected: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
    let asked: Vec<String> = expected["options"]
        .as_array()
        .unwrap()
        .iter()
        .map(|option| option.as_str().unwrap().to_owned())
        .collect();
    let Some(config) = config(&asked.join(" ")) else { return (0, Vec::new()) };
    let rules = std::fs::read_to_string(folder.join("test.rules")).unwrap();
    let rules: Vec<Rule> =
        rules.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(parse).collect();
    let mut found: HashMap<u64, usize> = HashMap::new();
    support::replay_with(&folder.join("input.pcap"), &config, &mut |_, direction, transaction| {
        for rule in &rules {
            if rule.matches(transaction, direction) {
                *found.entry(rule.sid).or_default() += 1;
            }
        }
        transaction.inspected(direction);
    });
    let mut wrong = Vec::new();
    let mut judged = 0;
    for alert in expected["alerts"].as_array().unwrap() {
        let (Some(count), Some(sid)) =
            (alert["count"].as_u64(), alert["match"]["alert.signature_id"].as_u64())
        else {
            continue;
        };
        if !rules.iter().any(|rule| rule.sid == sid) {
            continue;
        }
        judged += 1;
        let found = found.get(&sid).copied().unwrap_or(0);
        if (count > 0) != (found > 0) {
            wrong.push(format!("{name}: sid {sid} wants {count} alerts, contents found {found} times"));
        }
    }
    (judged, wrong)
}

#[test]
fn contents_are_found_where_the_reference_alerts() {
    let Some(folder) = support::corpora().map(|folder| folder.join("suricata-verify")) else { return };
    let (mut tests, mut judged, mut wrong) = (0, 0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !(name.starts_with("http")
            || name.starts_with("uricontent")
            || name.starts_with("bug-78")
            || name.starts_with("bug-5929"))
        {
            continue;
        }
        let (rules, mut errors) = judge(&path);
        tests += usize::from(rules > 0);
        judged += rules;
        wrong.append(&mut errors);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tests >= 80 && judged >= 150, "{tests} tests, {judged} rules");
}
