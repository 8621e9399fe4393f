//! Any text as a configuration file.
//!
//! A file that is refused gets readable problems, each with a place in the file. A file that is accepted can be started
//! from, and means the same when it is written back.

#![no_main]

use control::config::{self, Config};
use control::engine;
use dataplane::Mode;
use libfuzzer_sys::fuzz_target;

fn check_indices(config: &Config) {
    let (tenants, pipelines, tools) = (config.tenants.len(), config.pipelines.len(), config.tools.len());
    let valid = |verdict| match verdict {
        config::Verdict::Pipeline(index) => index < pipelines,
        config::Verdict::Tool(index) => index < tools,
        config::Verdict::Shunt | config::Verdict::Drop => true,
    };
    assert!(config.tenants.iter().all(|tenant| valid(tenant.default_verdict)));
    assert!(
        config
            .rules
            .iter()
            .all(|rule| valid(rule.verdict) && rule.tenant.is_none_or(|index| index < tenants))
    );
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match config::parse(text) {
        Err(problems) => {
            assert!(!problems.is_empty() && problems.len() <= 50);
            let lines = text.split('\n').count();
            for problem in problems {
                assert!((1..=lines).contains(&problem.line) && problem.column >= 1, "{problem:?}");
                let shown = problem.to_string();
                assert!(!shown.contains(char::is_control) && shown.len() < 8000, "{shown:?}");
                assert!(!problem.message.is_empty());
            }
        }
        Ok(checked) => {
            check_indices(&checked.config);
            engine::engine_config(&checked.config, Mode::Live, 0).expect("devices were checked");
            let written = toml::to_string(&checked.document).expect("what was read can be written");
            let again = config::parse(&written).expect("what was written can be read");
            assert_eq!(checked.document, again.document);
            assert_eq!(checked.config, again.config);
        }
    }
});
