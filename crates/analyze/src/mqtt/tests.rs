use super::*;
use crate::{Config, Session, Transport};
use app::{Buffer, Protocol};

const TO_SERVER: Direction = Direction::ToServer;
const TO_CLIENT: Direction = Direction::ToClient;

/// A message; its contents are shorter than 128 bytes.
fn message(first: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    [&[first, u8::try_from(contents.len()).unwrap()][..], &contents].concat()
}

/// A text with its length before it.
fn text(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

fn connect(version: u8) -> Vec<u8> {
    let properties: &[u8] = if version == 5 { &[0] } else { &[] };
    message(0x10, &[&text("MQTT"), &[version, 2, 0, 60], properties, &text("cli")])
}

fn session(pieces: &[(Direction, Vec<u8>)]) -> Session {
    let mut session = Session::new(Transport::Tcp, 40_000, 1883);
    for (direction, piece) in pieces {
        session.data(&Config::default(), 0, *direction, piece);
    }
    session
}

fn records(session: &mut Session) -> Vec<String> {
    let records = session.take_records().filter(|record| record.event_type == "mqtt");
    records.map(|record| String::from_utf8(record.members).unwrap()).collect()
}

fn events(pieces: &[(Direction, Vec<u8>)]) -> Vec<Vec<&'static str>> {
    let mut events = Vec::new();
    session(pieces).for_each_transaction(&mut |transaction| {
        events.push(Direction::BOTH.map(|direction| transaction.events(direction).to_vec()).concat());
    });
    events
}

// What Suricata 7.0.10 writes for the same messages.
#[test]
fn messages_are_told_with_those_that_acknowledge_them() {
    let mut session = session(&[
        (TO_SERVER, connect(4)),
        (TO_CLIENT, message(0x20, &[&[1, 0]])),
        (TO_SERVER, message(0x82, &[&[0, 1], &text("a/b"), &[1], &text("c/#"), &[2]])),
        (TO_CLIENT, message(0x90, &[&[0, 1, 1, 128]])),
        (TO_SERVER, message(0x3d, &[&text("topic2"), &[0, 3], b"qos2"])),
        (TO_CLIENT, message(0x50, &[&[0, 3]])),
        (TO_SERVER, message(0x62, &[&[0, 3]])),
        (TO_CLIENT, message(0x70, &[&[0, 3]])),
        (TO_SERVER, message(0xc0, &[])),
    ]);
    assert_eq!(session.protocol(), Some(Protocol::Mqtt));
    let none = r#""qos":0,"retain":false,"dup":false"#;
    let one = r#""qos":1,"retain":false,"dup":false"#;
    assert_eq!(
        records(&mut session),
        [
            format!(
                r#""mqtt":{{"connect":{{{none},"protocol_string":"MQTT","protocol_version":4,"client_id":"cli","flags":{{"username":false,"password":false,"will_retain":false,"will":false,"clean_session":true}}}},"connack":{{{none},"session_present":true,"return_code":0}}}}"#
            ),
            format!(
                r#""mqtt":{{"subscribe":{{{one},"message_id":1,"topics":[{{"topic":"a/b","qos":1}},{{"topic":"c/#","qos":2}}]}},"suback":{{{none},"message_id":1,"qos_granted":[1,128]}}}}"#
            ),
            format!(
                r#""mqtt":{{"publish":{{"qos":2,"retain":true,"dup":true,"topic":"topic2","message_id":3,"message":"qos2"}},"pubrec":{{{none},"message_id":3}},"pubrel":{{{one},"message_id":3}},"pubcomp":{{{none},"message_id":3}}}}"#
            ),
            format!(r#""mqtt":{{"pingreq":{{{none}}}}}"#),
        ]
    );
}

#[test]
fn version_5_has_properties_and_reasons() {
    let mut session = session(&[
        (TO_SERVER, connect(5)),
        (TO_CLIENT, message(0x20, &[&[0, 0, 0]])),
        (TO_SERVER, message(0x32, &[&text("p5"), &[0, 2, 3, 0x23, 0, 7], b"pay"])),
        (TO_CLIENT, message(0x40, &[&[0, 2, 16, 0]])),
        (TO_CLIENT, message(0xe0, &[&[142, 0]])),
    ]);
    let none = r#""qos":0,"retain":false,"dup":false"#;
    assert_eq!(
        records(&mut session)[1..],
        [
            format!(
                r#""mqtt":{{"publish":{{"qos":1,"retain":false,"dup":false,"topic":"p5","message_id":2,"message":"pay","properties":{{"topic_alias":7}}}},"puback":{{{none},"message_id":2,"reason_code":16}}}}"#
            ),
            format!(r#""mqtt":{{"disconnect":{{{none},"reason_code":142}}}}"#),
        ]
    );
}

#[test]
fn rules_ask_when_all_of_a_message_has_come() {
    let publish = (TO_SERVER, message(0x32, &[&text("t"), &[0, 2], b"m"]));
    let acknowledged = (TO_CLIENT, message(0x40, &[&[0, 2]]));
    let begin = [(TO_SERVER, connect(4)), (TO_CLIENT, message(0x20, &[&[0, 0]]))];
    let topics = |session: &mut Session| {
        let mut topics = Vec::new();
        session.for_each_transaction(&mut |transaction| {
            let mut scratch = Vec::new();
            let topic = transaction.buffer(TO_SERVER, Buffer::MqttPublishTopic, 0, &mut scratch);
            topics.extend(topic.map(|view| view.bytes.to_vec()));
        });
        topics
    };
    let mut open = session(&[&begin[..], std::slice::from_ref(&publish)].concat());
    assert!(topics(&mut open).is_empty());
    let mut whole = session(&[&begin[..], &[publish, acknowledged.clone()]].concat());
    assert_eq!(topics(&mut whole), [b"t"]);
    let mut kinds = Vec::new();
    whole.for_each_transaction(&mut |transaction| {
        let kind = |index| transaction.number(TO_SERVER, "mqtt.type", index);
        kinds.push((0..).map_while(kind).collect::<Vec<_>>());
    });
    assert_eq!(kinds, [[1, 2], [3, 4]]);
    // Where rules have looked before it was whole, they do not look into it again, as in the reference.
    open.for_each_transaction(&mut |transaction| transaction.inspected(TO_SERVER));
    open.data(&Config::default(), 0, TO_CLIENT, &acknowledged.1);
    assert!(topics(&mut open).is_empty());
}

#[test]
fn what_is_out_of_order_is_an_event() {
    let publish = |qos: u8| message(0x30 | qos << 1, &[&text("x"), &[0, 1], b"y"]);
    let begin = |rest: &[(Direction, Vec<u8>)]| {
        let connected = [(TO_SERVER, connect(4)), (TO_CLIENT, message(0x20, &[&[0, 0]]))];
        events(&[&connected[..], rest].concat())[1..].concat()
    };
    assert_eq!(events(&[(TO_SERVER, publish(0))]), [[UNINTRODUCED]]);
    assert_eq!(
        events(&[(TO_SERVER, publish(0)), (TO_CLIENT, message(0x40, &[&[0, 9]]))])[1],
        [MISSING_PUBLISH, UNINTRODUCED]
    );
    assert_eq!(begin(&[(TO_SERVER, connect(4))]), [DOUBLE_CONNECT]);
    assert_eq!(begin(&[(TO_SERVER, publish(3))]), [INVALID_QOS]);
    assert_eq!(begin(&[(TO_SERVER, message(0, &[]))]), [UNASSIGNED]);
    assert_eq!(begin(&[(TO_CLIENT, message(0x90, &[&[0, 9, 0]]))]), [MISSING_SUBSCRIBE]);
    assert_eq!(begin(&[(TO_CLIENT, message(0xb0, &[&[0, 9]]))]), [MISSING_UNSUBSCRIBE]);
    assert_eq!(begin(&[(TO_SERVER, message(0x82, &[&[0, 1, 0, 80], b"abc"]))]), [MALFORMED]);
    assert_eq!(begin(&[(TO_SERVER, vec![0x30, 0xff, 0xff, 0xff, 0xff, 1])]), [MALFORMED]);
}

#[test]
fn long_messages_are_passed_over_and_what_follows_is_read() {
    let mut config = Config::default();
    config.limits.mqtt_message_bytes_max = 100;
    let mut session = session(&[(TO_SERVER, connect(4)), (TO_CLIENT, message(0x20, &[&[0, 0]]))]);
    let _ = records(&mut session);
    let long = [&[0x30, 0xff, 1][..], &text("big"), &[b'A'; 250]].concat();
    for piece in long.chunks(7).chain([&*message(0x30, &[&text("after"), b"m"])]) {
        session.data(&config, 0, TO_SERVER, piece);
    }
    assert_eq!(
        records(&mut session),
        [
            r#""mqtt":{"publish":{"qos":0,"retain":false,"dup":false,"truncated":true,"skipped_length":258}}"#,
            r#""mqtt":{"publish":{"qos":0,"retain":false,"dup":false,"topic":"after","message":"m"}}"#,
        ]
    );
}
