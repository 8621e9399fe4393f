//! What rules come to: groups, places, chains, states.

use app::{Buffer, Direction};
use rules::ir::*;
use rules::{Classes, Environment, parse_file};

fn rule(options: &str) -> Rule {
    whole(&format!("alert tcp any any -> any any ({options} sid:1;)"))
}

fn whole(text: &str) -> Rule {
    let mut parsed = parse_file(text.as_bytes(), 0, &Environment::default());
    assert!(parsed.refused.is_empty(), "{text}: {}", parsed.refused[0]);
    parsed.rules.pop().unwrap_or_else(|| panic!("{text}"))
}

/// Buffer, transforms, and the contents with `>` for those that the next counts from.
fn groups(rule: &Rule) -> Vec<String> {
    let condition = |condition: &Condition| match condition {
        Condition::Content(content) => {
            let sign = if content.negated { "!" } else { "" };
            let chain = if content.relative_next { ">" } else { "" };
            format!("{sign}{}{chain}", content.pattern.escape_ascii())
        }
        Condition::Pcre(pcre) => format!("/{}/{}", pcre.pattern, if pcre.relative_next { ">" } else { "" }),
        Condition::Size(_) => "size".into(),
        Condition::UriLength(_) => "length".into(),
        Condition::IsDataAt(_) => "data".into(),
        Condition::Base64Decode(_) => "base64".into(),
        other => format!("{other:?}"),
    };
    let group = |group: &Group| {
        let conditions: Vec<_> = group.conditions.iter().map(condition).collect();
        format!("{}{}: {}", group.buffer.name(), "~".repeat(group.transforms.len()), conditions.join(" "))
    };
    rule.groups.iter().map(group).collect()
}

#[test]
fn a_buffer_that_a_rule_comes_back_to_is_one_group() {
    let found =
        rule(r#"http.uri; content:"a"; http.method; content:"b"; http.uri; content:"c"; distance:0;"#);
    assert_eq!(groups(&found), ["http.uri: a> c", "http.method: b"]);
    let found = rule(r#"content:"p"; http.uri; content:"a"; pkt_data; content:"q"; within:5;"#);
    assert_eq!(groups(&found), ["pkt_data: p> q", "http.uri: a"]);
}

#[test]
fn each_mention_of_a_multiple_buffer_is_its_own_group() {
    let found = rule(r#"dns.query; content:"a"; dns.query; content:"b"; content:"c"; within:1;"#);
    assert_eq!(groups(&found), ["dns.query: a", "dns.query: b> c"]);
}

#[test]
fn transforms_make_a_group_of_their_own() {
    let found =
        rule(r#"http.uri; content:"a"; http.uri; to_md5; to_lowercase; content:"b"; http.uri; content:"c";"#);
    assert_eq!(groups(&found), ["http.uri: a c", "http.uri~~: b"]);
    let found =
        rule(r#"http.uri; to_md5; content:"a"; http.uri; to_md5; content:"b"; http.uri; content:"c";"#);
    assert_eq!(groups(&found), ["http.uri~: a b", "http.uri: c"]);
    let found = rule(r#"http.uri; content:"a"; dotprefix; content:"b";"#);
    assert_eq!(groups(&found), ["http.uri: a", "http.uri~: b"]);
}

#[test]
fn older_modifiers_move_the_content_before_them() {
    let found = rule(
        r#"content:"p"; content:"a"; http_uri; content:"q"; distance:0; content:"b"; distance:0; http_uri; pcre:"/c/UR";"#,
    );
    assert_eq!(groups(&found), ["pkt_data: p> q", "http.uri: a> b> /c/"]);
    let found = rule(r#"content:"a"; http_uri; fast_pattern; uricontent:"b";"#);
    assert_eq!(groups(&found), ["http.uri: a b"]);
    let found = rule(r#"content:"p"; fast_pattern; content:"a"; http_cookie;"#);
    assert_eq!(found.fast_pattern.map(|fast| (fast.group, fast.condition)), Some((0, 0)));
    let found = rule(r#"content:"a"; fast_pattern; http_cookie; content:"b"; http_uri;"#);
    assert_eq!(groups(&found), ["http.cookie: a", "http.uri: b"]);
    assert_eq!(found.fast_pattern.map(|fast| (fast.group, fast.condition)), Some((0, 0)));
}

#[test]
fn lengths_of_the_uri_stand_with_the_uri_they_are_about() {
    assert_eq!(groups(&rule("urilen:5;")), ["http.uri: length"]);
    assert_eq!(groups(&rule("urilen:5,raw;")), ["http.uri.raw: length"]);
    let found = rule(r#"http.uri; content:"a"; urilen:5; bsize:5;"#);
    assert_eq!(groups(&found), ["http.uri: a length size"]);
}

#[test]
fn decoded_base64_is_a_buffer() {
    let found = rule(
        r#"content:"a"; base64_decode:bytes 12, offset 2, relative; base64_data; content:"b"; content:"c"; within:1;"#,
    );
    assert_eq!(groups(&found), ["pkt_data: a base64", "base64_data: b> c"]);
    let Condition::Base64Decode(decode) = found.groups[0].conditions[1] else { panic!() };
    assert_eq!(decode, Base64Decode { bytes: 12, offset: 2, relative: true });
}

#[test]
fn contents_are_unescaped() {
    let found = rule(r#"content:"a|41 4243|\"\;\:\\|0d 0A|";"#);
    let Condition::Content(content) = &found.groups[0].conditions[0] else { panic!() };
    assert_eq!(content.pattern, b"aABC\";:\\\r\n");
    let found = rule("content:\"é\";");
    assert_eq!(groups(&found), [r"pkt_data: \xc3\xa9"]);
}

#[test]
fn places_of_contents() {
    let found = rule(
        r#"byte_extract:2,0,len; content:"a"; offset:len; depth:5; content:"b"; distance:-3; within:len; content:"c"; startswith; endswith; nocase;"#,
    );
    let [
        Condition::ByteExtract(extract),
        Condition::Content(a),
        Condition::Content(b),
        Condition::Content(c),
    ] = &found.groups[0].conditions[..]
    else {
        panic!("{:?}", found.groups)
    };
    let len = extract.variable;
    assert_eq!((a.offset, a.depth), (Some(Number::Variable(len)), Some(Number::Literal(5))));
    assert_eq!((b.distance, b.within), (Some(Number::Literal(-3)), Some(Number::Variable(len))));
    assert!(c.startswith && c.endswith && c.nocase && !c.is_relative() && b.is_relative());
}

#[test]
fn what_has_nothing_before_it_counts_from_the_beginning() {
    let found = rule(r#"file_data; bsize:>9; content:"ab"; distance:4; within:5; content:"c"; within:6;"#);
    let [_, Condition::Content(first), Condition::Content(second)] = &found.groups[0].conditions[..] else {
        panic!()
    };
    assert_eq!((first.offset, first.depth), (Some(Number::Literal(4)), Some(Number::Literal(5))));
    assert!(!first.is_relative() && first.relative_next && second.is_relative());
    let found = rule(r#"content:"a"; distance:-1; content:"b";"#);
    let Condition::Content(first) = &found.groups[0].conditions[0] else { panic!() };
    assert_eq!((first.offset, first.distance), (None, Some(Number::Literal(-1))));
}

#[test]
fn what_is_tried_again_elsewhere() {
    let chain = |options: &str| groups(&rule(options)).join("; ");
    assert_eq!(chain(r#"content:"a"; isdataat:1,relative;"#), "pkt_data: a> data");
    assert_eq!(chain(r#"content:"a"; isdataat:1; isdataat:2,relative;"#), "pkt_data: a data data");
    assert_eq!(chain(r#"http.uri; content:"a"; isdataat:1; isdataat:2,relative;"#), "http.uri: a> data data");
    assert_eq!(chain(r#"content:"a"; isdataat:1; content:"b"; within:2;"#), "pkt_data: a> data b");
    assert_eq!(
        chain(r#"content:"a"; pcre:"/b/"; content:"c"; content:"d"; distance:0;"#),
        "pkt_data: a /b/ c> d"
    );
}

#[test]
fn ranges_of_nfs_include_their_ends() {
    for (option, value) in [
        ("nfs_procedure:3<>4;", Comparison::Between(2, 5)),
        ("nfs.version:2-4;", Comparison::Between(1, 5)),
        ("nfs_version:>3;", Comparison::Greater(3)),
    ] {
        let found = whole(&format!("alert nfs any any -> any any ({option} sid:1;)"));
        assert!(
            matches!(found.app[..], [AppCondition::Number { value: known, .. }] if known == value),
            "{option}"
        );
    }
    for option in
        ["nfs_procedure:4<>4;", "nfs_procedure:0<>3;", "nfs_procedure:5-3;", "nfs_procedure:lookup;"]
    {
        let text = format!("alert nfs any any -> any any ({option} sid:1;)");
        assert_eq!(parse_file(text.as_bytes(), 0, &Environment::default()).refused.len(), 1, "{option}");
    }
}

#[test]
fn numbers_out_of_a_buffer() {
    let found = rule(
        r#"content:"a"; byte_test:2,!>=,0xff,-1,relative,little,bitmask 0xf0; byte_jump:4,0,string,hex,multiplier 2,align,post_offset -3; byte_math:bytes 2, offset 1, oper <<, rvalue 3, result x, endian little;"#,
    );
    let [_, Condition::ByteTest(test), Condition::ByteJump(jump), Condition::ByteMath(math)] =
        &found.groups[0].conditions[..]
    else {
        panic!("{:?}", found.groups)
    };
    let expected = ByteTest {
        bytes: Number::Literal(2),
        operator: ByteOperator::GreaterOrEqual,
        negated: true,
        value: Number::Literal(255),
        offset: Number::Literal(-1),
        relative: true,
        encoding: Encoding::Little,
        bitmask: Some(0xf0),
    };
    assert_eq!(*test, expected);
    assert_eq!((jump.encoding, jump.multiplier, jump.align), (Encoding::Text(Base::Hexadecimal), 2, true));
    assert_eq!((jump.post_offset, jump.relative), (-3, false));
    assert_eq!(
        (math.operator, math.value, math.encoding),
        (MathOperator::ShiftLeft, Number::Literal(3), Encoding::Little)
    );
    assert_eq!(math.variable, VariableId(0));
}

#[test]
fn expressions() {
    let found = rule(r#"content:"x"; http_header; pcre:!"/a\/(b)(?P<pkt_y>c)\x22/Hismx,flow:name";"#);
    assert_eq!(groups(&found), [r"http.header: x /a\/(b)(?P<pkt_y>c)\x22/"]);
    let Condition::Pcre(pcre) = &found.groups[0].conditions[1] else { panic!() };
    assert!(pcre.negated && pcre.caseless && pcre.dotall && pcre.multiline && pcre.extended);
    assert!(!pcre.anchored && !pcre.ungreedy && !pcre.dollar_endonly && !pcre.relative);
    let captures: Vec<_> =
        pcre.captures.iter().map(|capture| (capture.capture, capture.name.as_str())).collect();
    assert_eq!(captures, [(1, "name"), (2, "y")]);
}

#[test]
fn directions_follow_from_buffers() {
    assert_eq!(rule(r#"http.uri; content:"a";"#).flow.direction, Some(Direction::ToServer));
    assert_eq!(rule(r#"content:"200"; http_stat_code;"#).flow.direction, Some(Direction::ToClient));
    assert_eq!(rule(r#"http.header; content:"a";"#).flow.direction, None);
    let flow = rule("flow:established, from_server,only_stream;").flow;
    assert_eq!(
        (flow.direction, flow.established, flow.only_stream),
        (Some(Direction::ToClient), Some(true), true)
    );
}

#[test]
fn headers() {
    let found =
        whole("drop ICMP [10.0.0.0/8,!10.1.0.0/16] any <> $HOME_NET [80,1024:] (sid:5; rev:3; gid:2;)");
    assert_eq!((found.action, found.header.bidirectional), (Action::Drop, true));
    assert_eq!(found.header.protocol, HeaderProtocol::Icmp { v4: true, v6: true });
    assert!(found.header.source.addresses.contains("10.2.0.1".parse().unwrap()));
    assert!(!found.header.source.addresses.contains("10.1.0.1".parse().unwrap()));
    assert!(found.header.destination.addresses.contains("192.168.7.7".parse().unwrap()));
    assert!(found.header.destination.ports.contains(80) && found.header.destination.ports.contains(65_535));
    assert!(!found.header.destination.ports.contains(81) && found.header.source.ports.is_any());
    assert_eq!((found.meta.gid, found.meta.sid, found.meta.rev), (2, 5, 3));
}

#[test]
fn what_people_are_told() {
    let found = rule(
        r#"msg:"a\;b \"c\" \\d \e"; classtype:Trojan-Activity; reference:url, example.org/a?b=c,d; metadata:created_at 2020_01_01, tag one two; metadata:x; target:src_ip;"#,
    );
    let meta = &found.meta;
    assert_eq!(meta.msg, r#"a;b "c" \d e"#);
    assert_eq!((meta.category.as_str(), meta.priority), ("A Network Trojan was detected", 1));
    assert_eq!(meta.references, [("url".to_owned(), "example.org/a?b=c,d".to_owned())]);
    let metadata: Vec<_> = meta.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(metadata, [("created_at", "2020_01_01"), ("tag", "one two"), ("x", "")]);
    assert_eq!(meta.target, Some(Target::Source));
    let found = rule("priority:7; classtype:trojan-activity;");
    assert_eq!((found.meta.priority, found.meta.gid, found.meta.rev), (7, 1, 0));
    let found = rule("classtype:no-such-class;");
    assert_eq!((found.meta.priority, found.meta.category.as_str()), (3, ""));
    assert_eq!(rule("").meta.priority, 3);
}

#[test]
fn classes_and_variables_of_ones_own() {
    let classes = Classes::parse("config classification: mine,My class,4").unwrap();
    let environment = Environment::new([("HOME_NET", "1.1.1.1")], [("WEB", "[80,81]")], classes).unwrap();
    let text = "alert tcp $EXTERNAL_NET any -> $HOME_NET $WEB (classtype:mine; sid:1;)";
    let parsed = parse_file(text.as_bytes(), 0, &environment);
    let rule = &parsed.rules[0];
    assert_eq!((rule.meta.category.as_str(), rule.meta.priority), ("My class", 4));
    assert!(rule.header.destination.ports.contains(81) && !rule.header.destination.ports.contains(82));
    assert!(!rule.header.source.addresses.contains("1.1.1.1".parse().unwrap()));
}

#[test]
fn what_rules_remember() {
    let found = rule(
        "flowbits:isset,a|b; flowbits:set,c; flowbits:noalert; flowint:n.x,+,1; flowint:n.x,>,other; \
         xbits:set,x,track ip_pair,expire 60; hostbits:isnotset,h,dst;",
    );
    assert!(found.noalert);
    let expected = [
        StateOperation::FlowBit { operation: BitOperation::IsSet, names: vec!["a".into(), "b".into()] },
        StateOperation::FlowBit { operation: BitOperation::Set, names: vec!["c".into()] },
        StateOperation::FlowInteger {
            name: "n.x".into(),
            operation: IntegerOperation::Add(IntegerValue::Literal(1)),
        },
        StateOperation::FlowInteger {
            name: "n.x".into(),
            operation: IntegerOperation::CompareVariable(Comparison::Greater(()), "other".into()),
        },
        StateOperation::CrossBit {
            operation: BitOperation::Set,
            name: "x".into(),
            track: HostTrack::Pair,
            expire_s: 60,
        },
        StateOperation::HostBit {
            operation: BitOperation::IsNotSet,
            name: "h".into(),
            track: HostTrack::Destination,
        },
    ];
    assert_eq!(found.state, expected);
}

#[test]
fn how_often_a_rule_may_speak() {
    let found = rule("threshold: type limit, track by_src, count 1, seconds 360; tag:session,5,packets;");
    let rate = Rate { track: Track::Source, count: 1, seconds: 360 };
    assert_eq!(found.threshold, Some(Threshold { kind: ThresholdKind::Limit, rate }));
    assert_eq!(found.tag, Some(Tag { scope: TagScope::Session, count: 5, metric: TagMetric::Packets }));
    let found = rule("detection_filter:track by_dst, count 3, seconds 9;");
    assert_eq!(found.detection_filter, Some(Rate { track: Track::Destination, count: 3, seconds: 9 }));
}

#[test]
fn packets() {
    let found = rule("flags:SF,CE; dsize:5<>9; prefilter; itype:>8; fragbits:!D; window:!5; tos:!8; ttl:<5;");
    let expected = [
        HeaderCondition::TcpFlags { flags: 0x03, mode: FlagMode::Exact, ignored: 0xc0 },
        HeaderCondition::PayloadSize(Comparison::Between(5, 9)),
        HeaderCondition::IcmpType(Comparison::Greater(8)),
        HeaderCondition::FragmentBits { bits: 2, mode: FlagMode::Not },
        HeaderCondition::TcpWindow { value: 5, negated: true },
        HeaderCondition::Tos { value: 8, negated: true },
        HeaderCondition::Ttl(Comparison::Less(5)),
    ];
    assert_eq!(found.packet, expected);
    assert_eq!(found.prefilter, Some(1));
    assert_eq!(
        rule("flags:0;").packet,
        [HeaderCondition::TcpFlags { flags: 0, mode: FlagMode::Exact, ignored: 0 }]
    );
}

#[test]
fn transactions() {
    let found = rule("dns.opcode:!4;");
    assert_eq!(found.app, [AppCondition::Number { field: "dns.opcode", value: Comparison::NotEqual(4) }]);
    let found = rule("ssl_version:!sslv2,!tls1.0; tls_cert_valid; tls_cert_notbefore:>2016;");
    let expected = [
        AppCondition::AnyOf { field: "ssl_version", values: vec![(0x0200, true)] },
        AppCondition::AnyOf { field: "ssl_version", values: vec![(0x0301, true)] },
        AppCondition::Is { field: "tls_cert_valid", negated: false },
        AppCondition::Number { field: "tls_cert_notbefore", value: Comparison::Greater(1_451_606_400) },
    ];
    assert_eq!(found.app, expected);
    let found = rule("dce_iface:367abb81-9844-35f1-ad32-98f038001003,>1,any_frag; dce_opnum:1,5-7;");
    let AppCondition::DceInterface { uuid, version, any_fragment } = &found.app[0] else { panic!() };
    assert_eq!(
        (uuid[0], uuid[15], *version, *any_fragment),
        (0x36, 0x03, Some(Comparison::Greater(1)), true)
    );
    assert_eq!(found.app[1], AppCondition::DceOperation(vec![(1, 1), (5, 7)]));
    let found = rule(r#"tls.subject:!"CN=x"; tls.cert_subject; content:"y";"#);
    assert_eq!(groups(&found), ["tls.cert_subject: y", "tls.cert_subject: !CN=x"]);
}

#[test]
fn hashes_are_compared_in_the_case_that_the_buffer_has() {
    let found = rule(r#"ja3.hash; content:"E7D705A3286E19EA42F587B344EE6865";"#);
    assert_eq!(groups(&found), ["ja3.hash: e7d705a3286e19ea42f587b344ee6865"]);
    let found = rule(r#"tls.cert_serial; content:"ab:cd";"#);
    assert_eq!(groups(&found), ["tls.cert_serial: AB:CD"]);
}

#[test]
fn logging_can_be_turned_off() {
    let found = whole(
        r#"config dns any any -> any any (dns.query; content:"a"; config: logging disable, type tx, scope tx; sid:1;)"#,
    );
    assert_eq!((found.action, found.config), (Action::Config, Some(LoggingOff::Transaction)));
}

#[test]
fn the_protocols_that_a_rule_allows() {
    use app::Protocol;
    assert!(AppProtocol::Http.allows(Protocol::Http2) && !AppProtocol::Http.allows(Protocol::Tls));
    assert!(AppProtocol::Only(Protocol::Dcerpc).allows(Protocol::Smb));
    assert!(!AppProtocol::Only(Protocol::Smb).allows(Protocol::Dcerpc));
}

#[test]
fn every_buffer_can_be_named() {
    for buffer in Buffer::all().filter(|buffer| !matches!(buffer, Buffer::Payload | Buffer::Base64Data)) {
        let value = match buffer {
            Buffer::Ja3Hash
            | Buffer::Ja3sHash
            | Buffer::SshHassh
            | Buffer::SshHasshServer
            | Buffer::QuicCyuHash => "00112233445566778899aabbccddeeff",
            Buffer::TlsCertFingerprint => "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33",
            _ => "a",
        };
        let protocol = match buffer {
            Buffer::UdpHeader => "udp",
            Buffer::Icmpv4Header | Buffer::Icmpv6Header => "icmp",
            _ => "tcp",
        };
        let name = match buffer {
            // The keyword of this name takes the command itself.
            Buffer::FtpdataCommand => continue,
            other => other.name(),
        };
        let way = if buffer.is_in(Direction::ToServer) { "to_server" } else { "to_client" };
        let text =
            format!("alert {protocol} any any -> any any (flow:{way}; {name}; content:\"{value}\"; sid:1;)");
        assert_eq!(whole(&text).groups[0].buffer, buffer, "{name}");
    }
}
