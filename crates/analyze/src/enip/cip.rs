//! The Common Industrial Protocol within EtherNet/IP (ODVA, "The CIP Networks Library", volumes 1 and 2): which services
//! are asked of which objects.

use crate::CipService;
use crate::reader::Reader;

/// Commands that carry CIP.
pub(super) const SEND_RR_DATA: u16 = 0x6f;
pub(super) const SEND_UNIT_DATA: u16 = 0x70;

/// Items of the common packet format that carry a message: within a connection, and without.
const CONNECTED_DATA: u16 = 0xb1;
const UNCONNECTED_DATA: u16 = 0xb2;

/// The service is answered, not asked for.
const RESPONSE: u8 = 0x80;
/// Several services in one message.
const MULTIPLE: u8 = 0x0a;
/// Services that name attributes in their data.
const GET_ATTRIBUTE_LIST: u8 = 3;
const SET_ATTRIBUTE_LIST: u8 = 4;

/// Services of one message that are looked at.
const SERVICES_MAX: usize = 128;
/// Attributes of one service that are looked at.
const ATTRIBUTES_MAX: usize = 256;

/// A number of two bytes, least significant first.
pub(super) fn little16(reader: &mut Reader<'_>) -> Option<u16> {
    reader.u16().map(u16::swap_bytes)
}

/// The services that the data of a command asks for.
pub(super) fn services(data: &[u8]) -> Vec<CipService> {
    let mut services = Vec::new();
    let _ = items(data, &mut services);
    services
}

/// The items of the common packet format; `None` where they end too early.
fn items(data: &[u8], services: &mut Vec<CipService>) -> Option<()> {
    let mut reader = Reader(data);
    // The interface's handle, and the timeout.
    reader.take(6)?;
    for _ in 0..little16(&mut reader)? {
        let kind = little16(&mut reader)?;
        let len = little16(&mut reader)?;
        let mut item = Reader(reader.take(usize::from(len))?);
        if kind == CONNECTED_DATA {
            // The connection's count of messages.
            item.u16()?;
        }
        if matches!(kind, CONNECTED_DATA | UNCONNECTED_DATA) {
            request(item, true, services);
        }
    }
    Some(())
}

/// One message of CIP; several services are not nested in several services.
fn request(mut reader: Reader<'_>, may_be_several: bool, to: &mut Vec<CipService>) -> Option<()> {
    let service = reader.u8()?;
    if service & RESPONSE != 0 || to.len() >= SERVICES_MAX {
        return None;
    }
    let words = reader.u8()?;
    let path = reader.take(usize::from(words) * 2)?;
    let mut asked = CipService { service, ..CipService::default() };
    let _ = segments(Reader(path), &mut asked);
    if matches!(service, GET_ATTRIBUTE_LIST | SET_ATTRIBUTE_LIST) {
        let mut list = reader;
        for _ in 0..little16(&mut list).unwrap_or_default() {
            let Some(attribute) = little16(&mut list).filter(|_| asked.attributes.len() < ATTRIBUTES_MAX)
            else {
                break;
            };
            asked.attributes.push(attribute);
            if service == SET_ATTRIBUTE_LIST {
                // What follows is the attribute's value, of a length that only its object knows.
                break;
            }
        }
    }
    to.push(asked);
    if service == MULTIPLE && may_be_several {
        // Where each begins is counted from their number.
        let all = reader;
        let count = little16(&mut reader)?;
        for _ in 0..count {
            let offset = little16(&mut reader)?;
            let Some(one) = all.0.get(usize::from(offset)..) else { continue };
            request(Reader(one), false, to);
        }
    }
    Some(())
}

/// The logical segments of a path: class, instance, attribute; what follows others is not looked at.
fn segments(mut reader: Reader<'_>, asked: &mut CipService) -> Option<()> {
    while let Some(segment) = reader.u8() {
        // Three bits are the kind of segment, three of a logical one what it names, two how wide that is.
        let value = match segment & 3 {
            0 => u16::from(reader.u8()?),
            1 => {
                reader.u8()?;
                little16(&mut reader)?
            }
            _ => return None,
        };
        match segment & 0xfc {
            0x20 => asked.classes.push(value),
            0x30 => asked.attributes.push(value),
            // Instances, and points of a connection.
            0x24 | 0x2c => {}
            _ => return None,
        }
    }
    Some(())
}
