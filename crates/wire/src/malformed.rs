//! Why a frame could not be parsed.

/// Builds the enum, its list and its labels from one table, so that none can lack an entry.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// Why a frame is malformed: each way in which a header contradicts itself or the bytes that are there.
        ///
        /// Every reason is a counter: [`Malformed::index`] is its place in an array of [`Malformed::COUNT`], and
        /// [`Malformed::as_str`] its name in statistics. The conditions are those for which Suricata marks a
        /// packet invalid in its decoder; oddities that it only notes (unknown IP options, duplicate extension
        /// headers, wrong checksums) do not stop a packet here either.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
        #[error("{}", self.as_str())]
        #[repr(u8)]
        pub enum Malformed {
            $($(#[$doc])* $name,)*
        }

        impl Malformed {
            /// Every reason, in the order of [`Malformed::index`].
            pub const ALL: [Self; Self::COUNT] = [$(Self::$name),*];

            /// How many reasons there are.
            pub const COUNT: usize = [$($label),*].len();

            /// The reason's name in statistics, in `snake_case`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)*
                }
            }

            /// The reason's place in an array of counters, below [`Malformed::COUNT`].
            #[inline]
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

reasons! {
    /// The frame is longer than 65,535 bytes, more than offsets and a capture's snapshot length hold.
    FrameTooLong = "frame_too_long",
    /// Fewer than the 14 bytes of an Ethernet header.
    EthernetHeaderTruncated = "ethernet_header_truncated",
    /// A VLAN EtherType without its 4 bytes of tag.
    VlanHeaderTruncated = "vlan_header_truncated",
    /// More than three VLAN tags on one Ethernet header.
    VlanTagsTooMany = "vlan_tags_too_many",
    /// More link-layer headers (tags, labels, `PPPoE`, NSH …) in front of one IP packet than any network stacks.
    LinkHeadersTooMany = "link_headers_too_many",
    /// The frame ends before the bottom of the MPLS label stack, or right behind it.
    MplsStackTruncated = "mpls_stack_truncated",
    /// More than 16 MPLS labels.
    MplsLabelsTooMany = "mpls_labels_too_many",
    /// Fewer than the 6 bytes of a `PPPoE` header.
    PppoeHeaderTruncated = "pppoe_header_truncated",
    /// `PPPoE` version and type are not 1 and 1 (RFC 2516), or a session frame has a code other than 0.
    PppoeHeaderInvalid = "pppoe_header_invalid",
    /// The `PPPoE` length says more bytes than there are.
    PppoeLengthInvalid = "pppoe_length_invalid",
    /// A PPP frame ends before its protocol field does.
    PppHeaderTruncated = "ppp_header_truncated",
    /// A network service header (RFC 8300) ends before its length does.
    NshHeaderTruncated = "nsh_header_truncated",
    /// A network service header of a version other than 0, or with a length that its metadata type cannot have.
    NshHeaderInvalid = "nsh_header_invalid",
    /// An ARP packet ends before its addresses do.
    ArpTruncated = "arp_truncated",
    /// A raw IP packet that starts with a version other than 4 or 6.
    IpVersionInvalid = "ip_version_invalid",
    /// Fewer than the 20 bytes of an IPv4 header.
    Ipv4HeaderTruncated = "ipv4_header_truncated",
    /// The IPv4 header says another version.
    Ipv4VersionInvalid = "ipv4_version_invalid",
    /// The IPv4 header length is below 20 bytes.
    Ipv4HeaderLengthInvalid = "ipv4_header_length_invalid",
    /// An IPv4 option whose length is below 2 or runs past the end of the header.
    Ipv4OptionsInvalid = "ipv4_options_invalid",
    /// The IPv4 total length is below the header length.
    Ipv4TotalLengthInvalid = "ipv4_total_length_invalid",
    /// The IPv4 total length says more bytes than there are.
    Ipv4PacketTruncated = "ipv4_packet_truncated",
    /// Fewer than the 40 bytes of an IPv6 header.
    Ipv6HeaderTruncated = "ipv6_header_truncated",
    /// The IPv6 header says another version.
    Ipv6VersionInvalid = "ipv6_version_invalid",
    /// The IPv6 payload length says more bytes than there are.
    Ipv6PacketTruncated = "ipv6_packet_truncated",
    /// An IPv6 extension header runs past the end of the packet.
    Ipv6ExtensionTruncated = "ipv6_extension_truncated",
    /// More than 200 IPv6 extension headers.
    Ipv6ExtensionsTooMany = "ipv6_extensions_too_many",
    /// An IPv6 fragment other than the last whose length is not a multiple of 8 (RFC 8200 4.5).
    Ipv6FragmentLengthInvalid = "ipv6_fragment_length_invalid",
    /// An authentication header (RFC 4302) that is cut off or shorter than its fixed part.
    AuthenticationHeaderInvalid = "authentication_header_invalid",
    /// An encapsulating security payload (RFC 4303) without its 8 bytes of header.
    EspHeaderTruncated = "esp_header_truncated",
    /// Fewer than the 20 bytes of a TCP header.
    TcpHeaderTruncated = "tcp_header_truncated",
    /// The TCP data offset is below 5 words.
    TcpDataOffsetInvalid = "tcp_data_offset_invalid",
    /// The TCP data offset lies beyond the end of the packet.
    TcpOptionsTruncated = "tcp_options_truncated",
    /// Fewer than the 8 bytes of a UDP header.
    UdpHeaderTruncated = "udp_header_truncated",
    /// The UDP length is below the header's 8 bytes.
    UdpLengthInvalid = "udp_length_invalid",
    /// The UDP length says more bytes than there are.
    UdpPacketTruncated = "udp_packet_truncated",
    /// Fewer than the 12 bytes of an SCTP common header.
    SctpHeaderTruncated = "sctp_header_truncated",
    /// Fewer than the 8 bytes of an ICMP header.
    IcmpHeaderTruncated = "icmp_header_truncated",
    /// Fewer than the 8 bytes of an `ICMPv6` header.
    Icmpv6HeaderTruncated = "icmpv6_header_truncated",
    /// A GRE header ends before its optional fields do.
    GreHeaderTruncated = "gre_header_truncated",
    /// A GRE version other than 0 and 1, or flags that its version forbids.
    GreHeaderInvalid = "gre_header_invalid",
    /// An ERSPAN header ends before its fixed fields do.
    ErspanHeaderTruncated = "erspan_header_truncated",
    /// An ERSPAN header of a version that its GRE protocol type does not announce.
    ErspanHeaderInvalid = "erspan_header_invalid",
    /// What the VXLAN port received is not VXLAN; the UDP packet then counts as itself.
    VxlanHeaderInvalid = "vxlan_header_invalid",
    /// What the Geneve port received is not Geneve; the UDP packet then counts as itself.
    GeneveHeaderInvalid = "geneve_header_invalid",
    /// More tunnels inside one another than [`ParseOptions::tunnel_depth_max`](crate::ParseOptions).
    TunnelsTooDeep = "tunnels_too_deep",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_names_in_snake_case() {
        for reason in Malformed::ALL {
            let mut snake = String::new();
            for c in format!("{reason:?}").chars() {
                if c.is_ascii_uppercase() && !snake.is_empty() {
                    snake.push('_');
                }
                snake.push(c.to_ascii_lowercase());
            }
            assert_eq!(reason.as_str(), snake);
            assert_eq!(reason.to_string(), snake);
        }
    }

    #[test]
    fn an_index_finds_its_reason() {
        assert_eq!(Malformed::ALL.len(), Malformed::COUNT);
        for (index, reason) in Malformed::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
        }
    }
}
