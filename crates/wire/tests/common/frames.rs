//! Frames made by hand, one header per function; checksums are zero, since parsing does not look at them.

/// An Ethernet header in front of `payload`.
pub fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&[0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2], &ethertype.to_be_bytes()[..], payload].concat()
}

/// What follows a VLAN EtherType: tag control, the next EtherType, `payload`.
pub fn tag(vid: u16, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    // Priority 5, so that a parser that takes the whole field for the identifier is caught.
    [&(0xa000 | vid).to_be_bytes()[..], &ethertype.to_be_bytes(), payload].concat()
}

pub const V4_SRC: [u8; 4] = [192, 0, 2, 1];
pub const V4_DST: [u8; 4] = [198, 51, 100, 2];

/// An IPv4 header without options in front of `payload`.
pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(protocol, 0x4000, &[], payload)
}

/// An IPv4 header with the given fragmentation field and options (a multiple of four bytes).
pub fn ipv4_with(protocol: u8, fragmentation: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header_len = 20 + options.len();
    let total_len = (header_len + payload.len()) as u16;
    [
        &[0x40 | (header_len / 4) as u8, 0][..],
        &total_len.to_be_bytes(),
        &[0x12, 0x34],
        &fragmentation.to_be_bytes(),
        &[63, protocol, 0, 0],
        &V4_SRC,
        &V4_DST,
        options,
        payload,
    ]
    .concat()
}

pub const V6_SRC: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub const V6_DST: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// An IPv6 header in front of `payload`.
pub fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    [&[0x61, 0x23, 0x45, 0x67][..], &len, &[next, 64], &V6_SRC, &V6_DST, payload].concat()
}

/// An IPv6 extension header of `words` times 8 bytes after the first 8.
pub fn extension(next: u8, words: u8, payload: &[u8]) -> Vec<u8> {
    [&[next, words][..], &vec![0; 6 + usize::from(words) * 8], payload].concat()
}

/// An IPv6 fragment header.
pub fn fragment(next: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    [&[next, 0][..], &(offset | u16::from(more)).to_be_bytes(), &[0xca, 0xfe, 0xba, 0xbe], payload].concat()
}

/// An authentication header with 12 bytes of integrity check value.
pub fn authentication(next: u8, payload: &[u8]) -> Vec<u8> {
    [&[next, 4, 0, 0][..], &[0; 20], payload].concat()
}

pub fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    [&src.to_be_bytes()[..], &dst.to_be_bytes(), &len.to_be_bytes(), &[0, 0], payload].concat()
}

/// A TCP segment, options a multiple of four bytes.
pub fn tcp(src: u16, dst: u16, flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let offset = ((20 + options.len()) / 4) as u8;
    [
        &src.to_be_bytes()[..],
        &dst.to_be_bytes(),
        &0x0102_0304_u32.to_be_bytes(),
        &0x0506_0708_u32.to_be_bytes(),
        &[offset << 4, flags, 0x20, 0x40, 0, 0, 0, 0],
        options,
        payload,
    ]
    .concat()
}

pub fn icmp(icmp_type: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    [&[icmp_type, code, 0, 0, 0, 7, 0, 9][..], rest].concat()
}

pub fn sctp(src: u16, dst: u16, chunks: &[u8]) -> Vec<u8> {
    [&src.to_be_bytes()[..], &dst.to_be_bytes(), &[1, 2, 3, 4, 0, 0, 0, 0], chunks].concat()
}

pub fn arp() -> Vec<u8> {
    [&[0, 1, 8, 0, 6, 4, 0, 1][..], &[2, 0, 0, 0, 0, 1], &V4_SRC, &[0; 6], &V4_DST].concat()
}

/// A GRE header with the optional fields that `flags` announces.
pub fn gre(flags: u16, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let fields = (flags & 0xb080).count_ones() as usize;
    [&flags.to_be_bytes()[..], &protocol.to_be_bytes(), &vec![0; fields * 4], payload].concat()
}

pub fn vxlan(payload: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0, 0, 0, 42, 0][..], payload].concat()
}

/// VXLAN with the generic protocol extension.
pub fn vxlan_gpe(protocol: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x0c, 0, 0, protocol, 0, 0, 42, 0][..], payload].concat()
}

/// Geneve with `words` words of options.
pub fn geneve(words: u8, protocol: u16, payload: &[u8]) -> Vec<u8> {
    let protocol = protocol.to_be_bytes();
    [&[words, 0][..], &protocol, &[0, 0, 42, 0], &vec![0; usize::from(words) * 4], payload].concat()
}

/// A network service header with metadata type 1.
pub fn nsh(protocol: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x0f, 0xc6, 1, protocol, 0, 0, 1, 255][..], &[0; 16], payload].concat()
}

pub fn mpls(labels: &[u32], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, label) in labels.iter().enumerate() {
        let bottom = u32::from(index + 1 == labels.len());
        bytes.extend((label << 12 | bottom << 8 | 64).to_be_bytes());
    }
    bytes.extend(payload);
    bytes
}

/// A `PPPoE` session header and a PPP protocol number.
pub fn pppoe(protocol: u16, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() + 2) as u16;
    [&[0x11, 0, 0, 7][..], &len.to_be_bytes(), &protocol.to_be_bytes(), payload].concat()
}

/// ERSPAN type II and type III headers in GRE.
pub fn erspan_ii(frame: &[u8]) -> Vec<u8> {
    gre(0x1000, 0x88be, &[&[0x10, 0x64, 0, 1, 0, 0, 0, 5][..], frame].concat())
}

pub fn erspan_iii(subheader: bool, frame: &[u8]) -> Vec<u8> {
    let header = [0x20, 0x64, 0, 1, 0, 0, 0, 0, 0, 0, 0, u8::from(subheader)];
    let extra = vec![0; if subheader { 8 } else { 0 }];
    gre(0x1000, 0x22eb, &[&header[..], &extra, frame].concat())
}

/// A well-formed frame of every shape that is parsed, by name.
pub fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let data = b"some payload";
    let segment = tcp(40000, 443, 0x18, &[2, 4, 5, 0xb4], data);
    let datagram = udp(5353, 53, data);
    let v4 = ipv4(6, &segment);
    let v6 = ipv6(17, &datagram);
    let inner = ethernet(0x8100, &tag(77, 0x0800, &v4));
    let in_udp = |port, payload: &[u8]| ethernet(0x0800, &ipv4(17, &udp(1024, port, payload)));
    let in_gre = |payload: &[u8]| ethernet(0x0800, &ipv4(47, payload));
    let quote_v4 = &ipv4(17, &datagram)[..28];
    let quote_v6 = &ipv6(0, &extension(17, 0, &datagram))[..56];
    let behind_fragment = authentication(135, &extension(6, 0, &segment));
    let behind_options = extension(44, 2, &fragment(51, 0, false, &behind_fragment));
    let chain = extension(60, 0, &extension(43, 1, &behind_options));
    let padded = [&ethernet(0x0800, &ipv4(17, &udp(1, 2, b"x")))[..], &[0xee; 18]].concat();
    vec![
        ("ipv4_tcp", ethernet(0x0800, &v4)),
        ("ipv4_udp_padded", padded),
        ("ipv4_options", ethernet(0x0800, &ipv4_with(17, 0, &[0x94, 4, 0, 0], &datagram))),
        ("ipv4_first_fragment", ethernet(0x0800, &ipv4_with(17, 0x2000, &[], &datagram[..16]))),
        ("ipv4_last_fragment", ethernet(0x0800, &ipv4_with(17, 0x0002, &[], data))),
        ("ipv4_ah", ethernet(0x0800, &ipv4(51, &authentication(6, &segment)))),
        ("ipv4_esp", ethernet(0x0800, &ipv4(50, &[9; 32]))),
        ("ipv4_ospf", ethernet(0x0800, &ipv4(89, data))),
        ("icmp_echo", ethernet(0x0800, &ipv4(1, &icmp(8, 0, data)))),
        ("icmp_unreachable", ethernet(0x0800, &ipv4(1, &icmp(3, 3, quote_v4)))),
        ("sctp", ethernet(0x0800, &ipv4(132, &sctp(2905, 2906, data)))),
        ("udp_lite", ethernet(0x0800, &ipv4(136, &datagram))),
        ("ipv6_udp", ethernet(0x86dd, &v6)),
        ("ipv6_tcp", ethernet(0x86dd, &ipv6(6, &segment))),
        ("ipv6_extensions", ethernet(0x86dd, &ipv6(0, &chain))),
        ("ipv6_fragment", ethernet(0x86dd, &ipv6(60, &extension(44, 0, &fragment(17, 16, true, &[1; 24]))))),
        ("ipv6_esp", ethernet(0x86dd, &ipv6(60, &extension(50, 0, &[9; 32])))),
        ("ipv6_none", ethernet(0x86dd, &ipv6(59, &[]))),
        ("icmpv6_solicitation", ethernet(0x86dd, &ipv6(58, &icmp(135, 0, &V6_DST)))),
        ("icmpv6_too_big", ethernet(0x86dd, &ipv6(58, &icmp(2, 0, quote_v6)))),
        ("arp", ethernet(0x0806, &arp())),
        ("llc", ethernet(38, &[0x42, 0x42, 3, 0, 0, 0])),
        ("lldp", ethernet(0x88cc, data)),
        ("vlan_ipv4_tcp", ethernet(0x8100, &tag(101, 0x0800, &v4))),
        ("vlan_ipv6_udp", ethernet(0x8100, &tag(101, 0x86dd, &v6))),
        ("vlan_arp", ethernet(0x8100, &tag(101, 0x0806, &arp()))),
        ("qinq", ethernet(0x88a8, &tag(11, 0x8100, &tag(12, 0x0800, &v4)))),
        ("three_tags", ethernet(0x9100, &tag(11, 0x8100, &tag(12, 0x8100, &tag(13, 0x86dd, &v6))))),
        ("mpls_ipv4", ethernet(0x8847, &mpls(&[16, 17, 18], &v4))),
        ("mpls_ipv6", ethernet(0x8848, &mpls(&[2], &v6))),
        ("mpls_pseudowire", ethernet(0x8847, &mpls(&[100], &[&[0, 0, 0, 1][..], &inner].concat()))),
        ("mpls_unknown", ethernet(0x8847, &mpls(&[100], &[0x10, 0, 0, 0x21, 1]))),
        ("pppoe_ipv4", ethernet(0x8864, &pppoe(0x0021, &v4))),
        ("pppoe_ipv6", ethernet(0x8100, &tag(9, 0x8864, &pppoe(0x0057, &v6)))),
        ("pppoe_lcp", ethernet(0x8864, &pppoe(0xc021, &[1, 1, 0, 4]))),
        ("nsh_ethernet", ethernet(0x894f, &nsh(3, &inner))),
        ("gre_ipv4", in_gre(&gre(0, 0x0800, &v4))),
        ("gre_all_fields_ipv6", in_gre(&gre(0xb000, 0x86dd, &v6))),
        ("gre_ethernet", in_gre(&gre(0x2000, 0x6558, &inner))),
        ("gre_nsh", in_gre(&gre(0, 0x894f, &nsh(1, &v4)))),
        ("gre_mpls", in_gre(&gre(0, 0x8847, &mpls(&[5], &v6)))),
        ("gre_keepalive", in_gre(&gre(0, 0, &[]))),
        ("gre_arp_in_ethernet", in_gre(&gre(0, 0x6558, &ethernet(0x0806, &arp())))),
        ("pptp", in_gre(&gre(0x3081, 0x880b, &[&[0xff, 0x03, 0x00, 0x21][..], &v4].concat()))),
        ("pptp_compressed", in_gre(&gre(0x3001, 0x880b, &[&[0x57][..], &v6].concat()))),
        ("pptp_acknowledgement", in_gre(&gre(0x2081, 0x880b, &[]))),
        ("erspan_i", in_gre(&gre(0, 0x88be, &inner))),
        ("erspan_ii", in_gre(&erspan_ii(&inner))),
        ("erspan_iii", in_gre(&erspan_iii(false, &inner))),
        ("erspan_iii_subheader", in_gre(&erspan_iii(true, &inner))),
        ("gre_over_ipv6", ethernet(0x86dd, &ipv6(47, &gre(0, 0x0800, &v4)))),
        ("vxlan", ethernet(0x8100, &tag(5, 0x0800, &ipv4(17, &udp(1024, 4789, &vxlan(&inner)))))),
        ("vxlan_gpe", in_udp(4789, &vxlan_gpe(4, &nsh(2, &v6)))),
        ("not_vxlan", in_udp(4789, b"GET / HTTP/1.0")),
        ("geneve", in_udp(6081, &geneve(3, 0x6558, &inner))),
        ("geneve_ipv6", in_udp(6081, &geneve(0, 0x86dd, &v6))),
        ("not_geneve", in_udp(6081, b"\xffsomething else")),
        ("ipv4_in_ipv4", ethernet(0x0800, &ipv4(4, &v4))),
        ("ipv6_in_ipv4", ethernet(0x0800, &ipv4(41, &v6))),
        ("ipv4_in_ipv6", ethernet(0x86dd, &ipv6(4, &v4))),
        ("ipv6_in_ipv6", ethernet(0x86dd, &ipv6(41, &v6))),
        ("tunnel_in_tunnel", in_gre(&gre(0, 0x0800, &ipv4(41, &ipv6(4, &v4))))),
    ]
}
