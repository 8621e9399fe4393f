//! The specification's own baselines, when they are there.

#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::path::PathBuf;

use event::community_id::{CommunityId, icmp_counterpart};
use event::{Ports, protocol};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    proto: u8,
    saddr: IpAddr,
    daddr: IpAddr,
    sport: Option<u16>,
    dport: Option<u16>,
    communityid: String,
}

impl Vector {
    /// The baselines give an ICMP message's type as source port, and its answer's type or else its code as the other.
    fn ports(&self) -> Ports {
        match (self.proto, self.sport, self.dport) {
            (protocol::ICMP | protocol::ICMPV6, Some(sport), Some(dport)) => {
                let icmp_type = u8::try_from(sport).unwrap();
                let second = u8::try_from(dport).unwrap();
                let answer = icmp_counterpart(self.proto, icmp_type);
                assert!(
                    answer.is_none_or(|answer| answer == second),
                    "the baseline pairs {sport} and {dport}"
                );
                Ports::Icmp { icmp_type, icmp_code: second, response: None }
            }
            (_, Some(src), Some(dest)) => Ports::Pair { src, dest },
            _ => Ports::None,
        }
    }
}

fn check(file: &str, seed: u16, append: fn(&CommunityId, &mut Vec<u8>)) {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora");
    let corpora = std::env::var_os("FOREBAY_CORPORA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let path = corpora.join("community-id").join(file);
    let Ok(text) = std::fs::read(&path) else {
        eprintln!("SKIPPED: no {}; set FOREBAY_CORPORA", path.display());
        return;
    };
    let vectors: Vec<Vector> = serde_json::from_slice(&text).unwrap();
    assert_eq!(vectors.len(), 23, "{file}");
    for vector in &vectors {
        let id = CommunityId::new(seed, vector.proto, vector.saddr, vector.daddr, vector.ports());
        let mut text = Vec::new();
        append(&id, &mut text);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            vector.communityid,
            "{file}: {} {}",
            vector.proto,
            vector.saddr
        );
    }
}

#[test]
fn default_form() {
    check("baseline_deflt.json", 0, CommunityId::append_base64);
}

#[test]
fn without_base64() {
    check("baseline_nob64.json", 0, CommunityId::append_hex);
}

#[test]
fn with_a_seed_of_one() {
    check("baseline_seed1.json", 1, CommunityId::append_base64);
}
