//! Protocols that are detected and not parsed here.

use app::Direction;

use super::{Probe, Question};

/// Telnet (RFC 854): on its port, an option negotiation.
pub(super) fn telnet(question: &Question<'_>) -> Probe {
    if !question.is_on(&question.config.ports.telnet) {
        return Probe::NotForUs;
    }
    match question.bytes {
        [0xff, 0xf0..=0xfe, _, ..] => Probe::Certain,
        [] | [0xff] | [0xff, 0xf0..=0xfe] => Probe::Unsure,
        _ => Probe::NotForUs,
    }
}

/// IMAP (RFC 9051): the server's greeting or the client's first question.
pub(super) fn imap(question: &Question<'_>) -> Probe {
    match question.direction {
        Direction::ToClient => question.begins_with(b"* OK "),
        Direction::ToServer => question.begins_with(b"1 capability"),
    }
}

/// Shortest DCE/RPC fragment: its common header (C706, section 12.6.3.1).
const DCERPC_HEADER_BYTES: u16 = 16;

/// DCE/RPC over a connection (C706, section 12.6): version 5, an operation that there is, a data representation that
/// there is, and a fragment that holds at least its own header.
pub(super) fn dcerpc(question: &Question<'_>) -> Probe {
    match question.bytes {
        [5, 0 | 1, 0..=19, _, order, float, _, _, a, b, ..] => {
            let len = match order >> 4 {
                0 => u16::from_be_bytes([*a, *b]),
                1 => u16::from_le_bytes([*a, *b]),
                _ => return Probe::NotForUs,
            };
            let known = order & 0x0f <= 1 && *float <= 3 && len >= DCERPC_HEADER_BYTES;
            if known { Probe::Certain } else { Probe::NotForUs }
        }
        [5] | [5, 0 | 1] => Probe::Unsure,
        [5, 0 | 1, 0..=19, rest @ ..] if rest.len() < 7 => Probe::Unsure,
        _ => Probe::NotForUs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Transport};

    fn asked(probe: fn(&Question<'_>) -> Probe, server_port: u16, bytes: &[u8]) -> Probe {
        let config = Config::default();
        let transport = Transport::Tcp;
        let direction = Direction::ToServer;
        probe(&Question { transport, direction, client_port: 5000, server_port, bytes, config: &config })
    }

    #[test]
    fn smb_is_known_on_every_port_and_awaited_on_its_own() {
        for id in [0xff, 0xfe, 0xfd, 0xfc] {
            let message = [0, 0, 0, 64, id, b'S', b'M', b'B', 0];
            assert_eq!(asked(crate::smb::probe, 4000, &message), Probe::Certain);
            assert_eq!(asked(crate::smb::probe, 4000, &message[..6]), Probe::Unsure);
        }
        assert_eq!(asked(crate::smb::probe, 445, &[0, 0]), Probe::Unsure);
        assert_eq!(asked(crate::smb::probe, 4000, &[0, 0]), Probe::NotForUs);
        assert_eq!(asked(crate::smb::probe, 445, b"\0\0\0\x40\xffSMX\0"), Probe::NotForUs);
        assert_eq!(asked(crate::smb::probe, 445, b"GET / HTTP/1.1"), Probe::NotForUs);
    }

    #[test]
    fn dcerpc_is_known_by_its_header_in_either_byte_order() {
        let little = [5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0];
        let big = [5, 0, 11, 3, 0, 0, 0, 0, 0, 72, 0, 0];
        assert_eq!(asked(dcerpc, 135, &little), Probe::Certain);
        assert_eq!(asked(dcerpc, 135, &big), Probe::Certain);
        for len in 1..10 {
            assert_eq!(asked(dcerpc, 135, &little[..len]), Probe::Unsure, "{len}");
        }
        for (at, byte) in [(0, 4), (1, 2), (2, 20), (4, 0x20), (4, 0x12), (5, 4), (8, 15)] {
            let mut broken = little;
            broken[at] = byte;
            assert_eq!(asked(dcerpc, 135, &broken), Probe::NotForUs, "{at}");
        }
    }
}
