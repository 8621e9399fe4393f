//! Who is there: a tenant's clients and servers, and the internet they talk to.
//!
//! Everything outside uses the addresses and names that are reserved for documentation (RFC 5737, RFC 3849, RFC 6761)
//! or for benchmarks (RFC 2544). Inside, tenant `n` owns `10.n.0.0/16` and `2001:db8:1nnn::/48` (*n* in hexadecimal).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::session::{Host, Route};

/// First ephemeral port (as Linux picks them).
const PORT_FIRST: u16 = 32_768;
/// Conversations of one client before the next client is taken; few enough for any ephemeral port range.
const CONVERSATIONS_PER_CLIENT: u32 = 256;
/// Fewest clients, so that even a small trace has several.
const CLIENTS_MIN: u32 = 9;
/// Clients that fit the address plan: 240 networks of 250 hosts.
const CLIENTS_MAX: u32 = 60_000;
/// Hosts to a /24.
const HOSTS_PER_NETWORK: u32 = 250;

/// Conversations one tenant may have: any more and a client would use a port twice.
pub const CONVERSATIONS_MAX: u32 = 1_000_000;
/// Tenants one trace may have, one 10.n.0.0/16 each.
pub const TENANTS_MAX: u16 = 250;

/// Sites on the internet: name and the title of its pages.
pub(crate) const SITES: [(&str, &str); 16] = [
    ("www.kestrel-tools.example", "Kestrel Tools"),
    ("shop.harbour-books.example", "Harbour Books"),
    ("news.northern-line.example", "The Northern Line"),
    ("static.northern-line.example", "Static"),
    ("api.weathermast.example", "Weathermast API"),
    ("mail.post-and-parcel.example", "Post and Parcel"),
    ("cdn.oakfield-media.example", "Oakfield Media"),
    ("video.oakfield-media.example", "Oakfield Video"),
    ("login.example.com", "Sign in"),
    ("www.example.com", "Example"),
    ("intranet.example.org", "Intranet"),
    ("downloads.millrace.example", "Millrace Downloads"),
    ("updates.millrace.example", "Millrace Updates"),
    ("maps.fellside.example", "Fellside Maps"),
    ("tickets.quayside-rail.example", "Quayside Rail"),
    ("bank.lowland-savings.example", "Lowland Savings"),
];

/// One tenant's network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenant {
    pub(crate) vlan: u16,
    /// Second octet of its IPv4 addresses.
    network: u8,
    clients: u32,
}

impl Tenant {
    /// The tenant on `vlan` that owns 10.`network`.0.0/16 and holds `conversations` conversations.
    pub(crate) fn new(vlan: u16, network: u8, conversations: u32) -> Self {
        // Odd: the destinations that go round in powers of two then meet every client.
        let clients = (conversations / CONVERSATIONS_PER_CLIENT).clamp(CLIENTS_MIN, CLIENTS_MAX - 1) | 1;
        Self { vlan, network, clients }
    }

    fn inside(self, third: u8, fourth: u8, ttl: u8) -> Host {
        let ip = Ipv4Addr::new(10, self.network, third, fourth);
        Host { mac: [0x02, 0x0a, 0, self.network, third, fourth], ip: ip.into(), ttl }
    }

    /// The client of conversation `index`, and the port it uses for it: never used for another one.
    pub(crate) fn client(self, index: u32, ipv6: bool) -> (Host, u16) {
        let client = index % self.clients;
        let (third, fourth) = (1 + client / HOSTS_PER_NETWORK, 2 + client % HOSTS_PER_NETWORK);
        let mut host =
            self.inside(third as u8, fourth as u8, if client.is_multiple_of(3) { 128 } else { 64 });
        if ipv6 {
            let network = 0x1000 + u16::from(self.network);
            let [low, high] = [third as u16, fourth as u16];
            host.ip = Ipv6Addr::new(0x2001, 0xdb8, network, low, 0, 0, 0, high).into();
        }
        (host, PORT_FIRST + (index / self.clients) as u16)
    }

    /// The router, which is also where frames from outside come from.
    pub(crate) fn gateway(self) -> Host {
        self.inside(0, 1, 64)
    }

    /// The name server inside.
    pub(crate) fn resolver(self, ipv6: bool) -> Host {
        let mut host = self.inside(0, 53, 64);
        if ipv6 {
            host.ip = Ipv6Addr::new(0x2001, 0xdb8, 0x1000 + u16::from(self.network), 0, 0, 0, 0, 53).into();
        }
        host
    }

    /// A host beyond the router, some hops away.
    fn outside(self, ip: IpAddr, hops: u8) -> Host {
        Host { mac: self.gateway().mac, ip, ttl: 64_u8.saturating_sub(hops) }
    }

    /// The server of a site.
    pub(crate) fn site(self, site: usize, ipv6: bool) -> Host {
        let ip = if ipv6 { IpAddr::from(site_v6(site)) } else { IpAddr::from(site_v4(site)) };
        self.outside(ip, 6 + (site % 9) as u8)
    }

    /// A mail exchanger.
    pub(crate) fn mail(self, index: u32) -> Host {
        self.outside(Ipv4Addr::new(192, 0, 2, 25 + (index % 4) as u8).into(), 9)
    }

    /// Where bulk transfers go.
    pub(crate) fn storage(self, index: u32, ipv6: bool) -> Host {
        let last = 100 + (index % 6) as u8;
        let ip = if ipv6 {
            Ipv6Addr::new(0x2001, 0xdb8, 0x52, 0, 0, 0, 0, u16::from(last)).into()
        } else {
            Ipv4Addr::new(192, 0, 2, last).into()
        };
        self.outside(ip, 4)
    }

    /// A scanner and the port it sends from: never the same pair twice.
    pub(crate) fn scanner(self, index: u32) -> (Host, u16) {
        let ip = Ipv4Addr::new(203, 0, 113, 1 + (index % 250) as u8);
        (self.outside(ip.into(), 14), 40_000 + (index / 250) as u16)
    }

    /// What conversation `index` pings: with its client, a pair no other conversation uses.
    pub(crate) fn pinged(self, index: u32, ipv6: bool) -> Host {
        let [_, second, third, fourth] = index.to_be_bytes();
        let ip = if ipv6 {
            Ipv6Addr::new(0x2001, 0xdb8, 0x198, 0, 0, 0, u16::from(second), (index & 0xffff) as u16).into()
        } else {
            Ipv4Addr::new(198, 18 + (second & 1), third, fourth).into()
        };
        self.outside(ip, 7)
    }
}

/// The IPv4 address of a site; the name server says the same.
pub(crate) fn site_v4(site: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, 10 + site as u8)
}

/// The IPv6 address of a site; the name server says the same.
pub(crate) fn site_v6(site: usize) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x51, 0, 0, 0, 0, 0x10 + site as u16)
}

/// Everything a protocol needs to write one conversation.
pub(crate) struct Conversation<'a> {
    pub(crate) tenant: &'a Tenant,
    /// Number of the conversation in its tenant.
    pub(crate) index: u32,
    /// When its first packet passes the tap.
    pub(crate) start_ns: u64,
    pub(crate) rng: ChaCha8Rng,
}

impl Conversation<'_> {
    /// One of a few; `fallback` only when there are none.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T], fallback: T) -> T {
        let index = self.rng.random_range(0..from.len().max(1));
        from.get(index).copied().unwrap_or(fallback)
    }

    /// A site by number, and its name.
    pub(crate) fn pick_site(&mut self) -> (usize, &'static str) {
        let site = self.rng.random_range(0..SITES.len());
        (site, SITES.get(site).map_or("www.example.com", |&(name, _)| name))
    }

    /// A seventh of the conversations that may use either IP version use IPv6.
    pub(crate) fn draw_ipv6(&mut self) -> bool {
        self.rng.random_ratio(1, 7)
    }

    pub(crate) const fn route(&self, src: Host, dst: Host) -> Route {
        Route { vlan: self.tenant.vlan, src, dst }
    }

    /// The round trip to a host: the same for all conversations with it, but for jitter.
    pub(crate) fn rtt_ns(&mut self, host: Host) -> u64 {
        let base_us: u64 = match host.ip {
            IpAddr::V4(ip) => 4_000 + u64::from(ip.octets()[3]) * 350,
            IpAddr::V6(ip) => 5_000 + u64::from(ip.segments()[7] & 0xff) * 350,
        };
        base_us * 1000 + self.rng.random_range(0..900_000)
    }

    /// A pause of a person or a program, in nanoseconds.
    pub(crate) fn think_ns(&mut self, from_ms: u64, until_ms: u64) -> u64 {
        self.rng.random_range(from_ms * 1_000_000..until_ms * 1_000_000)
    }
}
