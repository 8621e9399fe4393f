//! `anomaly` records: events of detection and of transactions, told once each.

use app::{Direction, Protocol};
use event::json::literal;

use crate::{Record, Transaction};

/// How many events of which transaction were told, by its number; only transactions with events are here.
#[derive(Default, Debug)]
pub(crate) struct Written(Vec<(u64, [u8; 2])>);

impl Written {
    /// Another parser's transactions follow.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    /// Tells the events of a transaction that were not told; `packet` is the direction of the packet in hand.
    pub(crate) fn transaction(
        &mut self,
        protocol: Protocol,
        packet: Direction,
        transaction: &dyn Transaction,
        records: &mut Vec<Record>,
    ) {
        // Of Modbus the reference tells none; those of SIP are of a datagram behind the message whose they are, which it has
        // written down by then.
        if matches!(protocol, Protocol::Modbus | Protocol::Sip) {
            return;
        }
        for direction in Direction::BOTH {
            let events = transaction.events(direction);
            // One list for both ways is told once.
            let shared = direction == Direction::ToClient
                && std::ptr::eq(events, transaction.events(Direction::ToServer));
            if events.is_empty() || shared {
                continue;
            }
            let id = transaction.id();
            let at = match self.0.binary_search_by_key(&id, |&(id, _)| id) {
                Ok(at) => at,
                Err(at) => {
                    self.0.insert(at, (id, [0; 2]));
                    at
                }
            };
            let Some(told) = self.0.get_mut(at).and_then(|(_, told)| told.get_mut(direction.index())) else {
                continue;
            };
            for event in events.iter().skip(usize::from(*told)) {
                records.push(record(protocol, packet, event, Some(id)));
            }
            *told = u8::try_from(events.len()).unwrap_or(u8::MAX);
        }
        // Transactions that are gone say nothing more; the oldest numbers are theirs.
        if self.0.len() > KEPT_MAX {
            self.0.drain(..KEPT_MAX / 2);
        }
    }
}

/// Transactions with events that are remembered.
const KEPT_MAX: usize = 1024;

/// Tells events of detection.
pub(crate) fn detection(
    protocol: Protocol,
    direction: Direction,
    events: &[&str],
    records: &mut Vec<Record>,
) {
    for event in events {
        records.push(record(protocol, direction, event, None));
    }
}

fn record(protocol: Protocol, direction: Direction, event: &str, tx_id: Option<u64>) -> Record {
    let mut members = Vec::with_capacity(128);
    literal(&mut members, r#""anomaly":{"app_proto":""#);
    literal(&mut members, protocol.as_str());
    literal(&mut members, r#"","type":"applayer","event":""#);
    // The rule language names `http.host_header_ambiguous`; the record has the part behind the dot, in upper case
    // where the reference's parser is one of its older ones.
    let name = event.split_once('.').map_or(event, |(_, name)| name);
    let upper = tx_id.is_none()
        || matches!(
            protocol,
            Protocol::Http1
                | Protocol::Smtp
                | Protocol::Tls
                | Protocol::Ftp
                | Protocol::Dnp3
                | Protocol::Enip
        );
    if upper {
        members.extend(name.bytes().map(|byte| byte.to_ascii_uppercase()));
    } else {
        literal(&mut members, name);
    }
    let layer = if tx_id.is_some() { "proto_parser" } else { "proto_detect" };
    literal(&mut members, r#"","layer":""#);
    literal(&mut members, layer);
    literal(&mut members, r#""}"#);
    Record { event_type: "anomaly", direction, tx_id, members }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_the_reference_does() {
        for (protocol, event, tx, text) in [
            (
                Protocol::Http1,
                "http.range_invalid",
                Some(1),
                r#""app_proto":"http","type":"applayer","event":"RANGE_INVALID","layer":"proto_parser"}"#,
            ),
            (
                Protocol::Dns,
                "dns.name_too_long",
                Some(0),
                r#""app_proto":"dns","type":"applayer","event":"name_too_long","layer":"proto_parser"}"#,
            ),
            (
                Protocol::Smtp,
                "applayer_unexpected_protocol",
                None,
                r#""app_proto":"smtp","type":"applayer","event":"APPLAYER_UNEXPECTED_PROTOCOL","layer":"proto_detect"}"#,
            ),
        ] {
            let record = record(protocol, Direction::ToServer, event, tx);
            assert_eq!(String::from_utf8(record.members).unwrap(), format!(r#""anomaly":{{{text}"#));
        }
    }
}
