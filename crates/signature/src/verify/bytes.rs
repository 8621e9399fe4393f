//! `byte_test`, `byte_jump`, `byte_extract`, `byte_math`: numbers in the data.

use rules::ir::{Base, ByteExtract, ByteJump, ByteMath, ByteOperator, ByteTest, Encoding, MathOperator};

use super::Scratch;

/// Where to read: `offset` from the last match or the beginning.
fn place(offset: i64, relative: bool, cursor: usize) -> Option<usize> {
    let base = if relative { cursor as i64 } else { 0 };
    usize::try_from(base.checked_add(offset)?).ok()
}

/// The number that `count` bytes at `at` make, and how many bytes were used.
fn read(
    buffer: &[u8],
    at: usize,
    count: usize,
    encoding: Encoding,
    scratch: &Scratch,
) -> Option<(u64, usize)> {
    let rest = buffer.get(at..)?;
    let little = match encoding {
        Encoding::Big => false,
        Encoding::Little => true,
        Encoding::Dce => scratch.dce_little_endian,
        Encoding::Text(base) => return digits(rest.get(..count.min(rest.len()))?, base),
    };
    let bytes = rest.get(..count)?;
    if count == 0 || count > 8 {
        return None;
    }
    let value = if little {
        bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
    } else {
        bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
    };
    Some((value, count))
}

/// Digits after blanks, as C's `strtoull` reads them.
fn digits(text: &[u8], base: Base) -> Option<(u64, usize)> {
    let radix = match base {
        Base::Octal => 8,
        Base::Decimal => 10,
        Base::Hexadecimal => 16,
    };
    let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let mut used = blanks;
    let prefixed = text.get(blanks..).is_some_and(|rest| rest.starts_with(b"0x") || rest.starts_with(b"0X"));
    if radix == 16 && prefixed {
        used += 2;
    }
    let mut value = 0_u64;
    let mut any = false;
    while let Some(digit) = text.get(used).and_then(|&byte| char::from(byte).to_digit(radix)) {
        value = value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))?;
        used += 1;
        any = true;
    }
    any.then_some((value, used))
}

fn masked(value: u64, bitmask: Option<u32>) -> u64 {
    match bitmask {
        Some(mask) if mask != 0 => (value & u64::from(mask)) >> mask.trailing_zeros(),
        _ => value,
    }
}

pub(super) fn test(check: &ByteTest, buffer: &[u8], cursor: usize, scratch: &Scratch) -> bool {
    let count = scratch.number(check.bytes).max(0) as usize;
    let read = place(scratch.number(check.offset), check.relative, cursor)
        .and_then(|at| read(buffer, at, count, check.encoding, scratch));
    let Some((value, _)) = read else { return false };
    let value = masked(value, check.bitmask);
    let other = match check.value {
        rules::ir::Number::Literal(literal) => literal,
        rules::ir::Number::Variable(id) => scratch.variable(id),
    };
    let holds = match check.operator {
        ByteOperator::Equal => value == other,
        ByteOperator::Less => value < other,
        ByteOperator::LessOrEqual => value <= other,
        ByteOperator::Greater => value > other,
        ByteOperator::GreaterOrEqual => value >= other,
        ByteOperator::And => value & other != 0,
        ByteOperator::Or => value ^ other != 0,
    };
    holds != check.negated
}

pub(super) fn jump(check: &ByteJump, buffer: &[u8], cursor: usize, scratch: &Scratch) -> Option<usize> {
    let count = scratch.number(check.bytes).max(0) as usize;
    let at = place(scratch.number(check.offset), check.relative, cursor)?;
    // Of no bytes there is no number: only the post-offset moves.
    let (value, used) = if count == 0 { (0, 0) } else { read(buffer, at, count, check.encoding, scratch)? };
    let mut value = masked(value, check.bitmask).checked_mul(u64::from(check.multiplier))?;
    if check.align {
        value = value.checked_add(3)? & !3;
    }
    let base = if check.from_beginning {
        0
    } else if check.from_end {
        buffer.len()
    } else {
        at + used
    };
    let to =
        i64::try_from(value).ok()?.checked_add(base as i64)?.checked_add(i64::from(check.post_offset))?;
    // What would go before the beginning goes to the beginning.
    let to = usize::try_from(to.max(0)).ok()?;
    (to < buffer.len() || (check.from_end && to <= buffer.len())).then_some(to)
}

pub(super) fn extract(
    check: &ByteExtract,
    buffer: &[u8],
    cursor: usize,
    scratch: &mut Scratch,
) -> Option<usize> {
    let at = place(i64::from(check.offset), check.relative, cursor)?;
    let (value, used) = read(buffer, at, usize::from(check.bytes), check.encoding, scratch)?;
    let mut value = value.checked_mul(u64::from(check.multiplier))?;
    if let Some(align) = check.align.filter(|&align| align > 1) {
        value = value.next_multiple_of(u64::from(align));
    }
    scratch.set(check.variable, value);
    Some(at + used)
}

pub(super) fn math(check: &ByteMath, buffer: &[u8], cursor: usize, scratch: &mut Scratch) -> Option<usize> {
    let at = place(i64::from(check.offset), check.relative, cursor)?;
    let count = scratch.number(check.bytes).max(0) as usize;
    let (value, used) = read(buffer, at, count, check.encoding, scratch)?;
    let other = scratch.number(check.value).max(0) as u64;
    let value = match check.operator {
        MathOperator::Add => value.wrapping_add(other),
        MathOperator::Subtract => value.wrapping_sub(other),
        MathOperator::Multiply => value.wrapping_mul(other),
        MathOperator::Divide => value.checked_div(other)?,
        MathOperator::ShiftLeft => value.checked_shl(u32::try_from(other).ok()?).unwrap_or(0),
        MathOperator::ShiftRight => value.checked_shr(u32::try_from(other).ok()?).unwrap_or(0),
    };
    scratch.set(check.variable, masked(value, check.bitmask));
    Some(at + used)
}
