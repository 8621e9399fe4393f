//! Finding out the protocol of a session, and what follows from it for both directions.

use app::{Direction, Protocol};

use super::run::Run;
use super::{Session, events};
use crate::Config;
use crate::detect::{self, Answer, Question};

impl Session {
    /// Asks the first bytes of a stream's direction. Whether client and server turned out to be mistaken.
    pub(super) fn detect_stream(&mut self, run: &mut Run<'_>, direction: Direction, bytes: &[u8]) -> bool {
        self.resume(run);
        if self.way(direction).fed {
            // The bytes that were left from before a change decided it.
            self.feed(run, direction, bytes);
            return false;
        }
        run.keep(direction, bytes);
        let pending = std::mem::take(run.pending(direction));
        let mut answer = if self.way(direction).over {
            Answer::Unknown
        } else {
            self.ask(run.config, direction, &pending)
        };
        let mut reversed = false;
        if let (Answer::Unknown | Answer::Unsure, Some(expectation)) = (answer, &run.live.expectation) {
            answer = Answer::Is(expectation.protocol);
        }
        if self.midstream
            && self.protocol.is_none()
            && !matches!(answer, Answer::Is(_))
            && let Answer::Is(protocol) = self.ask(run.config, direction.flipped(), &pending)
        {
            answer = Answer::Reversed(protocol);
        }
        *run.pending(direction) = pending;
        match answer {
            Answer::Is(protocol) => self.found(run, direction, protocol),
            Answer::Reversed(protocol) => {
                reversed = self.protocol.is_none();
                if reversed {
                    self.turn_around(run);
                    self.found(run, direction.flipped(), protocol);
                }
            }
            Answer::Unsure if run.lost(direction) == 0 => {
                self.bail_out(run, direction);
            }
            Answer::Unsure | Answer::Unknown => self.give_up(run, direction, 0),
        }
        reversed
    }

    /// Asks a datagram. The first of each direction decides.
    pub(super) fn detect_datagram(&mut self, run: &mut Run<'_>, direction: Direction, bytes: &[u8]) -> bool {
        if self.way(direction).over {
            if self.protocol.is_some() {
                self.way_mut(direction).fed = true;
                self.feed(run, direction, bytes);
            }
            return false;
        }
        let mut answer = self.ask(run.config, direction, bytes);
        if let (Answer::Unknown | Answer::Unsure, Some(expectation)) = (answer, &run.live.expectation) {
            answer = Answer::Is(expectation.protocol);
        }
        let mut direction = direction;
        let mut reversed = false;
        let found = match answer {
            Answer::Is(protocol) => Some(protocol),
            Answer::Reversed(protocol) => {
                if self.protocol.is_none() {
                    reversed = true;
                    self.turn_around(run);
                    direction = direction.flipped();
                }
                Some(protocol)
            }
            Answer::Unsure | Answer::Unknown => None,
        };
        let way = self.way_mut(direction);
        way.over = true;
        way.found = found;
        match (found, self.protocol) {
            (Some(found), Some(known)) if found != known => run.live.events.push(events::MISMATCH),
            (Some(found), None) => self.set_protocol(run, found),
            (None, None) if self.way(direction.flipped()).over => self.failed = true,
            _ => {}
        }
        if self.protocol.is_some() {
            self.way_mut(direction).fed = true;
            self.feed(run, direction, bytes);
        }
        reversed
    }

    fn ask(&self, config: &Config, direction: Direction, bytes: &[u8]) -> Answer {
        let (client_port, server_port) = (self.client_port, self.server_port);
        detect::ask(&Question {
            transport: self.transport,
            direction,
            client_port,
            server_port,
            bytes,
            config,
        })
    }

    /// A direction's data shows its protocol.
    fn found(&mut self, run: &mut Run<'_>, direction: Direction, protocol: Protocol) {
        let other = direction.flipped();
        if let Some(known) = self.protocol {
            if known != protocol {
                run.live.events.push(events::MISMATCH);
            }
            let way = self.way_mut(direction);
            way.over = true;
            way.found = Some(protocol);
            self.release(run, direction);
            return;
        }
        // Of a connection whose beginning was not seen, what came first was not seen either.
        let first = detect::first_direction(protocol).filter(|_| !self.one_sided && !self.midstream);
        if first.is_some() && first != self.first {
            run.live.events.push(events::WRONG_DIRECTION);
            self.protocol = Some(protocol);
            self.way_mut(direction).found = Some(protocol);
            self.fail(run);
            return;
        }
        if first == Some(other) && !self.way(other).over {
            // Its request is still being looked at, and must come first.
            return;
        }
        let way = self.way_mut(direction);
        way.over = true;
        way.found = Some(protocol);
        if let Some(awaited) = run.live.awaited.take()
            && awaited != protocol
        {
            run.live.events.push(events::UNEXPECTED);
            if awaited == Protocol::Tls {
                run.live.events.push(events::NO_TLS);
            }
        }
        self.set_protocol(run, protocol);
        if self.way(other).over {
            run.live.events.push(events::ONE_DIRECTION);
            self.release(run, other);
        }
        if self.wants(direction) {
            self.release(run, direction);
        }
    }

    /// A direction's data shows no protocol, or has a gap of `gap` bytes behind it.
    pub(super) fn give_up(&mut self, run: &mut Run<'_>, direction: Direction, gap: u64) {
        let was_over = std::mem::replace(&mut self.way_mut(direction).over, true);
        *run.lost_mut(direction) += gap;
        if self.protocol.is_some() {
            if !was_over {
                run.live.events.push(events::ONE_DIRECTION);
            }
            self.release(run, direction);
        } else if self.way(direction.flipped()).over {
            if run.live.awaited.take() == Some(Protocol::Tls) {
                run.live.events.push(events::NO_TLS);
            }
            self.fail(run);
        } else {
            self.bail_out(run, direction);
        }
    }

    /// Stops looking for a protocol when much has come one way and nothing the other.
    fn bail_out(&mut self, run: &mut Run<'_>, direction: Direction) {
        if self.protocol.is_none() && run.seen(direction) > run.config.limits.detect_give_up_bytes {
            if run.seen(direction.flipped()) == 0 {
                run.live.events.push(events::SKIPPED);
            }
            self.fail(run);
        }
    }

    /// After a change of protocol: forgets the old one, and asks the bytes that were left over.
    pub(super) fn resume(&mut self, run: &mut Run<'_>) {
        if self.protocol.is_none() || self.original.is_none() || run.live.parser.is_some() || self.done {
            return;
        }
        if self.ways.iter().any(|way| way.fed) {
            return;
        }
        self.protocol = None;
        for direction in Direction::BOTH {
            let pending = std::mem::take(run.pending(direction));
            if !pending.is_empty() {
                self.first.get_or_insert(direction);
                let answer = self.ask(run.config, direction, &pending);
                *run.pending(direction) = pending;
                if let Answer::Is(protocol) = answer {
                    self.found(run, direction, protocol);
                }
            }
        }
    }

    /// Client and server were mistaken for each other.
    fn turn_around(&mut self, run: &mut Run<'_>) {
        std::mem::swap(&mut self.client_port, &mut self.server_port);
        self.ways.swap(0, 1);
        self.first = self.first.map(Direction::flipped);
        run.live.pending.swap(0, 1);
        run.live.lost.swap(0, 1);
        run.live.seen.swap(0, 1);
    }
}
