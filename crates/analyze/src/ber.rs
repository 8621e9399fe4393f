//! The Basic Encoding Rules (X.690), as Kerberos and SNMP use them.
//!
//! In: bytes. Out: elements, one after the other, each with its identifier and contents; integers and object
//! identifiers as text. Identifiers of more than one byte and lengths without an end, which neither protocol has, are
//! not read. Nothing is copied, and nothing goes deeper than its caller asks.

/// `INTEGER`.
pub(crate) const INTEGER: u8 = 0x02;
/// `OCTET STRING`.
pub(crate) const OCTETS: u8 = 0x04;
/// `OBJECT IDENTIFIER`.
pub(crate) const OBJECT: u8 = 0x06;
/// `SEQUENCE`.
pub(crate) const SEQUENCE: u8 = 0x30;
/// A context-specific, constructed element: its number is added.
pub(crate) const CONTEXT: u8 = 0xa0;
/// An application's constructed element: its number is added.
pub(crate) const APPLICATION: u8 = 0x60;

/// Elements that are left to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ber<'a>(pub &'a [u8]);

impl<'a> Ber<'a> {
    /// The identifier and the length of the contents of the next element; what is left begins with the contents, of
    /// which not all need be there.
    pub(crate) fn header(&mut self) -> Option<(u8, usize)> {
        let (&identifier, rest) = self.0.split_first()?;
        // 31 in the lower bits says that the number follows.
        if identifier & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = match usize::from(first) {
            len @ 0..=0x7f => (len, rest),
            0x80 | 0x85.. => return None,
            count => {
                let (bytes, rest) = rest.split_at_checked(count & 0x7f)?;
                (bytes.iter().fold(0, |len, &byte| len << 8 | usize::from(byte)), rest)
            }
        };
        self.0 = rest;
        Some((identifier, len))
    }

    /// The next element, whatever it is.
    pub(crate) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let mut ahead = *self;
        let (identifier, len) = ahead.header()?;
        let (contents, rest) = ahead.0.split_at_checked(len)?;
        self.0 = rest;
        Some((identifier, contents))
    }

    /// The contents of the next element, if it is of this kind; nothing is taken if it is not.
    pub(crate) fn take(&mut self, identifier: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (found, contents) = ahead.next()?;
        if found != identifier {
            return None;
        }
        *self = ahead;
        Some(contents)
    }

    /// The elements inside the next element, if it is of this kind.
    pub(crate) fn enter(&mut self, identifier: u8) -> Option<Ber<'a>> {
        self.take(identifier).map(Ber)
    }

    /// The next element as an integer.
    pub(crate) fn integer(&mut self) -> Option<i64> {
        integer(self.take(INTEGER)?)
    }

    /// The elements inside the context-specific element `number` of a sequence; those before it are left out.
    pub(crate) fn field(&mut self, number: u8) -> Option<Ber<'a>> {
        loop {
            let mut ahead = *self;
            let (identifier, contents) = ahead.next()?;
            if identifier > CONTEXT | number {
                return None;
            }
            *self = ahead;
            if identifier == CONTEXT | number {
                return Some(Ber(contents));
            }
        }
    }
}

/// An integer of up to 8 bytes, in two's complement.
pub(crate) fn integer(contents: &[u8]) -> Option<i64> {
    let (&first, _) = contents.split_first()?;
    if contents.len() > 8 {
        return None;
    }
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    Some(contents.iter().fold(sign, |value, &byte| value << 8 | i64::from(byte)))
}

/// An object identifier with dots: `1.3.6.1`. `None` if its last number is cut off or one is beyond 64 bits.
pub(crate) fn object(contents: &[u8]) -> Option<String> {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(contents.len() * 3);
    let mut arc: u64 = 0;
    let mut open = true;
    for &byte in contents {
        if arc >> 57 != 0 {
            return None;
        }
        arc = arc << 7 | u64::from(byte & 0x7f);
        open = byte & 0x80 != 0;
        if open {
            continue;
        }
        let written = if text.is_empty() {
            // The first two numbers are one; the first is 0, 1 or 2.
            let top = (arc / 40).min(2);
            write!(text, "{top}.{}", arc - 40 * top)
        } else {
            write!(text, ".{arc}")
        };
        written.ok()?;
        arc = 0;
    }
    (!open).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short_or_long_and_never_beyond_the_end() {
        assert_eq!(Ber(&[4, 2, 1, 2, 9]).next(), Some((4, &[1, 2][..])));
        assert_eq!(Ber(&[4, 0x82, 0, 2, 1, 2]).next(), Some((4, &[1, 2][..])));
        for broken in [
            &[][..],
            &[4],
            &[4, 3, 1, 2],
            &[4, 0x80, 0, 0],
            &[4, 0x85, 0, 0, 0, 0, 1, 1],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff, 1],
            &[0x1f, 1, 1],
        ] {
            assert_eq!(Ber(broken).next(), None, "{broken:?}");
        }
    }

    #[test]
    fn fields_are_found_behind_others_and_not_behind_their_place() {
        let sequence = [0xa0, 1, 7, 0xa2, 1, 8];
        let mut fields = Ber(&sequence);
        assert!(fields.field(1).is_none());
        assert_eq!(fields.field(2).map(|field| field.0), Some(&[8][..]));
        assert!(Ber(&sequence).field(3).is_none());
    }

    #[test]
    fn integers_have_a_sign() {
        for (bytes, value) in [
            (&[0][..], Some(0)),
            (&[0xff], Some(-1)),
            (&[0, 0xff], Some(255)),
            (&[0x80, 0], Some(-32768)),
            (&[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Some(i64::MAX)),
            (&[], None),
            (&[0; 9], None),
        ] {
            assert_eq!(integer(bytes), value, "{bytes:?}");
        }
    }

    #[test]
    fn objects_are_written_with_dots() {
        for (bytes, text) in [
            (&[0x2b, 6, 1][..], Some("1.3.6.1")),
            (&[0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f], Some("1.3.4294967295")),
            (&[0x88, 0x37], Some("2.999")),
            (&[], None),
            (&[0x2b, 0x81], None),
            (&[0x2b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], None),
        ] {
            assert_eq!(object(bytes).as_deref(), text, "{bytes:?}");
        }
    }
}
