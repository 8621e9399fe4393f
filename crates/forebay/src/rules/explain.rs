//! `forebay rules explain`: one rule as it is understood, for a person who asks why it does or does not match.

mod condition;

use std::fmt::Write as _;
use std::path::Path;

use app::{Direction, Scope};
use control::config::RuleCache;
use control::rules::Loader;
use rules::ir::{AddressRange, AddressSet, Condition, Endpoint, FlowCondition, PortSet, Rule};
use signature::compile::{Chosen, Ready, Transports};

use crate::cli::RuleOptions;
use crate::failure::{Failure, print};

/// Explains rule `sid` of a file.
pub(crate) fn run(file: &Path, sid: u32, options: &RuleOptions) -> Result<(), Failure> {
    let mut loader = Loader::new(&RuleCache { folder: None, mib_max: 0 });
    let loaded = loader.load(&super::source(options, &[file.to_owned()]))?;
    if let Some(rule) = loaded.set.rules().iter().find(|rule| rule.rule.meta.sid == sid) {
        return print(&explain(file, rule));
    }
    let not_taken = loaded.refused.iter().chain(&loaded.skipped).find(|refused| refused.sid == Some(sid));
    Err(not_taken.map_or_else(
        || Failure::new(format!("{}: it has no rule {sid} that is not commented out", file.display())),
        |refused| Failure::new(refused.to_string()),
    ))
}

fn explain(file: &Path, ready: &Ready) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, file, ready);
    text
}

fn write(text: &mut String, file: &Path, ready: &Ready) -> std::fmt::Result {
    let rule = &ready.rule;
    let meta = &rule.meta;
    writeln!(text, "sid {} rev {} gid {}: {}", meta.sid, meta.rev, meta.gid, meta.msg)?;
    writeln!(text, "  {}:{}", file.display(), rule.position.line)?;
    writeln!(text, "  action      {}", condition::words(&format!("{:?}", rule.action)))?;
    if let Some(class) = &meta.classtype {
        writeln!(text, "  class       {class} ({})", meta.category)?;
    }
    writeln!(text, "  severity    {}", meta.priority)?;
    header(text, ready)?;
    flow(text, rule.flow)?;
    for packet in &rule.packet {
        writeln!(text, "  packet      {}", condition::words(&format!("{packet:?}")))?;
    }
    groups(text, ready)?;
    for application in &rule.app {
        writeln!(text, "  application {}", condition::words(&format!("{application:?}")))?;
    }
    for state in &rule.state {
        writeln!(text, "  state       {}", condition::words(&format!("{state:?}")))?;
    }
    speaks(text, rule)?;
    writeln!(text, "compiled")?;
    writeln!(text, "  looks at    {}", looks_at(ready))?;
    writeln!(text, "  found by    {}", found_by(ready))
}

fn header(text: &mut String, ready: &Ready) -> std::fmt::Result {
    let header = &ready.rule.header;
    let protocol = condition::words(&format!("{:?}", header.protocol));
    writeln!(text, "  protocol    {protocol} ({})", transports(ready.header.transports))?;
    let application = ready.rule.app_protocol.map(|protocol| condition::words(&format!("{protocol:?}")));
    if let Some(application) = application {
        writeln!(text, "  over        {application}")?;
    }
    let arrow = if header.bidirectional { "<>" } else { "->" };
    let (from, to) = (endpoint(&header.source), endpoint(&header.destination));
    writeln!(text, "  ends        {from} {arrow} {to}")
}

fn transports(transports: Transports) -> String {
    let names = [
        (Transports::TCP, "TCP"),
        (Transports::UDP, "UDP"),
        (Transports::SCTP, "SCTP"),
        (Transports::ICMP, "ICMP"),
        (Transports::ICMPV6, "ICMPv6"),
        (Transports::OTHER, "other IP"),
        (Transports::NO_IP, "no IP"),
    ];
    let named: Vec<&str> =
        names.iter().filter(|(bit, _)| transports.has(*bit)).map(|(_, name)| *name).collect();
    named.join(", ")
}

/// Parts of a list that are shown; a list of hostile addresses may have thousands.
const PARTS_MAX: usize = 16;

fn endpoint(endpoint: &Endpoint) -> String {
    format!("{} port {}", addresses(&endpoint.addresses), ports(&endpoint.ports))
}

fn addresses(set: &AddressSet) -> String {
    if set.is_any() {
        return "any".to_owned();
    }
    let name = |range: &AddressRange| match range {
        AddressRange::Net(net) => net.to_string(),
        AddressRange::Range(first, last) => format!("{first}-{last}"),
    };
    let included = set.included.iter().map(name);
    let excluded = set.excluded.iter().map(|range| format!("!{}", name(range)));
    list(included.chain(excluded).collect())
}

fn ports(set: &PortSet) -> String {
    if set.is_any() {
        return "any".to_owned();
    }
    let range = |range: &std::ops::RangeInclusive<u16>| {
        let (first, last) = (range.start(), range.end());
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    list(set.0.iter().map(range).collect())
}

fn list(mut parts: Vec<String>) -> String {
    let more = parts.len().saturating_sub(PARTS_MAX);
    parts.truncate(PARTS_MAX);
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    match parts.as_slice() {
        [one] => one.clone(),
        _ => format!("[{}]", parts.join(", ")),
    }
}

fn flow(text: &mut String, flow: FlowCondition) -> std::fmt::Result {
    let direction = flow.direction.map(|direction| match direction {
        Direction::ToServer => "to server",
        Direction::ToClient => "to client",
    });
    let parts = [
        direction,
        flow.established.map(|yes| if yes { "established" } else { "not established" }),
        flow.stateless.then_some("stateless"),
        flow.only_stream.then_some("stream only"),
        flow.no_stream.then_some("packets only"),
        flow.fragmented.map(|yes| if yes { "reassembled from fragments" } else { "no fragments" }),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    if parts.is_empty() { Ok(()) } else { writeln!(text, "  flow        {}", parts.join(", ")) }
}

fn groups(text: &mut String, ready: &Ready) -> std::fmt::Result {
    for (number, group) in ready.rule.groups.iter().enumerate() {
        let transforms: Vec<String> =
            group.transforms.iter().map(|transform| condition::words(&format!("{transform:?}"))).collect();
        let after =
            if transforms.is_empty() { String::new() } else { format!(", after {}", transforms.join(", ")) };
        writeln!(text, "  in {}{after}", group.buffer.name())?;
        for (place, condition) in group.conditions.iter().enumerate() {
            let chosen =
                ready.chosen.is_some_and(|chosen| (chosen.group, chosen.condition) == (number, place));
            let mark = if chosen { "  <- fast pattern" } else { "" };
            writeln!(text, "              {}{mark}", condition::show(condition))?;
        }
    }
    Ok(())
}

fn speaks(text: &mut String, rule: &Rule) -> std::fmt::Result {
    if let Some(filter) = rule.detection_filter {
        let how = format!("{} matches in {} s", filter.count, filter.seconds);
        writeln!(text, "  silent      until {how}, by {}", condition::words(&format!("{:?}", filter.track)))?;
    }
    if let Some(threshold) = rule.threshold {
        let (kind, rate) = (condition::words(&format!("{:?}", threshold.kind)), threshold.rate);
        let track = condition::words(&format!("{:?}", rate.track));
        writeln!(text, "  threshold   {kind}: {} in {} s, by {track}", rate.count, rate.seconds)?;
    }
    if rule.noalert {
        writeln!(text, "  silent      noalert")?;
    }
    Ok(())
}

fn looks_at(ready: &Ready) -> String {
    let inspects = ready.inspects;
    let what: Vec<&str> = [
        inspects.packet.then_some("packets"),
        inspects.stream.then_some("the TCP stream"),
        inspects.transaction.then_some("transactions"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let ways: Vec<&str> = ["to server", "to client"]
        .into_iter()
        .zip(ready.directions)
        .filter_map(|(name, looks)| looks.then_some(name))
        .collect();
    let what = if what.is_empty() { "addresses and ports".to_owned() } else { what.join(", ") };
    let stages =
        ready.groups.iter().filter(|group| group.scope == Scope::Transaction).map(|group| group.stage);
    let stage = stages.max().map_or_else(String::new, |stage| {
        format!("; a transaction when it is at least at: {}", condition::words(&format!("{stage:?}")))
    });
    format!("{what}; {}{stage}", ways.join(" and "))
}

fn found_by(ready: &Ready) -> String {
    let nothing = || "its header alone: no pattern must be there for it to match".to_owned();
    let Some(chosen) = ready.chosen else { return nothing() };
    // A rule that looks into packets only is found by its content with a place, if it has one.
    let (chosen, anchor) = match ready.anchor.filter(|_| ready.inspects.packet) {
        Some(anchor) if !ready.inspects.stream => (anchor, None),
        anchor => (chosen, anchor.filter(|&anchor| anchor != chosen)),
    };
    let (place, elsewhere) = match ready.rule.groups.get(chosen.group) {
        Some(group) if group.buffer.scope() == Scope::Transaction => {
            (format!("the database of {}", group.buffer.name()), None)
        }
        _ if anchor.is_some() => ("the stream".to_owned(), anchor),
        _ => ("payload".to_owned(), None),
    };
    let Some(content) = by(ready, chosen) else { return nothing() };
    match elsewhere.and_then(|anchor| by(ready, anchor)) {
        Some(other) => format!("{content} in {place}, {other} in packets"),
        None => format!("{content} in {place}"),
    }
}

/// A content as a person reads it, with its place if there is only one.
fn by(ready: &Ready, chosen: Chosen) -> Option<String> {
    let group = ready.rule.groups.get(chosen.group)?;
    let Condition::Content(content) = group.conditions.get(chosen.condition)? else { return None };
    let (from, len) = chosen.part;
    let part = content.pattern.get(from..from + len)?;
    let case = if content.nocase { ", in either case" } else { "" };
    let place = match (group.buffer.scope(), chosen.place.fixed(len)) {
        (Scope::Payload, Some(at)) => format!(", at byte {at}"),
        _ => String::new(),
    };
    Some(format!("{} ({len} bytes{case}{place})", condition::quoted(part)))
}
