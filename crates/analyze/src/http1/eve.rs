//! EVE members of HTTP/1 transactions, as the reference writes them with `extended: yes`.

use super::events;
use super::multipart::file_name;
use super::transaction::Http1Transaction;
use crate::files::NAME_LIMIT;
use crate::{Record, Transaction};
use app::Direction;
use event::json;
use std::net::IpAddr;

/// A `Content-Range` (RFC 9110, section 14.4); what is `*` is not there.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct ContentRange {
    pub range: Option<(u64, u64)>,
    pub size: Option<u64>,
}

/// Reads `bytes 0-9/20`, `bytes 0-9/*` or `bytes */20`.
pub(crate) fn parse_content_range(value: &[u8]) -> Option<ContentRange> {
    let rest = value.strip_prefix(b"bytes")?.trim_ascii_start();
    let slash = memchr::memchr(b'/', rest)?;
    let (range, size) = (rest.get(..slash)?, rest.get(slash + 1..)?);
    // Positions beyond 63 bits are none.
    let number =
        |text: &[u8]| u64::try_from(std::str::from_utf8(text).ok()?.trim().parse::<i64>().ok()?).ok();
    let range = if range == b"*" {
        None
    } else {
        let dash = memchr::memchr(b'-', range)?;
        Some((number(range.get(..dash)?)?, number(range.get(dash + 1..)?)?))
    };
    let size = if size.trim_ascii() == b"*" { None } else { Some(number(size)?) };
    Some(ContentRange { range, size })
}

/// Appends `,"NAME":` and a string, or without the comma if it is the first member.
fn text_member(to: &mut Vec<u8>, name: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        begin_member(to, name);
        json::bytes(to, value);
    }
}

fn begin_member(to: &mut Vec<u8>, name: &str) {
    if to.last() != Some(&b'{') {
        to.push(b',');
    }
    to.push(b'"');
    to.extend_from_slice(name.as_bytes());
    to.extend_from_slice(b"\":");
}

impl Http1Transaction {
    /// Appends `"http":{…}`.
    pub(crate) fn write_context(&self, to: &mut Vec<u8>) {
        let (request, response) = (&self.request, &self.response);
        to.extend_from_slice(b"\"http\":{");
        text_member(to, "hostname", self.host.as_deref());
        if let Some(port) = self.port {
            begin_member(to, "http_port");
            json::number(to, u64::from(port));
        }
        text_member(to, "url", self.raw_uri());
        text_member(to, "http_user_agent", request.value(b"user-agent"));
        let kind = response.value(b"content-type").and_then(|kind| kind.split(|&byte| byte == b';').next());
        text_member(to, "http_content_type", kind);
        if let Some(raw) = response.value(b"content-range") {
            write_content_range(to, raw);
        }
        text_member(to, "http_refer", request.value(b"referer"));
        let method = request.text(self.method_text);
        text_member(to, "http_method", (!method.is_empty()).then_some(method));
        text_member(to, "protocol", self.protocol.map(|protocol| request.text(protocol)));
        if let Some(status) = self.status_text {
            begin_member(to, "status");
            let digits = response.text(status).iter().take_while(|byte| byte.is_ascii_digit());
            json::number(
                to,
                digits.fold(0, |status: u64, digit| {
                    status.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
                }),
            );
        }
        if matches!(self.status, 301 | 302) {
            text_member(to, "redirect", response.value(b"location"));
        }
        begin_member(to, "length");
        json::number(to, response.sent_len);
        to.push(b'}');
    }

    /// Appends `,"files":[…]`, if there are files: the last part of an alert's members.
    pub(crate) fn write_files(&self, to: &mut Vec<u8>) {
        let id = self.id();
        let files = Direction::BOTH.into_iter().flat_map(|direction| self.message(direction).files.iter());
        let mut separator: &[u8] = b",\"files\":[";
        let mut any = false;
        for file in files {
            to.extend_from_slice(separator);
            separator = b",";
            any = true;
            file.write_object(to, id);
        }
        if any {
            to.push(b']');
        }
    }

    /// Opens the file that a response's body is.
    pub(crate) fn open_response_file(&mut self) {
        let response = &self.response;
        let named = response.value(b"content-disposition").and_then(file_name).or(self.path());
        let Some(name) = named.map(<[u8]>::to_vec) else { return };
        let mut range = None;
        let mut invalid = false;
        if self.status == 206
            && let Some(raw) = response.value(b"content-range")
        {
            match parse_content_range(raw) {
                Some(ContentRange { range: Some((start, end)), size: Some(size) }) => {
                    invalid = start > end || end >= size;
                    // What is the whole is no part.
                    range = (!invalid && (start, end + 1) != (0, size)).then_some((start, end));
                }
                Some(_) => {}
                None => invalid = true,
            }
        }
        let too_long = name.len() > NAME_LIMIT;
        self.response.files.open(&name, None);
        self.response.files.hash(self.response.body.hashes());
        if let Some(file) = self.response.files.current() {
            file.range = range;
        }
        self.response_is_file = true;
        if invalid {
            self.raise(events::RANGE_INVALID);
        }
        if too_long {
            self.raise(events::FILE_NAME_TOO_LONG);
        }
    }

    /// Writes the `fileinfo` records of files that have ended.
    pub(crate) fn log_files(&mut self, direction: Direction, records: &mut Vec<Record>) {
        let id = self.id();
        let mut finished = Vec::new();
        for (index, file) in self.message_mut(direction).files.iter_mut().enumerate() {
            // A file without a byte is none.
            if file.take_finished() && file.size > 0 {
                finished.push(index);
            }
        }
        for index in finished {
            let mut members = Vec::with_capacity(512);
            self.write_context(&mut members);
            members.push(b',');
            if let Some(file) = self.message(direction).files.iter().nth(index) {
                file.write_info(&mut members, id);
            }
            records.push(Record { event_type: "fileinfo", direction, tx_id: Some(id), members });
        }
    }
}

fn write_content_range(to: &mut Vec<u8>, raw: &[u8]) {
    begin_member(to, "content_range");
    to.push(b'{');
    text_member(to, "raw", Some(raw));
    let parsed = parse_content_range(raw).unwrap_or_default();
    if let Some((start, end)) = parsed.range {
        json::number_after(to, ",\"start\":", start);
        json::number_after(to, ",\"end\":", end);
    }
    if let Some(size) = parsed.size {
        json::number_after(to, ",\"size\":", size);
    }
    to.push(b'}');
}

/// Longest list of addresses that is read, in bytes.
const FORWARDED_LIMIT: usize = 256;

/// The first or last address of a list as `X-Forwarded-For` has it, a port behind it left out.
pub(crate) fn forwarded(list: &[u8], last: bool) -> Option<IpAddr> {
    if list.len() >= FORWARDED_LIMIT {
        return None;
    }
    let text = std::str::from_utf8(list).ok()?;
    let mut addresses = text.split([',', ' ']).filter(|part| !part.is_empty());
    let address = if last { addresses.next_back() } else { addresses.next() }?;
    if let Some(inside) = address.strip_prefix('[') {
        return inside.split(']').next()?.parse().ok();
    }
    let dotted = address.bytes().filter(|&byte| byte == b'.').count() == 3;
    let host = if dotted { address.split(':').next()? } else { address };
    host.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (value, expected) in [
            (&b"bytes 9-25/34"[..], Some(ContentRange { range: Some((9, 25)), size: Some(34) })),
            (b"bytes */34", Some(ContentRange { range: None, size: Some(34) })),
            (b"bytes 1-2/*", Some(ContentRange { range: Some((1, 2)), size: None })),
            (b"bytes x-2/3", None),
            (b"items 1-2/3", None),
            (b"bytes 0-9223372036854775807/9223372036854775808", None),
        ] {
            assert_eq!(parse_content_range(value), expected);
        }
    }

    #[test]
    fn addresses_noted_by_proxies_are_found() {
        for (list, last, expected) in [
            (&b"1.1.1.1, 2.2.2.2"[..], true, Some("2.2.2.2")),
            (b"1.1.1.1, 2.2.2.2", false, Some("1.1.1.1")),
            (b"1.2.3.4:5678", true, Some("1.2.3.4")),
            (b"[12::34]:1234", false, Some("12::34")),
            (b"12::34", false, Some("12::34")),
            (b"unknown", false, None),
            (b"", true, None),
        ] {
            assert_eq!(forwarded(list, last), expected.map(|text| text.parse().unwrap()));
        }
    }
}
