//! Which rules are about a pair of addresses, without asking each of them: lists of thousands of hostile addresses are
//! ordinary in rule sets.

use wire::Addr;

use super::RuleIndex;
use super::header::{Ends, Ranges, ReadyHeader};

/// Rules by the addresses that they name. A rule that names few is found by them; the rest are candidates always.
#[derive(Debug, Default)]
pub struct AddressIndex {
    by_source: Segments,
    by_destination: Segments,
    always: Vec<RuleIndex>,
}

/// Ranges of addresses, each with its rules; IPv4 and IPv6 apart.
#[derive(Debug, Default)]
struct Segments {
    v4: Sweep<u32>,
    v6: Sweep<u128>,
}

/// Disjoint ranges in order, each with its rules.
#[derive(Debug, Default)]
struct Sweep<T> {
    ranges: Vec<(T, T, Vec<RuleIndex>)>,
}

/// A set that names more IPv4 addresses than this does not tell much.
const FEW: u64 = 1 << 22;

impl AddressIndex {
    pub(super) fn new<'a>(rules: impl Iterator<Item = (&'a ReadyHeader, RuleIndex)>) -> Self {
        let mut index = Self::default();
        let (mut sources, mut destinations) = (Vec::new(), Vec::new());
        for (header, rule) in rules {
            if !header.bidirectional && few(&header.source.addresses) {
                sources.push((&*header.source.addresses, rule));
            } else if !header.bidirectional && few(&header.destination.addresses) {
                destinations.push((&*header.destination.addresses, rule));
            } else {
                index.always.push(rule);
            }
        }
        index.by_source = Segments::new(&sources);
        index.by_destination = Segments::new(&destinations);
        index
    }

    /// Calls `found` with each rule that may be about packets between `ends`; its header must still be asked.
    pub fn candidates(&self, ends: &Ends, mut found: impl FnMut(RuleIndex)) {
        for (segments, (address, _)) in
            [(&self.by_source, ends.source), (&self.by_destination, ends.destination)]
        {
            segments.at(address, ends.ip_version).iter().copied().for_each(&mut found);
        }
        self.always.iter().copied().for_each(found);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.always.is_empty() && self.by_source.is_empty() && self.by_destination.is_empty()
    }
}

fn few(ranges: &Ranges) -> bool {
    let v4: u64 = ranges.v4().iter().map(|&(first, last)| u64::from(last - first) + 1).sum();
    !ranges.is_any() && v4 <= FEW && ranges.v6().iter().all(|&(first, last)| last - first < 1 << 96)
}

impl Segments {
    fn new(rules: &[(&Ranges, RuleIndex)]) -> Self {
        Self {
            v4: Sweep::new(
                rules.iter().flat_map(|&(set, rule)| set.v4().iter().map(move |&range| (range, rule))),
            ),
            v6: Sweep::new(
                rules.iter().flat_map(|&(set, rule)| set.v6().iter().map(move |&range| (range, rule))),
            ),
        }
    }

    fn at(&self, address: Addr, ip_version: u8) -> &[RuleIndex] {
        match ip_version {
            4 => self.v4.at(u32::from_be_bytes(address.v4_octets())),
            6 => self.v6.at(u128::from_be_bytes(address.0)),
            _ => &[],
        }
    }

    fn is_empty(&self) -> bool {
        self.v4.ranges.is_empty() && self.v6.ranges.is_empty()
    }
}

impl<T: Ord + Copy> Sweep<T> {
    fn new(ranges: impl Iterator<Item = ((T, T), RuleIndex)>) -> Self
    where
        T: Step,
    {
        // Everything that begins or ends somewhere cuts the line there; each piece then has one list of rules.
        let ranges: Vec<_> = ranges.collect();
        let mut cuts: Vec<T> = Vec::with_capacity(ranges.len() * 2);
        for ((first, last), _) in &ranges {
            cuts.push(*first);
            cuts.extend(last.next());
        }
        cuts.sort_unstable();
        cuts.dedup();
        let mut pieces: Vec<(T, T, Vec<RuleIndex>)> = cuts
            .iter()
            .enumerate()
            .map(|(at, &first)| {
                let last = cuts.get(at + 1).and_then(|next| next.before()).unwrap_or(T::LAST);
                (first, last, Vec::new())
            })
            .collect();
        for ((first, last), rule) in ranges {
            let begin = cuts.partition_point(|&cut| cut < first);
            for piece in pieces.iter_mut().skip(begin).take_while(|piece| piece.0 <= last) {
                piece.2.push(rule);
            }
        }
        pieces.retain(|piece| !piece.2.is_empty());
        Self { ranges: pieces }
    }

    fn at(&self, address: T) -> &[RuleIndex] {
        let at = self.ranges.partition_point(|&(_, last, _)| last < address);
        match self.ranges.get(at) {
            Some((first, _, rules)) if *first <= address => rules,
            _ => &[],
        }
    }
}

/// Numbers with a next and a last.
trait Step: Sized {
    const LAST: Self;
    fn next(self) -> Option<Self>;
    fn before(self) -> Option<Self>;
}

impl Step for u32 {
    const LAST: Self = Self::MAX;
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

impl Step for u128 {
    const LAST: Self = Self::MAX;
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }
}
