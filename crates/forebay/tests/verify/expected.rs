//! Whether an alert has the fields that a test asks for.

use serde_json::Value;

/// Whether an event carries all of `wanted`: dotted keys as in EVE, `[0]` for a list's element, and at the end of a key
/// perhaps `__endswith` and its kin. Without an `event_type` only alerts are meant.
pub(crate) fn matches(event: &Value, wanted: &Value) -> bool {
    let Some(wanted) = wanted.as_object() else { return false };
    let kind_matches = wanted.contains_key("event_type") || event["event_type"] == "alert";
    kind_matches && wanted.iter().all(|(key, value)| holds(event, key, value))
}

fn holds(event: &Value, key: &str, wanted: &Value) -> bool {
    let (path, how) = key.split_once(".__").or_else(|| key.split_once("__")).unwrap_or((key, ""));
    let Some(found) = find(event, path) else { return false };
    let texts = (found.as_str().unwrap_or_default(), wanted.as_str().unwrap_or_default());
    match how {
        "" => equal(found, wanted),
        "endswith" => texts.0.ends_with(texts.1),
        "startswith" => texts.0.starts_with(texts.1),
        "contains" | "find" => texts.0.contains(texts.1),
        _ => false,
    }
}

fn find<'e>(event: &'e Value, path: &str) -> Option<&'e Value> {
    path.split('.').try_fold(event, |value, part| {
        let (name, indices) = part.split_once('[').map_or((part, None), |(name, rest)| (name, Some(rest)));
        let value = if name.is_empty() { value } else { value.get(name)? };
        let Some(indices) = indices else { return Some(value) };
        indices
            .trim_end_matches(']')
            .split("][")
            .try_fold(value, |value, index| value.get(index.parse::<usize>().ok()?))
    })
}

/// Equal, or the same when written: the suite writes `true` and `"true"` for each other.
fn equal(found: &Value, wanted: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    found == wanted || (!found.is_object() && !found.is_array() && text(found) == text(wanted))
}

/// A test's condition in one word or two.
pub(crate) fn name(wanted: &Value) -> String {
    wanted.get("alert.signature_id").map_or_else(|| wanted.to_string(), |sid| format!("sid {sid}"))
}

/// Of an alert that has the rule's number and not every other field, the fields that differ.
pub(crate) fn nearest(events: &[Value], wanted: &Value) -> String {
    let Some(wanted) = wanted.as_object() else { return String::new() };
    let same_rule = |event: &&Value| {
        event["event_type"] == "alert"
            && wanted.get("alert.signature_id").is_none_or(|sid| holds(event, "alert.signature_id", sid))
    };
    let differing = |event: &Value| -> Vec<String> {
        let wrong = wanted.iter().filter(|(key, value)| !holds(event, key, value));
        wrong
            .map(|(key, value)| format!("{key} is {} not {value}", find(event, key).unwrap_or(&Value::Null)))
            .collect()
    };
    let best = events.iter().filter(same_rule).map(differing).filter(|fields| !fields.is_empty());
    best.min_by_key(Vec::len).map_or_else(String::new, |fields| {
        let mut text = format!(" ({})", fields.join(", "));
        if let Some((at, _)) = text.char_indices().nth(300) {
            text.truncate(at);
        }
        text
    })
}

#[test]
fn keys_are_found_in_lists_and_objects() {
    let event =
        serde_json::json!({"event_type": "alert", "a": {"b": [{"c": 7}], "d": "name.pcap"}, "e": true});
    let yes = |wanted: Value| assert!(matches(&event, &wanted), "{wanted}");
    let no = |wanted: Value| assert!(!matches(&event, &wanted), "{wanted}");
    yes(serde_json::json!({"a.b[0].c": 7, "a.d.__endswith": ".pcap", "e": "true"}));
    yes(serde_json::json!({"a.b": [{"c": 7}]}));
    no(serde_json::json!({"a.b[1].c": 7}));
    no(serde_json::json!({"a.d.__endswith": "name"}));
    no(serde_json::json!({"event_type": "flow"}));
    no(serde_json::json!({"f": 1}));
}
