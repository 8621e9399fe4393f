//! A rule on its way: what its options have said so far.

use std::borrow::Cow;

use app::{Buffer, Direction};

use crate::environment::Environment;
use crate::ir::{self, Condition, Group};
use crate::refusal::{Fault, Outcome, RefusalReason};

/// The place of a condition: group and index in it.
pub(super) type Place = (usize, usize);

/// A rule on its way.
pub(super) struct Builder<'e> {
    pub(super) environment: &'e Environment,
    pub(super) rule: ir::Rule,
    /// Where the keyword that is being read stands.
    pub(super) keyword_offset: usize,
    /// The group that new conditions go to, if a sticky buffer chose one; else they are about the payload.
    pub(super) sticky: Option<usize>,
    /// Transforms that wait for the first condition on the buffer they change.
    pub(super) transforms: Vec<ir::Transform>,
    /// The last content, which modifiers are about.
    pub(super) last_content: Option<Place>,
    /// Contents with `fast_pattern`, in their order.
    pub(super) fast_patterns: Vec<ir::FastPattern>,
    /// Names that `byte_extract` and `byte_math` have set, in the order of their numbers.
    pub(super) variables: Vec<String>,
    /// Groups that no later condition joins.
    pub(super) separate: Vec<Group>,
    pub(super) seen: Seen,
    /// What `prefilter` is about: the kind of the last condition.
    pub(super) last: Last,
    /// Contents with `rawbytes`.
    pub(super) raw: Vec<Place>,
}

/// Keywords that may be given only once, or that others need.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) sid: bool,
    pub(super) rev: bool,
    pub(super) msg: bool,
    pub(super) flow: bool,
    pub(super) priority: bool,
    pub(super) app_protocol_keyword: Option<bool>,
    pub(super) base64_decode: bool,
    pub(super) prefilter: bool,
    /// A keyword that is about one packet.
    pub(super) packet: bool,
    /// A keyword that is about a file.
    pub(super) file: bool,
    /// A keyword about something that data going only this way has.
    pub(super) only: Option<Direction>,
}

/// What `prefilter` would be about.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Last {
    #[default]
    Nothing,
    /// The last of the packet conditions, and whether it can select candidates.
    Packet(bool),
    Content,
    /// `flow`, `app-layer-protocol`: conditions that can, but are not in a list.
    Other(bool),
}

impl<'e> Builder<'e> {
    pub(super) fn new(
        action: ir::Action,
        header: ir::Header,
        app_protocol: Option<ir::AppProtocol>,
        environment: &'e Environment,
    ) -> Self {
        let rule = ir::Rule {
            position: crate::Position::default(),
            action,
            header,
            app_protocol,
            meta: ir::Meta { gid: 1, priority: 3, ..ir::Meta::default() },
            flow: ir::FlowCondition::default(),
            packet: Vec::new(),
            groups: Vec::new(),
            app: Vec::new(),
            state: Vec::new(),
            threshold: None,
            detection_filter: None,
            rate_filter: None,
            suppressions: Vec::new(),
            noalert: false,
            tag: None,
            config: None,
            bypass: false,
            fast_pattern: None,
            prefilter: None,
        };
        Self {
            environment,
            rule,
            keyword_offset: 0,
            sticky: None,
            transforms: Vec::new(),
            last_content: None,
            fast_patterns: Vec::new(),
            variables: Vec::new(),
            separate: Vec::new(),
            seen: Seen::default(),
            last: Last::default(),
            raw: Vec::new(),
        }
    }

    /// A fault of the keyword that is being read.
    pub(super) fn fault(&self, reason: RefusalReason) -> Box<Fault> {
        Fault::at(self.keyword_offset, reason)
    }

    pub(super) fn conflict(&self, text: impl Into<Cow<'static, str>>) -> Box<Fault> {
        self.fault(RefusalReason::conflict(text))
    }

    /// Demands that the flow has this protocol; a narrower demand that the rule already makes stays.
    pub(super) fn require(&mut self, protocol: ir::AppProtocol) -> Outcome {
        use ir::AppProtocol::{Http, Only};
        let narrower = match (self.rule.app_protocol, protocol) {
            (None, new) => new,
            (Some(old), new) if old == new => old,
            (Some(old @ Only(own)), Http) if Http.allows(own) => old,
            (Some(Http), new @ Only(own)) if Http.allows(own) => new,
            (Some(old), new) => {
                return Err(self.conflict(format!(
                    "this is about {}, but the rule is already about {}; a flow has one protocol",
                    name(new),
                    name(old)
                )));
            }
        };
        self.rule.app_protocol = Some(narrower);
        Ok(())
    }

    /// Notes that the rule is about data going this way only.
    pub(super) fn only(&mut self, direction: Direction) -> Outcome {
        if self.seen.only.is_some_and(|other| other != direction) {
            return Err(self
                .conflict("the rule mixes what requests have with what responses have; no packet has both"));
        }
        self.seen.only = Some(direction);
        Ok(())
    }

    /// The group that a condition goes to now.
    pub(super) fn group(&mut self) -> usize {
        if let Some(sticky) = self.sticky {
            if self.transforms.is_empty() {
                return sticky;
            }
            let transforms = std::mem::take(&mut self.transforms);
            let Some(group) = self.rule.groups.get_mut(sticky) else { return sticky };
            if group.conditions.is_empty() && group.transforms.is_empty() {
                group.transforms = transforms;
                return self.unite(sticky);
            }
            let buffer = group.buffer;
            let index = self.open(buffer, transforms);
            self.sticky = Some(index);
            return index;
        }
        self.open(Buffer::Payload, Vec::new())
    }

    /// Joins the last, still empty group with an earlier one about the same.
    fn unite(&mut self, index: usize) -> usize {
        let Some(group) = self.rule.groups.get(index) else { return index };
        if index + 1 != self.rule.groups.len() || group.buffer.is_multiple() {
            return index;
        }
        let same = self
            .rule
            .groups
            .iter()
            .take(index)
            .position(|other| other.buffer == group.buffer && other.transforms == group.transforms);
        if let Some(same) = same {
            self.rule.groups.pop();
            self.sticky = Some(same);
            return same;
        }
        index
    }

    /// The group of this buffer: the one there is, unless a transaction can have several of it, or a new one.
    pub(super) fn open(&mut self, buffer: Buffer, transforms: Vec<ir::Transform>) -> usize {
        if !buffer.is_multiple() {
            let same = |group: &Group| group.buffer == buffer && group.transforms == transforms;
            if let Some(index) = self.rule.groups.iter().position(same) {
                return index;
            }
        }
        self.rule.groups.push(Group { buffer, transforms, conditions: Vec::new() });
        self.rule.groups.len() - 1
    }

    /// Adds a condition where conditions go now.
    pub(super) fn push(&mut self, condition: Condition) -> Place {
        let group = self.group();
        self.push_to(group, condition)
    }

    /// Adds a condition to a group.
    pub(super) fn push_to(&mut self, group: usize, condition: Condition) -> Place {
        let is_content = matches!(condition, Condition::Content(_));
        let mut place = (group, 0);
        if let Some(group) = self.rule.groups.get_mut(group) {
            place.1 = group.conditions.len();
            group.conditions.push(condition);
        }
        if is_content {
            self.last_content = Some(place);
        }
        self.last = if is_content { Last::Content } else { Last::Other(false) };
        place
    }

    /// Adds a condition on packet headers that makes the rule one about packets.
    pub(super) fn packet(&mut self, condition: ir::HeaderCondition, can_prefilter: bool) -> Outcome {
        self.seen.packet = true;
        self.loose_packet(condition, can_prefilter);
        Ok(())
    }

    /// Adds a condition on packet headers that rules about streams and transactions may have too.
    pub(super) fn loose_packet(&mut self, condition: ir::HeaderCondition, can_prefilter: bool) {
        self.rule.packet.push(condition);
        self.last = Last::Packet(can_prefilter);
    }

    /// The content that a modifier is about: the last one, which must be in the sticky buffer if there is one.
    pub(super) fn content(&mut self) -> Outcome<(&mut ir::Content, Place)> {
        let offset = self.keyword_offset;
        let group = self
            .last_content
            .filter(|place| self.sticky.is_none_or(|sticky| sticky == place.0))
            .and_then(|place| Some((self.rule.groups.get_mut(place.0)?, place)));
        match group.and_then(|(group, place)| Some((group.conditions.get_mut(place.1)?, place))) {
            Some((Condition::Content(content), place)) => Ok((content, place)),
            _ => Err(Fault::at(offset, RefusalReason::NeedsBefore("content"))),
        }
    }

    /// The `fast_pattern` of the content at `place`, if it has one.
    pub(super) fn fast_pattern_of(&self, place: Place) -> Option<ir::FastPattern> {
        self.fast_patterns.iter().find(|fast| (fast.group, fast.condition) == place).copied()
    }
}

fn name(protocol: ir::AppProtocol) -> &'static str {
    match protocol {
        ir::AppProtocol::Http => "http",
        ir::AppProtocol::Only(protocol) => protocol.as_str(),
    }
}
