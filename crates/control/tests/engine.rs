//! What a configuration file becomes in the dataplane.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use control::config::{self, Config, Document, RuleCache};
use control::engine::{engine_config, generation, memory_needed_mib, steering};
use control::inspection::inspections;
use control::rules::Loader;
use dataplane::{Inspector, Mode, Tenancy, Then};
use dpdk::HugePages;
use wire::{TenantId, Vlans};

fn everything() -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/good/everything.toml");
    config::load(&path).unwrap().config
}

#[test]
fn sizes_and_limits_arrive() {
    let live = engine_config(&everything(), Mode::Live, 99).unwrap();
    assert_eq!((live.workers, live.tenants_max, live.flows_max), (2, 16, 65_536));
    assert_eq!((live.mempool_mbufs, live.inbox_packets, live.memory_mib), (16_384, 2048, 512));
    assert_eq!((live.huge_pages, live.hash_seed, live.community_id_seed), (HugePages::Off, 7, None));
    assert_eq!(
        (live.timeouts.tcp.new_s, live.timeouts.tcp.established_s, live.timeouts.tcp.closed_s),
        (10, 120, 5)
    );
    assert_eq!((live.timeouts.udp.new_s, live.timeouts.udp.established_s), (11, 300));
    assert_eq!((live.timeouts.icmp.new_s, live.timeouts.icmp.established_s), (30, 12));
    assert_eq!((live.timeouts.other.new_s, live.timeouts.other.established_s), (13, 300));
    assert_eq!(
        (live.defrag.timeout_ms, live.defrag.trackers_max, live.defrag.trackers_per_tenant_max),
        (30_000, 100, 50)
    );
    assert_eq!((live.defrag.fragments_per_datagram_max, live.defrag.tiny_fragment_bytes), (64, 128));
    assert_eq!((live.defrag.bytes_max, live.defrag.bytes_per_tenant_max), (1 << 20, 1 << 18));
    assert!(live.defrag.ipv6_overlap_drops);
    assert_eq!((live.parse.vxlan_port, live.parse.geneve_port, live.parse.tunnel_depth_max), (8472, 6082, 2));
    let ports: Vec<(String, Tenancy)> =
        live.ports.iter().map(|p| (p.device.to_string(), p.tenancy)).collect();
    assert_eq!(
        ports,
        [
            ("0000:3b:02.1".to_owned(), Tenancy::Access { tenant: TenantId(0), vid: 140 }),
            ("net_af_packet0,iface=veth0".to_owned(), Tenancy::Trunk),
        ]
    );
    assert_eq!(live.tools.iter().map(ToString::to_string).collect::<Vec<_>>(), ["net_memif0,role=client"]);
}

#[test]
fn a_replay_has_no_ports_and_nothing_random() {
    let replay = engine_config(&everything(), Mode::Replay, 99).unwrap();
    assert!(replay.ports.is_empty());
    assert_eq!((replay.tenants_max, replay.hash_seed), (2, 7));
    let plain = Config::empty().with_default_tenant(&Document::default());
    assert_eq!(engine_config(&plain, Mode::Replay, 99).unwrap().hash_seed, 0);
    assert_eq!(engine_config(&plain, Mode::Live, 99).unwrap().hash_seed, 99);
    assert_eq!(engine_config(&plain, Mode::Replay, 99).unwrap().community_id_seed, Some(0));
}

/// The schema's defaults are the dataplane's own, so that a file which says nothing changes nothing.
#[test]
fn defaults_agree_with_those_of_the_crates_below() {
    let plain =
        engine_config(&Config::empty().with_default_tenant(&Document::default()), Mode::Replay, 0).unwrap();
    assert_eq!(plain.timeouts, flow::Timeouts::default());
    assert_eq!(plain.defrag, flow::defrag::Config::default());
    assert_eq!(plain.parse, wire::ParseOptions::default());
}

#[test]
fn steering_rules_keep_their_order_and_conditions() {
    let config = everything();
    let rules = steering(&config);
    let order: Vec<(&str, u32)> = rules.iter().map(|rule| (rule.name.as_str(), rule.priority)).collect();
    assert_eq!(order, [("canary", 0), ("backup of bank-east", 1), ("gre", 2), ("late", 3)]);
    let backup = &rules[1];
    assert_eq!((backup.tenant, backup.protocol), (Some(TenantId(0)), Some(6)));
    assert_eq!((&backup.vlan, &backup.destination_ports), (&Some(110..=112), &Some(873..=873)));
    assert_eq!((backup.direction, backup.verdict), (classify::Direction::Either, classify::Verdict::Shunt));
    assert_eq!(rules[3].verdict, classify::Verdict::Tool(classify::ToolId(0)));
    assert!(classify::validate(&rules, config.tenants.len()).is_ok());
}

#[test]
fn a_generation_divides_vlans_among_tenants() {
    let (eal, _) = testkit::eal(0);
    let mut loader = Loader::new(&RuleCache { folder: None, mib_max: 0 });
    let inspections = inspections(&everything(), &mut loader).unwrap();
    let generation = generation(&everything(), &inspections, None, 5, &eal).unwrap();
    let tagged = |vid| generation.vlans.tenant(Vlans { vids: [vid, 0], count: 1 }).map(|tenant| tenant.0);
    assert_eq!([101, 110, 119, 102, 120, 4094].map(tagged), [0, 0, 0, 1, 1, 1].map(Some));
    assert_eq!(
        generation.vlans.tenant(Vlans::default()),
        Some(TenantId(1)),
        "untagged frames go to the catch-all"
    );
    assert_eq!(generation.number, 5);
    let tenants: Vec<_> = generation.tenants.iter().map(|tenant| tenant.as_ref().unwrap()).collect();
    assert_eq!(tenants.iter().map(|t| &*t.name).collect::<Vec<_>>(), ["bank-east", "rest"]);
    assert_eq!((tenants[0].weight, tenants[0].flows_max), (20, 1000));
    // The policy has rules, so it looks first, also at what a tenant does not want looked into.
    let pipelines: Vec<_> = generation.pipelines.iter().flatten().collect();
    assert!(pipelines.iter().all(|pipeline| pipeline.inspectors[0] == Inspector::Policy));
    assert_eq!(pipelines[0].inspectors[1..], [Inspector::Checksum, Inspector::Ids]);
    let named = |pipeline: &&dataplane::Pipeline| (pipeline.name.clone(), pipeline.then);
    assert_eq!(
        pipelines.iter().map(named).filter(|(_, then)| *then != Then::Inspected).collect::<Vec<_>>(),
        [
            ("(shunt)".to_owned(), Then::Shunt),
            ("(drop)".to_owned(), Then::Drop),
            ("(tool zeek)".to_owned(), Then::Tool(classify::ToolId(0))),
        ]
    );
    let of_tenants = tenants.iter().zip(&inspections.tenants);
    assert!(of_tenants.fold(true, |same, (tenant, own)| same && Arc::ptr_eq(&tenant.inspection, own)));
    assert_eq!(generation.tools, ["zeek"]);
}

#[test]
fn the_estimate_of_memory_is_enough_and_not_wasteful() {
    use dataplane::PacketMeta;
    let mut dataplane = Config::empty().dataplane;
    dataplane.mempool_mbufs = config::Whole::clamped(16_384);
    let needed = memory_needed_mib(&dataplane);
    let (eal, _) = dpdk::Eal::start(&dpdk::EalConfig {
        lcores: 0,
        memory_mib: needed as u32,
        huge_pages: HugePages::Off,
        pci: false,
    })
    .unwrap();
    let mempool = dpdk::MempoolConfig { mbufs: 16_384, ..dpdk::MempoolConfig::default() };
    let pool = dpdk::Mempool::<PacketMeta>::new(&eal, &mempool).unwrap();
    let rings: Vec<_> = (0..=dataplane.tenants_max.get())
        .map(|_| dpdk::ring::<PacketMeta>(&eal, dataplane.inbox_packets.get() as u32).unwrap())
        .collect();
    assert_eq!((pool.available(), rings.len()), (16_384, 257));
    assert!(needed < 80, "{needed} MiB for 16,384 buffers of a page each and 4 MiB of rings");
}
