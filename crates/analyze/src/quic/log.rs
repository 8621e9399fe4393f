//! `quic` records.

use event::json::{bytes, literal, number_after, string};

use super::QuicTransaction;
use super::header::{Q039, Q043, Q046};
use crate::tls::hello::{Hello, extension, is_grease, md5_hex};

/// A version as EVE has it.
pub(super) fn version(version: u32) -> String {
    match version {
        Q039 => "Q039".to_owned(),
        Q043 => "Q043".to_owned(),
        Q046 => "Q046".to_owned(),
        other => format!("{other:x}"),
    }
}

/// `"quic":{…}`.
pub(super) fn write(to: &mut Vec<u8>, transaction: &QuicTransaction) {
    literal(to, r#""quic":{"version":"#);
    string(to, &transaction.version);
    if let Some(sni) = &transaction.sni {
        literal(to, r#","sni":"#);
        bytes(to, sni);
    }
    if let Some(agent) = &transaction.user_agent {
        literal(to, r#","ua":"#);
        bytes(to, agent);
    }
    if let Some(cyu) = &transaction.cyu {
        literal(to, r#","cyu":["#);
        fingerprint(to, cyu);
        to.push(b']');
    }
    if let Some(ja3) = &transaction.ja3 {
        literal(to, if transaction.from_client { r#","ja3":"# } else { r#","ja3s":"# });
        fingerprint(to, ja3);
    }
    if let Some(hello) = transaction.hello.as_ref().filter(|hello| !hello.extensions.is_empty()) {
        extensions(to, hello);
    }
    to.push(b'}');
}

fn fingerprint(to: &mut Vec<u8>, text: &str) {
    literal(to, r#"{"hash":"#);
    string(to, &md5_hex(text));
    literal(to, r#","string":"#);
    string(to, text);
    to.push(b'}');
}

fn extensions(to: &mut Vec<u8>, hello: &Hello) {
    let mut before = r#","extensions":[{"#;
    for &kind in hello.extensions.iter().filter(|kind| !is_grease(**kind)) {
        literal(to, before);
        before = ",{";
        if let Some(name) = name(kind) {
            literal(to, r#""name":""#);
            literal(to, name);
            literal(to, r#"","#);
        }
        number_after(to, r#""type":"#, u64::from(kind));
        values(to, hello, kind);
        to.push(b'}');
    }
    if before == ",{" {
        to.push(b']');
    }
}

fn values(to: &mut Vec<u8>, hello: &Hello, kind: u16) {
    let list: Vec<Vec<u8>> = match kind {
        extension::SERVER_NAME => hello.sni.iter().cloned().collect(),
        extension::ALPN => hello.alpn.clone(),
        extension::SIGNATURE_ALGORITHMS => {
            hello.signature_algorithms.iter().map(|value| value.to_string().into_bytes()).collect()
        }
        extension::SUPPORTED_VERSIONS => hello
            .versions
            .iter()
            .filter(|value| !is_grease(**value))
            .map(|&value| version_name(value).into_bytes())
            .collect(),
        _ => return,
    };
    if list.is_empty() {
        return;
    }
    literal(to, r#","values":["#);
    for (index, value) in list.iter().enumerate() {
        if index > 0 {
            to.push(b',');
        }
        bytes(to, value);
    }
    to.push(b']');
}

fn version_name(version: u16) -> String {
    match version {
        0x0300 => "Ssl30".to_owned(),
        0x0301 => "Tls10".to_owned(),
        0x0302 => "Tls11".to_owned(),
        0x0303 => "Tls12".to_owned(),
        0x0304 => "Tls13".to_owned(),
        other => format!("TlsVersion({other} / {other:#x})"),
    }
}

/// Names of extensions (IANA, TLS `ExtensionType` Values).
const fn name(kind: u16) -> Option<&'static str> {
    Some(match kind {
        0 => "server_name",
        1 => "max_fragment_length",
        5 => "status_request",
        10 => "supported_groups",
        11 => "ec_point_formats",
        13 => "signature_algorithms",
        15 => "heartbeat",
        16 => "alpn",
        18 => "signed_certificate_timestamp",
        21 => "padding",
        22 => "encrypt_then_mac",
        23 => "extended_master_secret",
        27 => "compress_certificate",
        28 => "record_size_limit",
        35 => "session_ticket",
        41 => "pre_shared_key",
        42 => "early_data",
        43 => "supported_versions",
        44 => "cookie",
        45 => "psk_key_exchange_modes",
        49 => "post_handshake_auth",
        50 => "signature_algorithms_cert",
        51 => "key_share",
        _ => return None,
    })
}
