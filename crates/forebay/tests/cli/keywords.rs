//! Keywords that need something beside the traffic: files, memory, configuration. Each on traffic made up for it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::place::{Place, pcap, text};

/// A TCP connection from 10.0.0.1:4000 to 10.0.1.1:80 that says these things in turns, the client first.
pub(crate) fn connection(turns: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut next = [1_000_u32, 5_000];
    let mut send = |side: usize, flags: u8, payload: &[u8]| {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        frame.extend([0x45, 0]);
        frame.extend((40 + payload.len() as u16).to_be_bytes());
        frame.extend([0, 1, 0, 0, 64, 6, 0, 0]);
        let ends = [([10, 0, 0, 1], 4000_u16), ([10, 0, 1, 1], 80)];
        frame.extend([ends[side].0, ends[1 - side].0].concat());
        frame.extend(ends[side].1.to_be_bytes());
        frame.extend(ends[1 - side].1.to_be_bytes());
        frame.extend(next[side].to_be_bytes());
        frame.extend(if flags == 2 { [0; 4] } else { next[1 - side].to_be_bytes() });
        frame.extend([0x50, flags, 0x20, 0, 0, 0, 0, 0]);
        frame.extend(payload);
        next[side] += payload.len() as u32 + u32::from(flags & 3 != 0);
        frames.push(frame);
    };
    send(0, 2, b"");
    send(1, 0x12, b"");
    send(0, 0x10, b"");
    for (turn, said) in turns.iter().enumerate() {
        send(turn % 2, 0x18, said);
        send(1 - turn % 2, 0x10, b"");
    }
    send(0, 0x11, b"");
    send(1, 0x11, b"");
    send(0, 0x10, b"");
    frames
}

/// A download by HTTP.
pub(crate) fn download(name: &str, body: &str) -> Vec<Vec<u8>> {
    let request = format!("GET /files/{name} HTTP/1.1\r\nHost: example.com\r\nUser-Agent: probe/1\r\n\r\n");
    let response = format!(
        "HTTP/1.1 200 OK\r\nServer: box\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection(&[request.as_bytes(), response.as_bytes()])
}

impl Place {
    /// Replays frames with rules, all of which must load, and a configuration beside them.
    fn inspect(&self, frames: &[Vec<u8>], rules: &str, config: &str) -> Vec<Value> {
        self.file("t.pcap", pcap(frames)).file("t.rules", rules).file(
            "t.toml",
            format!(
                "{config}\n[inspection.stream]\nverify_checksums = \"off\"\n[dataplane]\nmemory_mib = 96\n\
                 mempool_mbufs = 8192\nflows_max = 16384\ntenants_max = 2\n"
            ),
        );
        let output = self.run(&["replay", "t.pcap", "--config", "t.toml", "--rules", "t.rules"]);
        assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
        records(&self.path("forebay-out/eve.json"))
    }

    /// What the reference makes of the same; `None` if it is not installed in the version that is meant.
    fn reference(&self, options: &[&str]) -> Option<Vec<Value>> {
        let version = Command::new("suricata").arg("-V").output().ok()?;
        if !text(&version.stdout).contains("version 7.0.10") {
            return None;
        }
        let out = self.path("reference");
        let _ = fs::remove_dir_all(&out);
        fs::create_dir(&out).unwrap();
        let mut command = Command::new("suricata");
        command.current_dir(self.0.path()).args(["-r", "t.pcap", "-k", "none", "--runmode", "single", "-l"]);
        let output = command.arg(&out).args(["-S", "t.rules"]).args(options).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        Some(records(&out.join("eve.json")))
    }

    /// Replays, and compares the rules that speak with those of the reference.
    pub(crate) fn compare(
        &self,
        frames: &[Vec<u8>],
        rules: &str,
        config: &str,
        options: &[&str],
    ) -> Vec<Value> {
        let events = self.inspect(frames, rules, config);
        if let Some(reference) = self.reference(options) {
            assert_eq!(sids(&events), sids(&reference), "the reference's are on the right");
        }
        events
    }
}

fn records(path: &Path) -> Vec<Value> {
    let events = fs::read_to_string(path).unwrap();
    events.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Numbers of the rules that spoke, in order.
pub(crate) fn sids(events: &[Value]) -> Vec<u64> {
    let mut sids: Vec<u64> =
        events.iter().filter_map(|event| event["alert"]["signature_id"].as_u64()).collect();
    sids.sort_unstable();
    sids
}

/// Rules about HTTP with these options, numbered from 1.
fn http_rules(options: &[&str]) -> String {
    let mut rules = String::new();
    for (options, sid) in options.iter().zip(1..) {
        let _ = writeln!(rules, "alert http any any -> any any (msg:\"r\"; {options} sid:{sid};)");
    }
    rules
}

#[test]
fn captures_become_variables_of_flow_and_packet() {
    let rules = "\
        alert http any any -> any any (http.user_agent; pcre:\"/(?P<flow_ua>.*)\\/(?P<pkt_num>\\d)/\"; sid:1;)\n\
        alert http any any -> any any (http.host; pcre:\"/(\\w+)\\.(com)/,flow:host, pkt:tld\"; sid:2;)\n\
        alert tcp any any -> any any (flow:to_client; content:\"hello\"; pcre:\"/hello( .o)/,flow:spc\"; sid:3;)\n\
        alert http any any -> any any (http.server; pcre:\"/b(.*)$/E\"; sid:4;)\n\
        alert tcp any any -> any any (flow:to_server; content:\"GET\"; pcre:\"/(\\r\\n.)/,pkt:bin\"; sid:5;)\n\
        alert http any any -> any any (http.host; pcre:\"/(com)/,flow:lost\"; content:\"nowhere\"; sid:6;)\n";
    let place = Place::new();
    let frames = download("a", "hello world");
    let events = place.inspect(&frames, rules, "");
    assert_eq!(sids(&events), [1, 2, 3, 4, 5]);
    let told = |events: &[Value]| -> Vec<(Value, Vec<String>)> {
        let list = |value: &Value| {
            let mut entries: Vec<String> =
                value.as_array().into_iter().flatten().map(ToString::to_string).collect();
            entries.sort();
            entries
        };
        let mut told: Vec<_> = events
            .iter()
            .filter(|event| event["event_type"] == "alert")
            .map(|event| {
                let (flow, packet) = (&event["metadata"]["flowvars"], &event["metadata"]["pktvars"]);
                (event["alert"]["signature_id"].clone(), [list(flow), list(packet)].concat())
            })
            .collect();
        told.sort_by_key(|(sid, _)| sid.as_u64());
        told
    };
    let variables = told(&events);
    assert_eq!(
        variables[0].1,
        [
            r#"{"host":"example"}"#,
            r#"{"ua":"probe"}"#,
            r#"{"bin":"\r\nH"}"#,
            r#"{"num":"1"}"#,
            r#"{"tld":"com"}"#
        ]
    );
    if let Some(reference) = place.reference(&[]) {
        assert_eq!(variables, told(&reference));
    }
}

#[test]
fn files_are_found_by_name_size_and_hash() {
    let place = Place::new();
    // printf 'hello world' | md5sum, sha1sum, sha256sum
    place
        .file("md5", "# known\n5eb63bbbe01eeed093cb22bb8f5acdc3  hello\n")
        .file("sha1", "2AAE6C35C94FCFB415DBE95F408B9CE91EE846ED\n")
        .file("sha256", "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9\n")
        .file("other", format!("{}\n", "00".repeat(16)));
    let names = [
        "filename:\"SECRET\";",
        "filename:\"public\";",
        "fileext:\"TXT\";",
        "fileext:!\"txt\";",
        "fileext:\"exe\";",
        "filesize:11;",
        "filesize:>11;",
        "filesize:10<>12;",
        "filemd5:md5;",
        "filemd5:!md5;",
        "filemd5:!other;",
        "filemd5:md5; fileext:\"exe\";",
    ];
    let download = download("secret.txt", "hello world");
    assert_eq!(sids(&place.compare(&download, &http_rules(&names), "", &[])), [1, 3, 6, 8, 9, 11]);
    // Of several hashes the reference computes one only, so its answers are asked for each by itself.
    let [sha1, sha256] = [
        "filesha1:sha1; file.name; content:\"/files/secret\"; startswith; file.data; content:\"world\";",
        "filesha256:sha256;",
    ];
    assert_eq!(sids(&place.compare(&download, &http_rules(&[sha1]), "", &[])), [1]);
    assert_eq!(sids(&place.compare(&download, &http_rules(&[sha256]), "", &[])), [1]);
    let events = place.inspect(&download, &http_rules(&[names[8], sha1, sha256]), "");
    assert_eq!(sids(&events), [1, 2, 3]);
    let info = events.iter().find(|event| event["event_type"] == "fileinfo").unwrap();
    assert_eq!(info["fileinfo"]["sha1"], "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed");

    place.file("broken", "not a hash\n").file(
        "t.rules",
        "alert http any any -> any any (filemd5:broken; sid:1;)\n\
         alert http any any -> any any (filemd5:nowhere; sid:2;)\n",
    );
    let output = place.run(&["rules", "check", "t.rules"]);
    assert!(text(&output.stderr).contains("line 1 does not begin with 32 hexadecimal digits"));
}

#[test]
fn sets_of_data_are_asked_changed_and_kept() {
    let place = Place::new();
    // printf 'probe/1' | base64; printf 'example.com' | md5sum
    place
        .file("agents", "cHJvYmUvMQ==\n")
        .file("hosts", "5ababd603b22780302dd8d83498e5172\n")
        .file("addresses", "10.0.0.1\n")
        .file("either", "::1\n::ffff:10.0.1.1\n")
        .file("numbers", "cHJvYmUvMQ==,100\n")
        .file("far", "10.0.1.1,7\n");
    let rules = http_rules(&[
        "http.user_agent; dataset:isset,agents,type string,load agents,memcap 10mb,hashsize 1024;",
        "http.user_agent; dataset:isnotset,agents;",
        "http.host; to_md5; dataset:isset,hosts,type md5,load hosts;",
        "http.host; dataset:isset,hosts,type md5,load hosts;",
        "http.host; dataset:isnotset,hosts,type md5,load hosts;",
        "http.host; dataset:set,seen,type string,memcap 1mb; priority:1;",
        "http.host; dataset:set,seen,type string; priority:2;",
        "http.host; dataset:unset,seen,type string; priority:3;",
        "http.host; dataset:isset,seen,type string; priority:4;",
        "http.user_agent; datarep:numbers,>,50,type string,load numbers;",
        "http.user_agent; datarep:numbers,<,100,type string,load numbers;",
        "http.user_agent; datarep:numbers,==,100,type string,load numbers;",
        "http.user_agent; content:\"probe\"; dataset:isset,agents; content:\"/2\";",
    ]);
    let frames = download("a", "hello world");
    assert_eq!(sids(&place.compare(&frames, &rules, "", &[])), [1, 3, 5, 6, 8, 10, 12]);

    let question = &frames[3..4];
    let addresses = "\
        alert ip any any -> any any (ip.src; dataset:isset,a,type ipv4,load addresses; sid:1;)\n\
        alert ip any any -> any any (ip.dst; dataset:isset,a,type ipv4,load addresses; sid:2;)\n\
        alert ip any any -> any any (ip.dst; dataset:isset,e,type ip,load either; sid:3;)\n\
        alert ip any any -> any any (ip.src; dataset:isset,e,type ip,load either; sid:4;)\n\
        alert ip any any -> any any (ip.dst; datarep:r,<,8,type ipv4,load far; sid:5;)\n";
    assert_eq!(sids(&place.compare(question, addresses, "", &[])), [1, 3, 5]);

    // What one run has set the next one finds, in the folder that is configured or else in that of the events.
    let state = http_rules(&["http.host; dataset:set,kept,type string,state kept.lst;"]);
    assert_eq!(sids(&place.inspect(&frames, &state, "")), [1]);
    assert_eq!(sids(&place.inspect(&frames, &state, "")), [0_u64; 0]);
    let kept = |folder: &str| fs::read_to_string(place.path(folder).join("default/kept.lst"));
    assert_eq!(kept("forebay-out/datasets").unwrap(), "ZXhhbXBsZS5jb20=\n");
    let folder = "[inspection.data]\ndataset_folder = \"sets\"\n";
    assert_eq!(sids(&place.inspect(&frames, &state, folder)), [1]);
    assert_eq!(kept("sets").unwrap(), "ZXhhbXBsZS5jb20=\n");
}

#[test]
fn rules_must_agree_about_a_set() {
    let place = Place::new();
    place.file("good", "cHJvYmUvMQ==\n").file("bad", "no base64!\n").file(
        "t.rules",
        http_rules(&[
            "http.host; dataset:isset,a,type string,load good;",
            "http.host; dataset:isset,a,type md5,load good;",
            "http.host; dataset:isset,a,type string,load bad;",
            "http.host; dataset:isset,b;",
            "http.host; dataset:isset,c,type string,load bad;",
            "http.host; dataset:isset,d,type string,load good,memcap 10;",
            "http.host; datarep:e,>,1,type string,load good;",
        ]),
    );
    let output = place.run(&["rules", "check", "t.rules"]);
    let lines: Vec<String> = text(&output.stderr).lines().map(str::to_owned).collect();
    let reasons = [
        "dataset a has another type",
        "dataset a has another file",
        "dataset b has no type yet",
        "file bad: line 1 is no base64",
        "file good: it needs more than the 10 bytes that memcap allows",
        "file good: line 1 is no base64, comma, and number up to 65535",
    ];
    assert_eq!(lines.len(), reasons.len(), "{lines:?}");
    for (line, reason) in lines.iter().zip(reasons) {
        assert!(line.contains(reason), "{line}: {reason}");
    }
}

#[test]
fn addresses_have_countries_and_reputation() {
    let place = Place::new();
    place
        .file("categories", "1,Bad,bad hosts\n2,Good,good hosts\n")
        .file("list", "10.0.0.1,1,50\n10.0.1.0/24,2,20\n");
    let conditions = [
        "src,Bad,>,10",
        "src,Bad,>,50",
        "dst,Good,=,20",
        "src,Good,<,10",
        "any,Bad,>,1",
        "both,Bad,>,1",
        "src,Bad,isset",
        "src,Good,isset",
        "src,Good,isnotset",
        "src,Bad,isnotset",
        "dst,Bad,isset",
        "dst,Bad,isnotset",
        "dst,Good,isset",
        "any,Good,isnotset",
        "both,Good,isnotset",
        "any,Bad,isnotset",
        "both,Bad,isnotset",
    ];
    let mut rules = String::new();
    for (condition, sid) in conditions.iter().zip(1..) {
        let _ = writeln!(rules, "alert ip any any -> any any (iprep:{condition}; sid:{sid};)");
    }
    rules.push_str(
        "alert tcp any any -> any any (content:\"GET\"; iprep:src,Bad,>,10; sid:18;)\n\
         alert http any any -> any any (http.host; content:\"exa\"; iprep:src,Bad,>,10; sid:19;)\n",
    );
    let config = "[inspection.data]\nreputation_categories = \"categories\"\nreputation_files = [\"list\"]\n";
    let folder = format!("default-reputation-path={}", place.0.path().display());
    let categories = format!("reputation-categories-file={}", place.path("categories").display());
    let options = ["--set", &categories, "--set", &folder, "--set", "reputation-files.0=list"];
    let events = place.compare(&download("a", "hello world"), &rules, config, &options);
    assert!(sids(&events).starts_with(&[1, 3, 4, 5]), "{:?}", sids(&events));
    let mut alone = download("a", "")[..1].to_vec();
    alone[0][30..34].copy_from_slice(&[172, 16, 9, 9]);
    let one = sids(&place.compare(&alone, &rules, config, &options));
    alone[0][26..30].copy_from_slice(&[172, 16, 9, 8]);
    let none = sids(&place.compare(&alone, &rules, config, &options));
    assert!(one.contains(&16) && !one.contains(&17) && none.contains(&17), "{one:?} {none:?}");

    let Some(database) = testkit::corpora().map(|corpora| corpora.join("geo/GeoIP2-Country-Test.mmdb"))
    else {
        eprintln!("SKIPPED: the corpora are not here");
        return;
    };
    // From London, to an address of no country.
    alone[0][26..30].copy_from_slice(&[81, 2, 69, 142]);
    let rules = "\
        alert ip any any -> any any (geoip:src,GB; sid:1;)\n\
        alert ip any any -> any any (geoip:dst,GB; sid:2;)\n\
        alert ip any any -> any any (geoip:any,US,GB; sid:3;)\n\
        alert ip any any -> any any (geoip:both,GB; sid:4;)\n\
        alert ip any any -> any any (geoip:src,!US,CA; sid:5;)\n\
        alert ip any any -> any any (geoip:dst,!US; sid:6;)\n\
        alert ip any any -> any any (geoip:GB; sid:7;)\n";
    let config = format!("[inspection.data]\ngeoip_database = {:?}\n", database.display().to_string());
    let option = format!("geoip-database={}", database.display());
    let events = place.compare(&alone, rules, &config, &["--set", &option]);
    assert_eq!(sids(&events), [1, 3, 5, 7]);

    place.file("t.rules", rules);
    let output = place.run(&["rules", "check", "t.rules"]);
    assert!(text(&output.stderr).contains("set geoip_database in [inspection.data]"));
}

#[test]
fn a_threshold_config_says_how_often_rules_may_speak() {
    let place = Place::new();
    place.file(
        "thresholds",
        "# of the office\n\
         suppress gen_id 1, sig_id 1\n\
         suppress gen_id 1, sig_id 2, track by_src, ip 10.0.0.1\n\
         suppress gen_id 1, sig_id 3, track by_dst, ip 10.0.0.0/24\n\
         suppress gen_id 1, sig_id 4, track by_either, ip [10.0.0.1,10.9.9.9]\n\
         suppress gen_id 1, sig_id 5, track by_src, ip $HOME_NET\n\
         threshold gen_id 1, sig_id 6, type limit, track by_src, count 1, seconds 60\n\
         event_filter gen_id 1, sig_id 7, type threshold, track by_rule, count 3, seconds 60\n\
         rate_filter gen_id 1, sig_id 10, track by_src, count 2, seconds 60, new_action pass, timeout 30\n\
         rate_filter gen_id 1, sig_id 11, track by_rule, count 2, seconds 60, \\\n\
             new_action alert, timeout 2\n\
         rate_filter gen_id 1, sig_id 12, track by_both, count 3, seconds 60, new_action drop, timeout 30\n\
         event_filter gen_id 1, sig_id 13, type both, track by_dst, count 2, seconds 60\n",
    );
    let rule = |sid: u32| {
        let threshold = match sid {
            8 => "threshold:type limit,track by_rule,count 2,seconds 60; ",
            9 => "threshold:type both,track by_both,count 3,seconds 60; ",
            13 => "threshold:type limit,track by_src,count 1,seconds 60; ",
            _ => "",
        };
        format!("alert tcp any any -> any any (flags:A+; {threshold}sid:{sid};)\n")
    };
    let config = "[inspection.data]\nthresholds = \"thresholds\"\n";
    let option = format!("threshold-file={}", place.path("thresholds").display());
    let frames = download("a", "hello world");
    let inspect = |sids: &[u32]| {
        let rules: String = sids.iter().copied().map(rule).collect();
        place.compare(&frames, &rules, config, &["--set", &option])
    };
    assert_eq!(
        sids(&inspect(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 13])),
        [2, 2, 2, 2, 3, 3, 3, 3, 3, 6, 6, 7, 7, 7, 8, 8, 9, 13, 13]
    );
    // The third match of each side passes its packet, and rules behind that one are not asked.
    assert_eq!(sids(&inspect(&[10, 6])).iter().filter(|sid| **sid == 10).count(), 4);
    inspect(&[11]);
    let dropped = place.inspect(&frames, &rule(12), config);
    let actions: Vec<&str> = dropped.iter().filter_map(|event| event["alert"]["action"].as_str()).collect();
    assert_eq!((&actions[..3], actions[3]), (&["allowed"; 3][..], "blocked"));

    place.file("thresholds", "suppress gen_id 1\n").file("t.rules", rule(1));
    let output = place.run(&["replay", "t.pcap", "--config", "t.toml", "--rules", "t.rules"]);
    assert!(text(&output.stderr).contains("line 1: 'sig_id' is missing"), "{}", text(&output.stderr));
}

#[test]
fn the_cost_of_rules_is_told() {
    let place = Place::new();
    place.file("t.pcap", pcap(&download("a", "hello world"))).file(
        "t.rules",
        http_rules(&[
            "http.host; content:\"example\";",
            "http.host; content:\"example\"; pcre:\"/^(e|x)+nothing/\";",
            "http.host; content:\"nowhere\";",
        ]) + "alert tcp any any -> any any (flags:S; sid:9;)\n",
    );
    place.file("t.toml", "[inspection.stream]\nverify_checksums = \"off\"\n");
    let run = |more: &[&str]| {
        let output =
            place.run(&[&["rules", "profile", "t.rules", "t.pcap", "--config", "t.toml"], more].concat());
        assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
        output.stdout
    };
    let entries: Vec<Value> = serde_json::from_slice(&run(&["--json"])).unwrap();
    let of = |sid: u64| entries.iter().find(|entry| entry["sid"] == sid);
    let counts = |sid| of(sid).map(|entry| (entry["checks"].as_u64() >= Some(1), entry["matches"].clone()));
    assert_eq!(counts(1), Some((true, 1.into())));
    assert_eq!(counts(2), Some((true, 0.into())));
    assert!(of(3).is_none(), "its pattern is nowhere, so it is never asked");
    assert_eq!(counts(9), Some((true, 1.into())));
    let totals: Vec<u64> = entries.iter().map(|entry| entry["total_ns"].as_u64().unwrap()).collect();
    assert!(
        totals.is_sorted_by(|one, next| one >= next) && totals.iter().all(|total| *total > 0),
        "{totals:?}"
    );
    let table = text(&run(&[]));
    assert!(table.starts_with(" gid        sid         checks") && table.lines().count() == 4, "{table}");
}
