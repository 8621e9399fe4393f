//! Protection of Initial packets (RFC 9001 5): keys that everybody can derive from the client's first packet.

use aes::Aes128;
use aes::cipher::BlockEncrypt;
use aes_gcm::aead::generic_array::GenericArray;
use aes_gcm::{AeadInPlace, Aes128Gcm, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;

use super::header::{Header, Q050, V2};

/// The keys of one side.
struct SideKeys {
    key: Aes128Gcm,
    iv: [u8; 12],
    mask: Aes128,
}

/// The Initial keys of a connection.
pub(super) struct Keys {
    client: SideKeys,
    server: SideKeys,
}

/// The salt of a version; `None`: its Initial packets are not known.
const fn salt(version: u32) -> Option<[u8; 20]> {
    Some(match version {
        1 => *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a",
        V2 => *b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9",
        // Drafts 29 to 34.
        0xff00_001d..=0xff00_0022 => {
            *b"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
        }
        // Drafts 23 to 28, and Facebook's of them.
        0xff00_0017..=0xff00_001c | 0xface_b002 => {
            *b"\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"
        }
        Q050 => *b"\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45",
        _ => return None,
    })
}

/// Whether Initial packets of a version can be opened.
pub(super) const fn is_known(version: u32) -> bool {
    salt(version).is_some()
}

/// HKDF-Expand-Label (RFC 8446 7.1) without context.
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &str) -> Option<[u8; N]> {
    let mut info = Vec::with_capacity(32);
    info.extend_from_slice(&(N as u16).to_be_bytes());
    info.push(6 + label.len() as u8);
    info.extend_from_slice(b"tls13 ");
    info.extend_from_slice(label.as_bytes());
    info.push(0);
    let mut out = [0; N];
    secret.expand(&info, &mut out).ok()?;
    Some(out)
}

impl SideKeys {
    fn new(initial: &Hkdf<Sha256>, label: &str, version: u32) -> Option<Self> {
        let secret = expand::<32>(initial, label)?;
        let secret = Hkdf::<Sha256>::from_prk(&secret).ok()?;
        let [key, iv, mask] = if version == V2 {
            ["quicv2 key", "quicv2 iv", "quicv2 hp"]
        } else {
            ["quic key", "quic iv", "quic hp"]
        };
        Some(Self {
            key: Aes128Gcm::new(&GenericArray::from(expand::<16>(&secret, key)?)),
            iv: expand(&secret, iv)?,
            mask: Aes128::new(&GenericArray::from(expand::<16>(&secret, mask)?)),
        })
    }
}

impl Keys {
    /// The keys for a connection whose client's first packet went to `destination`.
    pub(super) fn new(version: u32, destination: &[u8]) -> Option<Self> {
        let (_, initial) = Hkdf::<Sha256>::extract(Some(&salt(version)?), destination);
        Some(Self {
            client: SideKeys::new(&initial, "client in", version)?,
            server: SideKeys::new(&initial, "server in", version)?,
        })
    }

    /// The frames of an Initial packet; `None` if it was not made with these keys.
    pub(super) fn open(&self, from_client: bool, packet: &[u8], header: &Header<'_>) -> Option<Vec<u8>> {
        let side = if from_client { &self.client } else { &self.server };
        let packet = packet.get(..header.end)?;
        let sample = packet.get(header.number_at + 4..)?.first_chunk::<16>()?;
        let mut mask = GenericArray::from(*sample);
        side.mask.encrypt_block(&mut mask);
        let [flip, number_mask @ ..] = <[u8; 16]>::from(mask);
        let mut associated = packet.get(..header.number_at + 4)?.to_vec();
        let first = associated.first_mut()?;
        *first ^= flip & 0x0f;
        let number_len = usize::from(*first & 3) + 1;
        associated.truncate(header.number_at + number_len);
        let number_bytes = associated.get_mut(header.number_at..)?;
        let mut nonce = side.iv;
        let mut number = 0_u32;
        for (byte, flip) in number_bytes.iter_mut().zip(number_mask) {
            *byte ^= flip;
            number = number << 8 | u32::from(*byte);
        }
        for (place, byte) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
            *place ^= byte;
        }
        let sealed = packet.get(header.number_at + number_len..)?;
        let (body, tag) = sealed.split_last_chunk::<16>()?;
        let mut body = body.to_vec();
        side.key
            .decrypt_in_place_detached(
                &GenericArray::from(nonce),
                &associated,
                &mut body,
                &GenericArray::from(*tag),
            )
            .ok()?;
        Some(body)
    }
}
