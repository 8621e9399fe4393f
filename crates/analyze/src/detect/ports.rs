//! Where protocols without a distinctive beginning are looked for.

/// Ports, as ranges.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PortList(Vec<(u16, u16)>);

impl PortList {
    /// The list of these ranges, ends included.
    pub fn new(ranges: impl IntoIterator<Item = (u16, u16)>) -> Self {
        Self(ranges.into_iter().collect())
    }

    /// The list of these ports.
    pub fn of(ports: impl IntoIterator<Item = u16>) -> Self {
        Self::new(ports.into_iter().map(|port| (port, port)))
    }

    /// Whether a port is in it.
    pub fn has(&self, port: u16) -> bool {
        self.0.iter().any(|&(first, last)| (first..=last).contains(&port))
    }
}

/// Server ports on which protocols without a distinctive beginning are looked for
/// (`app-layer.protocols.PROTOCOL.detection-ports.dp` of the reference).
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Ports {
    pub dns_tcp: PortList,
    pub dns_udp: PortList,
    pub tls: PortList,
    pub quic: PortList,
    pub dhcp: PortList,
    pub tftp: PortList,
    pub ntp: PortList,
    pub snmp: PortList,
    pub ike: PortList,
    pub krb5: PortList,
    pub nfs: PortList,
    pub rdp: PortList,
    pub rfb: PortList,
    pub sip: PortList,
    pub mqtt: PortList,
    pub telnet: PortList,
    pub smtp: PortList,
    pub modbus: PortList,
    pub dnp3: PortList,
    pub enip: PortList,
    pub pgsql: PortList,
    pub smb: PortList,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            dns_tcp: PortList::of([53]),
            dns_udp: PortList::of([53]),
            tls: PortList::of([443]),
            quic: PortList::of([443, 80]),
            dhcp: PortList::of([67, 68]),
            tftp: PortList::of([69]),
            ntp: PortList::of([123]),
            snmp: PortList::of([161, 162]),
            ike: PortList::of([500]),
            krb5: PortList::of([88]),
            nfs: PortList::of([2049]),
            rdp: PortList::of([3389]),
            rfb: PortList::new([(5900, 5909)]),
            sip: PortList::of([5060, 5061]),
            mqtt: PortList::of([1883]),
            telnet: PortList::of([23]),
            smtp: PortList::of([25, 465, 587]),
            modbus: PortList::of([502]),
            dnp3: PortList::of([20_000]),
            enip: PortList::of([44_818]),
            pgsql: PortList::of([5432]),
            smb: PortList::of([139, 445]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_include_their_ends() {
        let ports = PortList::new([(10, 12), (80, 80)]);
        for (port, is_in) in [(9, false), (10, true), (12, true), (13, false), (80, true), (81, false)] {
            assert_eq!(ports.has(port), is_in, "{port}");
        }
    }
}
