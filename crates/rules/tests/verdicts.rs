//! One rule a line, and what Suricata 7.0.10 says of it (`suricata -T`, `--engine-analysis`): whether it takes the rule,
//! and which application protocol it finds the rule to be about (`-`: not asked). `differences` holds where Forebay
//! deliberately says otherwise.

use rules::ir::AppProtocol;
use rules::{Environment, RefusalReason, parse_file};

struct Case<'a> {
    accepted: bool,
    protocol: &'a str,
    rule: &'a str,
}

fn cases(table: &str) -> Vec<Case<'_>> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let case = |line| {
        let mut columns = str::splitn(line, 3, '\t');
        let mut column = || columns.next().unwrap_or_else(|| panic!("three columns: {line}"));
        let (verdict, protocol, rule) = (column(), column(), column());
        assert!(matches!(verdict, "accept" | "refuse"), "{line}");
        Case { accepted: verdict == "accept", protocol, rule }
    };
    lines.map(case).collect()
}

fn protocol(rule: &rules::ir::Rule) -> &'static str {
    match rule.app_protocol {
        None => "unknown",
        Some(AppProtocol::Http) => "http_any",
        Some(AppProtocol::Only(protocol)) => protocol.as_str(),
    }
}

fn check(table: &str, at_least: usize) {
    let environment = Environment::default();
    let cases = cases(table);
    let count = |accepted| cases.iter().filter(|case| case.accepted == accepted).count();
    assert!(count(true) >= at_least && count(false) >= at_least, "{} of {}", count(true), cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let parsed = parse_file(case.rule.as_bytes(), 0, &environment);
        assert_eq!(parsed.rules.len() + parsed.refused.len() + parsed.skipped.len(), 1, "{}", case.rule);
        let found = parsed.rules.first();
        if found.is_some() != case.accepted {
            let why = parsed.refused.first().map(ToString::to_string).unwrap_or_default();
            wrong.push(format!("accepted: {} {why}: {}", found.is_some(), case.rule));
        } else if let Some(rule) =
            found.filter(|rule| case.protocol != "-" && protocol(rule) != case.protocol)
        {
            wrong.push(format!("{} instead of {}: {}", protocol(rule), case.protocol, case.rule));
        }
        for refusal in &parsed.refused {
            let column = refusal.position.column as usize;
            assert!(
                refusal.position.line == 1 && column <= case.rule.len() + 1,
                "{refusal}: {:?}",
                refusal.position
            );
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn headers_and_meta() {
    check(include_str!("verdicts/header.txt"), 80);
}

#[test]
fn content_and_pcre() {
    check(include_str!("verdicts/content.txt"), 90);
}

#[test]
fn buffers_protocols_and_directions() {
    check(include_str!("verdicts/buffers.txt"), 50);
}

#[test]
fn state_and_packet_keywords() {
    check(include_str!("verdicts/state.txt"), 100);
}

#[test]
fn keywords_with_numbers_and_lists() {
    check(include_str!("verdicts/keywords.txt"), 200);
}

#[test]
fn conditions_that_contradict_each_other() {
    check(include_str!("verdicts/conflicts.txt"), 40);
}

#[test]
fn differences_to_the_reference() {
    check(include_str!("verdicts/differences.txt"), 10);
}

#[test]
fn more_variables_than_there_is_room_for_are_refused() {
    let rule = |count: usize| {
        let sets = |number| format!("byte_extract:1,0,v{number}; ");
        let sets: String = (0..count).map(sets).collect();
        format!("alert ip any any -> any any ({sets}byte_test:1,=,v0,0; sid:1;)")
    };
    let parse = |count| parse_file(rule(count).as_bytes(), 0, &Environment::default());
    assert_eq!(parse(rules::ir::VARIABLES_MAX).rules.len(), 1);
    let over = parse(rules::ir::VARIABLES_MAX + 1);
    let [refusal] = &over.refused[..] else { panic!("{:?}", over.rules.len()) };
    assert_eq!(
        refusal.to_string(),
        "rule 1: byte_extract: a rule can set 16 variables; this would be one more"
    );
}

#[test]
fn a_refusal_names_place_keyword_and_remedy() {
    let text = b"# comment\n\nalert tcp any any -> any any (msg:\"x\"; \\\n  content:\"abc\"; depth:2; sid:7;)\nalert tcp any";
    let parsed = parse_file(text, 3, &Environment::default());
    let [depth, header] = &parsed.refused[..] else { panic!("{:?}", parsed.refused) };
    assert_eq!((depth.position.file, depth.position.line, depth.position.column), (3, 4, 18));
    assert_eq!((depth.rule_line, depth.sid, depth.keyword.as_deref()), (3, Some(7), Some("depth")));
    assert_eq!(
        depth.to_string(),
        "rule 7: depth: the depth is less than the length of the content, which can never match"
    );
    assert_eq!((header.position.line, header.sid, header.keyword.as_deref()), (5, None, None));
    assert!(matches!(header.reason, RefusalReason::Incomplete { missing: "source ports" }));
}

#[test]
fn one_bad_rule_leaves_the_others() {
    let text = b"\xef\xbb\xbfalert tcp any any -> any any (sid:1;)\r\nalert tcp any any -> any any (sid:2; \xff)\r\n\
        #alert ip any any -> any any (sid:3;)\r\nalert ip any any -> any any (sid:1; rev:2;)\r\n\
        alert ip any any -> any any (sid:4; requires: version >= 8;)";
    let parsed = parse_file(text, 0, &Environment::default());
    assert_eq!(parsed.rules.iter().map(|rule| (rule.meta.sid, rule.meta.rev)).collect::<Vec<_>>(), [(1, 2)]);
    assert!(matches!(parsed.refused[..], [rules::Refusal { reason: RefusalReason::NotUtf8, .. }]));
    assert_eq!(parsed.skipped.iter().map(|skipped| skipped.sid).collect::<Vec<_>>(), [Some(4)]);
    assert_eq!(parsed.disabled, 1);
    let [duplicate] = parsed.duplicates[..] else { panic!("{:?}", parsed.duplicates) };
    assert_eq!((duplicate.kept.line, duplicate.dropped.line), (4, 1));
}
