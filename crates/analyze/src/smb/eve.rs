//! The `smb` member of EVE records.

use event::json;

use super::names;
use super::transaction::{Create, Detail, Negotiation, Setup, SmbTransaction, Status, Tree};
use crate::dcerpc::pdu::{on_paper, write_uuid};

fn text(to: &mut Vec<u8>, key: &str, value: &[u8]) {
    json::literal(to, key);
    json::bytes(to, value);
}

/// An identifier of 16 bytes, its parts turned round as the reference has them.
fn long_identifier(to: &mut Vec<u8>, guid: [u8; 16]) {
    let mut guid = on_paper(guid, true);
    for (from, to) in [(8, 10), (10, 12), (12, 16)] {
        if let Some(part) = guid.get_mut(from..to) {
            part.reverse();
        }
    }
    write_uuid(to, &guid);
}

/// A file's identifier: two bytes of SMB1, sixteen of SMB2.
fn identifier(to: &mut Vec<u8>, guid: &[u8]) {
    json::literal(to, ",\"fuid\":");
    if let Some(&guid) = guid.first_chunk::<16>() {
        long_identifier(to, guid);
        return;
    }
    to.push(b'"');
    for &byte in guid.iter().rev() {
        to.extend_from_slice(&json::hex(byte));
    }
    to.push(b'"');
}

/// A machine's identifier.
fn machine(to: &mut Vec<u8>, key: &str, guid: &[u8]) {
    json::literal(to, key);
    match guid.first_chunk::<16>() {
        Some(&guid) => long_identifier(to, guid),
        None => json::literal(to, "\"\""),
    }
}

fn hexadecimal(to: &mut Vec<u8>, value: u32) {
    json::literal(to, &format!("\"{value:#x}\""));
}

fn write_status(to: &mut Vec<u8>, status: Status) {
    json::literal(to, ",\"status\":\"");
    match status {
        Status::Nt(code) => {
            match names::status(code) {
                Some(name) => json::literal(to, name),
                None => json::number(to, u64::from(code)),
            }
            json::literal(to, "\",\"status_code\":");
            hexadecimal(to, code);
        }
        Status::Dos(class, code) => {
            json::literal(to, &format!("UNKNOWN_{class:02x}_{code:04x}\",\"status_code\":\"0x{code:04x}\""));
        }
    }
}

fn write_negotiation(to: &mut Vec<u8>, negotiation: &Negotiation) {
    let mut separator = ",\"client_dialects\":[";
    for dialect in &negotiation.dialects {
        text(to, separator, dialect);
        separator = ",";
    }
    if separator == "," {
        to.push(b']');
    }
    if let Some(guid) = &negotiation.client_guid {
        machine(to, ",\"client_guid\":", guid);
    }
    machine(to, ",\"server_guid\":", &negotiation.server_guid);
    if let Some((read, write)) = negotiation.sizes {
        json::number_after(to, ",\"max_read_size\":", u64::from(read));
        json::number_after(to, ",\"max_write_size\":", u64::from(write));
    }
}

fn write_setup(to: &mut Vec<u8>, setup: &Setup) {
    if let Some(kerberos) = &setup.kerberos {
        text(to, ",\"kerberos\":{\"realm\":", &kerberos.realm);
        let mut separator = ",\"snames\":[";
        for name in &kerberos.names {
            text(to, separator, name);
            separator = ",";
        }
        if separator == "," {
            to.push(b']');
        }
        to.push(b'}');
    }
    if let Some(ntlmssp) = &setup.ntlmssp {
        text(to, ",\"ntlmssp\":{\"domain\":", &ntlmssp.domain);
        text(to, ",\"user\":", &ntlmssp.user);
        text(to, ",\"host\":", &ntlmssp.host);
        if let Some((major, minor, build, revision)) = ntlmssp.version {
            json::literal(to, &format!(",\"version\":\"{major}.{minor} build {build} rev {revision}\""));
        }
        to.push(b'}');
    }
    for (key, side) in [(",\"request\":", &setup.request), (",\"response\":", &setup.response)] {
        if let Some((system, manager)) = side {
            json::literal(to, key);
            text(to, "{\"native_os\":", system);
            text(to, ",\"native_lm\":", manager);
            to.push(b'}');
        }
    }
}

fn write_tree(to: &mut Vec<u8>, tree: &Tree) {
    text(to, if tree.is_pipe { ",\"named_pipe\":" } else { ",\"share\":" }, &tree.share);
    if let Some((request, response)) = &tree.service {
        text(to, ",\"service\":{\"request\":", request);
        if !response.is_empty() {
            text(to, ",\"response\":", response);
        }
        to.push(b'}');
    } else {
        json::literal(to, ",\"share_type\":\"");
        json::literal(to, names::share_type(tree.kind));
        to.push(b'"');
    }
}

const fn access(delete: bool) -> &'static str {
    if delete { ",\"access\":\"delete on close\"" } else { ",\"access\":\"normal\"" }
}

fn write_create(to: &mut Vec<u8>, create: &Create) {
    let name: &[u8] = if create.name.is_empty() { b"<share_root>" } else { &create.name };
    let directory = create.directory && !create.name.is_empty();
    text(to, if directory { ",\"directory\":" } else { ",\"filename\":" }, name);
    json::literal(to, ",\"disposition\":\"");
    json::literal(to, names::disposition(create.disposition));
    to.push(b'"');
    json::literal(to, access(create.delete_on_close));
    for (key, time) in
        [",\"created\":", ",\"accessed\":", ",\"modified\":", ",\"changed\":"].iter().zip(create.times)
    {
        json::number_after(to, key, time);
    }
    json::number_after(to, ",\"size\":", create.size);
    identifier(to, &create.guid);
}

impl SmbTransaction {
    /// Appends `"smb":{…}`.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        json::number_after(to, "\"smb\":{\"id\":", self.id.saturating_add(1));
        json::literal(to, ",\"dialect\":\"");
        json::escaped(to, &self.dialect.text());
        json::literal(to, "\",\"command\":\"");
        let name = match self.version {
            1 => u8::try_from(self.command).ok().and_then(names::smb1),
            _ => names::smb2(self.command),
        };
        match name {
            Some(name) => json::literal(to, name),
            None => json::number(to, u64::from(self.command)),
        }
        to.push(b'"');
        if let Some(status) = self.status {
            write_status(to, status);
        }
        json::number_after(to, ",\"session_id\":", self.session);
        json::number_after(to, ",\"tree_id\":", u64::from(self.tree));
        match &self.detail {
            Detail::None => {}
            Detail::Negotiation(negotiation) => write_negotiation(to, negotiation),
            Detail::Setup(setup) => write_setup(to, setup),
            Detail::Tree(tree) => write_tree(to, tree),
            Detail::Create(create) => write_create(to, create),
            Detail::File(file) => {
                text(to, ",\"filename\":", &file.name);
                text(to, ",\"share\":", &file.share);
                identifier(to, &file.guid);
            }
            Detail::Control(code) => {
                json::literal(to, ",\"function\":\"");
                match names::function(*code) {
                    Some(name) => json::literal(to, name),
                    None => json::literal(to, &format!("{code:#x}")),
                }
                to.push(b'"');
            }
            Detail::Call(call) => {
                json::literal(to, ",\"dcerpc\":");
                call.write(to, true);
                to.push(b'}');
            }
            Detail::Disposition { name, guid, delete } => {
                text(to, ",\"filename\":", name);
                json::literal(to, access(*delete));
                identifier(to, guid);
            }
            Detail::Rename { from, to: target, guid } => {
                text(to, ",\"rename\":{\"from\":", from);
                text(to, ",\"to\":", target);
                to.push(b'}');
                identifier(to, guid);
            }
        }
        to.push(b'}');
    }

    /// Appends `,"files":[…]`, if there are any.
    pub(super) fn write_files(&self, to: &mut Vec<u8>) {
        let Detail::File(file) = &self.detail else { return };
        let mut separator = ",\"files\":[";
        for file in file.transfer.files.iter() {
            json::literal(to, separator);
            file.write_object(to, self.id);
            separator = ",";
        }
        if separator == "," {
            to.push(b']');
        }
    }
}
