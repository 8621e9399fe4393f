//! A bind, its answer, and a call through it, told whole and byte by byte.

use app::{Buffer, Direction, Protocol};

use crate::{Config, Session, Transport};

const UUID: [u8; 16] =
    [0x67, 0xab, 0xb8, 0x1f, 0x98, 0x44, 0x35, 0xf1, 0xad, 0x32, 0x98, 0xf0, 0x38, 0, 0x10, 3];
const WIRE: [u8; 16] =
    [0x1f, 0xb8, 0xab, 0x67, 0x44, 0x98, 0xf1, 0x35, 0xad, 0x32, 0x98, 0xf0, 0x38, 0, 0x10, 3];

fn unit(kind: u8, call: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![5, 0, kind, 3, 0x10, 0, 0, 0, (16 + body.len()) as u8, 0, 0, 0, call, 0, 0, 0];
    bytes.extend_from_slice(body);
    bytes
}

fn talk() -> [(Direction, Vec<u8>); 4] {
    let transfer = [0; 20];
    let context =
        [&[1, 0, 0, 0, 0, 0, 1, 0][..], &[], &[1, 0], &[], &WIRE, &[2, 0, 0, 0], &transfer].concat();
    // Sizes and group, then the number of contexts.
    let bind = [&[0; 8][..], &[1, 0, 0, 0], &context[8..10], &[1, 0], &context[10..]].concat();
    let answer = [&[0; 8][..], &[0, 0, 0, 0], &[1, 0, 0, 0], &[0; 24]].concat();
    [
        (Direction::ToServer, unit(11, 1, &bind)),
        (Direction::ToClient, unit(12, 1, &answer)),
        (Direction::ToServer, unit(0, 2, b"\x04\0\0\0\x01\0\x0f\0stub")),
        (Direction::ToClient, unit(2, 2, b"\x02\0\0\0\x01\0\0\0ok")),
    ]
}

#[test]
fn a_call_is_told_with_its_interface_operation_and_data() {
    for step in [1, 1000] {
        let config = Config::default();
        let mut session = Session::new(Transport::Tcp, 40_000, 135);
        let (mut stub, mut interfaces) = (Vec::new(), Vec::new());
        for (direction, bytes) in talk() {
            for piece in bytes.chunks(step) {
                session.data(&config, 1, direction, piece);
            }
            session.for_each_transaction(&mut |transaction| {
                let call = transaction.dce().unwrap();
                if call.operation == Some(15) && call.first_fragment && call.little_endian {
                    interfaces = call.accepted().map(|found| (found.uuid, found.version)).collect();
                    let mut scratch = Vec::new();
                    let data = transaction.buffer(direction, Buffer::DceStubData, 0, &mut scratch);
                    stub.extend_from_slice(data.map(|view| view.bytes).unwrap_or_default());
                }
            });
            session.retire(direction);
        }
        assert_eq!(session.protocol(), Some(Protocol::Dcerpc));
        assert_eq!(stub, b"stubok");
        assert_eq!(interfaces, [(UUID, 2)]);
        let records: Vec<_> =
            session.take_records().map(|record| String::from_utf8(record.members).unwrap()).collect();
        assert_eq!(
            records,
            [
                r#""dcerpc":{"request":"BIND","response":"BINDACK","interfaces":[{"uuid":"67abb81f-9844-35f1-ad32-98f038001003","version":"2.0","ack_result":0}],"call_id":1,"rpc_version":"5.0"}"#,
                r#""dcerpc":{"request":"REQUEST","response":"RESPONSE","req":{"opnum":15,"frag_cnt":1,"stub_data_size":4},"res":{"frag_cnt":1,"stub_data_size":2},"call_id":2,"rpc_version":"5.0"}"#,
            ]
        );
    }
}
