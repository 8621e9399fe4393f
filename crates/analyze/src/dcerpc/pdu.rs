//! DCE/RPC's protocol data units over a connection (C706, section 12.6), and calls made of them.

use std::sync::Arc;

use event::json;

use crate::smb::fields::part;
use crate::{DceCall, DceInterface};

/// The common header's length, which is also the least that a fragment has.
pub(crate) const HEADER_BYTES: usize = 16;

/// The header of a request or response.
const CALL_BYTES: usize = 24;

pub(crate) const REQUEST: u8 = 0;
pub(crate) const RESPONSE: u8 = 2;
pub(crate) const BIND: u8 = 11;
pub(crate) const BINDACK: u8 = 12;
pub(crate) const ALTER_CONTEXT: u8 = 14;
pub(crate) const ALTER_CONTEXT_RESPONSE: u8 = 15;

const FIRST_FRAGMENT: u8 = 1;
const LAST_FRAGMENT: u8 = 2;
const HAS_OBJECT: u8 = 0x80;

/// The answer to a context that asks for features only (MS-RPCE 2.2.2.4).
const NEGOTIATED: u16 = 3;

/// Interfaces that one flow may bind.
const INTERFACES_MAX: usize = 64;

/// Stub data of one call and direction that is kept.
const STUB_MAX: usize = 1 << 20;

/// What a unit is called in records.
pub(crate) const fn name(kind: u8) -> &'static str {
    match kind {
        0 => "REQUEST",
        1 => "PING",
        2 => "RESPONSE",
        3 => "FAULT",
        4 => "WORKING",
        5 => "NOCALL",
        6 => "REJECT",
        7 => "ACK",
        8 => "CL_CANCEL",
        9 => "FACK",
        10 => "CANCEL_ACK",
        11 => "BIND",
        12 => "BINDACK",
        13 => "BINDNAK",
        14 => "ALTER_CONTEXT",
        15 => "ALTER_CONTEXT_RESP",
        16 => "AUTH3",
        17 => "SHUTDOWN",
        18 => "CO_CANCEL",
        19 => "ORPHANED",
        _ => "UNKNOWN",
    }
}

/// One unit: its header, and its bytes as far as they are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pdu<'a> {
    pub kind: u8,
    pub flags: u8,
    pub little: bool,
    /// Its length, header included.
    pub len: usize,
    pub call_id: u32,
    bytes: &'a [u8],
}

impl<'a> Pdu<'a> {
    /// Reads the header; `None` if it is none or not whole.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let &[5, _, kind, flags, order, _, _, _, ref numbers @ ..] = bytes.first_chunk::<HEADER_BYTES>()?
        else {
            return None;
        };
        let little = match order >> 4 {
            0 => false,
            1 => true,
            _ => return None,
        };
        let (&len, &id) = (numbers.first_chunk::<2>()?, numbers.last_chunk::<4>()?);
        let len = if little { u16::from_le_bytes(len) } else { u16::from_be_bytes(len) };
        let call_id = if little { u32::from_le_bytes(id) } else { u32::from_be_bytes(id) };
        let len = usize::from(len);
        let least = if matches!(kind, REQUEST | RESPONSE) { CALL_BYTES } else { HEADER_BYTES };
        (len >= least && kind <= 19).then(|| Self {
            kind,
            flags,
            little,
            len,
            call_id,
            bytes: bytes.get(..len).unwrap_or(bytes),
        })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let pair = *self.bytes.get(at..)?.first_chunk::<2>()?;
        Some(if self.little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) })
    }

    /// Whether it is the first of its call's fragments.
    pub(crate) const fn is_first(&self) -> bool {
        self.flags & FIRST_FRAGMENT != 0
    }

    /// Whether it is the last of its call's fragments.
    pub(crate) const fn is_last(&self) -> bool {
        self.flags & LAST_FRAGMENT != 0
    }

    /// The context of a request or response.
    fn context(&self) -> u16 {
        self.u16(20).unwrap_or_default()
    }

    fn operation(&self) -> u16 {
        self.u16(22).unwrap_or_default()
    }

    /// Stub data of a request or response.
    fn stub(&self) -> &'a [u8] {
        let object = if self.kind == REQUEST && self.flags & HAS_OBJECT != 0 { 16 } else { 0 };
        self.bytes.get(CALL_BYTES + object..).unwrap_or_default()
    }
}

/// A UUID as it goes over the wire, as on paper.
pub(crate) fn on_paper(mut uuid: [u8; 16], little: bool) -> [u8; 16] {
    if little {
        for (from, to) in [(0, 4), (4, 6), (6, 8)] {
            if let Some(part) = uuid.get_mut(from..to) {
                part.reverse();
            }
        }
    }
    uuid
}

/// Appends a UUID as on paper, in quotes.
pub(crate) fn write_uuid(to: &mut Vec<u8>, uuid: &[u8]) {
    to.push(b'"');
    for (at, &byte) in uuid.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            to.push(b'-');
        }
        to.extend_from_slice(&json::hex(byte));
    }
    to.push(b'"');
}

/// The interfaces that a flow has bound.
#[derive(Default, Debug)]
pub(crate) struct Bindings {
    interfaces: Arc<Vec<DceInterface>>,
}

impl Bindings {
    /// What is bound now.
    pub(crate) fn shared(&self) -> Arc<Vec<DceInterface>> {
        Arc::clone(&self.interfaces)
    }

    /// A bind, or a change of context, which adds to what is there.
    pub(crate) fn bind(&mut self, pdu: &Pdu<'_>) {
        let mut interfaces = if pdu.kind == BIND { Vec::new() } else { Vec::clone(&self.interfaces) };
        let count = pdu.bytes.get(24).copied().unwrap_or_default();
        let mut at = 28_usize;
        for _ in 0..count {
            let (Some(context), Some(&transfers)) = (pdu.u16(at), pdu.bytes.get(at + 2)) else { break };
            let Some(uuid) = part(pdu.bytes, at + 4, 16).and_then(|uuid| uuid.first_chunk().copied()) else {
                break;
            };
            let (Some(version), Some(minor)) = (pdu.u16(at + 20), pdu.u16(at + 22)) else { break };
            if interfaces.len() < INTERFACES_MAX {
                interfaces.push(DceInterface {
                    uuid: on_paper(uuid, pdu.little),
                    version,
                    minor,
                    context,
                    answer: None,
                });
            }
            at += 24 + usize::from(transfers) * 20;
        }
        self.interfaces = Arc::new(interfaces);
    }

    /// The answer to the latest of them.
    pub(crate) fn acknowledge(&mut self, pdu: &Pdu<'_>) {
        let Some(address) = pdu.u16(24) else { return };
        let at = (26 + usize::from(address)).next_multiple_of(4);
        let count = pdu.bytes.get(at).copied().unwrap_or_default();
        let mut interfaces = Vec::clone(&self.interfaces);
        let open = interfaces.iter_mut().filter(|interface| interface.answer.is_none());
        for (number, interface) in (0..usize::from(count)).zip(open) {
            let place = at + 4 + number * 24;
            let (Some(result), Some(reason)) = (pdu.u16(place), pdu.u16(place + 2)) else { break };
            // Where features were agreed upon, what follows are these and no reason.
            interface.answer = Some((result, if result == NEGOTIATED { 0 } else { reason }));
        }
        self.interfaces = Arc::new(interfaces);
    }
}

/// One call: a request with its response, each perhaps in fragments.
#[derive(Clone, Default, Debug)]
pub(crate) struct Call {
    pub request: Option<u8>,
    pub response: Option<u8>,
    pub number: u32,
    operation: u16,
    context: u16,
    first_fragment: bool,
    little: bool,
    stub: [Vec<u8>; 2],
    size: [u64; 2],
    fragments: [u64; 2],
    pub done: [bool; 2],
    interfaces: Arc<Vec<DceInterface>>,
}

impl Call {
    /// What the client sends.
    pub(crate) fn requested(&mut self, pdu: &Pdu<'_>, bindings: &mut Bindings) {
        if matches!(pdu.kind, BIND | ALTER_CONTEXT) {
            bindings.bind(pdu);
        }
        self.interfaces = bindings.shared();
        if self.request.is_none() {
            self.number = pdu.call_id;
            self.little = pdu.little;
            self.operation = pdu.operation();
            self.context = pdu.context();
        }
        self.request = Some(pdu.kind);
        self.first_fragment |= pdu.is_first();
        self.fragment(0, pdu, REQUEST);
    }

    /// What the server sends.
    pub(crate) fn answered(&mut self, pdu: &Pdu<'_>, bindings: &mut Bindings) {
        if matches!(pdu.kind, BINDACK | ALTER_CONTEXT_RESPONSE) {
            bindings.acknowledge(pdu);
        }
        self.interfaces = bindings.shared();
        if self.request.is_none() {
            self.number = pdu.call_id;
            self.little = pdu.little;
        }
        self.response = Some(pdu.kind);
        self.fragment(1, pdu, RESPONSE);
    }

    fn fragment(&mut self, way: usize, pdu: &Pdu<'_>, kind: u8) {
        if pdu.kind == kind {
            let stub = pdu.stub();
            if let Some(kept) = self.stub.get_mut(way) {
                let room = STUB_MAX.saturating_sub(kept.len()).min(stub.len());
                kept.extend_from_slice(stub.get(..room).unwrap_or_default());
            }
            if let Some(size) = self.size.get_mut(way) {
                *size = size.saturating_add(stub.len() as u64);
            }
            if let Some(fragments) = self.fragments.get_mut(way) {
                *fragments = fragments.saturating_add(1);
            }
        }
        if let Some(done) = self.done.get_mut(way) {
            *done |= pdu.is_last();
        }
    }

    /// Stub data of the request (0) or the response (1).
    pub(crate) fn stub(&self, way: usize) -> Option<&[u8]> {
        self.stub.get(way).map(Vec::as_slice).filter(|stub| !stub.is_empty())
    }

    /// What `dce_iface`, `dce_opnum` and numbers in DCE/RPC's byte order are asked of.
    pub(crate) fn view(&self, by_context: bool) -> DceCall<'_> {
        DceCall {
            operation: (self.request == Some(REQUEST)).then_some(self.operation),
            context: by_context.then_some(self.context),
            first_fragment: self.first_fragment,
            little_endian: self.little,
            interfaces: &self.interfaces,
        }
    }

    /// Appends the object of the record, open at its end; `reasons` is whether answers to binds have their reason, as within
    /// SMB.
    pub(crate) fn write(&self, to: &mut Vec<u8>, reasons: bool) {
        json::literal(to, "{\"request\":\"");
        json::literal(to, self.request.map_or("REQUEST_LOST", name));
        json::literal(to, "\",\"response\":\"");
        json::literal(to, self.response.map_or("UNREPLIED", name));
        to.push(b'"');
        let [request_size, response_size] = self.size;
        let [request_fragments, response_fragments] = self.fragments;
        let is_call = self.request == Some(REQUEST);
        if is_call {
            // Within SMB the operation stands beside the request, otherwise in it.
            let start = if reasons { ",\"opnum\":" } else { ",\"req\":{\"opnum\":" };
            json::number_after(to, start, u64::from(self.operation));
            let next = if reasons { ",\"req\":{\"frag_cnt\":" } else { ",\"frag_cnt\":" };
            json::number_after(to, next, request_fragments);
            json::number_after(to, ",\"stub_data_size\":", request_size);
            to.push(b'}');
        }
        let is_bind = matches!(self.request, Some(BIND | ALTER_CONTEXT));
        if (is_bind || is_call && reasons) && !self.interfaces.is_empty() {
            self.write_interfaces(to, is_bind, reasons);
        }
        if self.response == Some(RESPONSE) {
            json::number_after(to, ",\"res\":{\"frag_cnt\":", response_fragments);
            json::number_after(to, ",\"stub_data_size\":", response_size);
            to.push(b'}');
        }
        json::number_after(to, ",\"call_id\":", u64::from(self.number));
    }

    fn write_interfaces(&self, to: &mut Vec<u8>, answers: bool, reasons: bool) {
        let mut separator = ",\"interfaces\":[";
        for interface in self.interfaces.iter() {
            json::literal(to, separator);
            json::literal(to, "{\"uuid\":");
            write_uuid(to, &interface.uuid);
            json::number_after(to, ",\"version\":\"", u64::from(interface.version));
            json::number_after(to, ".", u64::from(interface.minor));
            to.push(b'"');
            if let Some((result, reason)) = interface.answer.filter(|_| answers) {
                json::number_after(to, ",\"ack_result\":", u64::from(result));
                if reasons {
                    json::number_after(to, ",\"ack_reason\":", u64::from(reason));
                }
            }
            to.push(b'}');
            separator = ",";
        }
        to.push(b']');
    }
}
