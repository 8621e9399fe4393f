use super::*;
use crate::{Config, Protocols, Session};
use app::Protocol;

const TO_SERVER: Direction = Direction::ToServer;
const TO_CLIENT: Direction = Direction::ToClient;

fn command(command: u16, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len()).unwrap();
    [&command.to_le_bytes()[..], &len.to_le_bytes(), &[0; 20], data].concat()
}

/// A message of CIP without a connection.
fn unconnected(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).unwrap().to_le_bytes();
    let items = [&[0, 0, 0, 0, 10, 0, 2, 0, 0, 0, 0, 0, 0xb2, 0][..], &len, message].concat();
    command(SEND_RR_DATA, &items)
}

/// The commands that were seen: which way, which, and the services asked for.
fn seen(transport: Transport, pieces: &[(Direction, Vec<u8>)]) -> Vec<(Direction, u64, Vec<CipService>)> {
    let mut session = Session::new(transport, 40_000, 44_818);
    let config = Config { enabled: Protocols::ALL, ..Config::default() };
    for (direction, piece) in pieces {
        session.data(&config, 0, *direction, piece);
    }
    let mut seen = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        let direction = transaction.one_way().unwrap();
        let command = transaction.number(direction, "enip_command", 0).unwrap();
        assert_eq!(transaction.number(direction.flipped(), "enip_command", 0), None);
        seen.push((direction, command, transaction.services().to_vec()));
    });
    assert_eq!(session.protocol(), (!seen.is_empty()).then_some(Protocol::Enip));
    seen
}

fn asked(message: &[u8]) -> Vec<CipService> {
    seen(Transport::Tcp, &[(TO_SERVER, unconnected(message))]).remove(0).2
}

fn service(service: u8, classes: &[u16], attributes: &[u16]) -> CipService {
    CipService { service, classes: classes.to_vec(), attributes: attributes.to_vec() }
}

#[test]
fn commands_go_both_ways_in_streams_and_datagrams() {
    let register = command(0x65, &[1, 0, 0, 0]);
    let twice = [register.clone(), command(0x63, &[])].concat();
    let pieces: Vec<_> = twice.iter().map(|byte| (TO_SERVER, vec![*byte])).collect();
    let told = seen(Transport::Tcp, &[pieces, vec![(TO_CLIENT, register.clone())]].concat());
    let told: Vec<_> = told.into_iter().map(|(direction, command, _)| (direction, command)).collect();
    assert_eq!(told, [(TO_SERVER, 0x65), (TO_SERVER, 0x63), (TO_CLIENT, 0x65)]);
    assert_eq!(seen(Transport::Udp, &[(TO_SERVER, command(0x63, &[]))]).len(), 1);
    assert_eq!(seen(Transport::Udp, &[(TO_SERVER, command(0x99, &[]))]).len(), 0);
    assert_eq!(seen(Transport::Udp, &[(TO_SERVER, register[..20].to_vec())]).len(), 0);
}

#[test]
fn services_are_told_with_their_classes_and_attributes() {
    assert_eq!(asked(&[14, 3, 0x20, 1, 0x24, 1, 0x30, 7]), [service(14, &[1], &[7])]);
    let wide = [16, 6, 0x21, 0, 5, 1, 0x25, 0, 2, 0, 0x31, 0, 7, 2, 9, 9];
    assert_eq!(asked(&wide), [service(16, &[0x105], &[0x207])]);
    assert_eq!(asked(&[3, 1, 0x20, 5, 2, 0, 7, 0, 8, 1]), [service(3, &[5], &[7, 0x108])]);
    assert_eq!(asked(&[4, 1, 0x20, 5, 2, 0, 7, 0, 8, 1]), [service(4, &[5], &[7])]);
    assert_eq!(asked(&[0x8e, 0, 0, 0]), []);
    assert_eq!(asked(&[14, 9, 0x20]), []);
    let several = [
        &[10, 2, 0x20, 2, 0x24, 1, 3, 0][..],
        &[8, 0, 14, 0, 0xff, 0],
        &[1, 2, 0x20, 4, 0x24, 5],
        &[14, 1, 0x20, 6],
    ]
    .concat();
    assert_eq!(asked(&several), [service(10, &[2], &[]), service(1, &[4], &[]), service(14, &[6], &[])]);
    let nested = [10, 1, 0x20, 2, 1, 0, 4, 0, 10, 1, 0x20, 3, 1, 0, 4, 0, 1, 1, 0x20, 9];
    assert_eq!(asked(&nested), [service(10, &[2], &[]), service(10, &[3], &[])]);
    let connected = [&[0, 0, 0, 0, 0, 0, 1, 0, 0xb1, 0, 6, 0][..], &[7, 0, 0x4b, 1, 0x20, 0x67]].concat();
    let told = seen(Transport::Tcp, &[(TO_SERVER, command(SEND_UNIT_DATA, &connected))]);
    assert_eq!(told[0].2, [service(0x4b, &[0x67], &[])]);
}
