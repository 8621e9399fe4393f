//! TLS 1.2 and 1.3: a readable handshake, then application data that nobody can read.

use rand::Rng;

use super::tls_messages::{self as tls, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Hello, Version};
use super::{Activity, certificate, connect};
use crate::session::{Close, Side, Stream, TcpSession};
use crate::trace::truth::Protocol;
use crate::trace::world::{Conversation, SITES};

const PORT: u16 = 443;

pub(crate) fn activity_1_2(mut conversation: Conversation<'_>) -> Activity {
    let (mut session, site, host) = open(&mut conversation);
    let organization = SITES.get(site).map_or("Example", |&(_, title)| title);
    let rng = &mut conversation.rng;
    let hello = Hello::new(Version::Tls12, rng);

    let first = tls::record(HANDSHAKE, 1, &hello.client(host, rng));
    session.send(Side::Client, Stream::new(first), 500_000);
    let der = certificate::self_signed(host, organization, conversation.start_ns, rng);
    // Each message in its own record, as OpenSSL sends them.
    let mut flight = tls::record(HANDSHAKE, 3, &hello.server(rng));
    for message in [tls::certificate(&der), tls::server_key_exchange(rng), tls::server_hello_done()] {
        flight.extend_from_slice(&tls::record(HANDSHAKE, 3, &message));
    }
    session.send(Side::Server, Stream::new(flight), 1_200_000);

    let mut keys = tls::record(HANDSHAKE, 3, &tls::client_key_exchange(rng));
    keys.extend_from_slice(&tls::record(CHANGE_CIPHER_SPEC, 3, &[1]));
    let finished = tls::encrypted(Stream::new(keys), HANDSHAKE, 16, rng);
    session.send(Side::Client, finished, 900_000);
    let change = Stream::new(tls::record(CHANGE_CIPHER_SPEC, 3, &[1]));
    session.send(Side::Server, tls::encrypted(change, HANDSHAKE, 16, rng), 700_000);
    talk(&mut conversation, &mut session);
    Activity::tcp(Protocol::Tls, session)
}

pub(crate) fn activity_1_3(mut conversation: Conversation<'_>) -> Activity {
    let (mut session, _, host) = open(&mut conversation);
    let rng = &mut conversation.rng;
    let hello = Hello::new(Version::Tls13, rng);

    let first = tls::record(HANDSHAKE, 1, &hello.client(host, rng));
    session.send(Side::Client, Stream::new(first), 500_000);
    let mut clear = tls::record(HANDSHAKE, 3, &hello.server(rng));
    clear.extend_from_slice(&tls::record(CHANGE_CIPHER_SPEC, 3, &[1]));
    let mut flight = Stream::new(clear);
    // Encrypted extensions, certificate, its verification, finished.
    for length in [30, rng.random_range(1_900..3_800), 270, 60] {
        flight = tls::encrypted(flight, APPLICATION_DATA, length, rng);
    }
    session.send(Side::Server, flight, 1_100_000);
    let change = Stream::new(tls::record(CHANGE_CIPHER_SPEC, 3, &[1]));
    session.send(Side::Client, tls::encrypted(change, APPLICATION_DATA, 53, rng), 600_000);
    talk(&mut conversation, &mut session);
    Activity::tcp(Protocol::Tls, session)
}

fn open(conversation: &mut Conversation<'_>) -> (TcpSession, usize, &'static str) {
    let ipv6 = conversation.draw_ipv6();
    let (site, host) = conversation.pick_site();
    let server = conversation.tenant.site(site, ipv6);
    (connect(conversation, server, PORT), site, host)
}

/// Some requests and answers, then the end.
fn talk(conversation: &mut Conversation<'_>, session: &mut TcpSession) {
    for _ in 0..conversation.rng.random_range(1..=5) {
        let asked = conversation.rng.random_range(80..900);
        let request = tls::encrypted(Stream::default(), APPLICATION_DATA, asked, &mut conversation.rng);
        session.send(Side::Client, request, conversation.think_ns(0, 120));
        let exponent = conversation.rng.random_range(9..=18);
        let answered = conversation.rng.random_range(100..1 << exponent);
        let reply = tls::encrypted(Stream::default(), APPLICATION_DATA, answered, &mut conversation.rng);
        session.send(Side::Server, reply, conversation.think_ns(1, 40));
    }
    let close = match conversation.rng.random_range(0..12) {
        0 => Close::Reset(Side::Client),
        1 => Close::Open,
        2..5 => Close::Fin(Side::Server),
        _ => Close::Fin(Side::Client),
    };
    session.close(close, conversation.think_ns(1, 60));
}
