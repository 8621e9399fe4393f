//! SYNs and SYN+ACKs that are sent again and are not the same: which one counts shows later.
//!
//! In: every SYN of the client and every SYN+ACK of the server after the first. Out: the one that the other side answers.
//! Until the server answers these are SYNs, and from then on SYN+ACKs; a handful of either is remembered.

use super::Stream;
use super::config::StreamConfig;
use super::options::Options;
use super::session::Input;
use super::side::TIMESTAMPS_OFFERED;

/// What differs from the first SYN or SYN+ACK.
#[derive(Default)]
pub(super) struct Alternatives {
    pub(super) list: Vec<Alternative>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Alternative {
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) window: u16,
    pub(super) options: Options,
    pub(super) now_s: u32,
}

impl Alternative {
    pub(super) fn of(input: &Input<'_>) -> Self {
        Self {
            seq: input.tcp.seq,
            ack: input.tcp.ack,
            window: input.tcp.window,
            options: input.options,
            now_s: input.now_s,
        }
    }
}

impl Stream {
    /// Remembers a SYN with the first one's sequence number and another timestamp; `false` when there are too many.
    pub(super) fn remember_syn(&mut self, config: &StreamConfig, input: &Input<'_>) -> bool {
        let [client, _] = &self.sides;
        let Some(timestamp) = input.options.timestamp else { return true };
        if !client.has(TIMESTAMPS_OFFERED)
            || client.isn != input.tcp.seq
            || client.timestamp == timestamp.value
        {
            return true;
        }
        let list = &mut self.alternatives.get_or_insert_default().list;
        let is_known =
            |known: &Alternative| known.options.timestamp.is_some_and(|other| other.value == timestamp.value);
        if list.iter().any(is_known) {
            return true;
        }
        let room = list.len() < usize::from(config.syns_max);
        if room {
            list.push(Alternative::of(input));
        }
        room
    }

    /// The SYN whose timestamp an answer echoes (RFC 7323, 3.2) becomes the one that counts; `false` if there is none. An
    /// answer may also echo nothing.
    pub(super) fn choose_syn(&mut self, answer: &Input<'_>) -> bool {
        let Some(timestamp) = answer.options.timestamp.filter(|timestamp| timestamp.echo != 0) else {
            return true;
        };
        let [client, _] = &self.sides;
        if client.has(TIMESTAMPS_OFFERED) && client.timestamp == timestamp.echo {
            return true;
        }
        let echoed =
            |syn: &&Alternative| syn.options.timestamp.is_some_and(|own| own.value == timestamp.echo);
        let again = self.alternatives.as_ref().and_then(|known| known.list.iter().find(echoed).copied());
        let Some(syn) = again else { return false };
        self.open(syn.seq, syn.window, syn.options, 0, syn.now_s);
        true
    }

    /// Remembers a SYN+ACK beside the first; `false` when there are too many.
    pub(super) fn remember_answer(&mut self, config: &StreamConfig, input: &Input<'_>) -> bool {
        let alternative = Alternative::of(input);
        let list = &mut self.alternatives.get_or_insert_default().list;
        if list.iter().any(|known| (known.seq, known.ack) == (alternative.seq, alternative.ack)) {
            return true;
        }
        if list.len() >= usize::from(config.syn_acks_max) {
            return false;
        }
        list.push(alternative);
        true
    }
}
