//! What is wrong with a file, where, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// One thing that is wrong with a configuration: a place, what is wrong, what to do.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, in one clause.
    pub message: String,
    /// What the person can do, in one clause; may be empty where the message says it all.
    pub remedy: String,
}

impl Problem {
    /// What is wrong and what to do, without where: for a change whose text nobody has seen.
    pub fn plain(&self) -> String {
        if self.remedy.is_empty() {
            self.message.clone()
        } else {
            format!("{}; {}", self.message, self.remedy)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.plain())
    }
}

/// Why a configuration file was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than any sensible configuration.
    #[error("{}: larger than {limit_bytes} bytes; is this a Forebay configuration?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest file that is read, in bytes.
        limit_bytes: u64,
    },
    /// The file was read and is refused; at least one problem, in file order.
    #[error("{}", lines_of(path, problems))]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problems: Vec<Problem>,
    },
}

fn lines_of(path: &std::path::Path, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("{}:{problem}", path.display())).collect();
    lines.join("\n")
}

/// Turns byte offsets into lines and columns of one text.
pub(crate) struct Positions<'a> {
    text: &'a str,
    /// Byte offset at which each line starts.
    starts: Vec<usize>,
}

impl<'a> Positions<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// Line and column, both from 1, of a byte offset.
    pub(crate) fn of(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        (line.max(1), column)
    }
}

/// Collects problems, up to a number that a person still reads.
pub(crate) struct Problems<'a> {
    positions: Positions<'a>,
    found: Vec<Problem>,
}

/// Problems reported in one run. The first few are what the person corrects; a file that is nonsense throughout must
/// not print itself back.
pub(crate) const PROBLEMS_MAX: usize = 50;

impl<'a> Problems<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { positions: Positions::new(text), found: Vec::new() }
    }

    pub(crate) fn add(&mut self, span: &Range<usize>, message: impl Into<String>, remedy: impl Into<String>) {
        if self.is_full() {
            return;
        }
        let (line, column) = self.positions.of(span.start);
        self.found.push(Problem {
            line,
            column,
            message: one_line(message.into()),
            remedy: one_line(remedy.into()),
        });
    }

    pub(crate) fn line_of(&self, span: &Range<usize>) -> usize {
        self.positions.of(span.start).0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= PROBLEMS_MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The problems in file order, each once.
    pub(crate) fn into_sorted(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|problem| (problem.line, problem.column));
        self.found.dedup();
        self.found
    }
}

/// Longest message in characters: a message may quote what the file says, and the file may say a megabyte.
const MESSAGE_CHARS_MAX: usize = 400;

/// One line of printable characters, whatever the file put into it.
fn one_line(text: String) -> String {
    let plain = text.chars().all(|c| !c.is_control());
    if plain && text.len() <= MESSAGE_CHARS_MAX {
        return text;
    }
    let mut line = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MESSAGE_CHARS_MAX {
            line.push('…');
            break;
        }
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{Positions, Problems, one_line};

    #[test]
    fn offsets_become_lines_and_columns_in_characters() {
        let positions = Positions::new("ab\nçd\n\nx");
        for (offset, expected) in [
            (0, (1, 1)),
            (1, (1, 2)),
            (2, (1, 3)),
            (3, (2, 1)),
            (5, (2, 2)),
            (7, (3, 1)),
            (8, (4, 1)),
            (9, (4, 2)),
        ] {
            assert_eq!(positions.of(offset), expected, "offset {offset}");
        }
        assert_eq!(positions.of(1000), (4, 2));
        assert_eq!(Positions::new("").of(0), (1, 1));
    }

    #[test]
    fn a_message_stays_one_line_of_bounded_length() {
        assert_eq!(one_line("a\nb\u{1b}[31m".to_owned()), "a\\nb\\u{1b}[31m");
        assert_eq!(one_line("é".repeat(500)).chars().count(), 401);
    }

    #[test]
    fn problems_come_in_file_order_and_once() {
        let mut problems = Problems::new("a\nb\n");
        problems.add(&(2..3), "second", "");
        problems.add(&(0..1), "first", "fix it");
        problems.add(&(2..3), "second", "");
        let lines: Vec<String> = problems.into_sorted().iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["1:1: first; fix it", "2:1: second"]);
    }
}
