//! Addresses as a rule's header and the address variables write them.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::ir::{AddressRange, AddressSet};
use crate::refusal::RefusalReason;
use crate::variable::Members;

/// What a list of addresses names so far.
#[derive(Default)]
pub(crate) struct Addresses {
    set: AddressSet,
    any: bool,
    none: bool,
}

impl Members for Addresses {
    const KIND: &'static str = "address";

    type Set = AddressSet;

    fn add(&mut self, text: &str, negated: bool) -> Result<(), RefusalReason> {
        if text.eq_ignore_ascii_case("any") {
            if negated {
                self.none = true;
            } else {
                self.any = true;
            }
            return Ok(());
        }
        let range = parse(text).ok_or_else(|| RefusalReason::List {
            problem: "not an address, a network (address/prefix) or a range (first-last, IPv4 only)",
            value: RefusalReason::quoted(text),
        })?;
        if negated {
            self.set.excluded.push(range);
        } else {
            self.set.included.push(range);
        }
        Ok(())
    }

    fn finish(mut self) -> Option<AddressSet> {
        if self.any {
            self.set.included.clear();
        } else if self.set.included.is_empty() && self.set.excluded.is_empty() {
            return None;
        }
        (!self.none && !leaves_nothing(&self.set)).then_some(self.set)
    }
}

fn parse(text: &str) -> Option<AddressRange> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(AddressRange::Net(IpNet::from(address)));
    }
    if let Some((address, prefix)) = text.split_once('/') {
        if let Ok(mask) = prefix.parse::<Ipv4Addr>() {
            let net = Ipv4Net::with_netmask(address.parse().ok()?, mask).ok()?;
            return Some(AddressRange::Net(IpNet::V4(net.trunc())));
        }
        let net = IpNet::new(address.parse().ok()?, prefix.parse().ok()?).ok()?;
        return Some(AddressRange::Net(net.trunc()));
    }
    let (first, last) = text.split_once('-')?;
    let (first, last): (Ipv4Addr, Ipv4Addr) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(AddressRange::Range(first.into(), last.into()))
}

/// First and last address as numbers, and whether they are IPv4.
fn bounds(range: &AddressRange) -> (bool, u128, u128) {
    let number = |address: IpAddr| match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    match *range {
        AddressRange::Net(net) => (net.addr().is_ipv4(), number(net.network()), number(net.broadcast())),
        AddressRange::Range(first, last) => (first.is_ipv4(), number(first), number(last)),
    }
}

/// Whether what is excluded covers all that is included.
fn leaves_nothing(set: &AddressSet) -> bool {
    if set.excluded.is_empty() {
        return false;
    }
    let mut excluded: Vec<_> = set.excluded.iter().map(bounds).collect();
    excluded.sort_unstable();
    let everything = [(true, 0, u128::from(u32::MAX)), (false, 0, u128::MAX)];
    let included: Vec<_> = set.included.iter().map(bounds).collect();
    let included = if included.is_empty() { &everything[..] } else { &included };
    included.iter().all(|&(is_v4, first, last)| {
        let mut next = first;
        for &(_, low, high) in excluded.iter().filter(|range| range.0 == is_v4) {
            if low > next {
                break;
            }
            if high >= last {
                return true;
            }
            next = next.max(high.saturating_add(1));
        }
        false
    })
}
