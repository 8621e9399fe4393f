use super::*;
use crate::{Config, Session, Transport};
use app::Protocol;

const TO_SERVER: Direction = Direction::ToServer;
const TO_CLIENT: Direction = Direction::ToClient;

/// A certificate with the serial number 0xabcdef0123, made for this test.
const CERTIFICATE: &[u8] = include_bytes!("certificate.der");

fn tpkt(contents: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + contents.len()).unwrap().to_be_bytes();
    [&[3, 0, len[0], len[1]][..], contents].concat()
}

fn connection(code: u8, rest: &[u8]) -> Vec<u8> {
    let len = u8::try_from(6 + rest.len()).unwrap();
    tpkt(&[&[len, code, 0, 0, 0, 0, 0][..], rest].concat())
}

fn negotiation(kind: u8, flags: u8, value: u8) -> [u8; 8] {
    [kind, flags, 8, 0, value, 0, 0, 0]
}

fn wide(text: &str, len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.resize(len, 0);
    bytes
}

fn block(kind: u16, contents: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + contents.len()).unwrap();
    [&kind.to_le_bytes()[..], &len.to_le_bytes(), contents].concat()
}

/// Core data up to the input method, and the fields that follow it.
fn core(version: u32, keyboard: u32, rest: &[u8]) -> Vec<u8> {
    let mut core = version.to_le_bytes().to_vec();
    core.extend_from_slice(&[0x20, 3, 0x58, 2, 1, 0xca, 3, 0xaa]);
    for number in [0x0409, 2600] {
        core.extend_from_slice(&u32::to_le_bytes(number));
    }
    core.extend_from_slice(&wide("client", 32));
    for number in [keyboard, 0, 12] {
        core.extend_from_slice(&u32::to_le_bytes(number));
    }
    core.extend_from_slice(&wide("", 64));
    core.extend_from_slice(rest);
    core
}

/// The fields that newer clients send: depth, capabilities, kind of connection, and what is after.
fn newer(depth: u16, capabilities: u16, connection: u8, rest: &[u8]) -> Vec<u8> {
    let mut fields = vec![1, 0xca, 1, 0, 0, 0, 0, 0];
    for number in [depth, 7, capabilities] {
        fields.extend_from_slice(&number.to_le_bytes());
    }
    fields.extend_from_slice(&wide("55274", 64));
    fields.extend_from_slice(&[connection, 0, 1, 0, 0, 0]);
    fields.extend_from_slice(rest);
    fields
}

fn element(identifier: u8, contents: &[u8]) -> Vec<u8> {
    let len = u16::try_from(contents.len()).unwrap().to_be_bytes();
    [&[identifier, 0x82, len[0], len[1]][..], contents].concat()
}

fn packed(contents: &[u8]) -> Vec<u8> {
    let len = (u16::try_from(contents.len()).unwrap() | 0x8000).to_be_bytes();
    [&len[..], contents].concat()
}

fn connect_request(blocks: &[u8]) -> Vec<u8> {
    let create = [&[0, 8, 0, 0x10, 0, 1, 0xc0, 0][..], b"Duca", &packed(blocks)].concat();
    let conference = [&[0, 5, 0, 0x14, 0x7c, 0, 1][..], &packed(&create)].concat();
    let mut body = vec![4, 1, 1, 4, 1, 1, 1, 1, 0xff];
    for _ in 0..3 {
        body.extend_from_slice(&[0x30, 3, 2, 1, 1]);
    }
    body.extend_from_slice(&element(4, &conference));
    tpkt(&[&[2, 0xf0, 0x80, 0x7f][..], &element(0x65, &body)].concat())
}

fn texts(pieces: &[(Direction, Vec<u8>)]) -> (Session, Vec<(Direction, String)>) {
    let mut session = Session::new(Transport::Tcp, 40_000, 3389);
    for (direction, piece) in pieces {
        session.data(&Config::default(), 0, *direction, piece);
    }
    let texts = session
        .take_records()
        .filter(|record| record.event_type == "rdp")
        .map(|record| (record.direction, String::from_utf8(record.members).unwrap()))
        .collect();
    (session, texts)
}

fn rdp(direction: Direction, text: &str) -> (Direction, String) {
    (direction, format!(r#""rdp":{{{text}}}"#))
}

// What Suricata 7.0.10 writes for the same messages.
#[test]
fn a_connection_is_told_from_its_request_to_its_response() {
    let sizes = [300_u32, 200].iter().flat_map(|number| number.to_le_bytes());
    let sizes: Vec<u8> = sizes.chain([90, 0, 100, 0, 0, 0, 140, 0, 0, 0]).collect();
    let channels = [&2_u32.to_le_bytes()[..], b"rdpdr\0\0\0\0\0\0\x80", b"cliprdr\0\0\0\0\x80"].concat();
    let blocks =
        [block(0xc001, &core(0x0008_0004, 4, &newer(24, 0x21, 6, &sizes))), block(0xc003, &channels)]
            .concat();
    let request = connect_request(&blocks);
    let (session, told) = texts(&[
        (TO_SERVER, connection(0xe0, &[&b"Cookie: mstshash=A70067\r\n"[..], &negotiation(1, 8, 1)].concat())),
        (TO_CLIENT, connection(0xd0, &negotiation(2, 9, 0))),
        (TO_SERVER, request[..50].to_vec()),
        (TO_SERVER, request[50..].to_vec()),
        (TO_CLIENT, tpkt(&[2, 0xf0, 0x80, 0x7f, 0x66, 0])),
    ]);
    assert_eq!(
        told,
        [
            rdp(
                TO_CLIENT,
                r#""tx_id":1,"event_type":"initial_request","cookie":"A70067","flags":["correlation_info_present"]"#
            ),
            rdp(
                TO_SERVER,
                r#""tx_id":2,"event_type":"initial_response","server_supports":["extended_client_data","restricted_admin"],"protocol":"rdp""#
            ),
            rdp(
                TO_CLIENT,
                r#""tx_id":3,"event_type":"connect_request","client":{"version":"v5","desktop_width":800,"desktop_height":600,"color_depth":24,"keyboard_layout":"en-US","build":"Windows XP","client_name":"client","keyboard_type":"enhanced","function_keys":12,"product_id":1,"capabilities":["support_errinfo_pdf","valid_connection_type"],"id":"55274","connection_hint":"lan","physical_width":300,"physical_height":200,"desktop_orientation":90,"scale_factor":100,"device_scale_factor":140},"channels":["rdpdr","cliprdr"]"#
            ),
            rdp(TO_SERVER, r#""tx_id":4,"event_type":"connect_response""#),
        ]
    );
    assert_eq!(session.protocol(), Some(Protocol::Rdp));
    assert!(session.done() && !session.encrypted());
}

#[test]
fn fields_end_at_the_first_that_says_nothing_known() {
    let told = |rest: &[u8]| {
        let members = client::core(&core(7, 9, rest)).unwrap();
        String::from_utf8(members).unwrap()
    };
    let head = r#""version":"unknown","desktop_width":800,"desktop_height":600,"color_depth":8,"keyboard_layout":"en-US","build":"Windows XP","client_name":"client","function_keys":12"#;
    assert_eq!(told(&[]), head);
    assert_eq!(told(&newer(0, 0x800, 6, &[])), format!(r#"{head},"product_id":1"#));
    assert_eq!(
        told(&newer(0, 0x10, 9, &[44, 1, 0, 0, 5, 0, 0, 0])),
        format!(r#"{head},"product_id":1,"capabilities":[],"id":"55274","physical_width":300"#)
    );
    assert_eq!(client::core(&core(7, 9, &[])[..100]), None);
}

#[test]
fn a_refusal_names_its_reason() {
    let reply = |value| {
        let request = (TO_SERVER, connection(0xe0, b""));
        texts(&[request, (TO_CLIENT, connection(0xd0, &negotiation(3, 0, value)))]).1.pop().unwrap().1
    };
    assert!(reply(5).ends_with(r#""initial_response","error_code":5,"reason":"hybrid required by server"}"#));
    assert!(reply(7).ends_with(r#""initial_response"}"#));
}

#[test]
fn with_tls_the_certificates_are_told_and_the_rest_is_encrypted() {
    let counted = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[1..], bytes].concat();
    let record = |kind: u8, bytes: &[u8]| {
        let len = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[kind, 3, 3, len[0], len[1]][..], bytes].concat()
    };
    let chain = [&[11][..], &counted(&counted(&counted(CERTIFICATE)))].concat();
    let hello = [&[2][..], &counted(&[3; 40])].concat();
    let begin = [
        (TO_SERVER, connection(0xe0, &negotiation(1, 0, 1))),
        (TO_CLIENT, connection(0xd0, &negotiation(2, 0, 1))),
        (TO_SERVER, record(22, &[&[1][..], &counted(&[3; 40])].concat())),
    ];
    let whole = record(22, &[hello.clone(), chain].concat());
    let mut pieces = begin.to_vec();
    pieces.extend([(TO_CLIENT, whole[..9].to_vec()), (TO_CLIENT, whole[9..].to_vec())]);
    let (session, told) = texts(&pieces);
    assert_eq!(
        told.last(),
        Some(&rdp(TO_SERVER, r#""tx_id":3,"event_type":"tls_handshake","x509_serials":["abcdef0123"]"#))
    );
    assert!(session.encrypted());

    let mut pieces = begin.to_vec();
    pieces.extend([(TO_CLIENT, record(22, &hello)), (TO_CLIENT, record(23, b"secret"))]);
    let (session, told) = texts(&pieces);
    assert_eq!(told.len(), 2);
    assert!(session.encrypted());
}

#[test]
fn what_is_no_packet_ends_it() {
    let request = connection(0xe0, b"");
    for rest in [&b"\x03\0\0\x03"[..], b"HTTP/1.1", b"\x16\x09\0\0\0", b"\x03\0\0\x05\xff"] {
        let (session, told) = texts(&[(TO_SERVER, request.clone()), (TO_SERVER, rest.to_vec())]);
        assert_eq!((told.len(), session.failed()), (1, true), "{rest:?}");
    }
}
