//! Pipelines: named, ordered lists of inspectors.

use classify::ToolId;

use crate::inspection::Layer;

/// Something that looks into packets. A closed set, so that a packet costs no virtual call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inspector {
    /// Verifies IPv4, TCP, UDP, ICMP and `ICMPv6` checksums (RFC 1071) and counts the wrong ones.
    Checksum,
    /// Runs the tenant's signatures.
    Ids,
    /// Runs the signatures of headquarters' policy. No configuration names it: it is in every pipeline if there is one.
    Policy,
    /// Logs an application protocol: EVE records of one family, by its place in the list of logs.
    Log(u8),
}

/// Logs by their names in the configuration, and the EVE event types of each.
const LOGS: [(&str, &[&str]); 25] = [
    ("http", &["http"]),
    ("dns", &["dns"]),
    ("tls", &["tls"]),
    ("ssh", &["ssh"]),
    ("smtp", &["smtp"]),
    ("ftp", &["ftp", "ftp_data"]),
    ("smb", &["smb"]),
    ("quic", &["quic"]),
    ("dhcp", &["dhcp"]),
    ("tftp", &["tftp"]),
    ("krb5", &["krb5"]),
    ("nfs", &["nfs"]),
    ("snmp", &["snmp"]),
    ("sip", &["sip"]),
    ("ike", &["ike"]),
    ("mqtt", &["mqtt"]),
    ("rfb", &["rfb"]),
    ("rdp", &["rdp"]),
    ("pgsql", &["pgsql"]),
    ("modbus", &["modbus"]),
    ("dnp3", &["dnp3"]),
    ("dcerpc", &["dcerpc"]),
    ("bittorrent-dht", &["bittorrent_dht"]),
    ("files", &["fileinfo"]),
    ("anomaly", &["anomaly"]),
];

impl Inspector {
    /// Every inspector that a configuration can name, with its name.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        let logs = LOGS.iter().zip(0..).map(|((name, _), place)| (*name, Self::Log(place)));
        [("checksum", Self::Checksum), ("ids", Self::Ids)].into_iter().chain(logs)
    }

    /// The inspector called `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().find(|(known, _)| *known == name).map(|(_, inspector)| inspector)
    }
}

/// A named, ordered list of inspectors. Without any, a flow's packets are counted and its record kept, no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pipeline {
    /// Its name in the configuration.
    pub name: String,
    /// What runs, in order.
    pub inspectors: Vec<Inspector>,
    /// What becomes of a packet afterwards.
    pub then: Then,
}

/// What becomes of a packet that went through a pipeline. All but the first are how a flow that its tenant does not want
/// to be looked into is still looked into for the policy: the record names the tenant's verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Then {
    /// It is freed; the flow's verdict is the pipeline.
    #[default]
    Inspected,
    /// It is freed; the flow's verdict is to be shunted.
    Shunt,
    /// It is freed; the flow's verdict is to be dropped.
    Drop,
    /// It is sent out of a tool port. It counts as inspected if the port takes it.
    Tool(ToolId),
}

impl Pipeline {
    /// A pipeline of these inspectors.
    pub fn new(name: &str, inspectors: Vec<Inspector>) -> Self {
        Self { name: name.to_owned(), inspectors, then: Then::Inspected }
    }
}

/// What a pipeline does, for the packet path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Plan {
    /// How often checksums are verified: as often as the pipeline says.
    pub(crate) checksums: u32,
    signatures: bool,
    policy: bool,
    logs: u32,
    pub(crate) then: Then,
}

impl Plan {
    /// Nothing but rules, of both layers: for packets that no pipeline is chosen for.
    pub(crate) const EVERY_RULE: Self =
        Self { checksums: 0, signatures: true, policy: true, logs: 0, then: Then::Inspected };

    pub(crate) fn new(pipeline: &Pipeline) -> Self {
        let empty = Self { then: pipeline.then, ..Self::default() };
        pipeline.inspectors.iter().fold(empty, |plan, inspector| match inspector {
            Inspector::Checksum => Self { checksums: plan.checksums + 1, ..plan },
            Inspector::Ids => Self { signatures: true, ..plan },
            Inspector::Policy => Self { policy: true, ..plan },
            Inspector::Log(place) => Self { logs: plan.logs | 1 << place, ..plan },
        })
    }

    /// Whether it looks at more than single packets.
    pub(crate) const fn reads_streams(self) -> bool {
        self.asks_rules() || self.logs != 0
    }

    /// Whether it asks rules of any layer.
    pub(crate) const fn asks_rules(self) -> bool {
        self.signatures || self.policy
    }

    /// Whether it asks the rules of this layer.
    pub(crate) const fn asks(self, layer: Layer) -> bool {
        match layer {
            Layer::Policy => self.policy,
            Layer::Own => self.signatures,
        }
    }

    /// Whether it writes events of this type.
    pub(crate) fn logs(self, event_type: &str) -> bool {
        LOGS.iter()
            .zip(0..)
            .any(|((_, types), place)| self.logs & 1 << place != 0 && types.contains(&event_type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_logs_what_its_pipeline_names_and_nothing_else() {
        let inspectors = ["ids", "dns", "ftp"].iter().filter_map(|name| Inspector::by_name(name)).collect();
        let plan = Plan::new(&Pipeline::new("p", inspectors));
        assert!(plan.asks(Layer::Own) && !plan.asks(Layer::Policy) && plan.checksums == 0);
        assert!(plan.reads_streams());
        assert!(plan.logs("dns") && plan.logs("ftp_data") && !plan.logs("http") && !plan.logs("alert"));
        assert!(!Plan::new(&Pipeline::new("q", vec![Inspector::Checksum])).reads_streams());
    }

    #[test]
    fn the_policy_has_no_name_and_reads_streams() {
        assert!(Inspector::all().all(|(_, inspector)| inspector != Inspector::Policy));
        assert_eq!(Inspector::by_name("policy"), None);
        let plan = Plan::new(&Pipeline { then: Then::Drop, ..Pipeline::new("p", vec![Inspector::Policy]) });
        assert!(plan.reads_streams() && plan.asks(Layer::Policy) && !plan.asks(Layer::Own));
        assert_eq!(plan.then, Then::Drop);
    }
}
