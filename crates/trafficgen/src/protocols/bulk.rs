//! Opaque bulk transfers over TCP: backups up, images down.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Activity, GAP_NS, connect};
use crate::session::stream::Filler;
use crate::session::{Close, Side, Stream, TcpSession, TcpSettings};
use crate::trace::truth::Protocol;
use crate::trace::world::Conversation;

const PORT: u16 = 5201;

/// Segment payload that pacing reckons with, in bytes.
const SEGMENT_BYTES: u64 = 1_448;
/// Fastest an elephant goes: 10 Gbit/s.
const GAP_NS_MIN: u64 = 1_230;

/// A transfer of some hundred kilobytes in either direction.
pub(crate) fn activity(mut conversation: Conversation<'_>) -> Activity {
    let ipv6 = conversation.draw_ipv6();
    let server = conversation.tenant.storage(conversation.index, ipv6);
    let mut session = connect(&mut conversation, server, PORT);
    let bytes = conversation.rng.random_range(100_000..600_000);
    transfer(&mut conversation, &mut session, bytes);
    Activity::tcp(Protocol::Bulk, session)
}

/// One flow of `bytes` payload bytes that takes about `duration_ns`, as far as the link's speed allows.
pub(crate) fn elephant(conversation: Conversation<'_>, bytes: u64, duration_ns: u64) -> Activity {
    let mut conversation = conversation;
    let server = conversation.tenant.storage(conversation.index, false);
    let (client, client_port) = conversation.tenant.client(conversation.index, false);
    let gap_ns = (duration_ns / (bytes / SEGMENT_BYTES + 1)).clamp(GAP_NS_MIN, GAP_NS * 1_000);
    let settings = TcpSettings {
        route: conversation.route(client, server),
        client_port,
        server_port: PORT,
        // A storage service nearby.
        rtt_ns: 600_000,
        gap_ns,
        trouble: 0.02,
    };
    let mut session =
        TcpSession::new(settings, conversation.start_ns, ChaCha8Rng::from_rng(&mut conversation.rng));
    transfer(&mut conversation, &mut session, bytes);
    Activity::tcp(Protocol::Bulk, session)
}

fn transfer(conversation: &mut Conversation<'_>, session: &mut TcpSession, bytes: u64) {
    let down = conversation.rng.random_ratio(2, 3);
    let mut request = vec![0xf0, u8::from(down), 0, 0];
    request.extend_from_slice(&bytes.to_be_bytes());
    session.send(Side::Client, Stream::new(request), 300_000);
    session.send(Side::Server, Stream::new([0xf1, 0, 0, 0]), 200_000);
    let from = if down { Side::Server } else { Side::Client };
    let data = Stream::default().filler(Filler::Noise, conversation.rng.random(), bytes);
    session.send(from, data, 100_000);
    session.close(Close::Fin(from), 100_000);
}
