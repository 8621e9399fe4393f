//! From a checked configuration to what the dataplane inspects by.
//!
//! In: a [`Config`]. Out: for each tenant a [`TenantInspection`], and what became of every rule. The schema's types are a
//! contract with operators and those of the crates below follow their own needs; this is where they meet.

use std::collections::HashMap;
use std::sync::Arc;

use analyze::{DecompressLimits, Hashes, HttpLimits, PortList, WindowLimits};
use app::{Buffer, Protocol};
use dataplane::{AlertOptions, Encrypted, ExceptionPolicy, Forwarded, RuleLayer, TenantInspection};
use flow::stream::StreamConfig;
use rules::ir::{AppCondition, AppProtocol, FileHash};
use signature::{Hosts, Options, RuleSet, StateError};

use crate::config::{self, Config, schema};
use crate::datasets;
use crate::rules::{Loaded, Loader, RulesError};

/// What tenants inspect by.
#[derive(Debug)]
pub struct Inspections {
    /// By tenant, in the configuration's order.
    pub tenants: Vec<Arc<TenantInspection>>,
    /// The rules of each, in the same order; `None`: it has none.
    pub loaded: Vec<Option<Arc<Loaded>>>,
    /// The rules of headquarters' policy; `None`: it has none.
    pub policy: Option<Arc<Loaded>>,
    /// The sets of rules, each once; tenants without rules have none.
    pub rules: Vec<Arc<Loaded>>,
}

impl Inspections {
    /// Whether these are the others, in the same order.
    pub fn are(&self, others: &Self) -> bool {
        self.tenants.len() == others.tenants.len()
            && self.tenants.iter().zip(&others.tenants).all(|(one, other)| Arc::ptr_eq(one, other))
            && same(self.policy.as_ref(), others.policy.as_ref())
    }

    /// Rules that are in use, those of a set that several tenants share counted once.
    pub fn rules_loaded(&self) -> u64 {
        self.rules.iter().map(|loaded| loaded.count() as u64).sum()
    }

    /// Rules that were refused.
    pub fn rules_refused(&self) -> u64 {
        self.rules.iter().map(|loaded| loaded.refused.len() as u64).sum()
    }
}

/// Loads the rules of every tenant and puts its settings into the dataplane's terms.
///
/// # Errors
///
/// [`RulesError`] when rules cannot be loaded at all.
pub fn inspections(config: &Config, loader: &mut Loader) -> Result<Inspections, RulesError> {
    inspections_after(config, loader, None)
}

/// The same for a configuration that follows another: a tenant about which nothing has changed keeps what it has, and
/// with it what its rules remember.
///
/// # Errors
///
/// [`RulesError`] when rules cannot be loaded at all.
pub fn inspections_after(
    config: &Config,
    loader: &mut Loader,
    previous: Option<(&Config, &Inspections)>,
) -> Result<Inspections, RulesError> {
    let load = |source: &config::RuleSource, loader: &mut Loader| {
        if source.files.is_empty() { Ok(None) } else { loader.load(source).map(Some) }
    };
    let policy = load(&config.policy.rules, loader)?;
    let before: HashMap<&str, Before<'_>> = previous
        .into_iter()
        .flat_map(|(config, inspections)| {
            let inspected = inspections.tenants.iter().zip(&inspections.loaded);
            config.tenants.iter().zip(inspected).map(|(tenant, (inspection, loaded))| {
                let known = Before {
                    written: &tenant.inspection,
                    inspection,
                    loaded: loaded.as_ref(),
                    policy_source: &config.policy.rules,
                    policy: inspections.policy.as_ref(),
                };
                (tenant.name.as_str(), known)
            })
        })
        .collect();
    let mut rules: Vec<Arc<Loaded>> = policy.iter().map(Arc::clone).collect();
    let (mut tenants, mut all) =
        (Vec::with_capacity(config.tenants.len()), Vec::with_capacity(config.tenants.len()));
    for tenant in &config.tenants {
        let (written, name) = (&tenant.inspection, tenant.name.as_str());
        let loaded = load(&written.rules, loader)?;
        let known = before.get(name);
        let own_before =
            known.filter(|known| *known.written == *written && same(known.loaded, loaded.as_ref()));
        // How much it may remember, and whether costs are noted, a tenant's settings say for both layers.
        let policy_before = known.filter(|known| {
            *known.policy_source == config.policy.rules
                && same(known.policy, policy.as_ref())
                && known.written.host_entries_max == written.host_entries_max
                && known.written.profile == written.profile
        });
        tenants.push(if let (Some(known), Some(_)) = (own_before, policy_before) {
            Arc::clone(known.inspection)
        } else {
            let own = if let Some(known) = own_before {
                known.inspection.own.clone()
            } else {
                layer(written, &written.rules, name, loaded.as_ref())?
            };
            let policy = if let Some(known) = policy_before {
                known.inspection.policy.clone()
            } else {
                layer(written, &config.policy.rules, &datasets::of_policy(name), policy.as_ref())?
            };
            let mut next = inspection(written, policy, own);
            if let Some(known) = known {
                // Connections that are awaited and hosts that are tagged are so whatever the rules are now.
                next.announced = Arc::clone(&known.inspection.announced);
                next.tagged = Arc::clone(&known.inspection.tagged);
            }
            Arc::new(next)
        });
        if let Some(loaded) = &loaded
            && !rules.iter().any(|known| Arc::ptr_eq(known, loaded))
        {
            rules.push(Arc::clone(loaded));
        }
        all.push(loaded);
    }
    Ok(Inspections { tenants, loaded: all, policy, rules })
}

/// What a tenant had before.
struct Before<'a> {
    /// How it was to be inspected.
    written: &'a config::Inspection,
    /// What came of that.
    inspection: &'a Arc<TenantInspection>,
    /// Its rules.
    loaded: Option<&'a Arc<Loaded>>,
    /// Where the policy's rules were from, and they.
    policy_source: &'a config::RuleSource,
    policy: Option<&'a Arc<Loaded>>,
}

/// Whether two are the same set of rules, or both none.
fn same(one: Option<&Arc<Loaded>>, other: Option<&Arc<Loaded>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        _ => false,
    }
}

/// A layer of a tenant's rules from `source`, with what they remember; `folder` is where its sets of data are kept.
fn layer(
    written: &config::Inspection,
    source: &config::RuleSource,
    folder: &str,
    loaded: Option<&Arc<Loaded>>,
) -> Result<Option<RuleLayer>, StateError> {
    let Some(rules) = loaded.map(|loaded| &loaded.set) else { return Ok(None) };
    let kept = source.dataset_folder.as_ref();
    let hosts = Hosts::with_datasets(written.host_entries_max, rules, &|file| {
        kept.map_or(Ok(None), |kept| datasets::read(kept, folder, file))
    })?;
    let hosts = if written.profile { hosts.profiled(rules) } else { hosts };
    Ok(Some(RuleLayer { rules: Arc::clone(rules), hosts: Arc::new(hosts) }))
}

fn inspection(
    written: &config::Inspection,
    policy: Option<RuleLayer>,
    own: Option<RuleLayer>,
) -> TenantInspection {
    let stream = &written.stream;
    TenantInspection {
        analyze: analyze(
            &written.protocols,
            [&policy, &own].map(|layer| layer.as_ref().map(|layer| &*layer.rules)),
        ),
        policy,
        own,
        announced: Arc::default(),
        tagged: Arc::default(),
        signature: Options { alerts_max: written.alerts.per_packet_max.get() as usize, ..Options::default() },
        stream: stream_config(stream),
        stream_bytes_max: (stream.memory_mib.get() as usize) << 20,
        verify_checksums: stream.verify_checksums != config::Verify::Off,
        alert: AlertOptions {
            payload: written.alerts.payload,
            payload_printable: written.alerts.payload_printable,
            payload_bytes_max: written.alerts.payload_bytes_max.get() as usize,
            packet: written.alerts.packet,
            metadata: written.alerts.metadata,
            tagged_packets: written.alerts.tagged_packets,
            guess_transaction: written.alerts.guess_transaction,
            ethernet: written.alerts.ethernet,
            verdict: written.alerts.verdict,
            link_type: written.link_type,
        },
        forwarded: (written.alerts.xff != config::Forwarding::Off).then(|| Forwarded {
            header: written.alerts.xff_header.clone(),
            overwrite: written.alerts.xff == config::Forwarding::Overwrite,
            reverse: written.alerts.xff_deployment == config::Deployment::Reverse,
        }),
        encrypted: match written.protocols.encrypted {
            config::Encrypted::Default => Encrypted::NoPayload,
            config::Encrypted::Bypass => Encrypted::Bypass,
            config::Encrypted::Full => Encrypted::Full,
        },
        midstream_policy: match stream.midstream_policy {
            config::ExceptionPolicy::Ignore => ExceptionPolicy::Ignore,
            config::ExceptionPolicy::PassFlow => ExceptionPolicy::PassFlow,
            config::ExceptionPolicy::Bypass => ExceptionPolicy::Bypass,
        },
    }
}

fn stream_config(written: &schema::Stream) -> StreamConfig {
    StreamConfig {
        inline: written.inline,
        midstream: written.midstream,
        async_oneside: written.async_oneside,
        policy: written.overlap.0,
        depth_bytes: written.depth_bytes.get(),
        segments_max: written.segments_max.get() as u32,
        bytes_max: written.waiting_bytes_max.get() as u32,
        raw_chunk_bytes: written.chunk_bytes.get() as u32,
        raw_overlap_bytes: written.overlap_bytes.get() as u32,
        ..StreamConfig::default()
    }
}

/// How protocols are read for the rules of both layers.
fn analyze(written: &schema::Protocols, rules: [Option<&RuleSet>; 2]) -> analyze::Config {
    let mut config = analyze::Config::default();
    config.limits.transactions_max = written.transactions_max.get() as usize;
    let hashes = hashes(rules);
    let window =
        |content: schema::Length, inspect_min: schema::Length, inspect_window: schema::Length| WindowLimits {
            content: content.get(),
            inspect_min: inspect_min.get(),
            inspect_window: inspect_window.get(),
            hashes,
        };
    let (http, files) = (&written.http, &written.files);
    config.limits.files =
        window(files.content_bytes_max, files.inspect_min_bytes, files.inspect_window_bytes);
    config.limits.http = HttpLimits {
        request_body: window(
            http.request_body_bytes_max,
            http.request_body_inspect_min_bytes,
            http.request_body_inspect_window_bytes,
        ),
        response_body: window(
            http.response_body_bytes_max,
            http.response_body_inspect_min_bytes,
            http.response_body_inspect_window_bytes,
        ),
        upload: config.limits.files,
        decompress: DecompressLimits {
            layers: http.decompress_layers_max.get() as u32,
            lzma: http.lzma,
            lzma_memory: http.lzma_memory_bytes_max.get() as usize,
            bomb_bytes: http.bomb_bytes_max.get(),
        },
        transactions: http.transactions_max.get() as usize,
        double_decode_path: http.double_decode_path,
        double_decode_query: http.double_decode_query,
        ..HttpLimits::default()
    };
    config.enabled = written.disabled.iter().fold(analyze::Protocols::ALL, |all, name| all.without(name.0));
    config.enabled = off_by_default(rules).fold(config.enabled, analyze::Protocols::with);
    config.ports = ports(&written.ports);
    let asks = |buffers: &[Buffer]| {
        let mut groups =
            rules.iter().flatten().flat_map(|set| set.rules()).flat_map(|rule| &rule.rule.groups);
        groups.any(|group| buffers.contains(&group.buffer))
    };
    config.ja3 = asks(&[Buffer::Ja3Hash, Buffer::Ja3String, Buffer::Ja3sHash, Buffer::Ja3sString]);
    config.ja4 = asks(&[Buffer::Ja4Hash]);
    config.hassh = asks(&[
        Buffer::SshHassh,
        Buffer::SshHasshString,
        Buffer::SshHasshServer,
        Buffer::SshHasshServerString,
    ]);
    config
}

/// Protocols that are only looked for where somebody asks for them, as far as rules do.
fn off_by_default(rules: [Option<&RuleSet>; 2]) -> impl Iterator<Item = Protocol> {
    let rules = rules.into_iter().flatten().flat_map(RuleSet::rules);
    let named = rules.flat_map(|rule| {
        let conditions = rule.rule.app.iter().filter_map(|condition| match condition {
            AppCondition::Protocol { protocol, .. } => *protocol,
            _ => None,
        });
        conditions.chain(rule.rule.app_protocol)
    });
    named.filter_map(|asked| match asked {
        AppProtocol::Only(
            protocol @ (Protocol::Modbus | Protocol::Dnp3 | Protocol::Enip | Protocol::Pgsql),
        ) => Some(protocol),
        _ => None,
    })
}

/// Hashes of files that rules ask for.
fn hashes(rules: [Option<&RuleSet>; 2]) -> Hashes {
    let conditions = || rules.into_iter().flatten().flat_map(RuleSet::rules).flat_map(|rule| &rule.rule.app);
    let asks = |wanted| {
        conditions()
            .any(|condition| matches!(condition, AppCondition::FileHash { kind, .. } if *kind == wanted))
    };
    Hashes { md5: asks(FileHash::Md5), sha1: asks(FileHash::Sha1), sha256: asks(FileHash::Sha256) }
}

fn ports(written: &schema::Ports) -> analyze::Ports {
    let list = |ports: &schema::PortList| PortList::new(ports.iter().map(|range| (range.first, range.last)));
    let schema::Ports {
        dns_tcp,
        dns_udp,
        tls,
        quic,
        dhcp,
        tftp,
        ntp,
        snmp,
        ike,
        krb5,
        nfs,
        rdp,
        rfb,
        sip,
        mqtt,
        telnet,
        smtp,
        modbus,
        dnp3,
        enip,
        pgsql,
        smb,
    } = written;
    analyze::Ports {
        dns_tcp: list(dns_tcp),
        dns_udp: list(dns_udp),
        tls: list(tls),
        quic: list(quic),
        dhcp: list(dhcp),
        tftp: list(tftp),
        ntp: list(ntp),
        snmp: list(snmp),
        ike: list(ike),
        krb5: list(krb5),
        nfs: list(nfs),
        rdp: list(rdp),
        rfb: list(rfb),
        sip: list(sip),
        mqtt: list(mqtt),
        telnet: list(telnet),
        smtp: list(smtp),
        modbus: list(modbus),
        dnp3: list(dnp3),
        enip: list(enip),
        pgsql: list(pgsql),
        smb: list(smb),
    }
}
