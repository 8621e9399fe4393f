//! What a flow gets, and the number that the flow table keeps of it.

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
}
