//! What rules see of an SSH connection.

use app::{Buffer, Direction, Stage};

use super::log;
use crate::tls::hello::md5_hex;
use crate::{Events, Transaction, View};

/// What one side says of itself.
#[derive(Default, Debug)]
pub(crate) struct Party {
    pub(super) stage: Stage,
    /// `2.0`.
    pub(super) proto: Option<Vec<u8>>,
    /// `OpenSSH_9.2p1`.
    pub(super) software: Option<Vec<u8>>,
    /// Its HASSH string, if wanted.
    pub(super) hassh: Option<String>,
}

impl Party {
    pub(super) fn reach(&mut self, stage: Stage) {
        self.stage = self.stage.max(stage);
    }

    /// Reads a banner (RFC 4253, section 4.2), of which `line` is what is there: `SSH-protoversion-softwareversion`, and
    /// behind a space comments. Until it is `whole` its parts are known as far as something follows them.
    pub(super) fn read_banner(&mut self, line: &[u8], whole: bool) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(rest) = line.strip_prefix(b"SSH-") else { return };
        let Some(dash) = memchr::memchr(b'-', rest) else { return };
        let (proto, software) = rest.split_at(dash);
        let software = software.get(1..).unwrap_or_default();
        let space = memchr::memchr(b' ', software);
        if !whole && space.is_none() {
            return;
        }
        self.proto = Some(proto.to_vec());
        let software = software.get(..space.unwrap_or(software.len())).unwrap_or_default();
        self.software = (!software.is_empty()).then(|| software.to_vec());
        self.reach(Stage::Line);
    }
}

/// The only transaction of a connection.
#[derive(Default, Debug)]
pub(crate) struct SshTransaction {
    pub(super) client: Party,
    pub(super) server: Party,
    events: Vec<&'static str>,
}

impl SshTransaction {
    pub(super) const fn side(&self, direction: Direction) -> &Party {
        match direction {
            Direction::ToServer => &self.client,
            Direction::ToClient => &self.server,
        }
    }

    pub(super) const fn side_mut(&mut self, direction: Direction) -> &mut Party {
        match direction {
            Direction::ToServer => &mut self.client,
            Direction::ToClient => &mut self.server,
        }
    }

    /// Raises an event, once.
    pub(super) fn raise(&mut self, event: &'static str) {
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }
}

impl Transaction for SshTransaction {
    fn id(&self) -> u64 {
        0
    }

    fn stage(&self, direction: Direction) -> Stage {
        self.side(direction).stage
    }

    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        scratch: &'a mut Vec<u8>,
    ) -> Option<View<'a>> {
        if index > 0 {
            return None;
        }
        let party = self.side(direction);
        let bytes = match (buffer, direction) {
            (Buffer::SshProto, _) => party.proto.as_deref()?,
            (Buffer::SshSoftware, _) => party.software.as_deref()?,
            (Buffer::SshHasshString, Direction::ToServer)
            | (Buffer::SshHasshServerString, Direction::ToClient) => party.hassh.as_ref()?.as_bytes(),
            (Buffer::SshHassh, Direction::ToServer) | (Buffer::SshHasshServer, Direction::ToClient) => {
                scratch.clear();
                scratch.extend_from_slice(md5_hex(party.hassh.as_ref()?).as_bytes());
                scratch.as_slice()
            }
            _ => return None,
        };
        Some(View::whole(bytes))
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, _: Direction, _: &str, _: usize) -> Option<u64> {
        None
    }

    /// Both ways the same: rules of either look for what the other raises.
    fn events(&self, _: Direction) -> Events<'_> {
        &self.events
    }

    fn context(&self, members: &mut Vec<u8>) {
        log::write(members, self);
    }
}
