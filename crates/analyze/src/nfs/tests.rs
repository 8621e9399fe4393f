use super::*;
use crate::{Config, FileState, Record, Session, Transaction};
use app::{Buffer, Protocol, Stage};

const TO_SERVER: Direction = Direction::ToServer;
const TO_CLIENT: Direction = Direction::ToClient;

fn number(value: u32) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

fn long(value: u64) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

/// Bytes behind their length, filled up to a multiple of four.
fn text(bytes: &[u8]) -> Vec<u8> {
    let fill = bytes.len().wrapping_neg() & 3;
    [number(u32::try_from(bytes.len()).unwrap()), bytes.to_vec(), vec![0; fill]].concat()
}

fn call(xid: u32, version: u32, procedure: u32, body: &[Vec<u8>]) -> Vec<u8> {
    let header = [xid, 0, 2, 100_003, version, procedure, 1].map(u32::to_be_bytes).concat();
    let user = [number(7), text(b"desk"), number(1000), number(100), number(0)].concat();
    [header, text(&user), number(0), number(0), body.concat()].concat()
}

fn reply(xid: u32, body: &[Vec<u8>]) -> Vec<u8> {
    [[xid, 1, 0, 0, 0, 0].map(u32::to_be_bytes).concat(), body.concat()].concat()
}

fn record(message: &[u8]) -> Vec<u8> {
    [number(LAST | u32::try_from(message.len()).unwrap()), message.to_vec()].concat()
}

fn file_handle(of: u8) -> Vec<u8> {
    let mut handle = b"FILEHANDLE-00-XXXXXXXXXXXXXXXXXX".to_vec();
    handle[12] = b'0' + of;
    handle
}

fn fh(of: u8) -> Vec<u8> {
    text(&file_handle(of))
}

/// Attributes of version 3 that are there.
fn attributes() -> Vec<u8> {
    [number(1), vec![0; 84]].concat()
}

fn lookup(xid: u32) -> [(Direction, Vec<u8>); 2] {
    [
        (TO_SERVER, call(xid, 3, 3, &[fh(1), text(b"file.txt")])),
        (TO_CLIENT, reply(xid, &[number(0), fh(2), attributes(), attributes()])),
    ]
}

fn read(xid: u32, offset: u64, end: bool, bytes: &[u8]) -> [(Direction, Vec<u8>); 2] {
    let len = number(u32::try_from(bytes.len()).unwrap());
    [
        (TO_SERVER, call(xid, 3, 6, &[fh(2), long(offset), len.clone()])),
        (TO_CLIENT, reply(xid, &[number(0), attributes(), len, number(end.into()), text(bytes)])),
    ]
}

fn write(xid: u32, offset: u64, stable: u32, bytes: &[u8]) -> [(Direction, Vec<u8>); 2] {
    let len = number(u32::try_from(bytes.len()).unwrap());
    let result = [number(0), number(0), number(0), len.clone(), number(stable), long(1)];
    [
        (TO_SERVER, call(xid, 3, 7, &[fh(2), long(offset), len, number(stable), text(bytes)])),
        (TO_CLIENT, reply(xid, &result)),
    ]
}

fn commit(xid: u32) -> [(Direction, Vec<u8>); 2] {
    [
        (TO_SERVER, call(xid, 3, 21, &[fh(2), long(0), number(0)])),
        (TO_CLIENT, reply(xid, &[number(0), number(0), number(0), long(1)])),
    ]
}

/// What came out of a flow.
#[derive(Default)]
struct Seen {
    records: Vec<Record>,
    /// Contents and names of files as rules see them, each way.
    contents: [Vec<u8>; 2],
    names: Vec<Vec<u8>>,
    events: Vec<&'static str>,
    /// Version and procedure of each transaction.
    numbers: Vec<(u64, u64)>,
    protocol: Option<Protocol>,
}

impl Seen {
    fn of(&self, event_type: &str) -> Vec<&str> {
        self.records
            .iter()
            .filter(|record| record.event_type == event_type)
            .map(|record| std::str::from_utf8(&record.members).unwrap())
            .collect()
    }

    fn look(&mut self, session: &mut Session, direction: Direction) {
        session.for_each_transaction(&mut |transaction: &mut dyn Transaction| {
            let mut scratch = Vec::new();
            if transaction.stage(direction) == Stage::Waiting {
                return;
            }
            if let Some(view) = transaction.buffer(direction, Buffer::FileData, 0, &mut scratch) {
                let seen = &mut self.contents[direction.index()];
                seen.truncate(usize::try_from(view.offset).unwrap());
                seen.extend_from_slice(view.bytes);
            }
            let name = transaction.buffer(direction, Buffer::FileName, 0, &mut scratch);
            self.names.extend(name.map(|view| view.bytes.to_vec()));
            self.events.extend(transaction.events(direction));
            let numbers =
                ["nfs.version", "nfs_procedure"].map(|field| transaction.number(direction, field, 0));
            if let [Some(version), Some(procedure)] = numbers
                && !self.numbers.contains(&(version, procedure))
            {
                self.numbers.push((version, procedure));
            }
            transaction.inspected(direction);
        });
        session.retire(direction);
        self.records.extend(session.take_records());
    }
}

/// Gives a flow data, `None` a gap, and closes it.
fn drive(transport: Transport, data: impl IntoIterator<Item = (Direction, Result<Vec<u8>, u64>)>) -> Seen {
    let config = Config::default();
    let mut session = Session::new(transport, 700, 2049);
    let mut seen = Seen::default();
    for (direction, data) in data {
        match data {
            Ok(bytes) => session.data(&config, 1, direction, &bytes),
            Err(gap) => session.gap(&config, 1, direction, gap),
        };
        seen.look(&mut session, direction);
    }
    for direction in Direction::BOTH {
        session.close(&config, 1, direction);
    }
    for direction in Direction::BOTH {
        seen.look(&mut session, direction);
    }
    seen.protocol = session.protocol();
    seen
}

fn stream(messages: impl IntoIterator<Item = (Direction, Vec<u8>)>) -> Seen {
    let data = messages.into_iter().map(|(direction, message)| (direction, Ok(record(&message))));
    drive(Transport::Tcp, data)
}

fn datagrams(messages: impl IntoIterator<Item = (Direction, Vec<u8>)>) -> Seen {
    drive(Transport::Udp, messages.into_iter().map(|(direction, message)| (direction, Ok(message))))
}

#[test]
fn a_lookup_is_recorded_as_the_reference_does() {
    let members = r#""rpc":{"xid":1,"status":"ACCEPTED","auth_type":"UNIX","creds":{"machine_name":"desk","uid":1000,"gid":100}},"nfs":{"version":3,"procedure":"LOOKUP","filename":"file.txt","hhash":"a679f4d","id":1,"file_tx":false,"type":"response","status":"OK"}"#;
    let seen = stream(lookup(1));
    assert_eq!(seen.protocol, Some(Protocol::Nfs));
    assert_eq!(seen.of("nfs"), [members]);
    assert_eq!(seen.records[0].direction, TO_SERVER);
    assert_eq!(seen.numbers, [(3, 3)]);
    let seen = datagrams(lookup(1));
    assert_eq!(seen.of("nfs"), [members]);
    assert_eq!(seen.records[0].direction, TO_CLIENT);
}

#[test]
fn a_file_that_is_read_has_its_name_and_contents() {
    let seen = stream([lookup(1), read(5, 0, false, b"0123456789"), read(6, 10, true, b"abc")].concat());
    assert_eq!(seen.contents[1], b"0123456789abc");
    assert_eq!(seen.names[0], b"file.txt");
    assert_eq!(seen.numbers, [(3, 3), (3, 6)]);
    assert_eq!(
        seen.of("nfs")[1].split_once(r#""nfs":"#).unwrap().1,
        r#"{"version":3,"procedure":"READ","filename":"file.txt","hhash":"a679f4d","id":2,"file_tx":true,"type":"response","status":"OK","read":{"first":true,"last":true,"last_xid":6,"chunks":2}}"#
    );
    let [info] = seen.of("fileinfo")[..] else { panic!("one file") };
    assert!(info.ends_with(
        r#""app_proto":"nfs","fileinfo":{"filename":"file.txt","gaps":false,"state":"CLOSED","stored":false,"size":13,"tx_id":1}"#
    ));
}

#[test]
fn a_file_that_is_written_ends_with_the_commit() {
    let parts = [write(1, 0, 0, b"AAAA"), write(2, 8, 0, b"CCCC"), write(3, 4, 0, b"BBBB"), commit(4)];
    let seen = stream(parts.concat());
    assert_eq!(seen.contents[0], b"AAAABBBBCCCC");
    assert_eq!(seen.of("nfs").len(), 1);
    assert!(seen.of("nfs")[0].contains(r#""write":{"first":true,"last":true,"last_xid":4,"chunks":3}"#));
    assert!(seen.of("fileinfo")[0].contains(r#""state":"CLOSED","stored":false,"size":12"#));
}

#[test]
fn a_file_goes_on_behind_what_was_put_on_disk() {
    let seen = stream([write(1, 0, 2, b"AAAA"), write(2, 4, 2, b"BBBB")].concat());
    assert_eq!(seen.of("fileinfo").len(), 2);
    // Each part is looked into, and stands for itself.
    assert_eq!(seen.contents[0], b"BBBB");
    let seen = stream(write(1, 0, 0, b"AAAA"));
    assert!(seen.of("fileinfo")[0].contains("TRUNCATED"));
    // The beginning was never transferred.
    let seen = stream([write(1, 100, 0, b"AAAA"), commit(2)].concat());
    assert!(seen.of("fileinfo")[0].contains(r#""gaps":true,"state":"TRUNCATED","stored":false,"size":104"#));
}

#[test]
fn long_records_in_small_pieces_and_in_fragments_carry_the_same() {
    let body: Vec<u8> = (0..90_000_u32).map(|value| value.to_le_bytes()[0]).collect();
    let messages = [write(1, 0, 2, &body), lookup(2)].concat();
    let pieces = messages.iter().flat_map(|(direction, message)| {
        let record = record(message);
        record.chunks(777).map(|piece| (*direction, Ok(piece.to_vec()))).collect::<Vec<_>>()
    });
    let seen = drive(Transport::Tcp, pieces);
    assert!(seen.contents[0] == body);
    assert_eq!(seen.of("nfs").len(), 2);

    // What is there of a file is looked into before the rest comes, and each packet's part counts.
    let [(_, part), _] = write(1, 0, 0, &[b'x'; 2000]);
    let part = record(&part);
    let pieces = [&part[..600], &part[600..1200], &part[1200..]].map(|piece| (TO_SERVER, Ok(piece.to_vec())));
    let end = commit(2).map(|(direction, message)| (direction, Ok(record(&message))));
    let seen = drive(Transport::Tcp, pieces.into_iter().chain(end));
    assert!(seen.of("nfs")[0].contains(r#""last_xid":2,"chunks":3}"#));
    assert!(seen.of("fileinfo")[0].contains(r#""state":"CLOSED","stored":false,"size":2000"#));

    let body = b"x".repeat(600);
    let fragments = [write(1, 0, 2, &body), lookup(2)].concat().into_iter().map(|(direction, message)| {
        let mut parts = Vec::new();
        let pieces: Vec<_> = message.chunks(91).collect();
        for (at, piece) in pieces.iter().enumerate() {
            let last = if at + 1 == pieces.len() { LAST } else { 0 };
            parts.extend(number(last | u32::try_from(piece.len()).unwrap()));
            parts.extend_from_slice(piece);
        }
        (direction, Ok(parts))
    });
    let seen = drive(Transport::Tcp, fragments);
    assert!(seen.contents[0] == body);
    assert_eq!((seen.of("nfs").len(), seen.events.len()), (2, 0));
}

#[test]
fn behind_a_gap_the_next_record_is_found() {
    let [(_, request), (_, answer)] = write(1, 0, 2, &[b'x'; 5000]);
    let request = record(&request);
    let mut data = lookup(9).map(|(direction, message)| (direction, Ok(record(&message)))).to_vec();
    // Within a file: it goes on behind it.
    data.push((TO_SERVER, Ok(request[..1000].to_vec())));
    data.push((TO_SERVER, Err(500)));
    data.push((TO_SERVER, Ok(request[1500..].to_vec())));
    data.push((TO_CLIENT, Ok(record(&answer))));
    // Over the end of a record: what follows begins anywhere.
    data.push((TO_SERVER, Err(3000)));
    let [(_, request), (_, answer)] = lookup(3);
    data.push((TO_SERVER, Ok([b"the middle of something".to_vec(), record(&request)].concat())));
    data.push((TO_CLIENT, Err(40)));
    data.push((TO_CLIENT, Ok([vec![7; 33], record(&answer)].concat())));
    let seen = drive(Transport::Tcp, data);
    assert!(seen.of("fileinfo")[0].contains(r#""gaps":true,"state":"TRUNCATED","stored":false,"size":5000"#));
    assert_eq!(seen.of("nfs").len(), 3);
    assert!(seen.of("nfs")[2].contains(r#""xid":3,"#) && seen.of("nfs")[2].contains("hhash"));
}

#[test]
fn names_are_made_changed_and_removed() {
    let wcc = || [number(0), number(0)].concat();
    let seen = stream([
        (TO_SERVER, call(1, 3, 8, &[fh(1), text(b"new"), vec![0; 28]])),
        (TO_CLIENT, reply(1, &[number(0), number(1), fh(2), attributes(), wcc()])),
        (TO_SERVER, call(2, 3, 14, &[fh(1), text(b"old"), fh(1), text(b"other")])),
        (TO_CLIENT, reply(2, &[number(0), wcc(), wcc()])),
        (TO_SERVER, call(3, 3, 12, &[fh(1), text(b"gone\xff")])),
        (TO_CLIENT, reply(3, &[number(2), wcc()])),
        (TO_SERVER, call(4, 3, 1, &[fh(2)])),
        (TO_CLIENT, reply(4, &[number(0), vec![0; 84]])),
        (TO_SERVER, call(5, 3, 4, &[fh(2), number(31)])),
        (TO_CLIENT, reply(5, &[number(0), attributes(), number(31)])),
    ]);
    let records = seen.of("nfs");
    // That attributes are asked for is not recorded.
    assert_eq!(records.len(), 4);
    assert!(records[0].contains(r#""procedure":"CREATE","filename":"new","hhash":"a5ced287""#));
    assert!(records[1].contains(r#""filename":"old""#));
    assert!(records[1].ends_with(r#","rename":{"from":"old","to":"other"}}"#));
    // What is not UTF-8 is replaced.
    assert!(records[2].contains("\"procedure\":\"REMOVE\",\"filename\":\"gone\u{fffd}\""));
    assert!(records[2].ends_with(r#""status":"ERR_NOENT"}"#));
    assert!(records[3].contains(r#""procedure":"ACCESS","filename":"new","hhash":"a679f4d""#));
}

#[test]
fn directories_tell_names() {
    let entry = |name: &[u8], of: u8| {
        [number(1), long(5), text(name), long(1), attributes(), number(1), fh(of)].concat()
    };
    let list = [number(0), attributes(), long(0), entry(b"one", 1), entry(b"two", 2), number(0), number(1)];
    let seen = stream(
        [
            [
                (TO_SERVER, call(1, 3, 17, &[fh(9), long(0), long(0), number(512), number(4096)])),
                (TO_CLIENT, reply(1, &list)),
            ],
            read(2, 0, true, b"abc"),
        ]
        .concat(),
    );
    assert_eq!(seen.names[0], b"two");
}

#[test]
fn version_2_reads_and_writes() {
    let handle = || file_handle(2);
    let mut attributes = vec![0; 68];
    attributes[20..24].copy_from_slice(&number(8));
    let seen = stream([
        (TO_SERVER, call(1, 2, 4, &[file_handle(1), text(b"file.txt")])),
        (TO_CLIENT, reply(1, &[number(0), handle(), vec![0; 68]])),
        (TO_SERVER, call(2, 2, 6, &[handle(), number(0), number(4), number(4)])),
        (TO_CLIENT, reply(2, &[number(0), attributes.clone(), text(b"AAAA")])),
        (TO_SERVER, call(3, 2, 6, &[handle(), number(4), number(4), number(4)])),
        (TO_CLIENT, reply(3, &[number(0), attributes, text(b"BBBB")])),
        (TO_SERVER, call(4, 2, 8, &[handle(), number(0), number(0), number(0), text(b"written")])),
        (TO_CLIENT, reply(4, &[number(0), vec![0; 68]])),
        (TO_SERVER, call(5, 2, 17, &[file_handle(1)])),
        (TO_CLIENT, reply(5, &[number(0), vec![0; 20]])),
    ]);
    assert_eq!(seen.contents, [b"written".to_vec(), b"AAAABBBB".to_vec()]);
    let procedures = ["LOOKUP", "READ", "STATFS", "WRITE"];
    assert_eq!(seen.of("nfs").len(), procedures.len());
    for (record, procedure) in seen.of("nfs").iter().zip(procedures) {
        assert!(record.contains(&format!(r#""version":2,"procedure":"{procedure}""#)), "{record}");
    }
    assert_eq!(seen.of("fileinfo").iter().filter(|info| info.contains("CLOSED")).count(), 2);
    assert!(seen.events.is_empty());
}

/// A compound of operations.
fn compound(xid: u32, operations: &[(u32, Vec<u8>)]) -> (Direction, Vec<u8>) {
    let mut body = vec![text(b"tag"), number(0), number(u32::try_from(operations.len()).unwrap())];
    body.extend(operations.iter().map(|(operation, bytes)| [number(*operation), bytes.clone()].concat()));
    (TO_SERVER, call(xid, 4, 1, &body))
}

/// The results of a compound, all of them good but for the status of the last.
fn results(xid: u32, status: u32, operations: &[(u32, Vec<u8>)]) -> (Direction, Vec<u8>) {
    let count = operations.len();
    let mut body = vec![number(status), text(b"tag"), number(u32::try_from(count).unwrap())];
    for (at, (operation, bytes)) in operations.iter().enumerate() {
        let own = if at + 1 == count { status } else { 0 };
        body.push([number(*operation), number(own), bytes.clone()].concat());
    }
    (TO_CLIENT, reply(xid, &body))
}

#[test]
fn version_4_opens_writes_reads_and_removes() {
    let state = || vec![b'S'; 16];
    let change = || vec![0; 20];
    let set = || [number(2), number(0x18), number(0x30)].concat();
    let attributes = || [set(), text(&[0; 8])].concat();
    let owner = [long(7), text(b"own")].concat();
    let open = [vec![0; 12], owner, number(1), number(0), attributes(), number(0), text(b"c.txt")].concat();
    let opened = [state(), change(), number(0), number(0), number(0)].concat();
    let put = || (22, fh(2));
    let seen = stream([
        compound(1, &[(24, vec![]), (18, open), (10, vec![]), (9, set())]),
        results(1, 0, &[(24, vec![]), (18, opened), (10, fh(2)), (9, attributes())]),
        compound(2, &[put(), (38, [state(), long(0), number(0), text(b"hello")].concat()), (9, set())]),
        results(2, 0, &[(22, vec![]), (38, vec![0; 16]), (9, attributes())]),
        compound(3, &[put(), (4, [number(1), state()].concat())]),
        results(3, 0, &[(22, vec![]), (4, state())]),
        compound(4, &[(53, vec![0; 32]), put(), (25, [state(), long(0), number(9)].concat())]),
        results(4, 0, &[(53, vec![0; 36]), (22, vec![]), (25, [number(1), text(b"world")].concat())]),
        compound(5, &[(22, fh(1)), (28, text(b"gone"))]),
        results(5, 13, &[(22, vec![]), (28, vec![])]),
        compound(6, &[(22, fh(1)), (6, [number(2), text(b"dir"), attributes()].concat()), (10, vec![])]),
        results(6, 0, &[(22, vec![]), (6, [change(), set()].concat()), (10, fh(3))]),
    ]);
    assert_eq!(seen.contents, [b"hello".to_vec(), b"world".to_vec()]);
    assert!(seen.events.is_empty(), "{:?}", seen.events);
    let expected = [
        r#""procedure":"WRITE","filename":"c.txt","hhash":"a679f4d","id":1,"file_tx":true,"type":"response","status":"OK"}"#,
        r#""procedure":"READ","filename":"c.txt","hhash":"a679f4d","id":2,"file_tx":true,"type":"response","status":"OK"}"#,
        r#""procedure":"REMOVE","filename":"gone","id":3,"file_tx":false,"type":"response","status":"ERR_ACCES"}"#,
        r#""procedure":"CREATE","filename":"dir","hhash":"a5ced287","id":4,"file_tx":false,"type":"response","status":"OK"}"#,
    ];
    assert_eq!(seen.of("nfs").len(), expected.len());
    for (record, expected) in seen.of("nfs").iter().zip(expected) {
        assert!(record.ends_with(expected), "{record}");
    }
    assert_eq!(seen.of("fileinfo").len(), 2);
    assert_eq!(seen.numbers, [(4, 38), (4, 25), (4, 28), (4, 6)]);
}

#[test]
fn what_cannot_be_read_is_an_event() {
    let [request, answer] = lookup(1);
    let (_, cut) = &request;
    let cut = cut[..cut.len() - 4].to_vec();
    assert_eq!(stream([(TO_SERVER, cut), answer.clone()]).events[0], "nfs.malformed_data");
    let (_, cut) = &answer;
    let cut = cut[..30].to_vec();
    let seen = stream([request.clone(), (TO_CLIENT, cut)]);
    assert!(seen.events.contains(&"nfs.malformed_data"));
    assert_eq!(seen.of("nfs").len(), 1);
    // What was denied or failed is not malformed.
    for verdict in [vec![0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0, 0].repeat(3)] {
        let denied = verdict[3] == 1;
        let verdict = if denied { verdict } else { [verdict, number(2)].concat() };
        let bytes = [number(1), number(1), verdict].concat();
        let seen = stream([request.clone(), (TO_CLIENT, bytes)]);
        assert!(seen.events.is_empty());
        assert_eq!(seen.of("nfs")[0].contains(r#""status":"DENIED""#), denied);
    }
    // Nor is a read that failed.
    let [request, _] = read(1, 0, true, b"");
    let seen = stream([request, (TO_CLIENT, reply(1, &[number(13), number(0)]))]);
    assert!(seen.events.is_empty());
    assert!(seen.of("nfs")[0].contains("ERR_ACCES"));
    assert!(seen.of("fileinfo").is_empty());
}

#[test]
fn what_is_encrypted_is_a_call_all_the_same() {
    let with = |service: u32, body: Vec<u8>| {
        let header = [1, 0, 2, 100_003, 3, 3, 6].map(u32::to_be_bytes).concat();
        let credentials = [number(1), number(0), number(7), number(service), text(b"HNDL")].concat();
        [header, text(&credentials), number(0), number(0), body].concat()
    };
    let arguments = [fh(1), text(b"file.txt")].concat();
    for (service, body, name) in [
        (1, arguments.clone(), "file.txt"),
        (2, [number(0), number(7), arguments.clone()].concat(), "file.txt"),
        (3, text(&[0x55; 40]), ""),
    ] {
        let seen = stream([(TO_SERVER, with(service, body))]);
        assert!(seen.of("nfs")[0].contains(&format!(r#""filename":"{name}""#)), "{service}");
        assert!(seen.of("nfs")[0].contains(r#""auth_type":"GSS"}"#));
        assert!(seen.events.is_empty());
    }
}

#[test]
fn transactions_are_bounded() {
    let calls = (0..300).map(|xid| (TO_SERVER, call(xid, 3, 3, &[fh(1), text(b"n")])));
    let seen = stream(calls);
    assert_eq!(seen.of("nfs").len(), 300);
    assert!(seen.events.contains(&"nfs.too_many_transactions"));
}

#[test]
fn only_nfs_on_its_port_is_nfs() {
    let [(_, request), (_, answer)] = lookup(1);
    let config = Config::default();
    let ask = |transport, direction, server_port, bytes: &[u8]| {
        probe(&Question { transport, direction, client_port: 700, server_port, bytes, config: &config })
    };
    for (direction, message) in [(TO_SERVER, &request), (TO_CLIENT, &answer)] {
        assert_eq!(ask(Transport::Udp, direction, 2049, message), Probe::Certain);
        assert_eq!(ask(Transport::Udp, direction, 2050, message), Probe::NotForUs);
        let record = record(message);
        assert_eq!(ask(Transport::Tcp, direction, 2049, &record), Probe::Certain);
        for len in 0..28 {
            assert_eq!(ask(Transport::Tcp, direction, 2049, &record[..len]), Probe::Unsure, "{len}");
            assert_eq!(ask(Transport::Udp, direction, 2049, &message[..len.min(23)]), Probe::NotForUs);
        }
    }
    for (at, byte) in [(7, 1), (11, 3), (15, 0xa5), (19, 5), (23, 99)] {
        let mut other = request.clone();
        other[at] = byte;
        assert_eq!(ask(Transport::Udp, TO_SERVER, 2049, &other), Probe::NotForUs, "{at}");
    }
}

#[test]
fn facts_of_files_are_told() {
    let config = Config::default();
    let mut session = Session::new(Transport::Tcp, 700, 2049);
    for (direction, message) in [lookup(1), read(2, 0, false, b"abc")].concat() {
        session.data(&config, 1, direction, &record(&message));
    }
    let mut states = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        let facts = transaction.file(TO_CLIENT, 0);
        states.extend(facts.map(|facts| (facts.name.to_vec(), facts.size, facts.state)));
        assert!(transaction.file(TO_SERVER, 0).is_none());
    });
    assert_eq!(states, [(b"file.txt".to_vec(), 3, FileState::Open)]);
}
