//! Checks a rule as a whole and completes it.

use app::{Buffer, Direction, Protocol, Scope};

use crate::ir::{
    self, AppCondition, Comparison, Condition, Content, FlowCondition, Group, HeaderCondition,
    HeaderProtocol, Number, Transform,
};
use crate::refusal::{Fault, Outcome, RefusalReason};

use super::builder::Builder;

impl Builder<'_> {
    /// The rule; `end` is where its text ends.
    pub(super) fn finish(mut self, end: usize) -> Outcome<ir::Rule> {
        self.keyword_offset = end.saturating_sub(1);
        self.check_meta(self.keyword_offset)?;
        self.leave_sticky()?;
        self.drop_empty_groups();
        self.rule.groups.append(&mut self.separate);
        self.check_directions()?;
        self.check_kind()?;
        if self.seen.file {
            self.file()?;
        }
        for group in &mut self.rule.groups {
            check_contents(group).map_err(|reason| Fault::at(self.keyword_offset, reason))?;
            check_sizes(group, &self.rule.packet).map_err(|reason| Fault::at(self.keyword_offset, reason))?;
            place_first(group);
            mark_chain(group);
        }
        self.rule.fast_pattern = self.fast_patterns.last().copied();
        Ok(self.rule)
    }

    /// Groups out of which every condition moved are no longer there.
    fn drop_empty_groups(&mut self) {
        let mut places = Vec::with_capacity(self.rule.groups.len());
        let mut next = 0;
        for group in &self.rule.groups {
            places.push(next);
            next += usize::from(!group.conditions.is_empty());
        }
        self.rule.groups.retain(|group| !group.conditions.is_empty());
        for fast in &mut self.fast_patterns {
            fast.group = places.get(fast.group).copied().unwrap_or(fast.group);
        }
    }

    /// What the rule looks into must be in the data of the direction it is about.
    fn check_directions(&mut self) -> Outcome {
        if self.seen.file && self.rule.app_protocol == Some(ir::AppProtocol::Only(Protocol::Smtp)) {
            self.only(Direction::ToServer)?;
        }
        let raw_header = self.rule.groups.iter().any(|group| group.buffer == Buffer::HttpHeaderRaw);
        if raw_header && self.rule.flow.direction.is_none() {
            return Err(
                self.conflict("http.header.raw needs a direction; add flow:to_server or flow:to_client")
            );
        }
        if let Some(only) = self.seen.only {
            if self.rule.flow.direction.is_some_and(|direction| direction != only) {
                return Err(self.conflict(
                    "the rule looks into something that data in the direction of its flow keyword does not have",
                ));
            }
            self.rule.flow.direction = Some(only);
        }
        Ok(())
    }

    /// A rule is about packets, about the stream, or about transactions.
    fn check_kind(&self) -> Outcome {
        let FlowCondition { only_stream, no_stream, .. } = self.rule.flow;
        let protocol = self.rule.header.protocol;
        let packet = self.seen.packet || no_stream || protocol == HeaderProtocol::TcpPacket;
        let stream = only_stream || protocol == HeaderProtocol::TcpStream;
        if packet && stream {
            return Err(self.conflict(
                "conditions on packets cannot be mixed with tcp-stream or flow:only_stream; take one of them out",
            ));
        }
        let has_own_kind = |condition: &AppCondition| match condition {
            AppCondition::Protocol { .. } => false,
            AppCondition::Event(name) => name.contains('.'),
            _ => true,
        };
        let transaction = self.rule.groups.iter().any(|group| group.buffer.scope() == Scope::Transaction)
            || self.rule.app.iter().any(has_own_kind)
            || self.rule.packet.contains(&HeaderCondition::FtpBounce);
        if packet && transaction {
            return Err(self.conflict(
                "conditions on packets (dsize, flags, ttl …) cannot be mixed with conditions on transactions \
                 (http.uri, file.data …); take one of them out",
            ));
        }
        Ok(())
    }
}

/// Whether a content can be in its buffer at all, and in the form that the buffer has.
fn check_contents(group: &mut Group) -> Result<(), RefusalReason> {
    let upper = |content: &Content| content.pattern.iter().any(u8::is_ascii_uppercase);
    let lower = |content: &Content| content.pattern.iter().any(u8::is_ascii_lowercase);
    for condition in &mut group.conditions {
        let Condition::Content(content) = condition else { continue };
        if group.transforms.contains(&Transform::LowerCase) && upper(content) {
            return Err(RefusalReason::conflict(
                "content with upper-case letters is never found after to_lowercase",
            ));
        }
        if group.transforms.contains(&Transform::UpperCase) && lower(content) {
            return Err(RefusalReason::conflict(
                "content with lower-case letters is never found after to_uppercase",
            ));
        }
        if !group.transforms.is_empty() {
            continue;
        }
        match group.buffer {
            Buffer::HttpHost if content.nocase => {
                return Err(RefusalReason::conflict("http.host is in lower case already; take nocase out"));
            }
            Buffer::HttpHost if upper(content) => {
                return Err(RefusalReason::conflict("http.host is in lower case; write the content so"));
            }
            Buffer::HttpMethod
                if content.pattern.first() == Some(&b' ') || content.pattern.last() == Some(&b' ') =>
            {
                return Err(RefusalReason::conflict(
                    "http.method has no spaces around it; take the space out",
                ));
            }
            Buffer::Ja3Hash
            | Buffer::Ja3sHash
            | Buffer::SshHassh
            | Buffer::SshHasshServer
            | Buffer::QuicCyuHash => {
                if content.pattern.len() != 32 {
                    return Err(RefusalReason::conflict(
                        "this buffer is an MD5 in 32 hexadecimal digits; give all of them",
                    ));
                }
                content.pattern.make_ascii_lowercase();
            }
            Buffer::TlsCertFingerprint => {
                let len = super::tls::FINGERPRINT_LEN;
                if content.pattern.len() != len || !content.pattern.contains(&b':') {
                    return Err(RefusalReason::conflict(
                        "this buffer is 20 bytes in hexadecimal with colons between them; give all of them",
                    ));
                }
                content.pattern.make_ascii_lowercase();
            }
            Buffer::TlsCertSerial => {
                if content.pattern.len() > 2 && !content.pattern.contains(&b':') {
                    return Err(RefusalReason::conflict(
                        "this buffer has a colon after every two digits; write it so",
                    ));
                }
                content.pattern.make_ascii_uppercase();
            }
            _ => {}
        }
    }
    Ok(())
}

/// How long the buffer must be at least for the first content of a group and those that count from it. Others may
/// overlap, and are not counted, so that exactly the rules are refused that Suricata refuses.
fn needed_len(group: &Group) -> i64 {
    let contents = group.conditions.iter().filter_map(|condition| match condition {
        Condition::Content(content) => Some(content),
        _ => None,
    });
    let mut needed = 0;
    for (index, content) in contents.enumerate() {
        let len = content.pattern.len() as i64;
        if index == 0 {
            let offset = match content.offset {
                Some(Number::Literal(offset)) => i64::from(offset),
                _ => 0,
            };
            needed = offset + len;
        } else if content.is_relative() && !content.negated {
            let distance = match content.distance {
                Some(Number::Literal(distance)) => i64::from(distance),
                _ => 0,
            };
            needed += distance + len;
        }
    }
    needed
}

/// A size that is too small for the contents makes a rule that never matches.
fn check_sizes(group: &Group, packet: &[HeaderCondition]) -> Result<(), RefusalReason> {
    let at_most = |comparison: Comparison<u64>| match comparison {
        Comparison::Equal(most) | Comparison::Less(most) | Comparison::Between(_, most) => Some(most),
        _ => None,
    };
    let own = group.conditions.iter().find_map(|condition| match *condition {
        Condition::Size(size) => Some(at_most(size)),
        _ => None,
    });
    let of_packet = packet.iter().find_map(|condition| match *condition {
        // What Suricata takes for a limit, too.
        HeaderCondition::PayloadSize(Comparison::NotEqual(size)) => Some(Some(u64::from(size))),
        HeaderCondition::PayloadSize(size) => Some(at_most(size.map(u64::from))),
        _ => None,
    });
    let most = if group.buffer == Buffer::Payload { of_packet.flatten() } else { own.flatten() };
    let needed = needed_len(group);
    if let Some(most) = most.filter(|most| i64::try_from(*most).is_ok_and(|most| needed > most)) {
        return Err(RefusalReason::conflict(format!(
            "the contents need {needed} bytes, and the size allows {most}; the rule can never match"
        )));
    }
    let uri = group.conditions.iter().find_map(|condition| match *condition {
        Condition::UriLength(size) => at_most(size.map(u64::from)),
        _ => None,
    });
    let longest = group.conditions.iter().filter_map(|condition| match condition {
        Condition::Content(content) if !content.negated => Some(content.pattern.len() as u64),
        _ => None,
    });
    match uri.zip(longest.max()).filter(|(most, longest)| longest > most) {
        Some((most, longest)) => Err(RefusalReason::conflict(format!(
            "a content has {longest} bytes, and urilen allows {most}; the rule can never match"
        ))),
        None => Ok(()),
    }
}

/// A content with nothing before it that it could count from counts from the beginning: its distance is an offset, and
/// its within a depth.
fn place_first(group: &mut Group) {
    let sized = |condition: &Condition| matches!(condition, Condition::Size(_) | Condition::UriLength(_));
    let Some(Condition::Content(content)) = group.conditions.iter_mut().find(|condition| !sized(condition))
    else {
        return;
    };
    let number = |number: Number<i32>| match number {
        Number::Literal(number) => u32::try_from(number).ok().map(Number::Literal),
        Number::Variable(_) => None,
    };
    let distance = content.distance.map(number);
    let within = content.within.map(number);
    // A negative distance lies before the beginning, and a variable may; these stay as they are.
    if let (None | Some(Some(_)), None | Some(Some(_))) = (distance, within)
        && content.is_relative()
    {
        (content.offset, content.depth) = (distance.flatten(), within.flatten());
        (content.distance, content.within) = (None, None);
        content.from_distance = true;
    }
}

/// Marks the conditions that a later one counts from, which are the ones that are tried again elsewhere when a later one
/// fails. As in Suricata, in the payload a condition that reads bytes counts from the one before it without asking for
/// that if this one reads bytes, too.
fn mark_chain(group: &mut Group) {
    let in_payload = group.buffer == Buffer::Payload;
    // Wanted by a content or expression, and wanted by what reads bytes.
    let (mut wanted, mut wanted_by_bytes) = (false, false);
    for condition in group.conditions.iter_mut().rev() {
        let reads_bytes = match condition {
            Condition::Content(content) => {
                content.relative_next = wanted || wanted_by_bytes;
                (wanted, wanted_by_bytes) = (content.is_relative(), false);
                continue;
            }
            Condition::Pcre(pcre) => {
                pcre.relative_next = wanted || wanted_by_bytes;
                (wanted, wanted_by_bytes) = (pcre.relative, false);
                continue;
            }
            Condition::ByteTest(test) => test.relative,
            Condition::ByteJump(jump) => jump.relative,
            Condition::ByteExtract(extract) => extract.relative,
            Condition::ByteMath(math) => math.relative,
            Condition::IsDataAt(data) => data.relative,
            Condition::Base64Decode(_)
            | Condition::Size(_)
            | Condition::UriLength(_)
            | Condition::Dataset(_)
            | Condition::DataReputation(_) => continue,
        };
        wanted_by_bytes = reads_bytes || (wanted_by_bytes && !in_payload);
    }
}
