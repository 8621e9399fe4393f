//! What only netlink tells: the attributes of virtual functions and the addresses of interfaces.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    LinkAttribute, LinkExtentMask, LinkMessage, LinkVfInfo, VfInfo, VfLinkState,
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use serde::Serialize;

/// The attributes of a virtual function, as its physical function's driver holds them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct VfLink {
    /// Which one of its physical function's.
    pub index: u16,
    /// Its MAC address; zeros: none was set, and whoever drives the function chooses.
    pub mac: [u8; 6],
    /// The port VLAN, whose tag the NIC takes off; 0: none, and the function sees every tagged frame.
    pub vlan: u16,
    /// Whether it may be promiscuous; `None`: the driver does not say.
    pub trusted: Option<bool>,
    /// Whether frames that it sends from other addresses are dropped; `None`: the driver does not say.
    pub spoof_check: Option<bool>,
    /// The state of the link that the function is shown.
    pub link_state: Option<LinkState>,
}

/// The state of the link that a virtual function is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// That of the physical port.
    Auto,
    /// Up, whatever the physical port is.
    Enable,
    /// Down.
    Disable,
}

/// What netlink tells of one interface.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Link {
    /// Its virtual functions, those that the driver tells of.
    pub functions: Vec<VfLink>,
    /// Its addresses, without link-local ones.
    pub addresses: Vec<IpAddr>,
}

/// Why netlink gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum LinksError {
    /// The socket failed.
    #[error(
        "cannot ask the kernel for network interfaces: {0}; run this as root, on a kernel with rtnetlink"
    )]
    Socket(#[from] io::Error),
    /// An answer could not be understood.
    #[error("cannot understand what the kernel says of network interfaces: {0}")]
    Answer(String),
}

/// Where the links of a machine are asked for.
pub trait Links {
    /// Every link, by the name of its interface.
    ///
    /// # Errors
    ///
    /// See [`LinksError`].
    fn links(&self) -> Result<BTreeMap<String, Link>, LinksError>;
}

/// The kernel, over a blocking rtnetlink socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kernel;

impl Links for Kernel {
    fn links(&self) -> Result<BTreeMap<String, Link>, LinksError> {
        let mut links = BTreeMap::new();
        let mut names = BTreeMap::new();
        let mut question = LinkMessage::default();
        question.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::Vf]));
        dump(RouteNetlinkMessage::GetLink(question), |answer| {
            if let RouteNetlinkMessage::NewLink(message) = answer
                && let Some((name, link)) = link_of(&message)
            {
                names.insert(message.header.index, name.clone());
                links.insert(name, link);
            }
        })?;
        dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()), |answer| {
            if let RouteNetlinkMessage::NewAddress(message) = answer
                && let Some(link) = names.get(&message.header.index).and_then(|name| links.get_mut(name))
            {
                link.addresses.extend(address_of(&message));
            }
        })?;
        Ok(links)
    }
}

/// Asks for all of something, and hands on each answer until the kernel says that it is done.
fn dump(question: RouteNetlinkMessage, mut each: impl FnMut(RouteNetlinkMessage)) -> Result<(), LinksError> {
    /// The kernel fills the buffer that it is given with whole messages, up to this length; one link with 128
    /// functions and their counters takes about 30 KiB.
    const ANSWER_BYTES: usize = 1 << 18;
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut request = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(question));
    request.header.flags = NLM_F_DUMP | NLM_F_REQUEST;
    request.header.sequence_number = 1;
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;

    let mut answer = vec![0; ANSWER_BYTES];
    loop {
        let length = socket.recv(&mut &mut answer[..], 0)?;
        if length == 0 {
            return Err(LinksError::Answer("it ends too early".to_owned()));
        }
        let mut rest = answer.get(..length).unwrap_or_default();
        while !rest.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                .map_err(|error| LinksError::Answer(error.to_string()))?;
            // Messages begin at multiples of four bytes.
            let step = (message.header.length as usize).next_multiple_of(4);
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(()),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io().into()),
                NetlinkPayload::InnerMessage(inner) => each(inner),
                _ => {}
            }
            rest = rest.get(step.max(4)..).unwrap_or_default();
        }
    }
}

fn link_of(message: &LinkMessage) -> Option<(String, Link)> {
    let mut name = None;
    let mut link = Link::default();
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = Some(text.clone()),
            LinkAttribute::VfInfoList(list) => link.functions = list.iter().map(function_of).collect(),
            _ => {}
        }
    }
    Some((name?, link))
}

fn function_of(LinkVfInfo(attributes): &LinkVfInfo) -> VfLink {
    let mut function = VfLink::default();
    for attribute in attributes {
        match attribute {
            VfInfo::Mac(mac) => {
                function.index = mac.vf_id as u16;
                for (to, from) in function.mac.iter_mut().zip(mac.mac) {
                    *to = from;
                }
            }
            VfInfo::Vlan(vlan) => function.vlan = vlan.vlan_id as u16,
            VfInfo::Trust(trust) => function.trusted = Some(trust.enabled),
            VfInfo::SpoofCheck(check) => function.spoof_check = Some(check.enabled),
            VfInfo::LinkState(link) => {
                function.link_state = match link.state {
                    VfLinkState::Auto => Some(LinkState::Auto),
                    VfLinkState::Enable => Some(LinkState::Enable),
                    VfLinkState::Disable => Some(LinkState::Disable),
                    VfLinkState::Other(_) | _ => None,
                };
            }
            _ => {}
        }
    }
    function
}

/// An address that somebody may reach the machine by; the link-local IPv6 one comes with every interface that is up.
fn address_of(message: &AddressMessage) -> Option<IpAddr> {
    let found = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    })?;
    match found {
        IpAddr::V6(address) if address.is_unicast_link_local() => None,
        address => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_names_the_loopback_interface() {
        let links = Kernel.links().unwrap();
        assert!(links.contains_key("lo"), "{links:?}");
    }
}
