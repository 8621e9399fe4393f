//! The text of a rule file. Every rule of it is accounted for, and a rule that is taken can be compiled: its indices lie
//! within it, and nothing in it is larger than the text that it came from.
#![no_main]

use rules::ir::Condition;
use rules::{Environment, parse_file};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    thread_local!(static ENVIRONMENT: Environment = Environment::default());
    let parsed = ENVIRONMENT.with(|environment| parse_file(text, 0, environment));
    let lines = text.split(|&byte| byte == b'\n').count();
    let accounted =
        parsed.rules.len() + parsed.refused.len() + parsed.skipped.len() + parsed.duplicates.len();
    assert!(accounted + parsed.disabled as usize <= lines);
    for refusal in parsed.refused.iter().chain(&parsed.skipped) {
        assert!(
            refusal.position.line as usize <= lines && refusal.position.column as usize <= text.len() + 1
        );
        assert!(!refusal.to_string().is_empty());
    }
    for rule in &parsed.rules {
        let conditions: usize = rule.groups.iter().map(|group| group.conditions.len()).sum();
        assert!(conditions + rule.packet.len() + rule.app.len() + rule.state.len() <= text.len());
        assert!(rule.groups.iter().all(|group| !group.conditions.is_empty()));
        assert!(rule.prefilter.is_none_or(|index| index < rule.packet.len()));
        if let Some(fast) = rule.fast_pattern {
            let condition =
                rule.groups.get(fast.group).and_then(|group| group.conditions.get(fast.condition));
            let Some(Condition::Content(content)) = condition else {
                panic!("fast_pattern is about no content")
            };
            let (offset, length) = fast.chop.unwrap_or_default();
            assert!(offset + length <= content.pattern.len());
        }
        let last_relative = rule.groups.iter().filter_map(|group| group.conditions.last());
        for condition in last_relative {
            assert!(
                !matches!(condition, Condition::Content(content) if content.relative_next),
                "nothing follows"
            );
        }
    }
});
