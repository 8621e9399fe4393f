//! Bencoding (BEP 3): strings, numbers, lists and dictionaries whose keys are sorted.

/// Lists and dictionaries within each other, at most.
const DEPTH_MAX: u8 = 16;

/// The kind of the value that comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    Number,
    Text,
    List,
    Dictionary,
}

/// What is left to read, behind the beginnings of so many lists and dictionaries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    depth: u8,
}

/// The keys of a dictionary, each greater than the one before.
#[derive(Default, Debug)]
pub(super) struct Keys<'a>(Option<&'a [u8]>);

/// What comes next in a dictionary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key<'a> {
    Is(&'a [u8]),
    End,
}

/// Digits of a number without a sign, and without zeros before it.
fn digits(text: &[u8]) -> Option<u64> {
    if text.len() > 1 && text.first() == Some(&b'0') || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0 }
    }

    /// What comes before the next `end`, which is taken too.
    fn until(&mut self, end: u8) -> Option<&'a [u8]> {
        let at = memchr::memchr(end, self.rest)?;
        let (before, rest) = self.rest.split_at_checked(at)?;
        self.rest = rest.get(1..)?;
        Some(before)
    }

    fn skip(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// What comes next; `None` if it is the end of a list or dictionary, or nothing at all.
    pub(super) fn next(&self) -> Option<Next> {
        match self.rest.first()? {
            b'i' => Some(Next::Number),
            b'l' => Some(Next::List),
            b'd' => Some(Next::Dictionary),
            b'0'..=b'9' => Some(Next::Text),
            _ => None,
        }
    }

    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(digits(self.until(b':')?)?).ok()?;
        let (text, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(text)
    }

    /// A number that is not negative and fits.
    pub(super) fn number<T: TryFrom<u64>>(&mut self) -> Option<T> {
        if !self.skip(b'i') {
            return None;
        }
        T::try_from(digits(self.until(b'e')?)?).ok()
    }

    /// Goes into a list.
    pub(super) fn list(&mut self) -> Option<()> {
        self.open(b'l')
    }

    /// Goes into a dictionary.
    pub(super) fn dictionary(&mut self) -> Option<Keys<'a>> {
        self.open(b'd')?;
        Some(Keys::default())
    }

    fn open(&mut self, sign: u8) -> Option<()> {
        let deeper = self.depth.checked_add(1).filter(|&depth| depth <= DEPTH_MAX)?;
        self.skip(sign).then(|| self.depth = deeper)
    }

    /// Whether the list ends here, which is left then.
    pub(super) fn ends(&mut self) -> bool {
        let ends = self.skip(b'e');
        self.depth = self.depth.saturating_sub(ends.into());
        ends
    }

    /// The next key of a dictionary, which is left at its end.
    pub(super) fn key(&mut self, keys: &mut Keys<'a>) -> Option<Key<'a>> {
        if self.ends() {
            return Some(Key::End);
        }
        let key = self.text()?;
        if keys.0.is_some_and(|before| before >= key) {
            return None;
        }
        keys.0 = Some(key);
        Some(Key::Is(key))
    }

    /// Passes over a value.
    pub(super) fn pass(&mut self) -> Option<()> {
        match self.next()? {
            Next::Text => self.text().map(drop),
            Next::Number => {
                self.skip(b'i');
                let number = self.until(b'e')?;
                let negative = number.strip_prefix(b"-").filter(|digits| *digits != b"0");
                digits(negative.unwrap_or(number)).map(drop)
            }
            Next::List => {
                self.list()?;
                while !self.ends() {
                    self.pass()?;
                }
                Some(())
            }
            Next::Dictionary => {
                let mut keys = self.dictionary()?;
                while let Key::Is(_) = self.key(&mut keys)? {
                    self.pass()?;
                }
                Some(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(bytes: &[u8]) -> bool {
        let mut reader = Reader::new(bytes);
        reader.pass().is_some() && reader.rest.is_empty() && reader.depth == 0
    }

    #[test]
    fn only_what_is_well_formed_is_read() {
        for good in [
            &b"i0e"[..],
            b"i-7e",
            b"0:",
            b"4:spam",
            b"le",
            b"l4:spami3ee",
            b"de",
            b"d1:ai1e1:bl1:cee",
            b"llllleeeee",
        ] {
            assert!(passes(good), "{}", good.escape_ascii());
        }
        for bad in [
            &b""[..],
            b"e",
            b"i-0e",
            b"i01e",
            b"ie",
            b"ixe",
            b"i1",
            b"4:spa",
            b"04:spam",
            b"l",
            b"l4:spam",
            b"d1:a",
            b"d1:ae",
            b"d1:bi1e1:ai1ee",
            b"d1:ai1e1:ai1ee",
            b"di1ei1ee",
            b"-1:",
            b"99999999999999999999:a",
        ] {
            assert!(!passes(bad), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| [b"l".repeat(depth), b"e".repeat(depth)].concat();
        assert!(passes(&nested(16)));
        assert!(!passes(&nested(17)));
        assert!(!passes(&nested(100_000)));
    }

    #[test]
    fn numbers_must_fit() {
        assert_eq!(Reader::new(b"i255e").number::<u8>(), Some(255));
        assert_eq!(Reader::new(b"i256e").number::<u8>(), None);
        assert_eq!(Reader::new(b"i-1e").number::<u8>(), None);
    }
}
