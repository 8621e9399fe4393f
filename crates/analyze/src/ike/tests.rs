use super::*;
use crate::{Config, Session, Transport};
use app::Protocol;

const INITIATOR: &[u8; 8] = b"ABCDEFGH";
const RESPONDER: [u8; 8] = *b"RRRRRRRR";

/// A message with its payloads in a chain.
fn message(version: u8, exchange: u8, flags: u8, responder: [u8; 8], payloads: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, (_, contents)) in payloads.iter().enumerate() {
        let next = payloads.get(index + 1).map_or(0, |&(number, _)| number);
        body.extend_from_slice(&part(next, contents));
    }
    let first = payloads.first().map_or(0, |&(number, _)| number);
    let len = u32::try_from(28 + body.len()).unwrap();
    [INITIATOR, &responder, &[first, version, exchange, flags, 0, 0, 0, 0][..], &len.to_be_bytes(), &body]
        .concat()
}

/// A payload, proposal or transform with its header.
fn part(next: u8, contents: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + contents.len()).unwrap().to_be_bytes();
    [&[next, 0, len[0], len[1]][..], contents].concat()
}

/// An association of version 1 with one proposal of these transforms.
fn association1(transforms: &[&[u8]]) -> Vec<u8> {
    let mut proposal = vec![1, 1, 0, u8::try_from(transforms.len()).unwrap()];
    for (index, attributes) in transforms.iter().enumerate() {
        let next = if index + 1 == transforms.len() { 0 } else { 3 };
        proposal.extend_from_slice(&part(next, &[&[1, 1, 0, 0][..], attributes].concat()));
    }
    [&[0, 0, 0, 1, 0, 0, 0, 1][..], &part(0, &proposal)].concat()
}

/// A proposal of version 2.
fn association2(protocol: u8, transforms: &[(u8, u8)]) -> Vec<u8> {
    let mut proposal = vec![1, protocol, 0, u8::try_from(transforms.len()).unwrap()];
    for (index, &(kind, number)) in transforms.iter().enumerate() {
        let next = if index + 1 == transforms.len() { 0 } else { 3 };
        proposal.extend_from_slice(&part(next, &[kind, 0, 0, number]));
    }
    part(0, &proposal)
}

const STRONG: &[(u8, u8)] = &[(1, 12), (2, 5), (3, 12), (4, 14)];
const AES: &[u8] = &[0x80, 1, 0, 7, 0x80, 14, 0, 128, 0x80, 2, 0, 2, 0, 12, 0, 4, 0, 1, 0x51, 0x80];
const DES: &[u8] = &[0x80, 1, 0, 1];

fn records(session: &mut Session) -> Vec<String> {
    session
        .take_records()
        .filter(|record| record.event_type == "ike")
        .map(|record| String::from_utf8(record.members).unwrap())
        .collect()
}

fn session(messages: &[(Direction, Vec<u8>)]) -> Session {
    let mut session = Session::new(Transport::Udp, 500, 500);
    for (direction, message) in messages {
        session.data(&Config::default(), 0, *direction, message);
    }
    session
}

fn events(session: &mut Session) -> Vec<Vec<&'static str>> {
    let mut events = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        events.push(transaction.events(transaction.one_way().unwrap()).to_vec());
    });
    events
}

// What Suricata 7.0.10 writes for the same messages, but for the order of version 1's payloads, which it has none for.
#[test]
fn version_1_tells_what_was_offered_chosen_and_exchanged() {
    let (to_server, to_client) = (Direction::ToServer, Direction::ToClient);
    let mut session = session(&[
        (to_server, message(0x10, 2, 0, [0; 8], &[(1, association1(&[AES, DES])), (13, vec![0x4a, 0x13])])),
        (to_client, message(0x10, 2, 0, RESPONDER, &[(1, association1(&[AES]))])),
        (to_server, message(0x10, 2, 0, RESPONDER, &[(4, b"KKKK".to_vec()), (10, b"NN".to_vec())])),
        (to_client, message(0x10, 2, 1, RESPONDER, &[(5, b"secret".to_vec())])),
    ]);
    assert_eq!(session.protocol(), Some(Protocol::Ike));
    let aes = r#""alg_enc":"EncAesCbc","alg_enc_raw":7,"sa_key_length":"Unknown","sa_key_length_raw":128,"alg_hash":"HashSha","alg_hash_raw":2,"sa_life_duration":"Unknown","sa_life_duration_raw":86400"#;
    let des = r#""alg_enc":"EncDesCbc","alg_enc_raw":1"#;
    let head = r#""ike":{"version_major":1,"version_minor":0,"init_spi":"4142434445464748","resp_spi":"#;
    assert_eq!(
        records(&mut session),
        [
            format!(
                r#"{head}"0000000000000000","message_id":0,"exchange_type":2,"payload":["SecurityAssociation","Proposal","Transform","VendorID"],"ikev1":{{"doi":1,"encrypted_payloads":false,"client":{{"proposals":[{{{aes}}},{{{des}}}]}},"server":{{}},"vendor_ids":["4a13"]}}}}"#
            ),
            format!(
                r#"{head}"5252525252525252","message_id":0,"exchange_type":2,{aes},"payload":["SecurityAssociation","Proposal","Transform"],"ikev1":{{"doi":1,"encrypted_payloads":false,"client":{{}},"server":{{}}}}}}"#
            ),
            format!(
                r#"{head}"5252525252525252","message_id":0,"exchange_type":2,{aes},"payload":["KeyExchange","Nonce"],"ikev1":{{"doi":1,"encrypted_payloads":false,"client":{{"key_exchange_payload":"4b4b4b4b","key_exchange_payload_length":4,"nonce_payload":"4e4e","nonce_payload_length":2}},"server":{{}}}}}}"#
            ),
            format!(
                r#"{head}"5252525252525252","message_id":0,"exchange_type":2,{aes},"payload":["Identification"],"ikev1":{{"doi":1,"encrypted_payloads":true}}}}"#
            ),
        ]
    );
    let mut seen = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        let way = transaction.one_way().unwrap();
        let mut scratch = Vec::new();
        let buffers = [
            Buffer::IkeInitSpi,
            Buffer::IkeRespSpi,
            Buffer::IkeVendor,
            Buffer::IkeKeyExchangePayload,
            Buffer::IkeNoncePayload,
        ]
        .map(|buffer| {
            let view = transaction.buffer(way, buffer, 0, &mut scratch);
            view.map(|view| String::from_utf8(view.bytes.to_vec()).unwrap()).unwrap_or_default()
        });
        let numbers = NUMBERS.iter().map(|field| transaction.number(way, field, 0)).collect::<Vec<_>>();
        let mut members = Vec::new();
        transaction.context(&mut members);
        let members = String::from_utf8(members).unwrap();
        assert!(members.contains(r#""exchange_type":2,"exchange_type_verbose":"Identity Protection","#));
        seen.push((buffers, numbers));
    });
    assert_eq!(seen[0].0[2], "4a13");
    assert_eq!(seen[0].0[0], "4142434445464748");
    assert_eq!(seen[1].0[1], "5252525252525252");
    assert_eq!(seen[2].0[3..], ["KKKK".to_owned(), "NN".to_owned()]);
    assert_eq!(seen[0].1[3..], [None; 10]);
    assert_eq!(seen[1].1[3..7], [Some(7), Some(2), None, None]);
    assert_eq!(seen[1].1[10..12], [Some(86_400), Some(128)]);
    assert_eq!(seen[2].1[..3], [Some(2), Some(4), Some(2)]);
}

#[test]
fn version_2_tells_what_was_chosen_and_notified() {
    let notify = |kind: u16| (41, [&[0, 0][..], &kind.to_be_bytes()].concat());
    let key = (34, b"\0\x0e\0\0KKKK".to_vec());
    let mut session = session(&[
        (
            Direction::ToServer,
            message(
                0x20,
                34,
                8,
                [0; 8],
                &[(33, association2(1, STRONG)), key.clone(), (53, vec![1]), notify(16388), notify(40960)],
            ),
        ),
        (
            Direction::ToClient,
            message(0x20, 34, 0x20, RESPONDER, &[(33, association2(1, STRONG)), key, notify(14)]),
        ),
    ]);
    let head = r#""ike":{"version_major":2,"version_minor":0,"init_spi":"4142434445464748","resp_spi":"#;
    assert_eq!(
        records(&mut session),
        [
            format!(
                r#"{head}"0000000000000000","message_id":0,"exchange_type":34,"role":"initiator","payload":["SecurityAssociation","KeyExchange","IkePayloadType(53 / 0x35)","Notify","Notify","NoNextPayload"],"ikev2":{{"errors":0,"notify":["NAT_DETECTION_SOURCE_IP","NotifyType(40960 / 0xa000)"]}}}}"#
            ),
            format!(
                r#"{head}"5252525252525252","message_id":0,"exchange_type":34,"role":"responder","alg_enc":"ENCR_AES_CBC","alg_auth":"AUTH_HMAC_SHA2_256_128","alg_prf":"PRF_HMAC_SHA2_256","alg_dh":"Modp2048","alg_esn":"NoESN","payload":["SecurityAssociation","KeyExchange","Notify","NoNextPayload"],"ikev2":{{"errors":1,"notify":["NO_PROPOSAL_CHOSEN"]}}}}"#
            ),
        ]
    );
    let mut chosen = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        let way = transaction.one_way().unwrap();
        chosen.push(transaction.number(way, "ike.chosen_sa_attribute.alg_dh", 0));
    });
    assert_eq!(chosen, [None, Some(14)]);
    assert_eq!(events(&mut session), [Vec::<&str>::new(), Vec::new()]);
}

#[test]
fn weak_and_wrong_proposals_are_events() {
    for (protocol, transforms, expected) in [
        (1, &[(1, 2), (2, 1), (3, 1), (4, 1), (5, 0)][..], &[WEAK[0], WEAK[1], WEAK[2], WEAK[3]][..]),
        (1, &[(1, 12), (2, 5)], &[version2::NO_GROUP, version2::NO_INTEGRITY]),
        (1, &[(1, 20), (2, 5), (4, 14)], &[]),
        (1, &[(1, 21), (2, 5), (4, 14)], &[version2::NO_INTEGRITY]),
        (
            2,
            &[(1, 12), (2, 5), (3, 2), (4, 0), (5, 1)],
            &[version2::WEAK_INTEGRITY, version2::INVALID_PROPOSAL, version2::NO_ENCRYPTION],
        ),
        (1, &[(1, 12), (2, 5), (3, 12), (4, 14), (9, 1)], &[version2::UNKNOWN_PROPOSAL]),
    ] {
        let message = message(0x20, 34, 0x20, RESPONDER, &[(33, association2(protocol, transforms))]);
        let mut session = session(&[(Direction::ToServer, message)]);
        assert_eq!(events(&mut session), [expected.to_vec()], "{transforms:?}");
    }
}

const WEAK: [&str; 4] =
    [version2::WEAK_ENCRYPTION, version2::WEAK_PSEUDO_RANDOM, version2::WEAK_INTEGRITY, version2::WEAK_GROUP];

#[test]
fn of_what_cannot_be_read_whole_nothing_is_told() {
    let whole = message(0x20, 34, 8, [0; 8], &[(33, association2(1, STRONG)), (40, vec![7; 16])]);
    for len in 28..whole.len() {
        let mut session =
            session(&[(Direction::ToServer, whole.clone()), (Direction::ToServer, whole[..len].to_vec())]);
        let records = records(&mut session);
        assert!(records[1].contains(r#""payload":[],"ikev2":{"errors":0}"#), "{len}: {records:?}");
    }
    // Without a header, or with a proposal of version 1 that is cut off, it is no message.
    let mut broken = message(0x10, 2, 0, [0; 8], &[(1, association1(&[AES]))]);
    broken[28 + 4 + 8 + 3] = 5;
    for datagram in [whole[..27].to_vec(), broken] {
        let mut session = session(&[(Direction::ToServer, whole.clone()), (Direction::ToServer, datagram)]);
        assert_eq!(records(&mut session).len(), 1);
        assert_eq!(events(&mut session), [[MALFORMED]]);
    }
}

#[test]
fn it_is_known_by_its_header() {
    let config = Config::default();
    let asked = |server_port, bytes: &[u8]| {
        let (transport, direction) = (Transport::Udp, Direction::ToServer);
        probe(&Question { transport, direction, client_port: 40_000, server_port, bytes, config: &config })
    };
    let good = message(0x20, 34, 8, [0; 8], &[(40, vec![7; 16])]);
    assert_eq!(asked(500, &good), Probe::Certain);
    assert_eq!(asked(501, &good), Probe::NotForUs);
    assert_eq!(asked(500, &good[..good.len() - 1]), Probe::NotForUs);
    assert_eq!(asked(500, &message(0x11, 99, 0, [0; 8], &[])), Probe::Certain);
    for (version, exchange) in [(0x21, 34), (0x30, 34), (0x20, 33), (0x20, 38)] {
        assert_eq!(asked(500, &message(version, exchange, 8, [0; 8], &[])), Probe::NotForUs);
    }
}
