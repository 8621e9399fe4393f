//! Community ID version 1: the same name for the same flow in every tool (<https://github.com/corelight/community-id-spec>).

use std::net::IpAddr;

use sha1::{Digest, Sha1};

use crate::flow::Ports;
use crate::json::hex;
use crate::protocol::{ICMP, ICMPV6};

const BASE64_ALPHABET: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The version prefix of the text forms.
const VERSION: &[u8] = b"1:";

/// The SHA-1 that names a flow, the same for both of its directions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CommunityId(pub [u8; 20]);

impl CommunityId {
    /// Hashes a flow's n-tuple; `seed` keeps one site's names apart from another's (0 unless all tools agree on it).
    ///
    /// ICMP and `ICMPv6` messages that come as request and answer are hashed so that both give one name; any other
    /// message names itself by type and code, in the direction it was sent. [`Ports::None`] leaves ports out of the
    /// hash, as the specification has it for protocols without them.
    pub fn new(seed: u16, protocol: u8, src: IpAddr, dest: IpAddr, ports: Ports) -> Self {
        let (pair, one_way) = match ports {
            Ports::Pair { src, dest } => (Some((src, dest)), false),
            Ports::Icmp { icmp_type, icmp_code, .. } => {
                let answer = icmp_counterpart(protocol, icmp_type);
                (Some((u16::from(icmp_type), u16::from(answer.unwrap_or(icmp_code)))), answer.is_none())
            }
            Ports::None => (None, false),
        };
        let (src_port, dest_port) = pair.unwrap_or_default();
        let ordered = one_way || (src, src_port) <= (dest, dest_port);
        let (low, high, low_port, high_port) =
            if ordered { (src, dest, src_port, dest_port) } else { (dest, src, dest_port, src_port) };

        let mut hash = Sha1::new();
        hash.update(seed.to_be_bytes());
        for ip in [low, high] {
            match ip {
                IpAddr::V4(v4) => hash.update(v4.octets()),
                IpAddr::V6(v6) => hash.update(v6.octets()),
            }
        }
        hash.update([protocol, 0]);
        if pair.is_some() {
            let [[a, b], [c, d]] = [low_port.to_be_bytes(), high_port.to_be_bytes()];
            hash.update([a, b, c, d]);
        }
        Self(hash.finalize().into())
    }

    /// Appends the usual text form: `1:` and the hash in base64 (RFC 4648 section 4), 30 characters.
    pub fn append_base64(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(VERSION);
        for chunk in self.0.chunks(3) {
            let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            // Six bits index 64 letters, so the index cannot miss.
            let letter = |shift: u32| BASE64_ALPHABET[(bits >> shift & 63) as usize];
            let last = if chunk.len() == 3 { letter(0) } else { b'=' };
            // The hash's 20 bytes are six chunks of three and one of two, never one of one.
            to.extend_from_slice(&[letter(18), letter(12), letter(6), last]);
        }
    }

    /// Appends the text form without base64: `1:` and 40 lower-case hexadecimal digits.
    pub fn append_hex(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(VERSION);
        for byte in self.0 {
            to.extend_from_slice(&hex(byte));
        }
    }
}

/// The type of message that answers, or asks for, a type of ICMP (RFC 792, 950, 1256) or `ICMPv6` (RFC 2710, 4443,
/// 4620, 4861, 6275) message; `None` for a type that stands alone, and for other protocols.
pub const fn icmp_counterpart(protocol: u8, icmp_type: u8) -> Option<u8> {
    const V4: [(u8, u8); 5] = [(8, 0), (13, 14), (15, 16), (10, 9), (17, 18)];
    const V6: [(u8, u8); 6] = [(128, 129), (133, 134), (135, 136), (130, 131), (139, 140), (144, 145)];
    let pairs: &[(u8, u8)] = match protocol {
        ICMP => &V4,
        ICMPV6 => &V6,
        _ => &[],
    };
    let mut rest = pairs;
    while let [(request, answer), after @ ..] = rest {
        if icmp_type == *request {
            return Some(*answer);
        }
        if icmp_type == *answer {
            return Some(*request);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{SCTP, TCP, UDP};

    fn text(append: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut to = Vec::new();
        append(&mut to);
        String::from_utf8(to).unwrap()
    }

    fn id(seed: u16, protocol: u8, src: &str, dest: &str, ports: Ports) -> CommunityId {
        CommunityId::new(seed, protocol, src.parse().unwrap(), dest.parse().unwrap(), ports)
    }

    #[track_caller]
    fn check(protocol: u8, src: &str, dest: &str, ports: Ports, expected: &str) {
        assert_eq!(text(|to| id(0, protocol, src, dest, ports).append_base64(to)), expected);
    }

    fn pair(src: u16, dest: u16) -> Ports {
        Ports::Pair { src, dest }
    }

    fn icmp(icmp_type: u8, icmp_code: u8) -> Ports {
        Ports::Icmp { icmp_type, icmp_code, response: None }
    }

    #[test]
    fn published_vectors() {
        check(TCP, "128.232.110.120", "66.35.250.204", pair(34855, 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        check(TCP, "66.35.250.204", "128.232.110.120", pair(80, 34855), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        check(UDP, "192.168.1.52", "8.8.8.8", pair(54585, 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        check(SCTP, "192.168.170.8", "192.168.170.56", pair(7, 7), "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=");
        check(ICMP, "192.168.0.89", "192.168.0.1", icmp(8, 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
        check(ICMP, "192.168.0.1", "192.168.0.89", icmp(0, 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
        check(ICMP, "192.168.0.89", "192.168.0.1", icmp(20, 0), "1:3o2RFccXzUgjl7zDpqmY7yJi8rI=");
        check(ICMP, "192.168.0.89", "192.168.0.1", icmp(20, 1), "1:tz/fHIDUHs19NkixVVoOZywde+I=");
        let (high, low) = ("3ffe:507:0:1:260:97ff:fe07:69ea", "3ffe:507:0:1:200:86ff:fe05:80da");
        check(ICMPV6, high, low, icmp(3, 0), "1:NdobDX8PQNJbAyfkWxhtL2Pqp5w=");
        check(ICMPV6, low, high, icmp(3, 0), "1:/OGBt9BN1ofenrmSPWYicpij2Vc=");
        check(46, "10.1.12.1", "10.1.12.2", Ports::None, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw=");
    }

    #[test]
    fn the_hexadecimal_form_is_the_same_hash() {
        let id = id(0, UDP, "192.168.1.52", "8.8.8.8", pair(54585, 53));
        assert_eq!(text(|to| id.append_hex(to)), "1:77f14fe445b7c22635bc29dd87095e451287a304");
    }

    #[test]
    fn a_seed_gives_another_name() {
        let [zero, one] = [0, 1].map(|seed| id(seed, UDP, "192.168.1.52", "8.8.8.8", pair(54585, 53)));
        assert_ne!(zero, one);
    }

    #[test]
    fn one_way_messages_keep_their_direction() {
        let there = id(0, ICMP, "10.0.0.1", "10.0.0.2", icmp(3, 1));
        let back = id(0, ICMP, "10.0.0.2", "10.0.0.1", icmp(3, 1));
        assert_ne!(there, back);
    }

    #[test]
    fn counterparts_are_mutual() {
        let mut two_way = 0;
        for protocol in [ICMP, ICMPV6] {
            for icmp_type in 0..=255 {
                if let Some(other) = icmp_counterpart(protocol, icmp_type) {
                    assert_eq!(icmp_counterpart(protocol, other), Some(icmp_type));
                    two_way += 1;
                }
            }
        }
        assert_eq!(two_way, 22);
        assert_eq!(icmp_counterpart(TCP, 8), None);
    }
}
