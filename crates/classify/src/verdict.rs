//! What a flow gets, as a number for the flow table and as text with names.

use std::fmt;
use std::str::FromStr;

/// A pipeline: an index into the running configuration's pipelines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct PipelineId(pub u16);

/// A tool port: an index into the running configuration's tool ports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct ToolId(pub u16);

/// What a flow gets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// Its packets go through the pipeline's inspectors.
    Pipeline(PipelineId),
    /// Not looked into; still counted and recorded.
    Shunt,
    /// Freed at once; still counted.
    Drop,
    /// Sent out of a tool port.
    Tool(ToolId),
}

impl Verdict {
    const PIPELINE: u32 = 1;
    const SHUNT: u32 = 2;
    const DROP: u32 = 3;
    const TOOL: u32 = 4;

    /// As a number, never 0: the kind in the upper 16 bits, the pipeline or tool in the lower.
    #[inline]
    pub const fn to_u32(self) -> u32 {
        match self {
            Self::Pipeline(PipelineId(id)) => Self::PIPELINE << 16 | id as u32,
            Self::Shunt => Self::SHUNT << 16,
            Self::Drop => Self::DROP << 16,
            Self::Tool(ToolId(id)) => Self::TOOL << 16 | id as u32,
        }
    }

    /// The reverse of [`to_u32`](Self::to_u32); `None` for a number that no verdict has.
    #[inline]
    pub const fn from_u32(number: u32) -> Option<Self> {
        let id = number as u16;
        match (number >> 16, id) {
            (Self::PIPELINE, _) => Some(Self::Pipeline(PipelineId(id))),
            (Self::SHUNT, 0) => Some(Self::Shunt),
            (Self::DROP, 0) => Some(Self::Drop),
            (Self::TOOL, _) => Some(Self::Tool(ToolId(id))),
            _ => None,
        }
    }
}

/// A verdict as people write it: `pipeline NAME`, `shunt`, `drop` or `tool PORT`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum VerdictText {
    /// `pipeline NAME`.
    Pipeline(String),
    /// `shunt`.
    Shunt,
    /// `drop`.
    Drop,
    /// `tool PORT`.
    Tool(String),
}

/// Why a text is not a verdict.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VerdictTextError {
    /// Not one of the four forms.
    #[error("a verdict is `pipeline NAME`, `shunt`, `drop` or `tool PORT`")]
    Form,
    /// The configuration has no such pipeline.
    #[error("there is no pipeline `{0}`; define it or name another")]
    NoPipeline(String),
    /// The configuration has no such tool port.
    #[error("there is no tool port `{0}`; define it or name another")]
    NoTool(String),
}

impl FromStr for VerdictText {
    type Err = VerdictTextError;

    /// Words may be separated by any ASCII white space; keywords are lower case.
    fn from_str(text: &str) -> Result<Self, VerdictTextError> {
        let mut words = text.split_ascii_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("pipeline"), Some(name), None) => Ok(Self::Pipeline(name.to_owned())),
            (Some("shunt"), None, None) => Ok(Self::Shunt),
            (Some("drop"), None, None) => Ok(Self::Drop),
            (Some("tool"), Some(port), None) => Ok(Self::Tool(port.to_owned())),
            _ => Err(VerdictTextError::Form),
        }
    }
}

impl fmt::Display for VerdictText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipeline(name) => write!(f, "pipeline {name}"),
            Self::Shunt => f.write_str("shunt"),
            Self::Drop => f.write_str("drop"),
            Self::Tool(port) => write!(f, "tool {port}"),
        }
    }
}

impl VerdictText {
    /// Looks the name up.
    ///
    /// # Errors
    ///
    /// [`VerdictTextError::NoPipeline`] or [`VerdictTextError::NoTool`] when the lookup finds nothing.
    pub fn resolve(
        &self,
        pipeline: impl FnOnce(&str) -> Option<PipelineId>,
        tool: impl FnOnce(&str) -> Option<ToolId>,
    ) -> Result<Verdict, VerdictTextError> {
        match self {
            Self::Pipeline(name) => pipeline(name)
                .map(Verdict::Pipeline)
                .ok_or_else(|| VerdictTextError::NoPipeline(name.clone())),
            Self::Shunt => Ok(Verdict::Shunt),
            Self::Drop => Ok(Verdict::Drop),
            Self::Tool(port) => {
                tool(port).map(Verdict::Tool).ok_or_else(|| VerdictTextError::NoTool(port.clone()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_survives_the_flow_table() {
        let mut numbers = std::collections::HashSet::new();
        for id in [0, 1, 99, u16::MAX] {
            for verdict in
                [Verdict::Pipeline(PipelineId(id)), Verdict::Shunt, Verdict::Drop, Verdict::Tool(ToolId(id))]
            {
                let number = verdict.to_u32();
                assert_eq!(Verdict::from_u32(number), Some(verdict));
                numbers.insert(number);
            }
        }
        assert_eq!(numbers.len(), 4 + 2 + 4, "two verdicts share a number");
    }

    #[test]
    fn other_numbers_are_no_verdicts() {
        for number in [0, 1, 2 << 16 | 1, 3 << 16 | 7, 5 << 16, u32::MAX] {
            assert_eq!(Verdict::from_u32(number), None, "{number:#x}");
        }
    }

    #[test]
    fn the_four_forms_are_read_and_printed() {
        for text in ["pipeline full", "shunt", "drop", "tool zeek-1"] {
            assert_eq!(text.parse::<VerdictText>().map(|verdict| verdict.to_string()), Ok(text.into()));
        }
        assert_eq!("  tool \t a ".parse(), Ok(VerdictText::Tool("a".into())));
        for text in ["", "pipeline", "tool", "shunt now", "Drop", "drop drop", "pipeline a b", "pass"] {
            assert_eq!(text.parse::<VerdictText>(), Err(VerdictTextError::Form), "{text:?}");
        }
    }

    #[test]
    fn names_are_looked_up() {
        let pipeline = |name: &str| (name == "full").then_some(PipelineId(3));
        let tool = |name: &str| (name == "zeek").then_some(ToolId(4));
        let resolve =
            |text: &str| text.parse::<VerdictText>().and_then(|verdict| verdict.resolve(pipeline, tool));
        assert_eq!(resolve("pipeline full"), Ok(Verdict::Pipeline(PipelineId(3))));
        assert_eq!(resolve("tool zeek"), Ok(Verdict::Tool(ToolId(4))));
        assert_eq!(resolve("shunt"), Ok(Verdict::Shunt));
        assert_eq!(resolve("drop"), Ok(Verdict::Drop));
        assert_eq!(resolve("pipeline zeek"), Err(VerdictTextError::NoPipeline("zeek".into())));
        assert_eq!(resolve("tool full"), Err(VerdictTextError::NoTool("full".into())));
    }
}
