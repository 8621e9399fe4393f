use super::*;
use crate::{Config, Protocols, Session, Transport};
use app::Protocol;
use app::modbus::category;

const TO_SERVER: Direction = Direction::ToServer;
const TO_CLIENT: Direction = Direction::ToClient;

fn adu(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let len = u16::try_from(pdu.len() + 1).unwrap();
    [&transaction.to_be_bytes()[..], &[0, 0], &len.to_be_bytes(), &[unit], pdu].concat()
}

fn pdu(function: u8, numbers: &[u16], rest: &[u8]) -> Vec<u8> {
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    [&[function][..], &numbers, rest].concat()
}

fn run(pieces: &[(Direction, Vec<u8>)]) -> (Session, Vec<String>) {
    let mut session = Session::new(Transport::Tcp, 40_000, 502);
    let config = Config { enabled: Protocols::ALL, ..Config::default() };
    for (direction, piece) in pieces {
        session.data(&config, 0, *direction, piece);
    }
    for direction in Direction::BOTH {
        session.close(&config, 0, direction);
    }
    let texts = session
        .take_records()
        .filter(|record| record.event_type == "modbus")
        .map(|record| String::from_utf8(record.members).unwrap())
        .collect();
    (session, texts)
}

fn events(pieces: &[(Direction, Vec<u8>)]) -> Vec<Vec<&'static str>> {
    let mut session = run(pieces).0;
    let mut events = Vec::new();
    session.for_each_transaction(&mut |transaction| events.push(transaction.events(TO_SERVER).to_vec()));
    events
}

/// What an exchange of these two raises.
fn raised(request: &[u8], response: &[u8]) -> Vec<&'static str> {
    let events = events(&[(TO_SERVER, adu(1, 10, request)), (TO_CLIENT, adu(1, 10, response))]);
    assert_eq!(events.len(), 1, "{events:?}");
    events.concat()
}

// What Suricata 7.0.10 writes for the same messages.
#[test]
fn requests_are_told_with_their_responses() {
    let write = pdu(16, &[500, 2], &[4, 0, 200, 1, 44]);
    let both = pdu(23, &[3, 6, 14, 3], &[6, 0, 255, 1, 0, 1, 1]);
    let (session, told) = run(&[
        (TO_SERVER, adu(1, 10, &pdu(1, &[1000, 10], &[]))),
        (TO_CLIENT, adu(1, 10, &[1, 2, 0xff, 3])),
        (TO_SERVER, [adu(2, 10, &write), adu(3, 10, &pdu(8, &[4, 0], &[]))].concat()),
        (TO_CLIENT, adu(2, 10, &[0x90, 2])),
        (TO_SERVER, adu(4, 10, &both)),
        (TO_CLIENT, adu(9, 10, &[0x2b, 14, 1])),
    ]);
    assert_eq!(session.protocol(), Some(Protocol::Modbus));
    let of = |id: u64, text: &str| format!(r#""modbus":{{"id":{id},{text}}}"#);
    let head = |transaction: u16, raw: u8, name: &str, access: &str, category: &str| {
        format!(
            r#"{{"transaction_id":{transaction},"protocol_id":0,"unit_id":10,"function_raw":{raw},"function_code":"{name}","access_type":"{access}","category":"{category}","error_flags":"NONE","#
        )
    };
    let coils = |raw| head(1, raw, "RdCoils", "READ | COILS", "PUBLIC_ASSIGNED");
    let several = "WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE";
    assert_eq!(
        told,
        [
            of(
                1,
                &format!(
                    r#""request":{}"read":{{"address":1000,"quantity":10}}}},"response":{}"read":{{"data":"\\xff\u0003"}}}}"#,
                    coils(1),
                    coils(1)
                )
            ),
            of(
                2,
                &format!(
                    r#""request":{}"write":{{"address":500,"quantity":2,"data":"\u0000\\xc8\u0001,"}}}},"response":{}"exception":{{"raw":2,"code":"IllegalDataAddr"}}}}"#,
                    head(2, 16, "WrMultRegs", several, "PUBLIC_ASSIGNED"),
                    head(2, 144, "WrMultRegs", several, "PUBLIC_ASSIGNED"),
                )
            ),
            of(
                5,
                &format!(
                    r#""response":{}"mei":{{"raw":14,"code":"RdDevId","data":"\u0001"}}}}"#,
                    head(9, 43, "MEI", "NONE", "PUBLIC_ASSIGNED")
                )
            ),
            of(
                3,
                &format!(
                    r#""request":{}"diagnostic":{{"raw":4,"code":"ForceListenOnlyMode","data":"\u0000\u0000"}}}}"#,
                    head(3, 8, "Diagnostic", "NONE", "PUBLIC_ASSIGNED")
                )
            ),
            of(
                4,
                &format!(
                    r#""request":{}"read":{{"address":3,"quantity":6}},"write":{{"address":14,"quantity":3,"data":"\u0000\\xff\u0001\u0000\u0001\u0001"}}}}"#,
                    head(
                        4,
                        23,
                        "RdWrMultRegs",
                        "READ | WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE",
                        "PUBLIC_ASSIGNED"
                    )
                )
            ),
        ]
    );
}

#[test]
fn what_is_wrong_raises_the_events_of_the_reference() {
    let read = || pdu(1, &[1000, 10], &[]);
    for (request, response, expected) in [
        (read(), vec![1, 2, 0xff, 3], vec![]),
        (pdu(3, &[0, 2], &[]), vec![3, 4, 0, 1, 0, 2], vec![]),
        (pdu(3, &[0, 2], &[]), vec![3, 6, 0, 1, 0, 2, 0, 3], vec![VALUE_MISMATCH]),
        (read(), vec![1, 3, 0xff, 3], vec![VALUE_MISMATCH]),
        (read(), vec![0x81, 2], vec![]),
        (read(), vec![0x81, 0x20], vec![INVALID_EXCEPTION]),
        (read(), vec![0x81], vec![VALUE_MISMATCH]),
        (pdu(5, &[500, 0x1234], &[]), pdu(5, &[500, 0x1234], &[]), vec![INVALID_VALUE]),
        (pdu(6, &[500, 200], &[]), pdu(6, &[500, 201], &[]), vec![VALUE_MISMATCH]),
        (pdu(16, &[500, 2], &[4, 0, 1, 0, 2]), pdu(16, &[500, 3], &[]), vec![VALUE_MISMATCH]),
        (pdu(15, &[19, 10], &[3, 1, 1, 1]), pdu(15, &[19, 10], &[]), vec![INVALID_VALUE]),
        (pdu(16, &[5, 2], &[3, 0, 1, 0, 2]), pdu(16, &[5, 2], &[]), vec![INVALID_LENGTH, INVALID_VALUE]),
        (pdu(22, &[4, 1, 2], &[]), pdu(22, &[4, 1, 3], &[]), vec![VALUE_MISMATCH]),
        (pdu(3, &[0, 1], &[0]), vec![3, 2, 0, 1], vec![INVALID_LENGTH]),
        (pdu(8, &[1, 0x1234], &[]), pdu(8, &[1, 0x1234], &[]), vec![INVALID_VALUE]),
        (pdu(8, &[11, 0], &[]), pdu(8, &[11, 77], &[]), vec![]),
    ] {
        assert_eq!(raised(&request, &response), expected, "{request:?} {response:?}");
    }
    let good = (TO_SERVER, adu(1, 10, &read()));
    let mut other_protocol = adu(1, 10, &read());
    other_protocol[3] = 5;
    let after = |bad: Vec<u8>| events(&[good.clone(), (TO_SERVER, bad)]);
    assert_eq!(after(other_protocol), [vec![], vec![INVALID_PROTOCOL]]);
    assert_eq!(after(vec![0, 2, 0, 0, 0, 1, 10]), [vec![], vec![INVALID_LENGTH]]);
    assert_eq!(after(vec![0, 2, 0, 0, 1, 0, 10, 1]), [vec![], vec![INVALID_LENGTH]]);
    assert_eq!(after(adu(2, 10, &[0, 0])), [vec![], vec![INVALID_FUNCTION]]);
    assert_eq!(
        events(&[good.clone(), (TO_CLIENT, adu(2, 10, &[1, 2, 0, 0]))]).concat(),
        [UNSOLICITED_RESPONSE]
    );
}

#[test]
fn too_many_requests_without_an_answer_are_a_flood() {
    let request = adu(1, 10, &pdu(1, &[0, 8], &[]));
    let events = events(&vec![(TO_SERVER, request); 501]);
    assert_eq!(events.iter().filter(|events| events.contains(&FLOODED)).count(), 1);
    assert!(events.len() < 501, "the oldest are given up");
}

#[test]
fn categories_are_those_of_the_specification() {
    for (function, category) in [
        (0, 0),
        (1, category::PUBLIC_ASSIGNED),
        (24, category::PUBLIC_ASSIGNED),
        (25, category::PUBLIC_UNASSIGNED),
        (41, category::RESERVED),
        (64, category::PUBLIC_UNASSIGNED),
        (65, category::USER),
        (73, category::PUBLIC_UNASSIGNED),
        (90, category::RESERVED),
        (100, category::USER),
        (111, category::PUBLIC_UNASSIGNED),
        (127, category::RESERVED),
    ] {
        assert_eq!(message::category_of(function), category, "{function}");
    }
    let reserved = Message::read(TO_SERVER, (1, 0), &[10, 8, 0, 5, 0, 1]);
    assert_eq!(reserved.category, category::RESERVED);
}

#[test]
fn rules_see_what_is_written_where() {
    let call = |pdu: &[u8], look: &mut dyn FnMut(ModbusCall<'_>)| {
        let (mut session, _) = run(&[(TO_SERVER, adu(1, 10, pdu))]);
        let mut seen = false;
        session.for_each_transaction(&mut |transaction| {
            look(transaction.modbus().unwrap());
            seen = true;
        });
        assert!(seen);
    };
    call(&pdu(15, &[19, 10], &[2, 0xcd, 1]), &mut |call| {
        assert!(call.writes && !call.reads && call.table == Some(ModbusTable::Coils));
        assert_eq!(call.range(), Some((20, 29)));
        let values: Vec<_> = (19..=30).map(|address| call.value_at(address)).collect();
        let bits = [1, 0, 1, 1, 0, 0, 1, 1, 1, 0].map(Some);
        assert_eq!(values, [&[None][..], &bits, &[None]].concat());
    });
    call(&pdu(23, &[3, 6, 14, 3], &[6, 0, 255, 1, 0, 1, 1]), &mut |call| {
        assert!(call.writes && call.reads && call.range() == Some((15, 17)));
        assert_eq!(
            [14, 15, 16, 17, 18].map(|address| call.value_at(address)),
            [None, Some(255), Some(256), Some(257), None]
        );
    });
    call(&pdu(5, &[500, 0xff00], &[]), &mut |call| {
        assert_eq!((call.value_at(501), call.value_at(500)), (Some(1), None));
    });
    call(&pdu(22, &[4, 1, 2], &[]), &mut |call| {
        assert_eq!((call.range(), call.value_at(5)), (Some((5, 5)), None));
    });
    call(&pdu(8, &[4, 0], &[]), &mut |call| {
        assert_eq!((call.function, call.subfunction, call.range()), (8, Some(4), None));
    });
}
