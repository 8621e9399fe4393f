//! Conditions in words close to those of the rule language.

use std::fmt::Write as _;

use rules::ir::{ByteOperator, Condition, Content, Encoding, MathOperator, Number, Pcre, VariableId};

/// A condition on a buffer.
pub(super) fn show(condition: &Condition) -> String {
    match condition {
        Condition::Content(content) => show_content(content),
        Condition::Pcre(pcre) => show_pcre(pcre),
        Condition::ByteTest(test) => {
            format!(
                "byte_test: {} bytes {} {} {} at {}{}, {}",
                number(test.bytes),
                if test.negated { "not" } else { "are" },
                operator(test.operator),
                number(test.value),
                number(test.offset),
                relative(test.relative),
                encoding(test.encoding)
            ) + &mask(test.bitmask)
        }
        Condition::ByteJump(jump) => {
            let mut text = format!(
                "byte_jump: by {} bytes at {}{}, {}",
                number(jump.bytes),
                number(jump.offset),
                relative(jump.relative),
                encoding(jump.encoding)
            );
            if jump.multiplier != 1 {
                let _ = write!(text, ", times {}", jump.multiplier);
            }
            for (is, what) in [
                (jump.align, ", rounded up to 4"),
                (jump.from_beginning, ", from the beginning"),
                (jump.from_end, ", from the end"),
            ] {
                text.push_str(if is { what } else { "" });
            }
            if jump.post_offset != 0 {
                let _ = write!(text, ", then {:+}", jump.post_offset);
            }
            text + &mask(jump.bitmask)
        }
        Condition::ByteExtract(extract) => format!(
            "byte_extract: {} = {} bytes at {}{}, {}, times {}",
            variable(extract.variable),
            extract.bytes,
            extract.offset,
            relative(extract.relative),
            encoding(extract.encoding),
            extract.multiplier
        ),
        Condition::ByteMath(math) => {
            let operator = match math.operator {
                MathOperator::Add => "+",
                MathOperator::Subtract => "-",
                MathOperator::Multiply => "*",
                MathOperator::Divide => "/",
                MathOperator::ShiftLeft => "<<",
                MathOperator::ShiftRight => ">>",
            };
            format!(
                "byte_math: {} = {} bytes at {}{}, {}, {operator} {}",
                variable(math.variable),
                number(math.bytes),
                math.offset,
                relative(math.relative),
                encoding(math.encoding),
                number(math.value)
            ) + &mask(math.bitmask)
        }
        Condition::IsDataAt(data) => format!(
            "isdataat: {}data at {}{}",
            if data.negated { "no " } else { "" },
            number(data.offset),
            relative(data.relative)
        ),
        other => words(&format!("{other:?}")),
    }
}

fn show_content(content: &Content) -> String {
    let mut text = format!("content {}{}", if content.negated { "!" } else { "" }, quoted(&content.pattern));
    for (is, word) in
        [(content.nocase, "nocase"), (content.startswith, "startswith"), (content.endswith, "endswith")]
    {
        if is {
            let _ = write!(text, ", {word}");
        }
    }
    let absolute = [("offset", content.offset), ("depth", content.depth)];
    for (word, value) in absolute.iter().filter_map(|(word, value)| value.map(|value| (word, value))) {
        let _ = write!(text, ", {word} {}", number(value));
    }
    let relative = [("distance", content.distance), ("within", content.within)];
    for (word, value) in relative.iter().filter_map(|(word, value)| value.map(|value| (word, value))) {
        let _ = write!(text, ", {word} {}", number(value));
    }
    text
}

fn show_pcre(pcre: &Pcre) -> String {
    let flags: String = [
        (pcre.caseless, 'i'),
        (pcre.dotall, 's'),
        (pcre.multiline, 'm'),
        (pcre.extended, 'x'),
        (pcre.anchored, 'A'),
        (pcre.ungreedy, 'G'),
        (pcre.relative, 'R'),
    ]
    .into_iter()
    .filter_map(|(is, flag)| is.then_some(flag))
    .collect();
    format!("pcre {}/{}/{flags}", if pcre.negated { "!" } else { "" }, pcre.pattern)
}

/// Bytes as the rule language writes them: text in quotes, everything else in hex between bars.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    let mut in_hex = false;
    for &byte in bytes {
        let plain = matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b';' | b':' | b'|' | b'\\');
        if plain == in_hex {
            text.push('|');
            in_hex = !plain;
        } else if in_hex {
            text.push(' ');
        }
        if plain {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "{byte:02X}");
        }
    }
    text + if in_hex { "|\"" } else { "\"" }
}

fn number<T: std::fmt::Display + Copy>(number: Number<T>) -> String {
    match number {
        Number::Literal(value) => value.to_string(),
        Number::Variable(id) => variable(id),
    }
}

fn variable(id: VariableId) -> String {
    format!("variable {}", id.0)
}

fn relative(relative: bool) -> &'static str {
    if relative { " behind the last match" } else { "" }
}

fn mask(mask: Option<u32>) -> String {
    mask.map_or_else(String::new, |mask| format!(", masked with 0x{mask:x}"))
}

fn encoding(encoding: Encoding) -> String {
    match encoding {
        Encoding::Big => "big endian".to_owned(),
        Encoding::Little => "little endian".to_owned(),
        Encoding::Dce => "as DCE/RPC says".to_owned(),
        Encoding::Text(base) => format!("{} digits", words(&format!("{base:?}"))),
    }
}

fn operator(operator: ByteOperator) -> &'static str {
    match operator {
        ByteOperator::Equal => "=",
        ByteOperator::Less => "<",
        ByteOperator::LessOrEqual => "<=",
        ByteOperator::Greater => ">",
        ByteOperator::GreaterOrEqual => ">=",
        ByteOperator::And => "&",
        ByteOperator::Or => "^",
    }
}

/// A value of the checked rule as plain words: `TcpFlags { flags: 2 }` is `tcp flags: flags 2`.
pub(super) fn words(debug: &str) -> String {
    let mut text = String::new();
    let mut quoted = false;
    let mut before = ' ';
    for c in debug.chars() {
        if c == '"' && before != '\\' {
            quoted = !quoted;
        }
        if quoted {
            text.push(c);
        } else {
            match c {
                '{' => {
                    text.truncate(text.trim_end().len());
                    text.push(':');
                }
                '(' => text.push(' '),
                '[' => {}
                '}' | ')' | ']' => text.truncate(text.trim_end().len()),
                ':' | '_' => text.push_str(if c == '_' { " " } else { "" }),
                c if c.is_ascii_uppercase() => {
                    if before.is_ascii_lowercase() {
                        text.push(' ');
                    }
                    text.push(c.to_ascii_lowercase());
                }
                c => text.push(c),
            }
        }
        before = c;
    }
    text
}
