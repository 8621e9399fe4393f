//! TOML text to the schema's types, with every mistake of shape found in one run.
//!
//! serde stops at the first mistake. So the document is read once into a tree with positions, and whenever the schema
//! refuses a part of it, that part is reported, taken out of the tree, and the rest is tried again.

use std::ops::Range;

use serde::Deserialize;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::problem::Problems;
use super::schema::Document;
use super::suggest;

/// One step from a table or list into what it holds.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

/// Reads the document; mistakes go to `problems`. What remains after taking them out is returned, if anything does.
pub(crate) fn decode(text: &str, problems: &mut Problems<'_>) -> Option<Document> {
    let (mut tree, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        problems.add(&span, error.message(), "correct the TOML syntax here");
    }
    if !errors.is_empty() {
        // What the parser recovered is a guess; judging it would report mistakes nobody made.
        return None;
    }
    // Where a field was taken out, as its table's offset and its name: it is not missing, and was reported.
    let mut taken: Vec<(usize, String)> = Vec::new();
    loop {
        let error = match Document::deserialize(toml::Deserializer::from(tree.clone())) {
            Ok(document) => return Some(document),
            Err(error) => error,
        };
        let span = error.span().unwrap_or(0..0);
        let place = locate_in_table(tree.get_ref(), &span);
        let place = place.unwrap_or_default();
        let missing = quoted_after(error.message(), "missing field ");
        let reported =
            missing.is_some_and(|name| taken.iter().any(|(at, gone)| *at == span.start && gone == name));
        if !reported {
            let (message, remedy) = explain(error.message(), &place);
            problems.add(&span, message, remedy);
        }
        if let Some((Step::Key(name), parent)) = place.split_last() {
            taken.push((table_offset(tree.get_ref(), parent), name.clone()));
        }
        if !remove_from_table(tree.get_mut(), &place) || problems.is_full() {
            return None;
        }
    }
}

/// The word in backquotes after `prefix`.
fn quoted_after<'m>(message: &'m str, prefix: &str) -> Option<&'m str> {
    message.strip_prefix(prefix)?.strip_prefix('`')?.split('`').next()
}

/// Offset of the table that a path leads to, which is where serde says a field is missing from it.
fn table_offset(root: &DeTable<'_>, path: &[Step]) -> usize {
    let mut table = Some(root);
    let mut list: Option<&DeArray<'_>> = None;
    let mut offset = 0;
    for step in path {
        let next = match step {
            Step::Key(key) => table.and_then(|table| table.get(key.as_str())),
            Step::Index(index) => list.and_then(|list| list.get(*index)),
        };
        let Some(value) = next else { break };
        offset = value.span().start;
        table = value.get_ref().as_table();
        list = value.get_ref().as_array();
    }
    offset
}

/// The deepest place whose key or value covers `span`.
fn locate_in_table(table: &DeTable<'_>, span: &Range<usize>) -> Option<Vec<Step>> {
    let step_of = |key: &DeString<'_>| Step::Key(key.to_string());
    // A key is at fault itself when it is unknown.
    if let Some((key, _)) = table.iter().find(|(key, _)| covers(&key.span(), span)) {
        return Some(vec![step_of(key.get_ref())]);
    }
    // A table header's span does not cover its body, so every branch is looked into before this level is judged.
    let deeper = table.iter().find_map(|(key, value)| {
        locate_in_value(value.get_ref(), span).map(|below| (Step::Key(key.get_ref().to_string()), below))
    });
    let here = || {
        let entry =
            table.iter().find(|(key, value)| covers(&key.span(), span) || covers(&value.span(), span));
        entry.map(|(key, _)| (Step::Key(key.get_ref().to_string()), Vec::new()))
    };
    deeper.or_else(here).map(|(step, mut below)| {
        below.insert(0, step);
        below
    })
}

fn locate_in_value(value: &DeValue<'_>, span: &Range<usize>) -> Option<Vec<Step>> {
    match value {
        DeValue::Table(table) => locate_in_table(table, span),
        DeValue::Array(list) => {
            let mut items = list.iter().enumerate();
            let deeper = items.find_map(|(index, item)| {
                locate_in_value(item.get_ref(), span).map(|below| (Step::Index(index), below))
            });
            let here = || {
                let item = list.iter().position(|item| covers(&item.span(), span));
                item.map(|index| (Step::Index(index), Vec::new()))
            };
            deeper.or_else(here).map(|(step, mut below)| {
                below.insert(0, step);
                below
            })
        }
        _ => None,
    }
}

fn covers(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end && outer.start < outer.end
}

fn remove_from_table(table: &mut DeTable<'_>, path: &[Step]) -> bool {
    match path {
        [Step::Key(key)] => table.remove(key.as_str()).is_some(),
        [Step::Key(key), rest @ ..] => {
            table.get_mut(key.as_str()).is_some_and(|value| remove_from_value(value.get_mut(), rest))
        }
        _ => false,
    }
}

fn remove_from_value(value: &mut DeValue<'_>, path: &[Step]) -> bool {
    match (value, path) {
        (DeValue::Table(table), _) => remove_from_table(table, path),
        (DeValue::Array(list), [Step::Index(index), rest @ ..]) => {
            if !rest.is_empty() {
                return list.get_mut(*index).is_some_and(|item| remove_from_value(item.get_mut(), rest));
            }
            let before = list.len();
            let items = std::mem::replace(list, DeArray::new()).into_iter().enumerate();
            *list = items.filter(|(at, _)| at != index).map(|(_, item)| item).collect();
            list.len() < before
        }
        _ => false,
    }
}

/// The sentence for a person from serde's sentence for a programmer: what is wrong, and what to do.
fn explain(message: &str, path: &[Step]) -> (String, String) {
    if let Some(name) = quoted_after(message, "unknown field ") {
        return unknown_field(name, message, path);
    }
    if let Some(name) = quoted_after(message, "missing field ") {
        return (format!("{} has no `{name}`", place_name(path)), format!("add `{name} = …` to it"));
    }
    let field = path.iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    });
    let subject = field.map_or_else(|| "the configuration".to_owned(), |name| format!("`{name}`"));
    let typed = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    if let Some((found, wanted)) = typed.and_then(|rest| rest.rsplit_once(", expected ")) {
        let verb = if matches!(path, [.., Step::Index(_)]) { "contains" } else { "is" };
        return (
            format!("{subject} {verb} {}", found_words(found)),
            format!("give {}", wanted_words(wanted)),
        );
    }
    let (what, remedy) = message.split_once("; ").unwrap_or((message, ""));
    (format!("{subject}: {what}"), remedy.to_owned())
}

fn unknown_field(name: &str, message: &str, path: &[Step]) -> (String, String) {
    // The name itself may hold a backquote; the list of known fields comes after it.
    let known = message.rsplit_once(", expected ").map_or("", |(_, known)| known);
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let parent = path.split_last().map_or(&[][..], |(_, parent)| parent);
    let remedy = match suggest::closest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", known.join(", ")),
    };
    if parent.is_empty() {
        let remedy = remedy.replacen("it has ", "the tables are ", 1);
        return (format!("a configuration has no table or field `{name}`"), remedy);
    }
    (format!("{} has no field `{name}`", place_name(parent)), remedy)
}

/// `[timeouts.tcp]` or `[[tenant]]`.
fn place_name(path: &[Step]) -> String {
    let keys: Vec<&str> = path
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
        .collect();
    let dotted = keys.join(".");
    // A table of its own within an element of a list has single brackets: `[tenant.stream]`.
    if matches!(path.last(), Some(Step::Index(_))) { format!("[[{dotted}]]") } else { format!("[{dotted}]") }
}

/// What was found, without the names of Rust's or serde's types.
fn found_words(found: &str) -> String {
    for (kind, plain) in
        [("string ", "the text "), ("boolean ", ""), ("integer ", ""), ("floating point ", "")]
    {
        if let Some(rest) = found.strip_prefix(kind) {
            return format!("{plain}{}", rest.trim_matches('`'));
        }
    }
    match found {
        "sequence" => "a list".to_owned(),
        "map" => "a table".to_owned(),
        other => format!("a {other}"),
    }
}

/// What is wanted, in the file's words.
fn wanted_words(wanted: &str) -> &str {
    match wanted {
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "a sequence" => "a list in square brackets",
        other if other.starts_with("struct ") => "a table of its own, as documented in docs/configuration.md",
        other => other,
    }
}
