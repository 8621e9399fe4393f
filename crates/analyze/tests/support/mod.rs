//! Replays a capture through sessions, for tests: packets are parsed, TCP is put in order the plainest way, and what the
//! sessions say is collected. The product does this in the dataplane, with a reassembly of its own.

#![allow(dead_code, clippy::unwrap_used, clippy::missing_panics_doc, unreachable_pub)]

mod tcp;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use analyze::{Config, Expectation, Record, Session, Transaction, Transport};
use app::{Direction, Protocol};
use pcap_parser::{Block, PcapBlockOwned, PcapError};
use tcp::Reassembly;
use wire::{L4, NTuple, Packet, ParseOptions};

/// The folder of test data that is too large for the repository; `None`, with a note, if it is not there.
pub fn corpora() -> Option<PathBuf> {
    let folder = std::env::var_os("FOREBAY_CORPORA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora")),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no corpora at {}; set FOREBAY_CORPORA", folder.display());
    None
}

/// A record with the packet and the flow that it came from.
#[derive(Debug)]
pub struct Told {
    /// Number of the packet, from 1; one more than the last at the end.
    pub packet: u64,
    /// The flow, client first.
    pub flow: NTuple,
    /// What was told.
    pub record: Record,
}

impl Told {
    /// The record as an EVE object, as far as this crate makes it.
    pub fn json(&self) -> serde_json::Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The same as text, members in the order in which they were written.
    pub fn text(&self) -> String {
        let members = String::from_utf8(self.record.members.clone()).unwrap();
        let tuple = match self.record.direction {
            Direction::ToServer => self.flow,
            Direction::ToClient => self.flow.reversed(),
        };
        let mut text = format!(
            r#"{{"pcap_cnt":{},"event_type":"{}","src_ip":"{}","src_port":{},"dest_ip":"{}","dest_port":{}"#,
            self.packet,
            self.record.event_type,
            tuple.src.to_ip(tuple.ip_version),
            tuple.src_port,
            tuple.dst.to_ip(tuple.ip_version),
            tuple.dst_port,
        );
        if let Some(id) = self.record.tx_id {
            text.push_str(r#","tx_id":"#);
            text.push_str(&id.to_string());
        }
        if !members.is_empty() {
            text.push(',');
            text.push_str(&members);
        }
        text.push('}');
        text
    }
}

/// What is asked of each transaction after each piece of data: the flow's protocol, the direction, the transaction.
pub type Look<'a> = &'a mut dyn FnMut(Protocol, Direction, &mut dyn Transaction);

/// Events of detection, by name, with the flow.
pub type DetectionEvents = Vec<(NTuple, &'static str)>;

/// What a replay has found.
#[derive(Default)]
pub struct Found {
    /// Records, in order.
    pub told: Vec<Told>,
    /// The protocols of flows.
    pub protocols: HashMap<Option<Protocol>, usize>,
    /// Events of detection.
    pub events: DetectionEvents,
}

impl Found {
    /// How many records of a type there are.
    pub fn count(&self, event_type: &str) -> usize {
        self.told.iter().filter(|told| told.record.event_type == event_type).count()
    }
}

/// Replays a capture; transactions are shown and dropped, nobody looks.
pub fn replay(path: &Path, config: &Config) -> Found {
    replay_with(path, config, &mut |_, _, transaction| {
        for direction in Direction::BOTH {
            transaction.inspected(direction);
        }
    })
}

/// Replays a capture and shows every transaction after each piece of data of its flow.
pub fn replay_with(path: &Path, config: &Config, look: Look<'_>) -> Found {
    let mut replay = Replay {
        config,
        look,
        flows: HashMap::new(),
        order: Vec::new(),
        expected: Vec::new(),
        found: Found::default(),
        packet: 0,
        time_us: 0,
    };
    frames(path, |time_us, link, frame| {
        replay.packet += 1;
        replay.time_us = time_us;
        replay.frame(link, frame);
    });
    replay.packet += 1;
    replay.finish();
    replay.found
}

/// Every frame of a capture: its time in microseconds, link type, bytes.
pub fn frames(path: &Path, mut each: impl FnMut(u64, i32, &[u8])) {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut reader = pcap_parser::create_reader(1 << 20, file).unwrap();
    let (mut link, mut nanoseconds) = (1, false);
    loop {
        match reader.next() {
            Ok((len, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        link = header.network.0;
                        nanoseconds = header.is_nanosecond_precision();
                    }
                    PcapBlockOwned::Legacy(packet) => {
                        let fraction = u64::from(packet.ts_usec) / if nanoseconds { 1000 } else { 1 };
                        each(u64::from(packet.ts_sec) * 1_000_000 + fraction, link, packet.data);
                    }
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => link = interface.linktype.0,
                    PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                        let time = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                        let data = packet.data.get(..packet.caplen as usize).unwrap_or(packet.data);
                        each(time, link, data);
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                reader.consume(len);
            }
            Err(PcapError::Eof) => return,
            Err(PcapError::Incomplete(_)) => {
                if reader.refill().is_err() || reader.reader_exhausted() {
                    return;
                }
            }
            Err(error) => panic!("{}: {error:?}", path.display()),
        }
    }
}

struct Flow {
    tuple: NTuple,
    session: Session,
    tcp: Option<Reassembly>,
}

struct Replay<'a, 'b> {
    config: &'a Config,
    look: Look<'b>,
    /// By the tuple of either direction, place in `order`.
    flows: HashMap<NTuple, usize>,
    order: Vec<Flow>,
    expected: Vec<(wire::Addr, wire::Addr, Expectation)>,
    found: Found,
    packet: u64,
    time_us: u64,
}

impl Replay<'_, '_> {
    fn frame(&mut self, link: i32, frame: &[u8]) {
        let options = ParseOptions::default();
        let packet = match link {
            1 => Packet::parse_ethernet(frame, &options),
            12 | 14 | 101 | 228 | 229 => Packet::parse_ip(frame, &options),
            // BSD loopback: four bytes of address family.
            0 => return self.ip(frame.get(4..).unwrap_or_default()),
            113 if frame.len() > 16 => return self.ip(frame.get(16..).unwrap_or_default()),
            _ => return,
        };
        let Ok(packet) = packet.and_then(|packet| packet.innermost(frame, &options)) else { return };
        self.packet(&packet, frame);
    }

    fn ip(&mut self, bytes: &[u8]) {
        if let Ok(packet) = Packet::parse_ip(bytes, &ParseOptions::default()) {
            self.packet(&packet, bytes);
        }
    }

    fn packet(&mut self, packet: &Packet, frame: &[u8]) {
        if packet.fragment.is_some() {
            return;
        }
        let transport = match packet.l4 {
            L4::Tcp => Transport::Tcp,
            L4::Udp => Transport::Udp,
            _ => return,
        };
        let begins = transport == Transport::Tcp && packet.tcp.flags & 0x12 == 0x02;
        let known = self.flows.get(&packet.tuple).copied();
        let place = match known {
            Some(place)
                if !(begins
                    && self
                        .order
                        .get(place)
                        .is_some_and(|flow| flow.tcp.as_ref().is_some_and(Reassembly::is_over))) =>
            {
                place
            }
            _ => {
                if transport == Transport::Tcp && !begins {
                    return;
                }
                if let Some(place) = known {
                    self.end(place);
                }
                let place = self.order.len();
                let tuple = packet.tuple;
                self.flows.insert(tuple, place);
                self.flows.insert(tuple.reversed(), place);
                let mut session = Session::new(transport, tuple.src_port, tuple.dst_port);
                let ends = (tuple.src, tuple.dst, tuple.dst_port);
                let is_it = |(opener, host, announced): &(_, _, Expectation)| {
                    (*opener, *host, announced.port) == ends
                };
                if let Some(at) = self.expected.iter().position(is_it) {
                    session.expect(&self.expected.remove(at).2);
                }
                let tcp = (transport == Transport::Tcp).then(Reassembly::default);
                self.order.push(Flow { tuple, session, tcp });
                place
            }
        };
        let direction =
            if self.order[place].tuple == packet.tuple { Direction::ToServer } else { Direction::ToClient };
        let payload = packet.payload(frame);
        let Some(tcp) = &mut self.order[place].tcp else {
            if !payload.is_empty() {
                self.data(place, direction, payload);
            }
            return;
        };
        tcp.segment(direction, &packet.tcp, payload);
        self.deliver(place, direction.flipped());
        self.deliver(place, direction);
        if packet.tcp.flags & 0x04 != 0 {
            for direction in Direction::BOTH {
                self.order[place].session.close(self.config, self.time_us, direction);
                self.collect(place, &Direction::BOTH);
            }
        }
    }

    fn deliver(&mut self, place: usize, direction: Direction) {
        while let Some(piece) = self.order[place].tcp.as_mut().and_then(|tcp| tcp.take(direction)) {
            match piece {
                tcp::Piece::Data(bytes) => self.data(place, direction, &bytes),
                tcp::Piece::Gap(len) => {
                    let flow = &mut self.order[place];
                    flow.session.gap(self.config, self.time_us, direction, len);
                    self.collect(place, &[direction]);
                }
            }
        }
    }

    fn data(&mut self, place: usize, direction: Direction, bytes: &[u8]) {
        let flow = &mut self.order[place];
        let status = flow.session.data(self.config, self.time_us, direction, bytes);
        let mut direction = direction;
        if status.reversed {
            flow.tuple = flow.tuple.reversed();
            direction = direction.flipped();
            if let Some(tcp) = &mut flow.tcp {
                tcp.reverse();
            }
        }
        self.collect(place, &[direction]);
    }

    fn collect(&mut self, place: usize, directions: &[Direction]) {
        let flow = &mut self.order[place];
        let tuple = flow.tuple;
        for &direction in directions {
            if let Some(protocol) = flow.session.protocol() {
                let look = &mut self.look;
                flow.session.for_each_transaction(&mut |transaction| look(protocol, direction, transaction));
            }
            flow.session.retire(direction);
        }
        let packet = self.packet;
        self.found.events.extend(flow.session.events().iter().map(|event| (tuple, *event)));
        self.found.told.extend(flow.session.take_records().map(|record| Told {
            packet,
            flow: tuple,
            record,
        }));
        self.expected.extend(flow.session.take_expectations().map(|announced| match announced.opened {
            Direction::ToServer => (tuple.src, tuple.dst, announced),
            Direction::ToClient => (tuple.dst, tuple.src, announced),
        }));
    }

    fn end(&mut self, place: usize) {
        for direction in Direction::BOTH {
            if let Some(tcp) = &mut self.order[place].tcp {
                tcp.flush(direction);
            }
            self.deliver(place, direction);
        }
        for direction in Direction::BOTH {
            let flow = &mut self.order[place];
            flow.session.close(self.config, self.time_us, direction);
            self.collect(place, &Direction::BOTH);
        }
        *self.found.protocols.entry(self.order[place].session.protocol()).or_default() += 1;
    }

    fn finish(&mut self) {
        let mut open: Vec<usize> = self.flows.values().copied().collect();
        open.sort_unstable();
        open.dedup();
        for place in open {
            self.end(place);
        }
    }
}
