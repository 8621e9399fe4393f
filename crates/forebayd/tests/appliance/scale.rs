//! Many tenants with the same rules: the rules are in memory once.
//!
//! `FOREBAY_TEST_TENANTS` is how many tenants, `FOREBAY_TEST_RULES` their rule file in place of a small one.

use std::fmt::Write;
use std::time::Instant;

use crate::daemon::{Daemon, configure, scale, silent_port};
use crate::reloads::some_rules;

#[test]
fn tenants_with_the_same_rules_share_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("same.rules"), some_rules()).unwrap();
    let many = scale("FOREBAY_TEST_TENANTS", 20);
    let mut measured = Vec::new();
    // The first fills the cache.
    for tenants in [1, 1, many] {
        let mut text = "rules = [\"same.rules\"]\n".to_owned();
        for number in 0..tenants {
            writeln!(text, "[[tenant]]\nname = \"t{number}\"\nvlans = [{}]", number + 2).unwrap();
        }
        configure(folder.path(), &(text + &silent_port()));
        let begun = Instant::now();
        let daemon = Daemon::start(folder.path());
        let (took, memory) = (begun.elapsed(), daemon.resident_bytes());
        println!("{tenants} tenants: {} MiB, started in {took:.2?}", memory >> 20);
        let list: serde_json::Value =
            serde_json::from_str(&daemon.does(&["tenant", "list", "--json"])).unwrap();
        let rules =
            list["tenants"].as_array().unwrap().iter().map(|tenant| tenant["rules"].as_u64().unwrap());
        let rules: Vec<u64> = rules.collect();
        assert!(
            rules.len() == tenants && rules.iter().all(|own| *own == rules[0] && *own >= 300),
            "{rules:?}"
        );
        measured.push(memory);
        daemon.end();
    }
    // What a tenant has of its own is its state, and room for what its hosts are remembered by.
    let own = (measured[2].saturating_sub(measured[1])) / many as u64;
    assert!(own < 1 << 20, "{own} bytes for each tenant");
}
