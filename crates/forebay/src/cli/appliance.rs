//! Commands that are asked of a running appliance.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::RuleVariable;

/// The appliance that is asked.
#[derive(Debug, Args)]
pub(crate) struct Remote {
    /// Socket of the daemon.
    #[arg(
        long,
        value_name = "PATH",
        env = "FOREBAY_SOCKET",
        default_value = control::config::schema::SOCKET,
        value_hint = ValueHint::FilePath
    )]
    pub(crate) socket: PathBuf,
    /// Token of an operator, in place of the user who asks.
    #[arg(long, value_name = "TOKEN", env = "FOREBAY_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The appliance that is changed.
#[derive(Debug, Args)]
pub(crate) struct Changed {
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// Say what would change, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const TENANT_EXAMPLES: &str = "\
Examples:
  forebay tenant add bank-east --vlan 101 --vlan 110-119 --weight 20
  forebay tenant set bank-east --var HOME_NET=10.1.0.0/16 --dry-run
  forebay tenant remove bank-east";

#[derive(Debug, Subcommand)]
#[command(after_help = TENANT_EXAMPLES)]
pub(crate) enum Tenant {
    /// Add a tenant.
    Add {
        /// Its name: a-z, 0-9 and inner -.
        name: String,
        /// A VLAN of it, or a range such as 110-119.
        #[arg(long = "vlan", value_name = "VLAN")]
        vlans: Vec<String>,
        /// Its share of the workers' time, 1 to 100; 10 if not given.
        #[arg(long, value_name = "N")]
        weight: Option<u64>,
        /// Flows that it may have in each worker's table; the table's size if not given.
        #[arg(long, value_name = "N")]
        flows_max: Option<u64>,
        /// What flows get that no steering rule decides, such as "pipeline light"; "pipeline full" if not given.
        #[arg(long, value_name = "VERDICT")]
        default_verdict: Option<String>,
        #[command(flatten)]
        to: Changed,
    },
    /// Remove a tenant, with its steering rules and its operators.
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        to: Changed,
    },
    /// Change settings of a tenant; those that are not given stay.
    Set {
        /// Its name.
        name: String,
        /// Its share of the workers' time, 1 to 100.
        #[arg(long, value_name = "N")]
        weight: Option<u64>,
        /// Flows that it may have in each worker's table.
        #[arg(long, value_name = "N")]
        flows_max: Option<u64>,
        /// What flows get that no steering rule decides, such as "pipeline light".
        #[arg(long, value_name = "VERDICT")]
        default_verdict: Option<String>,
        /// A variable of its rules: addresses, or ports if its name ends with PORT or PORTS.
        #[arg(long = "var", value_name = "NAME=GROUP", value_parser = RuleVariable::parse)]
        variables: Vec<RuleVariable>,
        /// A variable that is taken away, so that what all tenants have holds again.
        #[arg(long = "unset-var", value_name = "NAME")]
        unset: Vec<String>,
        /// How often its rules may speak: a threshold.config; "" takes it away.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        thresholds: Option<PathBuf>,
        #[command(flatten)]
        to: Changed,
    },
    /// List the tenants.
    List {
        #[command(flatten)]
        at: Remote,
    },
    /// Show a tenant.
    Show {
        /// Its name.
        name: String,
        #[command(flatten)]
        at: Remote,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Vlan {
    /// Give VLANs to a tenant.
    #[command(after_help = "Example:\n  forebay vlan assign 110-119 bank-east")]
    Assign {
        /// One VLAN or a range.
        vlan: String,
        /// The tenant.
        tenant: String,
        #[command(flatten)]
        to: Changed,
    },
    /// Take VLANs from the tenant that has them.
    Release {
        /// One VLAN or a range.
        vlan: String,
        #[command(flatten)]
        to: Changed,
    },
    /// List who has which VLAN.
    List {
        #[command(flatten)]
        at: Remote,
    },
}

/// A steering rule's conditions; one that is not given matches everything.
#[derive(Debug, Args)]
pub(crate) struct Conditions {
    /// Flows of this tenant.
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Of the rules that match, the one with the lowest number decides; 1000 if not given.
    #[arg(long, value_name = "N")]
    pub(crate) priority: Option<u64>,
    /// Flows with this outer VLAN, or one of this range.
    #[arg(long, value_name = "VLAN")]
    pub(crate) vlan: Option<String>,
    /// tcp, udp, sctp, icmp, icmpv6 or a number.
    #[arg(long, value_name = "PROTOCOL")]
    pub(crate) protocol: Option<String>,
    /// Source address or prefix.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) source: Option<String>,
    /// Destination address or prefix.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) destination: Option<String>,
    /// Source port or range.
    #[arg(long, value_name = "PORTS")]
    pub(crate) source_ports: Option<String>,
    /// Destination port or range.
    #[arg(long, value_name = "PORTS")]
    pub(crate) destination_ports: Option<String>,
    /// Which end of the flow is the source: initiator or either.
    #[arg(long, value_name = "END")]
    pub(crate) direction: Option<String>,
}

const STEER_EXAMPLES: &str = "\
Examples:
  forebay steer add backup \"shunt\" --tenant bank-east --protocol tcp --destination-ports 873
  forebay steer test 10.0.0.5:1234 8.8.8.8:53/udp --tenant bank-east";

#[derive(Debug, Subcommand)]
#[command(after_help = STEER_EXAMPLES)]
pub(crate) enum Steer {
    /// Add a steering rule.
    Add {
        /// Its name.
        name: String,
        /// What the flow gets: "pipeline NAME", "shunt", "drop" or "tool NAME".
        verdict: String,
        #[command(flatten)]
        conditions: Conditions,
        #[command(flatten)]
        to: Changed,
    },
    /// Remove a steering rule.
    Remove {
        /// Its name.
        name: String,
        /// The tenant that it is for, where several have a rule of that name.
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        #[command(flatten)]
        to: Changed,
    },
    /// List the steering rules in the order in which they decide.
    List {
        #[command(flatten)]
        at: Remote,
    },
    /// Say which rule decides about a flow, and why.
    Test {
        /// Who sends the first packet: `10.0.0.5:1234` or `[2001:db8::1]:1234`.
        source: String,
        /// To whom, with the protocol if it is not TCP: 8.8.8.8:53/udp, or 10.0.0.1/icmp.
        destination: String,
        /// Whose flow.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// Its outer VLAN, 0 for none; the tenant's first if not given.
        #[arg(long, value_name = "VLAN")]
        vlan: Option<u64>,
        #[command(flatten)]
        at: Remote,
    },
}

/// Rule files to load.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Rule files.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) paths: Vec<PathBuf>,
    /// Beside the files that are there, of which those of the same name are replaced, and not in the place of all.
    #[arg(long)]
    pub(crate) append: bool,
    /// Leave out rules that cannot be used, rather than refuse all.
    #[arg(long)]
    pub(crate) partial: bool,
    #[command(flatten)]
    pub(crate) to: Changed,
}

const POLICY_ABOUT: &str = "\
Headquarters' policy: rules and steering that come before those of every tenant.

No rule, threshold, suppression, variable or steering rule of a tenant changes what the policy finds.";

#[derive(Debug, Subcommand)]
#[command(long_about = POLICY_ABOUT)]
pub(crate) enum Policy {
    /// Show the policy.
    Show {
        #[command(flatten)]
        at: Remote,
    },
    /// Load rule files for the policy.
    Load(Files),
    /// Take rule files away from the policy.
    Unload {
        /// The files, by name; all if none is given.
        names: Vec<String>,
        #[command(flatten)]
        to: Changed,
    },
    /// Add a steering rule to the policy. `forebay steer remove` removes it.
    Steer {
        /// Its name.
        name: String,
        /// What the flow gets: "pipeline NAME", "shunt", "drop" or "tool NAME".
        verdict: String,
        #[command(flatten)]
        conditions: Box<Conditions>,
        #[command(flatten)]
        to: Changed,
    },
}
