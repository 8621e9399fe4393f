//! What rules see of a TLS connection.

use app::{Buffer, Direction, Stage};

use super::{TlsTransaction, hello, log};
use crate::{Events, Transaction, View};

impl Transaction for TlsTransaction {
    fn id(&self) -> u64 {
        0
    }

    fn stage(&self, direction: Direction) -> Stage {
        self.facts.side(direction).stage
    }

    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        scratch: &'a mut Vec<u8>,
    ) -> Option<View<'a>> {
        let facts = &self.facts;
        let side = facts.side(direction);
        if buffer == Buffer::TlsCerts {
            return side.chain.get(index).map(|der| View::whole(der));
        }
        if index > 0 {
            return None;
        }
        let certificate = side.certificate.as_ref();
        let hello = side.hello.as_ref();
        let mut hash = |text: &String| {
            scratch.clear();
            scratch.extend_from_slice(hello::md5_hex(text).as_bytes());
        };
        let bytes = match (buffer, direction) {
            (Buffer::TlsSni, Direction::ToServer) => facts.sni()?,
            (Buffer::Ja3Hash, Direction::ToServer) => {
                hash(facts.ja3.as_ref()?);
                scratch.as_slice()
            }
            (Buffer::Ja3sHash, Direction::ToClient) => {
                hash(facts.ja3s.as_ref()?);
                scratch.as_slice()
            }
            (Buffer::Ja3String, Direction::ToServer) => facts.ja3.as_ref()?.as_bytes(),
            (Buffer::Ja3sString, Direction::ToClient) => facts.ja3s.as_ref()?.as_bytes(),
            (Buffer::Ja4Hash, Direction::ToServer) => facts.ja4.as_ref()?.as_bytes(),
            (Buffer::TlsCertSubject, _) => certificate?.subject.as_bytes(),
            (Buffer::TlsCertIssuer, _) => certificate?.issuer.as_bytes(),
            (Buffer::TlsCertSerial, _) => certificate?.serial.as_bytes(),
            (Buffer::TlsCertFingerprint, _) => certificate?.fingerprint.as_bytes(),
            (Buffer::TlsRandom, _) => &hello?.random,
            (Buffer::TlsRandomTime, _) => hello?.random.get(..4)?,
            (Buffer::TlsRandomBytes, _) => hello?.random.get(4..)?,
            _ => return None,
        };
        Some(View::whole(bytes))
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, direction: Direction, field: &str, index: usize) -> Option<u64> {
        let facts = &self.facts;
        let side = facts.side(direction);
        let certificate = side.certificate.as_ref();
        let seconds = |time_s: i64| u64::try_from(time_s).unwrap_or_default();
        match (field, index) {
            ("tls.version" | "ssl_version", 0) if side.version != 0 => Some(u64::from(side.version)),
            ("ssl_state", _) => {
                let seen = [
                    facts.client.hello.is_some(),
                    facts.server.hello.is_some(),
                    facts.client.key_exchanged,
                    facts.server.key_exchanged,
                    facts.client.hello.is_none() && facts.server.hello.is_none(),
                ];
                // By their places in the list of names that the rule language has for them.
                (0..).zip(seen).filter(|(_, seen)| *seen).nth(index).map(|(state, _)| state)
            }
            ("tls.cert_chain_len", 0) => Some(side.chain.len() as u64),
            ("tls_cert_notbefore", 0) => Some(seconds(certificate?.not_before_s)),
            ("tls_cert_notafter", 0) => Some(seconds(certificate?.not_after_s)),
            ("tls_cert_expired", 0) => Some(u64::from(certificate?.is_expired())),
            ("tls_cert_valid", 0) => Some(u64::from(certificate?.is_valid())),
            _ => None,
        }
    }

    fn events(&self, direction: Direction) -> Events<'_> {
        &self.facts.side(direction).events
    }

    fn context(&self, members: &mut Vec<u8>) {
        log::write(members, &self.facts, None);
    }
}
