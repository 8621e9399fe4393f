//! The `email` member of EVE records.

use event::json;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::header::split;
use super::{Message, State};

/// What ends the name of a program.
const PROGRAMS: &[&[u8]] = &[
    b".exe", b".vbs", b".bin", b".cmd", b".bat", b".jar", b".js", b".ps", b".ps1", b".sh", b".run", b".hta",
    b".elf",
];

fn list<'a>(to: &mut Vec<u8>, name: &str, items: impl Iterator<Item = &'a [u8]>) {
    json::literal(to, name);
    for item in items {
        json::bytes(to, item);
        to.push(b',');
    }
    if to.last() == Some(&b',') {
        to.pop();
    }
    to.push(b']');
}

fn addresses(to: &mut Vec<u8>, name: &str, field: Option<&Vec<u8>>) {
    if let Some(field) = field {
        list(to, name, split(field, b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty()));
    }
}

/// The host that a link names, without its port.
fn host(link: &[u8]) -> &str {
    let host = link.split(|&byte| byte == b'/').next().unwrap_or_default();
    let host = std::str::from_utf8(host).unwrap_or_default();
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

impl Message {
    /// Appends `"email":{…}`.
    pub(crate) fn write_email(&self, to: &mut Vec<u8>) {
        json::literal(to, r#""email":{"status":""#);
        json::literal(
            to,
            match self.state {
                State::Ready => "HEADER_READY",
                State::Header => "HEADER_STARTED",
                State::HeadersDone => "HEADER_DONE",
                State::Body => "BODY_STARTED",
                State::BodyDone => "BODY_END_BOUND",
                State::Done => "PARSE_DONE",
            },
        );
        to.push(b'"');
        if let Some(from) = &self.from {
            json::literal(to, r#","from":"#);
            json::bytes(to, from);
        }
        addresses(to, r#","to":["#, self.to.as_ref());
        addresses(to, r#","cc":["#, self.cc.as_ref());
        if !self.links.is_empty() {
            let any = |is: &dyn Fn(&[u8]) -> bool| self.links.iter().any(|link| is(link));
            let v6 = any(&|link| host(link).parse::<Ipv6Addr>().is_ok());
            let v4 = any(&|link| host(link).parse::<Ipv4Addr>().is_ok());
            let program = any(&|link| PROGRAMS.iter().any(|end| link.ends_with(end)));
            for (name, is) in [("has_ipv6_url", v6), ("has_ipv4_url", v4), ("has_exe_url", program)] {
                json::literal(to, ",\"");
                json::literal(to, name);
                json::literal(to, if is { "\":true" } else { "\":false" });
            }
        }
        if !self.attachments.is_empty() {
            list(to, r#","attachment":["#, self.attachments.iter().map(Vec::as_slice));
        }
        if !self.links.is_empty() {
            // The reference lists the last one first.
            list(to, r#","url":["#, self.links.iter().rev().map(Vec::as_slice));
        }
        to.push(b'}');
    }
}
