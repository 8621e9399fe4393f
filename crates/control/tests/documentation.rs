//! `docs/configuration.md` and the schema say the same: every field, every default, an example that loads.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt;

use control::config::{self, schema};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

const PAGE: &str = include_str!("../../../docs/configuration.md");

/// What the smallest file with one of each repeated table says, with every default filled in.
const SMALLEST: &str = r#"
[[port]]
name = "p"
device = "net_null0"
mode = "trunk"
[[tenant]]
name = "t"
[[pipeline]]
name = "l"
[[steer]]
name = "r"
verdict = "drop"
[[operator]]
name = "o"
role = "viewer"
[[tool]]
name = "z"
device = "net_null1"
"#;

/// Asks a struct's `Deserialize` for its field names.
fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut found: &'static [&'static str] = &[];
    assert!(T::deserialize(Ask(&mut found)).is_err());
    assert!(!found.is_empty());
    found
}

struct Ask<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Ask<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(serde::de::Error::custom("asked"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("no struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Every table of the schema, as its heading, its fields, and where its defaults are in a serialised document.
fn tables() -> Vec<(&'static str, &'static [&'static str], Vec<&'static str>)> {
    vec![
        ("[dataplane]", fields::<schema::Dataplane>(), vec!["dataplane"]),
        ("[timeouts.tcp]", fields::<schema::TcpTimeouts>(), vec!["timeouts", "tcp"]),
        ("[timeouts.udp]", fields::<schema::IdleTimeouts>(), vec!["timeouts", "udp"]),
        ("[timeouts.icmp]", fields::<schema::IdleTimeouts>(), vec!["timeouts", "icmp"]),
        ("[timeouts.other]", fields::<schema::IdleTimeouts>(), vec!["timeouts", "other"]),
        ("[defrag]", fields::<schema::Defrag>(), vec!["defrag"]),
        ("[tunnels]", fields::<schema::Tunnels>(), vec!["tunnels"]),
        ("[events]", fields::<schema::Events>(), vec!["events"]),
        ("[inspection]", fields::<schema::Inspection>(), vec!["inspection"]),
        ("[inspection.variables]", fields::<schema::Variables>(), vec!["inspection", "variables"]),
        ("[inspection.data]", fields::<schema::Data>(), vec!["inspection", "data"]),
        ("[inspection.stream]", fields::<schema::Stream>(), vec!["inspection", "stream"]),
        ("[inspection.alerts]", fields::<schema::Alerts>(), vec!["inspection", "alerts"]),
        ("[inspection.protocols]", fields::<schema::Protocols>(), vec!["inspection", "protocols"]),
        ("[inspection.protocols.http]", fields::<schema::Http>(), vec!["inspection", "protocols", "http"]),
        ("[inspection.protocols.files]", fields::<schema::Files>(), vec!["inspection", "protocols", "files"]),
        ("[inspection.protocols.ports]", fields::<schema::Ports>(), vec!["inspection", "protocols", "ports"]),
        ("[policy]", fields::<schema::Policy>(), vec!["policy"]),
        ("[api]", fields::<schema::Api>(), vec!["api"]),
        ("[[operator]]", fields::<schema::Operator>(), vec!["operator"]),
        ("[[port]]", fields::<schema::Port>(), vec!["port"]),
        ("[[tenant]]", fields::<schema::Tenant>(), vec!["tenant"]),
        ("[[pipeline]]", fields::<schema::Pipeline>(), vec!["pipeline"]),
        ("[[steer]]", fields::<schema::Steer>(), vec!["steer"]),
        ("[[tool]]", fields::<schema::Tool>(), vec!["tool"]),
    ]
}

/// By heading, the rows of the page's field tables: field and default, in order.
fn documented() -> BTreeMap<String, Vec<(String, String)>> {
    let mut rows: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut heading = None;
    for line in PAGE.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.strip_prefix('`').and_then(|title| title.strip_suffix('`')).map(str::to_owned);
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let (Some(heading), ["", field, _, default, _, ""]) = (&heading, cells.as_slice())
            && let Some(field) = field.strip_prefix('`')
        {
            let row = (field.trim_end_matches('`').to_owned(), (*default).to_owned());
            rows.entry(heading.clone()).or_default().push(row);
        }
    }
    rows
}

#[test]
fn the_page_has_every_field_and_no_other() {
    let page = documented();
    let schema = tables();
    for (heading, fields, _) in &schema {
        let rows = page.get(*heading).unwrap_or_else(|| panic!("{heading} is not documented"));
        let names: Vec<&str> = rows.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(names, *fields, "{heading}");
    }
    let headings: Vec<&str> = schema.iter().map(|(heading, _, _)| *heading).collect();
    assert!(page.keys().all(|heading| headings.contains(&heading.as_str())), "{:?}", page.keys());

    // The tables themselves: the document's own fields and those of [timeouts].
    let top: Vec<&str> = fields::<schema::Document>().to_vec();
    let named: Vec<&str> =
        headings.iter().map(|h| h.trim_matches(['[', ']']).split('.').next().unwrap()).collect();
    assert!(top.iter().all(|table| named.contains(table)), "{top:?}");
    let protocols = fields::<schema::Timeouts>();
    assert!(
        protocols.iter().all(|p| headings.contains(&format!("[timeouts.{p}]").as_str())),
        "{protocols:?}"
    );
}

#[test]
fn the_page_has_every_default() {
    let document = config::parse(SMALLEST).unwrap().document;
    let written = toml::Value::try_from(&document).unwrap();
    let page = documented();
    let mut compared = 0;
    for (heading, _, path) in tables() {
        let mut table = path.iter().fold(&written, |value, key| &value[*key]);
        if let Some(list) = table.as_array() {
            table = &list[0];
        }
        for (field, default) in &page[heading] {
            let place = format!("{heading} {field}");
            if default == "required" {
                let without: String = SMALLEST.lines().filter(|line| !line.starts_with(field)).fold(
                    String::new(),
                    |mut text, line| {
                        fmt::Write::write_fmt(&mut text, format_args!("{line}\n")).unwrap();
                        text
                    },
                );
                let problems = config::parse(&without).unwrap_err();
                let wanted = format!("{heading} has no `{field}`");
                assert!(problems.iter().any(|problem| problem.message == wanted), "{place}: {problems:?}");
                compared += 1;
                continue;
            }
            match (table.get(field), default.strip_prefix('`').and_then(|text| text.strip_suffix('`'))) {
                (Some(value), Some(text)) => {
                    assert_eq!(value.to_string(), text, "{place}");
                    compared += 1;
                }
                (None, None) => {}
                // A table of its own, with a heading of its own.
                (Some(value), None) if value.is_table() => {}
                (None, Some(_)) => assert!(default.contains(' '), "{place}: `{default}` is not the default"),
                (Some(value), None) => panic!("{place}: the default is {value}, the page says {default}"),
            }
        }
    }
    assert!(compared > 40, "{compared}");
}

#[test]
fn the_example_loads() {
    let example = PAGE.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = config::parse(example).unwrap_or_else(|problems| panic!("{problems:?}")).config;
    assert_eq!((config.tenants.len(), config.ports.len(), config.rules.len()), (3, 2, 2));
}
