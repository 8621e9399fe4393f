//! Pipelines: named, ordered lists of inspectors.

use wire::Packet;

/// Something that looks into packets. A closed set, so that a packet costs no virtual call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inspector {
    /// Verifies IPv4, TCP, UDP, ICMP and `ICMPv6` checksums (RFC 1071) and counts the wrong ones.
    Checksum,
}

impl Inspector {
    /// Every inspector of this version, by its name in the configuration.
    pub const ALL: [(&'static str, Self); 1] = [("checksum", Self::Checksum)];

    /// The inspector called `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, inspector)| *inspector)
    }

    /// Looks into one packet; `bytes` is the frame that `packet`'s offsets point into.
    #[inline]
    pub fn inspect(self, bytes: &[u8], packet: &Packet) -> Finding {
        match self {
            Self::Checksum => {
                let wrong = |checksum| checksum == wire::checksum::Verdict::Wrong;
                if wrong(packet.verify_ipv4_checksum(bytes)) || wrong(packet.verify_transport_checksum(bytes))
                {
                    Finding::ChecksumWrong
                } else {
                    Finding::Nothing
                }
            }
        }
    }
}

/// What an inspector found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// Nothing to report.
    Nothing,
    /// A checksum of the packet is wrong.
    ChecksumWrong,
}

/// A named, ordered list of inspectors. Without any, a flow's packets are counted and its record kept, no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pipeline {
    /// Its name in the configuration.
    pub name: String,
    /// What runs, in order.
    pub inspectors: Vec<Inspector>,
}
