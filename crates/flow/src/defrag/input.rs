//! One fragment as it is read from its frame.
//!
//! In: a frame and its parsed [`Packet`]. Out: the datagram's key, the payload and where it goes, and, of the first
//! fragment, the headers to keep; or why the fragment is dropped.

use std::hash::{Hash, Hasher};

use wire::{L3, Packet, TenantId};

use super::outcome::DropReason;

/// The longest headers kept in front of a datagram's payload, in bytes: five chunks, more than a jumbo frame holds.
pub(super) const HEADER_LEN_MAX: usize = 10_240;
/// A datagram's payload cannot go beyond this offset (RFC 791: total length; RFC 8200: payload length).
pub(super) const PAYLOAD_END_MAX: u32 = 65_535;

const IPV6_HEADER_LEN: usize = 40;
const IPV6_FRAGMENT_HEADER_LEN: usize = 8;
const IPV6_NEXT_HEADER_AT: usize = 6;

/// Protocol numbers (IANA) of the IPv6 headers that may stand in front of a fragment header.
mod protocol {
    pub(super) const HOP_BY_HOP: u8 = 0;
    pub(super) const ROUTING: u8 = 43;
    pub(super) const FRAGMENT: u8 = 44;
    pub(super) const AUTHENTICATION: u8 = 51;
    pub(super) const DESTINATION: u8 = 60;
    pub(super) const MOBILITY: u8 = 135;
    pub(super) const HIP: u8 = 139;
    pub(super) const SHIM6: u8 = 140;
}

/// What tells one datagram's fragments from another's: RFC 791 3.2 for IPv4 (with the protocol), RFC 8200 4.5 for IPv6
/// (without, since fragments other than the first may say anything), and whose network it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key {
    pub(super) src: [u8; 16],
    pub(super) dst: [u8; 16],
    pub(super) id: u32,
    pub(super) vids: [u16; 2],
    pub(super) vlan_count: u8,
    pub(super) ip_version: u8,
    pub(super) protocol: u8,
    pub(super) tenant: TenantId,
}

impl Hash for Key {
    /// In one piece: a keyed hash costs most by the call.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut bytes = [0; 45];
        let (addresses, rest) = bytes.split_at_mut(32);
        let (src, dst) = addresses.split_at_mut(16);
        src.copy_from_slice(&self.src);
        dst.copy_from_slice(&self.dst);
        let [outer, inner] = self.vids.map(u16::to_be_bytes);
        let [id, tenant] = [self.id.to_be_bytes(), u32::from(self.tenant.0).to_be_bytes()];
        rest.copy_from_slice(&[
            id[0],
            id[1],
            id[2],
            id[3],
            outer[0],
            outer[1],
            inner[0],
            inner[1],
            tenant[2],
            tenant[3],
            self.vlan_count,
            self.ip_version,
            self.protocol,
        ]);
        state.write(&bytes);
    }
}

/// The headers of a first fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header<'a> {
    /// From the IP header on, without the IPv6 fragment header.
    pub(super) bytes: &'a [u8],
    /// In IPv6: where in `bytes` the fragment header was announced, and what is to be announced instead.
    pub(super) next: Option<(u16, u8)>,
}

/// A fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Input<'a> {
    pub(super) key: Key,
    pub(super) offset: u32,
    pub(super) more: bool,
    /// Only of a fragment at offset 0.
    pub(super) header: Option<Header<'a>>,
    pub(super) payload: &'a [u8],
}

impl<'a> Input<'a> {
    /// Reads the fragment that `packet` says `frame` is.
    pub(super) fn read(
        frame: &'a [u8],
        packet: &Packet,
        fragment: wire::Fragment,
        tenant: TenantId,
    ) -> Result<Self, DropReason> {
        let ip_version = match packet.l3 {
            L3::Ipv4 => 4,
            L3::Ipv6 => 6,
            L3::Arp | L3::Other => return Err(DropReason::Malformed),
        };
        let (headers, payload) = slices(frame, packet).ok_or(DropReason::Malformed)?;
        if !fragment.offset.is_multiple_of(8) {
            return Err(DropReason::Malformed);
        }
        let header = match (fragment.offset, ip_version) {
            (0, 4) => Some(ipv4_header(headers).ok_or(DropReason::Malformed)?),
            (0, _) => Some(ipv6_header(headers).ok_or(DropReason::Malformed)?),
            _ => None,
        };
        if header.is_some_and(|header| header.bytes.len() > HEADER_LEN_MAX) {
            return Err(DropReason::HeaderTooLong);
        }
        let key = Key {
            src: packet.tuple.src.0,
            dst: packet.tuple.dst.0,
            id: fragment.id,
            vids: packet.vlans.vids,
            vlan_count: packet.vlans.count,
            ip_version,
            protocol: if ip_version == 4 { packet.tuple.protocol } else { 0 },
            tenant,
        };
        Ok(Self { key, offset: fragment.offset, more: fragment.more, header, payload })
    }

    /// Where the payload ends in the datagram's, in bytes, exclusive.
    pub(super) fn end(&self) -> u32 {
        self.offset.saturating_add(self.payload.len() as u32)
    }
}

/// The headers up to the fragment's payload, and the payload.
fn slices<'a>(frame: &'a [u8], packet: &Packet) -> Option<(&'a [u8], &'a [u8])> {
    let headers = frame.get(usize::from(packet.l3_offset)..usize::from(packet.payload_offset))?;
    let payload = frame.get(usize::from(packet.payload_offset)..)?.get(..usize::from(packet.payload_len))?;
    Some((headers, payload))
}

fn ipv4_header(bytes: &[u8]) -> Option<Header<'_>> {
    let header_len = usize::from(bytes.first()? & 0x0f) * 4;
    (header_len >= 20 && header_len == bytes.len()).then_some(Header { bytes, next: None })
}

/// Walks the headers to the fragment header at their end, because the one before it names the payload's protocol.
fn ipv6_header(headers: &[u8]) -> Option<Header<'_>> {
    let (bytes, fragment) = headers.split_at_checked(headers.len().checked_sub(IPV6_FRAGMENT_HEADER_LEN)?)?;
    let mut announced_at = IPV6_NEXT_HEADER_AT;
    let mut at = IPV6_HEADER_LEN;
    while at < bytes.len() {
        let words = usize::from(*bytes.get(at + 1)?);
        let header_len = match *bytes.get(announced_at)? {
            protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::DESTINATION
            | protocol::MOBILITY
            | protocol::HIP
            | protocol::SHIM6 => 8 + words * 8,
            // RFC 4302 2.2.
            protocol::AUTHENTICATION => 8 + words * 4,
            // An atomic one (RFC 6946): it stays.
            protocol::FRAGMENT => 8,
            _ => return None,
        };
        announced_at = at;
        at += header_len;
    }
    (at == bytes.len() && *bytes.get(announced_at)? == protocol::FRAGMENT)
        .then_some(Header { bytes, next: Some((announced_at as u16, *fragment.first()?)) })
}
