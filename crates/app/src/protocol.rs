//! Application protocols.

/// An application protocol that an analyser knows or a rule can name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Protocol {
    Http1,
    Http2,
    Dns,
    Tls,
    Ssh,
    Smtp,
    Ftp,
    FtpData,
    Smb,
    Dcerpc,
    Quic,
    Dhcp,
    Tftp,
    Krb5,
    Nfs,
    Snmp,
    Sip,
    Ntp,
    Ike,
    Modbus,
    Dnp3,
    Enip,
    Rfb,
    Mqtt,
    Telnet,
    Pgsql,
    Rdp,
    BittorrentDht,
    Imap,
}

impl Protocol {
    /// Every protocol, in the order of its number.
    pub const ALL: [Self; 29] = [
        Self::Http1,
        Self::Http2,
        Self::Dns,
        Self::Tls,
        Self::Ssh,
        Self::Smtp,
        Self::Ftp,
        Self::FtpData,
        Self::Smb,
        Self::Dcerpc,
        Self::Quic,
        Self::Dhcp,
        Self::Tftp,
        Self::Krb5,
        Self::Nfs,
        Self::Snmp,
        Self::Sip,
        Self::Ntp,
        Self::Ike,
        Self::Modbus,
        Self::Dnp3,
        Self::Enip,
        Self::Rfb,
        Self::Mqtt,
        Self::Telnet,
        Self::Pgsql,
        Self::Rdp,
        Self::BittorrentDht,
        Self::Imap,
    ];

    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its place in [`Protocol::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name in EVE's `app_proto`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http",
            Self::Http2 => "http2",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Ssh => "ssh",
            Self::Smtp => "smtp",
            Self::Ftp => "ftp",
            Self::FtpData => "ftp-data",
            Self::Smb => "smb",
            Self::Dcerpc => "dcerpc",
            Self::Quic => "quic",
            Self::Dhcp => "dhcp",
            Self::Tftp => "tftp",
            Self::Krb5 => "krb5",
            Self::Nfs => "nfs",
            Self::Snmp => "snmp",
            Self::Sip => "sip",
            Self::Ntp => "ntp",
            Self::Ike => "ike",
            Self::Modbus => "modbus",
            Self::Dnp3 => "dnp3",
            Self::Enip => "enip",
            Self::Rfb => "rfb",
            Self::Mqtt => "mqtt",
            Self::Telnet => "telnet",
            Self::Pgsql => "pgsql",
            Self::Rdp => "rdp",
            Self::BittorrentDht => "bittorrent-dht",
            Self::Imap => "imap",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_in_the_order_of_the_numbers() {
        for (number, protocol) in Protocol::ALL.iter().enumerate() {
            assert_eq!(protocol.index(), number, "{}", protocol.as_str());
        }
    }
}
