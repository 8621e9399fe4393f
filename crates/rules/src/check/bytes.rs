//! Conditions that read numbers out of a buffer, and what else counts bytes: `byte_test`, `byte_jump`, `byte_extract`,
//! `byte_math`, `isdataat`, `base64_decode`, `asn1`.

use crate::ir::{
    Asn1, Base, Base64Decode, ByteExtract, ByteJump, ByteMath, ByteOperator, ByteTest, Condition, Encoding,
    HeaderCondition, IsDataAt, MathOperator, Number, VARIABLES_MAX, VariableId,
};
use crate::number::{decimal, hexadecimal_or_decimal, signed};
use crate::refusal::{Outcome, RefusalReason};
use crate::syntax::Span;

use super::buffer::DCERPC;
use super::builder::Builder;
use super::keyword::Keyword;

/// Most bytes of a binary number.
const BINARY_BYTES_MAX: u8 = 8;
/// Most digits of a number in text.
const TEXT_BYTES_MAX: u8 = 23;
/// The same, for `byte_extract`.
const EXTRACTED_TEXT_BYTES_MAX: u8 = 20;
/// Furthest offset.
const OFFSET_MAX: i32 = 65_535;

impl Builder<'_> {
    /// The variable that a condition before has set.
    pub(super) fn variable(&self, name: Span<'_>) -> Outcome<VariableId> {
        let found = self.variables.iter().position(|variable| variable == name.text);
        found.and_then(|number| u8::try_from(number).ok()).map(VariableId).ok_or_else(|| {
            name.invalid("a number, or a variable that byte_extract or byte_math before has set")
        })
    }

    /// The variable that a condition sets.
    fn define(&mut self, name: Span<'_>) -> Outcome<VariableId> {
        let is_name = !name.text.is_empty()
            && name
                .text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if !is_name {
            return Err(name.invalid("a name for the variable"));
        }
        if let Ok(known) = self.variable(name) {
            return Ok(known);
        }
        let number = Some(self.variables.len()).filter(|&number| number < VARIABLES_MAX);
        let number = number
            .and_then(|number| u8::try_from(number).ok())
            .ok_or_else(|| self.conflict("a rule can set 16 variables; this would be one more"))?;
        self.variables.push(name.text.to_owned());
        Ok(VariableId(number))
    }
}

/// Options that several of these keywords share.
#[derive(Default)]
struct Options {
    relative: bool,
    big: bool,
    little: bool,
    dce: bool,
    text: bool,
    base: Option<Base>,
}

impl Options {
    /// Takes in an option, if it is one of these.
    fn take(&mut self, word: &str) -> bool {
        match word {
            "relative" => self.relative = true,
            "big" => self.big = true,
            "little" => self.little = true,
            "dce" => self.dce = true,
            "string" => self.text = true,
            "dec" => self.base = Some(Base::Decimal),
            "hex" => self.base = Some(Base::Hexadecimal),
            "oct" => self.base = Some(Base::Octal),
            _ => return false,
        }
        true
    }

    /// What they come to, for `bytes` bytes.
    fn encoding(&self, builder: &mut Builder<'_>, bytes: Number<u8>, text_max: u8) -> Outcome<Encoding> {
        if self.base.is_some() && !self.text {
            return Err(builder.conflict("hex, dec and oct need string before them"));
        }
        if self.dce && (self.text || self.big || self.little) {
            return Err(builder
                .conflict("with dce the packet says how numbers are written; take the other option out"));
        }
        if let Number::Literal(bytes) = bytes {
            if self.text && bytes > text_max {
                return Err(builder.conflict(format!("with string at most {text_max} bytes can be read")));
            }
            if !self.text && bytes > BINARY_BYTES_MAX {
                return Err(builder.conflict("without string at most 8 bytes can be read"));
            }
        }
        if self.dce {
            builder.require_first_of(&DCERPC)?;
        }
        Ok(match (self.text, self.dce, self.little) {
            (true, _, _) => Encoding::Text(self.base.unwrap_or(Base::Decimal)),
            (_, true, _) => Encoding::Dce,
            (_, _, true) => Encoding::Little,
            _ => Encoding::Big,
        })
    }
}

/// A number or a variable.
fn number_or<T>(
    builder: &Builder<'_>,
    value: Span<'_>,
    number: impl Fn(&str) -> Option<T>,
    expected: &'static str,
) -> Outcome<Number<T>> {
    if value.text.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-') {
        return number(value.text).map(Number::Literal).ok_or_else(|| value.invalid(expected));
    }
    builder.variable(value).map(Number::Variable)
}

fn byte_count(builder: &Builder<'_>, value: Span<'_>) -> Outcome<Number<u8>> {
    number_or(builder, value, decimal, "a number of bytes, or a variable")
}

fn offset(builder: &Builder<'_>, value: Span<'_>, max: i32) -> Outcome<Number<i32>> {
    number_or(builder, value, |text| signed(text, max), "an offset from -65535 to 65535, or a variable")
}

/// A word and the number behind it, as in `bitmask 0xff`.
fn word_and_rest(part: Span<'_>) -> (&str, Span<'_>) {
    match part.text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, Span { text: rest, offset: part.offset + word.len() + 1 }.trim()),
        None => (part.text, Span { text: "", offset: part.offset }),
    }
}

fn bitmask(value: Span<'_>) -> Outcome<u32> {
    let mask = hexadecimal_or_decimal(value.text).and_then(|mask| u32::try_from(mask).ok());
    mask.ok_or_else(|| value.invalid("a mask of 32 bits, as in bitmask 0xff00"))
}

pub(super) fn byte_test(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let mut parts = value.split(',');
    let (Some(bytes), Some(operator), Some(number), Some(place)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(value.invalid("bytes, operator, value, offset"));
    };
    let (negated, symbol) = match operator.text.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, operator.text),
    };
    let compared = match symbol {
        "=" => ByteOperator::Equal,
        "" if negated => ByteOperator::Equal,
        "<" => ByteOperator::Less,
        "<=" => ByteOperator::LessOrEqual,
        ">" => ByteOperator::Greater,
        ">=" => ByteOperator::GreaterOrEqual,
        "&" => ByteOperator::And,
        "^" => ByteOperator::Or,
        _ => return Err(operator.invalid("one of < > = <= >= & ^, with or without ! before it")),
    };
    let bytes = byte_count(builder, bytes)?;
    let number = number_or(builder, number, hexadecimal_or_decimal, "a number of 64 bits, or a variable")?;
    let offset = offset(builder, place, i32::MAX)?;
    let mut options = Options::default();
    let mut mask = None;
    for part in parts {
        match word_and_rest(part) {
            ("bitmask", rest) => mask = Some(bitmask(rest)?),
            _ if options.take(part.text) => {}
            _ => return Err(part.invalid("relative, big, little, dce, string, hex, dec, oct or bitmask")),
        }
    }
    let encoding = options.encoding(builder, bytes, TEXT_BYTES_MAX)?;
    builder.push(Condition::ByteTest(ByteTest {
        bytes,
        operator: compared,
        negated,
        value: number,
        offset,
        relative: options.relative,
        encoding,
        bitmask: mask,
    }));
    Ok(())
}

pub(super) fn byte_jump(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let mut parts = value.split(',');
    let (Some(bytes), Some(place)) = (parts.next(), parts.next()) else {
        return Err(value.invalid("bytes, offset"));
    };
    let bytes = byte_count(builder, bytes)?;
    let offset = offset(builder, place, OFFSET_MAX)?;
    let mut options = Options::default();
    let mut jump = ByteJump {
        bytes,
        offset,
        relative: false,
        encoding: Encoding::Big,
        multiplier: 1,
        align: false,
        from_beginning: false,
        from_end: false,
        post_offset: 0,
        bitmask: None,
    };
    for part in parts {
        match word_and_rest(part) {
            ("multiplier", rest) => jump.multiplier = multiplier(rest)?,
            ("post_offset", rest) => {
                jump.post_offset = signed(rest.text, OFFSET_MAX)
                    .ok_or_else(|| rest.invalid("a number from -65535 to 65535"))?;
            }
            ("bitmask", rest) => jump.bitmask = Some(bitmask(rest)?),
            ("align", _) => jump.align = true,
            ("from_beginning", _) => jump.from_beginning = true,
            ("from_end", _) => jump.from_end = true,
            _ if options.take(part.text) => {}
            _ => {
                return Err(part.invalid(
                    "relative, multiplier, big, little, dce, string, hex, dec, oct, align, from_beginning, from_end, \
                     post_offset or bitmask",
                ));
            }
        }
    }
    if jump.from_beginning && jump.from_end {
        return Err(builder.conflict("a jump counts from the beginning or from the end; take one out"));
    }
    jump.encoding = options.encoding(builder, bytes, TEXT_BYTES_MAX)?;
    jump.relative = options.relative;
    builder.push(Condition::ByteJump(jump));
    Ok(())
}

fn multiplier(value: Span<'_>) -> Outcome<u32> {
    let number = decimal(value.text).filter(|number| (1..=65_535).contains(number));
    number.ok_or_else(|| value.invalid("a number from 1 to 65535"))
}

pub(super) fn byte_extract(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let mut parts = value.split(',');
    let (Some(count), Some(place), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(value.invalid("bytes, offset, name"));
    };
    let bytes: u8 = decimal(count.text).ok_or_else(|| count.invalid("a number of bytes"))?;
    let offset =
        signed(place.text, OFFSET_MAX).ok_or_else(|| place.invalid("an offset from -65535 to 65535"))?;
    let mut options = Options::default();
    let (mut factor, mut align) = (1, None);
    let mut words = Vec::new();
    for part in parts {
        let (word, rest) = word_and_rest(part);
        if words.contains(&word) {
            return Err(part.fault(RefusalReason::Repeated("each option")));
        }
        words.push(word);
        match word {
            "multiplier" => factor = multiplier(rest)?,
            "align" => {
                align = Some(match rest.text {
                    "2" => 2,
                    "4" => 4,
                    _ => return Err(rest.invalid("align 2 or align 4")),
                });
            }
            _ if options.take(part.text) => {}
            _ => {
                return Err(
                    part.invalid("relative, multiplier, big, little, dce, string, hex, dec, oct or align")
                );
            }
        }
    }
    let encoding = options.encoding(builder, Number::Literal(bytes), EXTRACTED_TEXT_BYTES_MAX)?;
    let variable = builder.define(name)?;
    builder.push(Condition::ByteExtract(ByteExtract {
        bytes,
        offset,
        relative: options.relative,
        encoding,
        multiplier: factor,
        align,
        variable,
    }));
    Ok(())
}

pub(super) fn byte_math(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected = "bytes, offset, oper, rvalue and result, then endian, string, bitmask, relative or dce";
    let mut options = Options::default();
    let (mut bytes, mut place, mut operator, mut operand, mut result, mut mask) =
        (None, None, None, None, None, None);
    let mut words = Vec::new();
    for part in value.split(',') {
        let (word, rest) = word_and_rest(part);
        if words.contains(&word) {
            return Err(part.fault(RefusalReason::Repeated("each part")));
        }
        words.push(word);
        match word {
            "bytes" => {
                let count = number_or(builder, rest, decimal, "1 to 10 bytes, or a variable")?;
                if matches!(count, Number::Literal(count) if !(1..=10).contains(&count)) {
                    return Err(rest.invalid("1 to 10 bytes, or a variable"));
                }
                bytes = Some(count);
            }
            "offset" => {
                place = Some(
                    signed(rest.text, OFFSET_MAX)
                        .ok_or_else(|| rest.invalid("an offset from -65535 to 65535"))?,
                );
            }
            "oper" => {
                operator = Some(match rest.text {
                    "+" => MathOperator::Add,
                    "-" => MathOperator::Subtract,
                    "*" => MathOperator::Multiply,
                    "/" => MathOperator::Divide,
                    "<<" => MathOperator::ShiftLeft,
                    ">>" => MathOperator::ShiftRight,
                    _ => return Err(rest.invalid("one of + - * / << >>")),
                });
            }
            "rvalue" => {
                let number = rest.text.bytes().all(|byte| byte.is_ascii_digit());
                operand = Some(if number {
                    Number::Literal(decimal(rest.text).ok_or_else(|| rest.invalid("a number of 32 bits"))?)
                } else {
                    Number::Variable(builder.variable(rest)?)
                });
            }
            "result" => result = Some(rest),
            "bitmask" => mask = Some(bitmask(rest)?),
            "endian" | "string" => {
                options.text |= word == "string";
                let known = match word {
                    "endian" => matches!(rest.text, "big" | "little" | "dce"),
                    _ => matches!(rest.text, "hex" | "dec" | "oct"),
                };
                if !known || !options.take(rest.text) {
                    return Err(part.invalid("endian big, little or dce; string hex, dec or oct"));
                }
            }
            "relative" => options.relative = true,
            "dce" => options.dce = true,
            _ => return Err(part.invalid(expected)),
        }
    }
    let (Some(bytes), Some(offset), Some(operator), Some(value_of), Some(result)) =
        (bytes, place, operator, operand, result)
    else {
        return Err(value.invalid(expected));
    };
    if options.dce {
        return Err(builder.conflict("byte_math cannot be used with dce; say endian big or endian little"));
    }
    let encoding = options.encoding(builder, bytes, TEXT_BYTES_MAX)?;
    let variable = builder.define(result)?;
    builder.push(Condition::ByteMath(ByteMath {
        bytes,
        offset,
        relative: options.relative,
        operator,
        value: value_of,
        encoding,
        bitmask: mask,
        variable,
    }));
    Ok(())
}

pub(super) fn is_data_at(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let mut parts = value.split(',');
    let first = parts.next().unwrap_or(value);
    let (place, negated) = first.strip_prefix("!").map_or((first, false), |rest| (rest, true));
    let offset = if place.text.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-') {
        Number::Literal(
            decimal(place.text).ok_or_else(|| place.invalid("a number up to 65535, or a variable"))?,
        )
    } else {
        Number::Variable(builder.variable(place)?)
    };
    let mut relative = false;
    for part in parts {
        match part.text {
            "relative" => relative = true,
            // The payload is raw anyhow.
            "rawbytes" if relative => {}
            _ => return Err(part.invalid("relative, or relative,rawbytes")),
        }
    }
    builder.push(Condition::IsDataAt(IsDataAt { offset, negated, relative }));
    Ok(())
}

pub(super) fn base64_decode(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let mut decode = Base64Decode::default();
    if !value.text.is_empty() {
        for part in value.split(',') {
            let (word, rest) = word_and_rest(part);
            let number = || decimal(rest.text).ok_or_else(|| part.invalid("a number"));
            match word {
                "bytes" => decode.bytes = number()?,
                "offset" => decode.offset = number()?,
                "relative" => decode.relative = true,
                _ => return Err(part.invalid("bytes, offset or relative")),
            }
        }
    }
    builder.seen.base64_decode = true;
    builder.push(Condition::Base64Decode(decode));
    Ok(())
}

pub(super) fn asn1(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let mut asn1 = Asn1::default();
    for part in value.split(',') {
        let (word, rest) = word_and_rest(part);
        let number = || decimal(rest.text).ok_or_else(|| part.invalid("a number"));
        match word {
            "bitstring_overflow" => asn1.bitstring_overflow = true,
            "double_overflow" => asn1.double_overflow = true,
            "oversize_length" => asn1.oversize_length = Some(number()?),
            "absolute_offset" => asn1.absolute_offset = Some(number()?),
            "relative_offset" => {
                let offset = signed(rest.text, OFFSET_MAX).ok_or_else(|| part.invalid("a number"))?;
                asn1.relative_offset = Some(offset);
            }
            _ => {
                return Err(part.invalid(
                    "bitstring_overflow, double_overflow, oversize_length, absolute_offset or relative_offset",
                ));
            }
        }
    }
    builder.loose_packet(HeaderCondition::Asn1(asn1), false);
    Ok(())
}
