//! HPACK decoding (RFC 7541).
//!
//! In: a header block. Out: its fields and changes of the table's size, in order. The dynamic table is capped by what
//! the caller allows, whatever a peer asks for; strings are capped by the block, which the caller caps.

use super::tables::{HUFFMAN, STATIC};
use std::collections::VecDeque;
use std::sync::LazyLock;

/// What a header block says, one by one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Field {
    /// A header.
    Header { name: Vec<u8>, value: Vec<u8> },
    /// The dynamic table may have that many bytes from now on.
    TableSize(u64),
}

/// Why a block could not be read on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Broken {
    /// A number has more than 63 bits.
    Overflow,
    /// It ends too early, or names what is not there.
    Invalid,
}

/// What an entry costs beside its text (RFC 7541, section 4.1).
const ENTRY_COST: usize = 32;

/// The decoding end of one direction.
#[derive(Debug)]
pub(crate) struct Decoder {
    entries: VecDeque<(Vec<u8>, Vec<u8>)>,
    size: usize,
    limit: usize,
    /// The largest `limit` that may be asked for.
    cap: usize,
}

impl Decoder {
    pub(crate) fn new(cap: usize) -> Self {
        Self { entries: VecDeque::new(), size: 0, limit: 4096.min(cap), cap }
    }

    /// Reads a whole block; `fields` gets what was read before it broke, too.
    pub(crate) fn decode(&mut self, block: &[u8], fields: &mut Vec<Field>) -> Result<(), Broken> {
        let mut rest = block;
        while let Some(&first) = rest.first() {
            if first & 0x80 != 0 {
                let index = integer(&mut rest, 7)?;
                let (name, value) = self.entry(index)?;
                fields.push(Field::Header { name: name.to_vec(), value: value.to_vec() });
            } else if first & 0xe0 == 0x20 {
                let size = integer(&mut rest, 5)?;
                self.limit = usize::try_from(size).unwrap_or(usize::MAX).min(self.cap);
                self.evict(0);
                fields.push(Field::TableSize(size));
            } else {
                let indexed = first & 0x40 != 0;
                let index = integer(&mut rest, if indexed { 6 } else { 4 })?;
                let name = if index == 0 { string(&mut rest)? } else { self.entry(index)?.0.to_vec() };
                let value = string(&mut rest)?;
                if indexed {
                    self.insert(name.clone(), value.clone());
                }
                fields.push(Field::Header { name, value });
            }
        }
        Ok(())
    }

    fn entry(&self, index: u64) -> Result<(&[u8], &[u8]), Broken> {
        let index =
            usize::try_from(index).ok().and_then(|index| index.checked_sub(1)).ok_or(Broken::Invalid)?;
        if let Some(&(name, value)) = STATIC.get(index) {
            return Ok((name, value));
        }
        let (name, value) = self.entries.get(index - STATIC.len()).ok_or(Broken::Invalid)?;
        Ok((name, value))
    }

    fn insert(&mut self, name: Vec<u8>, value: Vec<u8>) {
        let cost = name.len() + value.len() + ENTRY_COST;
        self.evict(cost);
        if cost <= self.limit {
            self.size += cost;
            self.entries.push_front((name, value));
        }
    }

    /// Makes room for `cost` bytes.
    fn evict(&mut self, cost: usize) {
        while self.size + cost > self.limit
            && let Some((name, value)) = self.entries.pop_back()
        {
            self.size -= name.len() + value.len() + ENTRY_COST;
        }
    }
}

/// A number whose first byte has `prefix` bits of it (RFC 7541, section 5.1).
fn integer(rest: &mut &[u8], prefix: u8) -> Result<u64, Broken> {
    let (&first, after) = rest.split_first().ok_or(Broken::Invalid)?;
    *rest = after;
    let mask = (1_u64 << prefix) - 1;
    let mut number = u64::from(first) & mask;
    if number < mask {
        return Ok(number);
    }
    let mut shift = 0_u32;
    loop {
        let (&byte, after) = rest.split_first().ok_or(Broken::Invalid)?;
        *rest = after;
        if shift > 56 {
            return Err(Broken::Overflow);
        }
        number = number.checked_add(u64::from(byte & 0x7f) << shift).ok_or(Broken::Overflow)?;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
        shift += 7;
    }
}

/// A string (RFC 7541, section 5.2).
fn string(rest: &mut &[u8]) -> Result<Vec<u8>, Broken> {
    let is_huffman = rest.first().ok_or(Broken::Invalid)? & 0x80 != 0;
    let len = usize::try_from(integer(rest, 7)?).map_err(|_| Broken::Invalid)?;
    let (text, after) = rest.split_at_checked(len).ok_or(Broken::Invalid)?;
    *rest = after;
    if is_huffman { huffman(text) } else { Ok(text.to_vec()) }
}

/// Two ways from each inner node of the code's tree: another node, or a byte (negative, less one).
static TREE: LazyLock<Vec<[i16; 2]>> = LazyLock::new(|| {
    let mut tree = vec![[0_i16; 2]];
    for (byte, &(code, len)) in HUFFMAN.iter().enumerate() {
        let mut node = 0;
        for bit in (0..len).rev() {
            let way = usize::from(code >> bit & 1 == 1);
            if bit == 0 {
                if let Some(place) = tree.get_mut(node).and_then(|ways| ways.get_mut(way)) {
                    *place = -(byte as i16) - 1;
                }
                continue;
            }
            let next = tree.get(node).and_then(|ways| ways.get(way)).copied().unwrap_or(0);
            node = if next > 0 {
                next as usize
            } else {
                let fresh = tree.len();
                tree.push([0; 2]);
                if let Some(place) = tree.get_mut(node).and_then(|ways| ways.get_mut(way)) {
                    *place = fresh as i16;
                }
                fresh
            };
        }
    }
    tree
});

fn huffman(text: &[u8]) -> Result<Vec<u8>, Broken> {
    let mut decoded = Vec::with_capacity(text.len() * 8 / 5);
    let tree = &*TREE;
    let (mut node, mut padding, mut ones) = (0_usize, 0_u8, true);
    for &byte in text {
        for bit in (0..8).rev() {
            let way = byte >> bit & 1;
            padding += 1;
            ones &= way == 1;
            match tree.get(node).and_then(|ways| ways.get(usize::from(way))).copied().unwrap_or(0) {
                leaf if leaf < 0 => {
                    decoded.push((-(leaf + 1)) as u8);
                    (node, padding, ones) = (0, 0, true);
                }
                // Only the code of the end leads nowhere.
                0 => return Err(Broken::Invalid),
                next => node = next as usize,
            }
        }
    }
    if padding < 8 && ones { Ok(decoded) } else { Err(Broken::Invalid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn decoded(decoder: &mut Decoder, hex: &str) -> Vec<String> {
        let mut fields = Vec::new();
        decoder.decode(&bytes(hex), &mut fields).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        fields
            .iter()
            .map(|field| match field {
                Field::Header { name, value } => format!("{}: {}", text(name), text(value)),
                Field::TableSize(size) => format!("size {size}"),
            })
            .collect()
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        // RFC 7541, appendix C.4: requests with Huffman coding.
        let mut decoder = Decoder::new(4096);
        assert_eq!(
            decoded(&mut decoder, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"),
            [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]
        );
        assert_eq!(
            decoded(&mut decoder, "8286 84be 5886 a8eb 1064 9cbf"),
            [
                ":method: GET",
                ":scheme: http",
                ":path: /",
                ":authority: www.example.com",
                "cache-control: no-cache"
            ]
        );
        assert_eq!(
            decoded(&mut decoder, "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"),
            [
                ":method: GET",
                ":scheme: https",
                ":path: /index.html",
                ":authority: www.example.com",
                "custom-key: custom-value"
            ]
        );
        assert_eq!(decoder.size, 164);
    }

    #[test]
    fn responses_evict_as_in_the_rfc() {
        // RFC 7541, appendix C.5: a table of 256 bytes.
        let mut decoder = Decoder::new(256);
        decoded(
            &mut decoder,
            "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        );
        assert_eq!(decoder.size, 222);
        assert_eq!(
            decoded(&mut decoder, "4803 3330 37c1 c0bf"),
            [
                ":status: 307",
                "cache-control: private",
                "date: Mon, 21 Oct 2013 20:13:21 GMT",
                "location: https://www.example.com"
            ]
        );
        assert_eq!(decoder.size, 222);
    }

    #[test]
    fn a_peer_cannot_make_the_table_larger_than_allowed() {
        let mut decoder = Decoder::new(1000);
        assert_eq!(decoded(&mut decoder, "3fe1ff03"), ["size 65536"]);
        for number in 0..200_u8 {
            let mut fields = Vec::new();
            let mut block = vec![0x40, 1, number, 60];
            block.extend([number; 60]);
            decoder.decode(&block, &mut fields).unwrap();
            assert!(decoder.size <= 1000 && decoder.entries.len() <= 10);
        }
    }

    #[test]
    fn broken_blocks_are_refused() {
        for (hex, broken) in [
            ("ff ffff ffff ffff ffff ffff ff", Broken::Overflow),
            ("80", Broken::Invalid),
            ("be", Broken::Invalid),
            ("4005 6162", Broken::Invalid),
            ("4081 ff00", Broken::Invalid),
        ] {
            assert_eq!(Decoder::new(4096).decode(&bytes(hex), &mut Vec::new()), Err(broken), "{hex}");
        }
    }
}
