//! Port scans from outside: SYNs answered by RST, SYN-ACK or silence, and UDP probes answered by ICMP errors.

use rand::Rng;

use super::Activity;
use crate::session::Script;
use crate::session::frame::{self, ICMP_UNREACHABLE, TcpHeader};
use crate::session::script::Line;
use crate::session::tcp::{ACK, RST, SYN};
use crate::trace::truth::{Protocol, Transport};
use crate::trace::world::Conversation;

const CODE_PORT_UNREACHABLE: u8 = 3;
/// What an ICMP error quotes of an IPv4 packet without options: its header and 8 bytes (RFC 792).
const QUOTE_LEN: usize = 28;
/// Ethernet header and VLAN tag.
const LINK_LEN: usize = 18;

/// Ports that scanners try first; the rest follow in order.
const USUAL: [u16; 16] = [21, 22, 23, 25, 53, 80, 110, 135, 139, 143, 443, 445, 3306, 3389, 5900, 8080];

/// What the scanned host does.
#[derive(Clone, Copy)]
enum Target {
    /// Closed ports answer, a few are open.
    Answers,
    /// A filter drops everything.
    Silent,
}

fn ports(count: usize) -> impl Iterator<Item = u16> {
    USUAL.into_iter().chain((1_u16..).filter(|port| !USUAL.contains(port))).take(count)
}

/// A SYN scan over some hundred ports.
pub(crate) fn activity_syn(mut conversation: Conversation<'_>) -> Activity {
    let (scanner, scanner_port) = conversation.tenant.scanner(conversation.index);
    let (target, _) = conversation.tenant.client(conversation.index, false);
    let behaviour = if conversation.rng.random_ratio(2, 3) { Target::Answers } else { Target::Silent };
    let forth = conversation.route(scanner, target);
    let count = conversation.rng.random_range(60..240);
    let seq: u32 = conversation.rng.random();
    let mut lines = Vec::with_capacity(count * 3);
    let mut at_ns = conversation.start_ns;
    for port in ports(count) {
        let mut say = |at_ns, back: bool, seq, ack, flags| {
            let (route, src_port, dst_port) =
                if back { (forth.reversed(), port, scanner_port) } else { (forth, scanner_port, port) };
            let window = if flags & RST == 0 { 1024 } else { 0 };
            let header = TcpHeader { src_port, dst_port, seq, ack, flags, window };
            let options: &[u8] = if flags & SYN == 0 { &[] } else { &[2, 4, 0x05, 0xb4] };
            let mut frame = Vec::new();
            frame::tcp(&mut frame, &route, conversation.rng.random(), &header, options, 0, |_| {});
            lines.push(Line { at_ns, transport: Transport::Tcp, frame });
        };
        say(at_ns, false, seq, 0, SYN);
        if matches!(behaviour, Target::Answers) {
            let open = matches!(port, 22 | 445);
            let (isn, flags) = if open { (seq ^ 0x5bd1_e995, SYN | ACK) } else { (0, RST | ACK) };
            say(at_ns + 180_000, true, isn, seq.wrapping_add(1), flags);
            if open {
                // A scanner has no socket: its own system resets what it did not ask for.
                say(at_ns + 15_000_000, false, seq.wrapping_add(1), 0, RST);
            }
        }
        at_ns += conversation.rng.random_range(200_000..3_000_000);
    }
    Activity::script(Protocol::Scan, Script::new(lines), (Transport::Tcp, count as u64))
}

/// A UDP scan over some ports; the host says that they are closed, though not for each (RFC 1812 4.3.2.8).
pub(crate) fn activity_udp(mut conversation: Conversation<'_>) -> Activity {
    let (scanner, scanner_port) = conversation.tenant.scanner(conversation.index);
    let (target, _) = conversation.tenant.client(conversation.index, false);
    let forth = conversation.route(scanner, target);
    let count = conversation.rng.random_range(20..80);
    let mut lines = Vec::with_capacity(count * 2);
    let mut at_ns = conversation.start_ns;
    for port in (40_000_u16..).take(count) {
        let mut probe = Vec::new();
        frame::udp(&mut probe, &forth, conversation.rng.random(), scanner_port, port, &[0; 8]);
        if conversation.rng.random_ratio(3, 4) {
            let mut rest = vec![0; 4];
            rest.extend_from_slice(probe.get(LINK_LEN..LINK_LEN + QUOTE_LEN).unwrap_or_default());
            let mut frame = Vec::new();
            let back = forth.reversed();
            let ip_id = conversation.rng.random();
            frame::icmp(&mut frame, &back, ip_id, ICMP_UNREACHABLE, CODE_PORT_UNREACHABLE, &rest);
            lines.push(Line { at_ns: at_ns + 210_000, transport: Transport::Icmp, frame });
        }
        lines.push(Line { at_ns, transport: Transport::Udp, frame: probe });
        at_ns += conversation.rng.random_range(1_000_000..9_000_000);
    }
    Activity::script(Protocol::Scan, Script::new(lines), (Transport::Udp, count as u64))
}
