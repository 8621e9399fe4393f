//! One request with what the server said to it, and the record of both.

use app::{Buffer, Direction, Stage};
use event::json::{bytes, literal, number_after};

use super::message::ERROR_FIELDS;
use crate::{Events, Transaction, View};

/// Bytes of parameters that are told of one response.
const PARAMETER_BYTES_MAX: usize = 65_536;

/// What the server has said.
#[derive(Debug, Default)]
pub(super) struct Response {
    /// Anything at all.
    pub(super) any: bool,
    pub(super) ssl_accepted: Option<bool>,
    pub(super) salt: Option<Vec<u8>>,
    /// What it wants of the client, or that it wants nothing more.
    pub(super) message: Option<&'static str>,
    pub(super) sasl_final: Option<Vec<u8>>,
    /// Process and secret.
    pub(super) key: Option<(u32, u32)>,
    pub(super) field_count: Option<u16>,
    pub(super) data_rows: u64,
    pub(super) data_size: u64,
    pub(super) completed: Option<Vec<u8>>,
    /// Fields of an error: letter and text.
    pub(super) error: Vec<(u8, Vec<u8>)>,
    parameters: Vec<u8>,
}

impl Response {
    /// A parameter of the server; more than there is room for are not told of.
    pub(super) fn parameter(&mut self, name: &[u8], value: &[u8]) {
        if self.parameters.len() + name.len() + value.len() <= PARAMETER_BYTES_MAX {
            entry(&mut self.parameters, name, value);
        }
    }

    fn write(&self, to: &mut Vec<u8>) {
        let start = to.len();
        if let Some(accepted) = self.ssl_accepted {
            literal(to, if accepted { r#","ssl_accepted":true"# } else { r#","ssl_accepted":false"# });
        }
        if let Some(salt) = &self.salt {
            literal(to, r#","authentication_md5_password":"#);
            bytes(to, salt);
        }
        if let Some(text) = &self.sasl_final {
            literal(to, r#","authentication_sasl_final":"#);
            bytes(to, text);
        }
        // An error tells its own.
        let message = self.message.filter(|_| self.error.iter().all(|(letter, _)| *letter != b'M'));
        if let Some(message) = message {
            literal(to, r#","message":""#);
            literal(to, message);
            to.push(b'"');
        }
        if !self.parameters.is_empty() {
            literal(to, r#","parameter_status":["#);
            to.extend_from_slice(&self.parameters);
            to.push(b']');
        }
        if let Some((process, secret)) = self.key {
            number_after(to, r#","process_id":"#, u64::from(process));
            number_after(to, r#","secret_key":"#, u64::from(secret));
        }
        if let Some(count) = self.field_count {
            number_after(to, r#","field_count":"#, u64::from(count));
        }
        if self.data_rows > 0 {
            number_after(to, r#","data_rows":"#, self.data_rows);
            number_after(to, r#","data_size":"#, self.data_size);
        }
        if let Some(completed) = &self.completed {
            literal(to, r#","command_completed":"#);
            bytes(to, completed);
        }
        for (letter, name) in ERROR_FIELDS {
            if let Some((_, text)) = self.error.iter().find(|(other, _)| *other == letter) {
                literal(to, ",\"");
                literal(to, name);
                literal(to, "\":");
                bytes(to, text);
            }
        }
        // The first of them has no comma before it.
        if to.len() > start {
            to.remove(start);
        }
    }
}

/// Appends `{"name":"value"}` to a list.
pub(super) fn entry(to: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    if !to.is_empty() {
        to.push(b',');
    }
    to.push(b'{');
    bytes(to, name);
    to.push(b':');
    bytes(to, value);
    to.push(b'}');
}

/// One request with what the server said to it.
#[derive(Debug)]
pub(crate) struct PgsqlTransaction {
    pub(super) id: u64,
    /// Members of the request's object.
    pub(super) request: Vec<u8>,
    pub(super) response: Response,
    /// Nothing more belongs to it.
    pub(super) done: bool,
    /// It is of the extended protocol, of which nothing is told.
    pub(super) silent: bool,
}

impl PgsqlTransaction {
    /// `"pgsql":{…}`.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        number_after(to, r#""pgsql":{"tx_id":"#, self.id.saturating_add(1));
        literal(to, r#","request":{"#);
        to.extend_from_slice(&self.request);
        to.push(b'}');
        if self.response.any {
            literal(to, r#","response":{"#);
            self.response.write(to);
            to.push(b'}');
        }
        to.push(b'}');
    }
}

impl Transaction for PgsqlTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn stage(&self, direction: Direction) -> Stage {
        match direction {
            Direction::ToServer => Stage::Complete,
            Direction::ToClient if self.done => Stage::Complete,
            Direction::ToClient => Stage::Waiting,
        }
    }

    fn buffer<'a>(&'a self, _: Direction, _: Buffer, _: usize, _: &'a mut Vec<u8>) -> Option<View<'a>> {
        None
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, _: Direction, _: &str, _: usize) -> Option<u64> {
        None
    }

    fn events(&self, _: Direction) -> Events<'_> {
        &[]
    }

    fn context(&self, members: &mut Vec<u8>) {
        if !self.silent {
            self.write(members);
        }
    }
}
