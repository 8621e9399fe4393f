//! Chunked bodies (RFC 9112, section 7.1), read as loosely as browsers read them.

/// A line that says how long a chunk is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ChunkLine {
    /// Its end has not come.
    Incomplete,
    /// Nothing but white space, of that length: the next line says it.
    Blank(usize),
    /// It says so.
    Length { length: u64, line_len: usize, extension: bool },
    /// It says nothing; the reading may go on behind it.
    Empty(usize),
    /// Anything else, of that length.
    Invalid(usize),
    /// It does not end.
    TooLong,
}

/// White space around a chunk's length.
const fn is_control(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | b' ' | b'\t' | 0x0b | 0x0c)
}

/// Reads a line from `buffer`, which holds what came of it before, and `bytes`. Says how many of `bytes` it took; what
/// it took of a line that has not ended is in `buffer`.
pub(super) fn read_chunk_line(buffer: &mut Vec<u8>, bytes: &[u8], limit: usize) -> (ChunkLine, usize) {
    let Some(end) = memchr::memchr(b'\n', bytes) else {
        if buffer.len() + bytes.len() > limit {
            return (ChunkLine::TooLong, bytes.len());
        }
        let start = bytes.iter().find(|&&byte| !is_control(byte));
        if buffer.is_empty() && start.is_some_and(|byte| !byte.is_ascii_hexdigit()) {
            return (ChunkLine::Invalid(bytes.len()), 0);
        }
        buffer.extend_from_slice(bytes);
        return (ChunkLine::Incomplete, bytes.len());
    };
    let taken = end + 1;
    let line = bytes.get(..taken).unwrap_or_default();
    if buffer.is_empty() {
        return (parse(line), taken);
    }
    buffer.extend_from_slice(line);
    let parsed = parse(buffer);
    buffer.clear();
    (parsed, taken)
}

fn parse(line: &[u8]) -> ChunkLine {
    let line_len = line.len();
    let start = line.iter().take_while(|&&byte| is_control(byte)).count();
    let rest = line.get(start..).unwrap_or_default();
    if rest.is_empty() {
        return ChunkLine::Blank(line_len);
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, after) = rest.split_at(digits);
    if digits == 0 {
        return ChunkLine::Invalid(line_len);
    }
    let length = number.iter().try_fold(0_u64, |length, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        length.checked_mul(16)?.checked_add(u64::from(digit))
    });
    match length {
        // Longer chunks are mistakes, or attacks on those who count in 32 bits.
        Some(length) if i32::try_from(length).is_ok() => {
            ChunkLine::Length { length, line_len, extension: after.contains(&b';') }
        }
        _ => ChunkLine::Empty(line_len),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read() {
        for (line, expected) in [
            (&b"5\r\n"[..], ChunkLine::Length { length: 5, line_len: 3, extension: false }),
            (b" \t1aF ;x=y\r\n", ChunkLine::Length { length: 0x1af, line_len: 12, extension: true }),
            (b"\r\n", ChunkLine::Blank(2)),
            (b"xyz\r\n", ChunkLine::Invalid(5)),
            (b"ffffffffff\n", ChunkLine::Empty(11)),
        ] {
            assert_eq!(read_chunk_line(&mut Vec::new(), line, 100), (expected, line.len()));
        }
    }

    #[test]
    fn a_line_may_come_in_pieces() {
        let mut buffer = Vec::new();
        assert_eq!(read_chunk_line(&mut buffer, b"1", 10), (ChunkLine::Incomplete, 1));
        let whole = ChunkLine::Length { length: 0x10, line_len: 4, extension: false };
        assert_eq!(read_chunk_line(&mut buffer, b"0\r\nabc", 10), (whole, 3));
        assert!(buffer.is_empty());
        assert_eq!(read_chunk_line(&mut buffer, &[b'1'; 11], 10), (ChunkLine::TooLong, 11));
    }
}
