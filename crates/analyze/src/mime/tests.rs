use super::*;

const LIMITS: WindowLimits = WindowLimits {
    content: 100_000,
    inspect_min: 0,
    inspect_window: 100,
    hashes: crate::files::Hashes { md5: false, sha1: false, sha256: false },
};

/// A file's name and content.
type NamedFile = (String, Vec<u8>);

fn read(text: &str) -> (String, Vec<NamedFile>, Vec<&'static str>) {
    let (mut message, mut files) = (Message::new(LIMITS), Files::default());
    for line in text.lines() {
        message.line(line.as_bytes(), true, &mut files);
    }
    message.finish(&mut files);
    let mut email = Vec::new();
    message.write_email(&mut email);
    let found = files
        .iter()
        .enumerate()
        .map(|(index, file)| {
            (
                String::from_utf8_lossy(&file.name).into_owned(),
                files.view(index).map(|view| view.bytes.to_vec()).unwrap_or_default(),
            )
        })
        .collect();
    let odd = std::iter::from_fn(|| message.take_oddity()).collect();
    (String::from_utf8(email).unwrap(), found, odd)
}

const MIXED: &str = "From: A <a@b>\nTo: \"x, y\" <c@d>,\n e@f\nCc: g@h\nContent-Type: multipart/mixed; boundary=\"zz\"\n\n\
    preamble http://no.example\n--zz\nContent-Type: text/plain\n\nsee http://1.2.3.4/A.exe now\n--zz\n\
    Content-Type: text/plain; name=\"a.txt\"\nContent-Transfer-Encoding: base64\n\naGVs\nbG8=\n--zz\n\
    Content-Disposition: attachment; filename=b.txt\nContent-Transfer-Encoding: quoted-printable\n\n1=3D2=\n3\nend\n--zz\n\
    Content-Disposition: attachment; filename=c.txt\n\nplain\nlines\n--zz--\nepilogue";

#[test]
fn headers_parts_and_links_are_found() {
    let (email, files, odd) = read(MIXED);
    assert_eq!(
        email,
        r#""email":{"status":"PARSE_DONE","from":"A <a@b>","to":["\"x, y\" <c@d>","e@f"],"cc":["g@h"],"has_ipv6_url":false,"has_ipv4_url":true,"has_exe_url":true,"attachment":["a.txt","b.txt","c.txt"],"url":["1.2.3.4/a.exe"]}"#
    );
    let expected: [(&str, &[u8]); 3] =
        [("a.txt", b"hello"), ("b.txt", b"1=23\r\nend"), ("c.txt", b"plain\r\nlines")];
    for ((name, bytes), (found_name, found)) in expected.into_iter().zip(&files) {
        assert_eq!((name, bytes), (found_name.as_str(), found.as_slice()));
    }
    assert_eq!((files.len(), odd.len()), (3, 0));
}

#[test]
fn what_is_odd_is_told() {
    let long = "x".repeat(3000);
    for (text, expected) in [
        ("no colon\n\n".to_owned(), oddity::MALFORMED),
        (format!("{long}: v\n\n"), oddity::LINE),
        (format!("Subject: a\n {long}\n\n"), oddity::HEADER_VALUE),
        (format!("{}: v\n\n", "n".repeat(80)), oddity::HEADER_NAME),
        (format!("Content-Type: multipart/mixed; boundary={}\n\n", "b".repeat(300)), oddity::BOUNDARY),
        (format!("Content-Disposition: a; filename={}\n\n", "f".repeat(300)), oddity::FILE_NAME),
        ("Content-Transfer-Encoding: base64\n\n!!!!".to_owned(), oddity::BASE64),
        ("Content-Transfer-Encoding: quoted-printable\n\n=zz".to_owned(), oddity::QUOTED),
        (format!("Content-Transfer-Encoding: base64\n\n{}", "QUJD".repeat(20)), oddity::ENCODED_LINE),
        ("Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext".to_owned(), oddity::MALFORMED),
    ] {
        let (_, _, odd) = read(&text);
        assert!(odd.contains(&expected), "{expected}: {odd:?}");
    }
}

#[test]
fn a_message_holds_little_whatever_comes() {
    let (mut message, mut files) = (Message::new(LIMITS), Files::default());
    for number in 0..5_000 {
        let head = format!("Content-Type: multipart/x; boundary=b{number}; name=n{number}");
        for line in [head.as_str(), "", &format!("--b{number}")] {
            message.line(line.as_bytes(), true, &mut files);
        }
    }
    assert!(message.boundaries.len() <= PARTS_MAX && message.attachments.len() <= LIST_MAX);
    assert!(files.iter().count() <= LIST_MAX);
}
