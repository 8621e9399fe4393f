//! The command line as people write it. Scripts rely on it: names, defaults and exit codes are a contract.

mod appliance;
mod host;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

pub(crate) use appliance::{Changed, Conditions, Files, Policy, Remote, Steer, Tenant, Vlan};
pub(crate) use host::{Host, HostOptions};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused or failed; standard error says why and what to do
  2  the command line cannot be understood

Environment:
  NO_COLOR        plain text, without colours
  FOREBAY_SOCKET  the daemon's socket, in place of /run/forebay/forebay.sock
  FOREBAY_TOKEN   token of an operator, in place of the user who asks";

const REPLAY_EXAMPLES: &str = "\
Examples:
  forebay replay trace.pcap
      one tenant, `default`, which owns every VLAN; events in forebay-out/eve.json
  forebay replay monday.pcap tuesday.pcap --config forebay.toml --out week
      tenants, pipelines and steering from a configuration
  forebay replay trace.pcap --rules emerging-all.rules
      with signatures; alerts are among the events
  forebay replay trace.pcap --loops 100 --json
      the summary as one JSON object on standard output

Events:
  While it runs, DIR/eve.json.part grows (follow it with `tail -f`). When the replay is
  complete it becomes DIR/eve.json, in place of an older one. A replay that fails leaves
  neither; one that is interrupted leaves the part.";

const RULES_CHECK_EXAMPLES: &str = "\
Examples:
  forebay rules check /etc/forebay/rules/*.rules
  forebay rules check local.rules --var HOME_NET=10.0.0.0/8 --json | jq '.failed[].sid'";

const RULES_EXPLAIN_EXAMPLES: &str = "\
Example:
  forebay rules explain emerging-all.rules 2100498";

const RULES_PROFILE_EXAMPLES: &str = "\
Examples:
  forebay rules profile emerging-all.rules monday.pcap
  forebay rules profile local.rules trace.pcap --json | jq '.[0].sid'";

const CHECK_EXAMPLES: &str = "\
Examples:
  forebay config check /etc/forebay/forebay.toml
  forebay config check forebay.toml --json | jq .config.dataplane
      what would run, with every default filled in";

/// Multi-tenant network inspection on DPDK.
#[derive(Debug, Parser)]
#[command(name = "forebay", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Inspect captures offline, through the same dataplane as live traffic.
    ///
    /// Works as an ordinary user and without huge pages. Captures are pcap or pcapng files of Ethernet frames; several
    /// are replayed one after the other. Packets are taken at the times that the captures give them, so the same input
    /// with the same configuration gives the same output.
    Replay(Replay),
    /// Say how the appliance is; the first line says whether all is well.
    Status {
        #[command(flatten)]
        at: Remote,
    },
    /// Show the latest alerts, newest first.
    ///
    /// The daemon keeps the latest 200 of each tenant; all are in its event file.
    Alerts {
        /// Of this tenant only.
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// So many at most.
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u16,
        #[command(flatten)]
        at: Remote,
    },
    /// Add, remove, change and list tenants.
    #[command(subcommand)]
    Tenant(Tenant),
    /// Assign, release and list VLANs.
    #[command(subcommand)]
    Vlan(Vlan),
    /// Add, remove, list and test steering rules.
    #[command(subcommand)]
    Steer(Steer),
    /// Headquarters' policy over all tenants.
    #[command(subcommand)]
    Policy(Policy),
    /// Look at a configuration file, and at the configurations of a running appliance.
    #[command(subcommand)]
    Config(Config),
    /// Look at rule files, and load them into a running appliance.
    #[command(subcommand)]
    Rules(Rules),
    /// Plan and check the machine underneath: SR-IOV functions, huge pages, cores.
    #[command(subcommand)]
    Host(Host),
    /// Make a token for an operator. Headquarters puts its digest into the configuration; nobody keeps the token but its
    /// owner.
    Token {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  forebay completion bash > /etc/bash_completion.d/forebay")]
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the man pages.
    #[command(hide = true)]
    Man {
        /// Where to; made if it is not there.
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXAMPLES)]
pub(crate) struct Replay {
    /// Captures, replayed in this order.
    #[arg(value_name = "PCAP", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) captures: Vec<PathBuf>,
    /// Configuration; without it one tenant, `default`, owns every VLAN and has every inspector.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Signatures in Suricata's rule language, for every tenant, in place of the configuration's.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) rules: Vec<PathBuf>,
    /// Where to write eve.json; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "forebay-out", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,
    /// Replay the captures this often, each time as later traffic with flows of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) loops: u32,
    /// Worker lcores, in place of the configuration's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) workers: Option<u16>,
    /// Replay a damaged capture up to where the damage begins.
    #[arg(long)]
    pub(crate) accept_truncated: bool,
    /// Print the summary as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Say what is wrong with a configuration file: every mistake that can be found in one run.
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// The configuration file.
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Print one JSON object: problems with their places, or the configuration with every default filled in.
        #[arg(long)]
        json: bool,
    },
    /// Show the configuration that the appliance runs, or that of a generation.
    Show {
        /// Number of a generation.
        generation: Option<u32>,
        #[command(flatten)]
        at: Remote,
    },
    /// List the generations: when, who, what.
    History {
        #[command(flatten)]
        at: Remote,
    },
    /// Show the lines in which two generations differ.
    Diff {
        /// Number of the older one.
        from: u32,
        /// Number of the newer one; the one that runs if not given.
        to: Option<u32>,
        #[command(flatten)]
        at: Remote,
    },
    /// Go back to a generation.
    Rollback {
        /// Its number.
        generation: u32,
        #[command(flatten)]
        to: Changed,
    },
    /// Let the daemon read its configuration file, and rule files that have changed, again.
    Reload {
        #[command(flatten)]
        to: Changed,
    },
    /// Put another configuration in the place of the one that runs.
    Replace {
        /// The file.
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        #[command(flatten)]
        to: Changed,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Say which rules of a file are refused, where and why.
    #[command(after_help = RULES_CHECK_EXAMPLES)]
    Check {
        /// Rule files.
        #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        options: RuleOptions,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Load rule files for a tenant of a running appliance.
    Load {
        /// The tenant.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        #[command(flatten)]
        files: Files,
    },
    /// Take rule files away from a tenant.
    Unload {
        /// The files, by name; all if none is given.
        names: Vec<String>,
        /// The tenant.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// Without names: the tenant has the rules that all have who have none of their own, rather than none.
        #[arg(long)]
        inherit: bool,
        #[command(flatten)]
        to: Changed,
    },
    /// List a tenant's rule files, and the rules of them that are not used.
    List {
        /// The tenant.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        #[command(flatten)]
        at: Remote,
    },
    /// Show how a rule is understood and compiled.
    #[command(after_help = RULES_EXPLAIN_EXAMPLES)]
    Explain {
        /// The rule file.
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// The rule's number.
        #[arg(value_name = "SID")]
        sid: u32,
        #[command(flatten)]
        options: RuleOptions,
    },
    /// Replay captures with rules, and tell what asking each rule cost, the most expensive first.
    #[command(after_help = RULES_PROFILE_EXAMPLES)]
    Profile {
        /// The rule file.
        #[arg(value_name = "RULES", value_hint = ValueHint::FilePath)]
        rules: PathBuf,
        /// Captures, replayed in this order.
        #[arg(value_name = "CAPTURE", required = true, value_hint = ValueHint::FilePath)]
        captures: Vec<PathBuf>,
        /// Configuration; without it one tenant, `default`, owns every VLAN and has every inspector.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        config: Option<PathBuf>,
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
    },
}

/// What rules are read with.
#[derive(Debug, Args)]
pub(crate) struct RuleOptions {
    /// A variable of rules: addresses, or ports if its name ends with PORT or PORTS.
    #[arg(long = "var", value_name = "NAME=GROUP", value_parser = RuleVariable::parse)]
    pub(crate) variables: Vec<RuleVariable>,
    /// A classification.config; without it the usual classes are known.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) classification: Option<PathBuf>,
}

/// A variable of rules.
#[derive(Clone, Debug)]
pub(crate) struct RuleVariable {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) is_ports: bool,
}

impl RuleVariable {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, group) =
            text.split_once('=').ok_or("give it as NAME=GROUP, such as HOME_NET=10.0.0.0/8")?;
        let name = name.trim().trim_start_matches('$');
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err("its name is A-Z, 0-9 and _, such as HOME_NET".to_owned());
        }
        Ok(Self { name: name.to_owned(), group: group.trim().to_owned(), is_ports: names_ports(name) })
    }
}

/// Whether a variable of this name stands for ports.
pub(crate) fn names_ports(name: &str) -> bool {
    name.ends_with("PORT") || name.ends_with("PORTS")
}
