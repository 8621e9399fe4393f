//! `ssh` records.

use event::json::{bytes, literal, string};

use super::transaction::{Party, SshTransaction};
use crate::tls::hello::md5_hex;

/// `"ssh":{…}` of a record or an alert.
pub(super) fn write(to: &mut Vec<u8>, transaction: &SshTransaction) {
    literal(to, r#""ssh":{"#);
    let mut separator = "\"";
    for (name, party) in [("client", &transaction.client), ("server", &transaction.server)] {
        if party.proto.is_some() {
            literal(to, separator);
            literal(to, name);
            literal(to, "\":");
            write_party(to, party);
            separator = ",\"";
        }
    }
    literal(to, "}");
}

fn write_party(to: &mut Vec<u8>, party: &Party) {
    literal(to, r#"{"proto_version":"#);
    bytes(to, party.proto.as_deref().unwrap_or_default());
    if let Some(software) = &party.software {
        literal(to, r#","software_version":"#);
        bytes(to, software);
    }
    if let Some(text) = &party.hassh {
        literal(to, r#","hassh":{"hash":"#);
        string(to, &md5_hex(text));
        literal(to, r#","string":"#);
        string(to, text);
        literal(to, "}");
    }
    literal(to, "}");
}
