//! From application bytes to frames.
//!
//! In: who talks to whom ([`Route`]) and what they say (steps of a [`TcpSession`], or datagrams of a [`Script`]).
//! Out: complete Ethernet frames with an 802.1Q tag and valid checksums, each with the time it passes the tap. A
//! session keeps only the descriptors of the packets of one round trip; frames are built as they are handed out.

pub(crate) mod frame;
pub(crate) mod script;
pub(crate) mod stream;
pub(crate) mod tcp;
mod tcp_round;

pub(crate) use frame::{Host, Route};
pub(crate) use script::Script;
pub(crate) use stream::Stream;
pub(crate) use tcp::{Close, TcpSession, TcpSettings};

/// The two ends of a conversation; the client is the one that speaks first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// One value for each end of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sides<T> {
    pub(crate) client: T,
    pub(crate) server: T,
}

impl<T> Sides<T> {
    pub(crate) const fn get(&self, side: Side) -> &T {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    pub(crate) const fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}
