//! The `fileinfo` member of EVE records.

use super::{File, FileState};
use event::json;

impl File {
    /// Appends `"fileinfo":{…}`.
    pub(crate) fn write_info(&self, to: &mut Vec<u8>, tx_id: u64) {
        to.extend_from_slice(b"\"fileinfo\":");
        self.write_object(to, tx_id);
    }

    /// Appends the object that stands in `fileinfo` and in an alert's `files`.
    pub(crate) fn write_object(&self, to: &mut Vec<u8>, tx_id: u64) {
        to.push(b'{');
        if !self.name.is_empty() {
            to.extend_from_slice(b"\"filename\":");
            json::bytes(to, &self.name);
            to.push(b',');
        }
        let gaps: &[u8] = if self.gaps { b"\"gaps\":true" } else { b"\"gaps\":false" };
        to.extend_from_slice(gaps);
        let state: &[u8] = match self.state {
            FileState::Open => b",\"state\":\"UNKNOWN\"",
            FileState::Closed => b",\"state\":\"CLOSED\"",
            FileState::Truncated => b",\"state\":\"TRUNCATED\"",
        };
        to.extend_from_slice(state);
        self.digests.write(to);
        json::number_after(to, ",\"stored\":false,\"size\":", self.size);
        if let Some((start, end)) = self.range {
            json::number_after(to, ",\"start\":", start);
            json::number_after(to, ",\"end\":", end);
        }
        json::number_after(to, ",\"tx_id\":", tx_id);
        to.push(b'}');
    }
}
