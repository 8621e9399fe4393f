//! `tls` records, in the reference's extended form.

use event::json::{bytes, hex, literal, string};

use super::certificate::date;
use super::{Facts, hello};

/// `"tls":{…}` of a record or an alert. `from` is the protocol before STARTTLS or its like.
pub(super) fn write(to: &mut Vec<u8>, facts: &Facts, from: Option<&str>) {
    literal(to, r#""tls":{"#);
    let mut member = Members { to, any: false };
    if let Some(certificate) = &facts.server.certificate {
        member.text("subject", &certificate.subject);
        member.text("issuerdn", &certificate.issuer);
    }
    if facts.resumed() {
        member.key("session_resumed");
        literal(member.to, "true");
    }
    if let Some(certificate) = &facts.server.certificate {
        member.text("serial", &certificate.serial);
        member.text("fingerprint", &certificate.fingerprint);
    }
    if let Some(sni) = facts.sni() {
        member.key("sni");
        bytes(member.to, sni);
    }
    member.key("version");
    version(member.to, facts.server.version);
    if let Some(certificate) = &facts.server.certificate {
        member.key("notbefore");
        member.to.push(b'"');
        date(member.to, certificate.not_before_s);
        literal(member.to, r#"","notafter":""#);
        date(member.to, certificate.not_after_s);
        member.to.push(b'"');
    }
    if let Some(certificate) = &facts.client.certificate {
        member.key("client");
        member.to.push(b'{');
        let mut inside = Members { to: &mut *member.to, any: false };
        inside.text("subject", &certificate.subject);
        inside.text("issuerdn", &certificate.issuer);
        inside.text("fingerprint", &certificate.fingerprint);
        inside.text("serial", &certificate.serial);
        literal(inside.to, r#","notbefore":""#);
        date(inside.to, certificate.not_before_s);
        literal(inside.to, r#"","notafter":""#);
        date(inside.to, certificate.not_after_s);
        literal(inside.to, "\"}");
    }
    for (name, fingerprint) in [("ja3", &facts.ja3), ("ja3s", &facts.ja3s)] {
        if let Some(text) = fingerprint {
            member.key(name);
            literal(member.to, r#"{"hash":"#);
            string(member.to, &hello::md5_hex(text));
            literal(member.to, r#","string":"#);
            string(member.to, text);
            member.to.push(b'}');
        }
    }
    if let Some(from) = from {
        member.text("from_proto", from);
    }
    to.push(b'}');
}

struct Members<'a> {
    to: &'a mut Vec<u8>,
    any: bool,
}

impl Members<'_> {
    fn key(&mut self, key: &str) {
        literal(self.to, if self.any { ",\"" } else { "\"" });
        literal(self.to, key);
        literal(self.to, "\":");
        self.any = true;
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        string(self.to, value);
    }
}

/// The name of a version number, quotes included.
fn version(to: &mut Vec<u8>, version: u16) {
    let name = match version {
        0 => "UNDETERMINED",
        0x0200 => "SSLv2",
        0x0300 => "SSLv3",
        0x0301 => "TLSv1",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        0x0304 => "TLS 1.3",
        _ => "",
    };
    if !name.is_empty() {
        return string(to, name);
    }
    let [high, low] = version.to_be_bytes();
    match high {
        0x7f => string(to, &format!("TLS 1.3 draft-{low}")),
        0xfb => string(to, &format!("TLS 1.3 draft-{low}-fb")),
        _ => {
            literal(to, "\"0x");
            to.extend_from_slice(&hex(high));
            to.extend_from_slice(&hex(low));
            to.push(b'"');
        }
    }
}
