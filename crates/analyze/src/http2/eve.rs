//! EVE members of HTTP/2 transactions.

use super::hpack::Field;
use super::transaction::{Http2Transaction, Side};
use crate::{Record, Transaction};
use app::Direction;
use event::json;

const ERRORS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

const SETTINGS: [&str; 6] = [
    "SETTINGSHEADERTABLESIZE",
    "SETTINGSENABLEPUSH",
    "SETTINGSMAXCONCURRENTSTREAMS",
    "SETTINGSINITIALWINDOWSIZE",
    "SETTINGSMAXFRAMESIZE",
    "SETTINGSMAXHEADERLISTSIZE",
];

fn write_headers(side: &Side, name: &str, to: &mut Vec<u8>) {
    if side.fields.is_empty() {
        return;
    }
    to.extend_from_slice(name.as_bytes());
    for (number, field) in side.fields.iter().enumerate() {
        if number > 0 {
            to.push(b',');
        }
        match field {
            Field::Header { name, value } => {
                to.extend_from_slice(b"{\"name\":");
                json::bytes(to, name);
                to.extend_from_slice(b",\"value\":");
                json::bytes(to, value);
            }
            Field::TableSize(size) => json::number_after(to, "{\"table_size_update\":", *size),
        }
        to.push(b'}');
    }
    to.push(b']');
}

fn write_text(to: &mut Vec<u8>, name: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        to.extend_from_slice(name.as_bytes());
        json::bytes(to, value);
    }
}

fn write_number(to: &mut Vec<u8>, name: &str, value: Option<&[u8]>) {
    let number = value.and_then(|value| std::str::from_utf8(value).ok()?.parse::<u64>().ok());
    if let Some(number) = number {
        json::number_after(to, name, number);
    }
}

fn write_side(side: &Side, to: &mut Vec<u8>) {
    to.push(b'{');
    if !side.settings.is_empty() {
        to.extend_from_slice(b"\"settings\":[");
        for (number, &(id, value)) in side.settings.iter().enumerate() {
            if number > 0 {
                to.push(b',');
            }
            to.extend_from_slice(b"{\"settings_id\":\"");
            match usize::from(id).checked_sub(1).and_then(|index| SETTINGS.get(index)) {
                Some(name) => to.extend_from_slice(name.as_bytes()),
                None => json::number_after(to, "SETTINGSUNKNOWN", u64::from(id)),
            }
            json::number_after(to, "\",\"settings_value\":", u64::from(value));
            to.push(b'}');
        }
        to.push(b']');
    }
    let comma = |to: &mut Vec<u8>| {
        if to.last() != Some(&b'{') {
            to.push(b',');
        }
    };
    if let Some(error) = side.error {
        comma(to);
        match usize::try_from(error).ok().and_then(|index| ERRORS.get(index)) {
            Some(name) => {
                to.extend_from_slice(b"\"error_code\":");
                json::string(to, name);
            }
            None => json::number_after(to, "\"error_code\":", u64::from(error)),
        }
    }
    if let Some(priority) = side.priority {
        comma(to);
        json::number_after(to, "\"priority\":", u64::from(priority));
    }
    to.push(b'}');
}

impl Http2Transaction {
    /// Appends `"http":{…}`.
    pub(crate) fn write_context(&self, to: &mut Vec<u8>) {
        let (request, response) = (self.side(Direction::ToServer), self.side(Direction::ToClient));
        to.extend_from_slice(b"\"http\":{\"version\":\"2\"");
        write_headers(request, ",\"request_headers\":[", to);
        write_headers(response, ",\"response_headers\":[", to);
        write_text(to, ",\"http_method\":", request.value(b":method"));
        write_text(to, ",\"url\":", request.value(b":path"));
        write_text(to, ",\"http_user_agent\":", request.value(b"user-agent"));
        write_number(to, ",\"length\":", response.value(b"content-length"));
        write_number(to, ",\"status\":", response.value(b":status"));
        json::number_after(to, ",\"http2\":{\"stream_id\":", u64::from(self.stream));
        to.extend_from_slice(b",\"request\":");
        write_side(request, to);
        to.extend_from_slice(b",\"response\":");
        write_side(response, to);
        to.extend_from_slice(b"}}");
    }

    /// Whether there is anything to say in a record.
    pub(crate) fn is_worth_a_record(&self) -> bool {
        Direction::BOTH.into_iter().map(|direction| self.side(direction)).any(|side| {
            !side.fields.is_empty()
                || !side.settings.is_empty()
                || side.error.is_some()
                || side.priority.is_some()
        })
    }

    /// Writes the `fileinfo` records of files that have ended.
    pub(crate) fn log_files(&mut self, direction: Direction, records: &mut Vec<Record>) {
        let id = self.id();
        let mut finished = Vec::new();
        for (index, file) in self.side_mut(direction).files.iter_mut().enumerate() {
            if file.take_finished() && file.size > 0 {
                finished.push(index);
            }
        }
        for index in finished {
            let mut members = Vec::with_capacity(1024);
            self.write_context(&mut members);
            members.push(b',');
            if let Some(file) = self.side(direction).files.iter().nth(index) {
                file.write_info(&mut members, id);
            }
            records.push(Record { event_type: "fileinfo", direction, tx_id: Some(id), members });
        }
    }
}
