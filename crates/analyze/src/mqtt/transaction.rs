//! A message with those that acknowledge it.

use app::{Buffer, Direction, Stage};

use super::eve;
use super::message::{Body, Connect, Message};
use crate::{Events, Transaction, View};

/// Topics of one message that rules look at (`subscribe-topic-match-limit` of the reference).
const TOPICS_MAX: usize = 100;

/// Flags of a message that `mqtt.flags` asks for: duplicate, retain.
const FLAGS: u8 = 0x09;

/// Flags of a CONNECT that `mqtt.connect.flags` asks for.
const CONNECT_FLAGS: u8 = 0xe6;

/// Numbers that rules can ask for.
pub(crate) const NUMBERS: &[&str] = &[
    "mqtt.type",
    "mqtt.qos",
    "mqtt.flags",
    "mqtt.connect.flags",
    "mqtt.protocol_version",
    "mqtt.reason_code",
    "mqtt.connack.session_present",
];

/// A message with those that acknowledge it.
#[derive(Debug)]
pub(crate) struct MqttTransaction {
    pub(super) id: u64,
    /// The way in which rules look at it.
    pub(super) direction: Direction,
    /// The connection's protocol version; 0 before one was asked for.
    pub(super) version: u8,
    /// None, if what came could not be read.
    pub(super) messages: Vec<Message>,
    /// Everything that belongs to it has come.
    pub(super) complete: bool,
    /// Nothing more comes, whether it is complete or not.
    pub(super) over: bool,
    pub(super) events: Vec<&'static str>,
    /// Rules have looked at it before it was complete.
    pub(super) looked_at: bool,
}

impl MqttTransaction {
    pub(super) fn raise(&mut self, event: &'static str) {
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    /// Whether something is missing that could still come.
    pub(super) const fn is_open(&self) -> bool {
        !self.complete && !self.over
    }

    fn connect(&self) -> Option<&Connect> {
        self.messages.iter().find_map(|message| match &message.body {
            Body::Connect(connect) => Some(&**connect),
            _ => None,
        })
    }

    fn publish(&self) -> Option<(&str, &[u8])> {
        self.messages.iter().find_map(|message| match &message.body {
            Body::Publish { topic, message, .. } => Some((topic.as_str(), message.as_slice())),
            _ => None,
        })
    }

    fn topic(&self, buffer: Buffer, index: usize) -> Option<&str> {
        if index >= TOPICS_MAX {
            return None;
        }
        self.messages.iter().find_map(|message| match (&message.body, buffer) {
            (Body::Subscribe { topics, .. }, Buffer::MqttSubscribeTopic) => {
                topics.get(index).map(|(topic, _)| topic.as_str())
            }
            (Body::Unsubscribe { topics, .. }, Buffer::MqttUnsubscribeTopic) => {
                topics.get(index).map(String::as_str)
            }
            _ => None,
        })
    }

    fn single(&self, buffer: Buffer) -> Option<&[u8]> {
        let will = || self.connect()?.will.as_ref();
        match buffer {
            Buffer::MqttConnectClientid => Some(self.connect()?.client.as_bytes()),
            Buffer::MqttConnectUsername => self.connect()?.user.as_deref().map(str::as_bytes),
            Buffer::MqttConnectPassword => self.connect()?.password.as_deref(),
            Buffer::MqttConnectWilltopic => Some(will()?.topic.as_bytes()),
            Buffer::MqttConnectWillmessage => Some(&will()?.message),
            Buffer::MqttPublishTopic => Some(self.publish()?.0.as_bytes()),
            Buffer::MqttPublishMessage => Some(self.publish()?.1),
            _ => None,
        }
    }
}

impl Transaction for MqttTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn one_way(&self) -> Option<Direction> {
        Some(self.direction)
    }

    fn stage(&self, direction: Direction) -> Stage {
        if direction != self.direction {
            Stage::Waiting
        } else if self.complete || self.over {
            Stage::Complete
        } else {
            Stage::Line
        }
    }

    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        _: &'a mut Vec<u8>,
    ) -> Option<View<'a>> {
        if direction != self.direction || !buffer.is_in(direction) {
            return None;
        }
        let bytes = match buffer {
            // The reference shows these only of what was acknowledged.
            Buffer::MqttSubscribeTopic | Buffer::MqttUnsubscribeTopic if self.complete => {
                self.topic(buffer, index)?.as_bytes()
            }
            // And these where it is complete when it is first looked at.
            _ if index == 0 && self.complete && !self.looked_at => self.single(buffer)?,
            _ => return None,
        };
        Some(View::whole(bytes))
    }

    fn inspected(&mut self, direction: Direction) {
        self.looked_at |= direction == self.direction && !self.complete;
    }

    fn number(&self, direction: Direction, field: &str, index: usize) -> Option<u64> {
        // The reference asks for numbers when no more of it comes, and for some only where they go.
        if direction != self.direction || self.is_open() {
            return None;
        }
        let truncated = matches!(self.messages.first(), Some(Message { body: Body::Truncated(_), .. }));
        let to_server = direction == Direction::ToServer && !truncated;
        let header = |index: usize| self.messages.get(index).map(|message| message.header);
        let value = match field {
            "mqtt.type" => header(index)?.kind(),
            // Of the first message that has any, as in the reference.
            "mqtt.reason_code" => {
                *self.messages.iter().map(Message::reasons).find(|reasons| !reasons.is_empty())?.get(index)?
            }
            "mqtt.qos" if to_server => header(index)?.qos(),
            "mqtt.flags" if to_server => header(index)?.first & FLAGS,
            "mqtt.connect.flags" if to_server && index == 0 => self.connect()?.flags & CONNECT_FLAGS,
            "mqtt.protocol_version" if to_server && index == 0 => self.version,
            "mqtt.connack.session_present" if direction == Direction::ToClient && index == 0 => {
                self.messages.iter().find_map(|message| match message.body {
                    Body::Connack { session_present, .. } => Some(u8::from(session_present)),
                    _ => None,
                })?
            }
            _ => return None,
        };
        Some(value.into())
    }

    fn events(&self, direction: Direction) -> Events<'_> {
        if direction == self.direction { &self.events } else { &[] }
    }

    fn context(&self, to: &mut Vec<u8>) {
        eve::write(to, &self.messages);
    }
}
