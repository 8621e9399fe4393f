//! What rules see of a transaction, whatever its protocol.

use app::{Buffer, Direction, Stage};

use crate::files::FileFacts;

/// A buffer, or the part of it that is there and was not looked into before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Position of the first of them in the whole buffer: not 0 only for long bodies, which are looked into piece by
    /// piece. `offset` and `depth` of a rule count from the buffer's beginning.
    pub offset: u64,
    /// Whether they reach to the end of the whole buffer.
    pub complete: bool,
}

impl<'a> View<'a> {
    /// A whole buffer.
    pub const fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, complete: true }
    }
}

/// Names of the events of a transaction, as `app-layer-event` names them: `http.request_field_missing_colon`. Each at
/// most once, in the order in which they were raised.
pub type Events<'a> = &'a [&'static str];

/// An interface that a DCE/RPC client wants to use (C706, section 12.6.4.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DceInterface {
    /// Its identifier, as on paper.
    pub uuid: [u8; 16],
    /// Its version.
    pub version: u16,
    /// The lesser part of that.
    pub minor: u16,
    /// What stands for it in requests.
    pub context: u16,
    /// What the server said to it: result, where 0 is yes, and reason; `None` until it says something.
    pub answer: Option<(u16, u16)>,
}

/// What `dce_iface` and `dce_opnum` are asked of.
#[derive(Clone, Copy, Debug)]
pub struct DceCall<'a> {
    /// The operation, if it is a request.
    pub operation: Option<u16>,
    /// Which of the interfaces is meant; `None`: any.
    pub context: Option<u16>,
    /// Whether the request's first fragment was seen.
    pub first_fragment: bool,
    /// The byte order of its fields.
    pub little_endian: bool,
    /// What the client has bound.
    pub interfaces: &'a [DceInterface],
}

impl DceCall<'_> {
    /// The interfaces that a request can be for: those that the server has accepted.
    pub fn accepted(&self) -> impl Iterator<Item = &DceInterface> {
        let asked = self.operation.is_some();
        self.interfaces.iter().filter(move |interface| {
            asked
                && matches!(interface.answer, Some((0, _)))
                && self.context.is_none_or(|context| context == interface.context)
        })
    }
}

/// One transaction: a request with its response, or a message that stands alone.
pub trait Transaction {
    /// Its number within the flow, from 0, growing.
    fn id(&self) -> u64;

    /// The only way that it goes, if it is a message that stands alone; it stays [`Stage::Waiting`] the other way.
    fn one_way(&self) -> Option<Direction> {
        None
    }

    /// How far it has come this way. It never goes back; when the flow ends both ways are [`Stage::Complete`].
    fn stage(&self, direction: Direction) -> Stage;

    /// The `index`-th (from 0) `buffer` of this direction; `None` when there is none (any more). A buffer that has to be
    /// put together is built in `scratch`, which holds nothing of worth before.
    ///
    /// Buffers are there from [`Buffer::stage`] on. Bodies and file data come in pieces, by the reference's rules for
    /// when enough has come to be worth a look; what was returned before is returned again until
    /// [`Transaction::inspected`] is called.
    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        scratch: &'a mut Vec<u8>,
    ) -> Option<View<'a>>;

    /// Every rule has looked at what there is in this direction.
    fn inspected(&mut self, direction: Direction);

    /// The `index`-th value of a numeric keyword (`dns.opcode`, `tls.version`); `None` when there is none (any more).
    fn number(&self, direction: Direction, field: &str, index: usize) -> Option<u64>;

    /// The `index`-th file that this direction of it carries; `None` when there is none (any more).
    fn file(&self, direction: Direction, index: usize) -> Option<FileFacts<'_>> {
        let _ = (direction, index);
        None
    }

    /// Events of this direction.
    fn events(&self, direction: Direction) -> Events<'_>;

    /// The DCE/RPC call that it is, if it is one.
    fn dce(&self) -> Option<DceCall<'_>> {
        None
    }

    /// The client's address as proxies have noted it in the request's field `header` (`X-Forwarded-For`): the last one
    /// noted if proxies stand before our servers (`reverse`), the first one if they stand before our clients.
    fn forwarded(&self, header: &str, reverse: bool) -> Option<std::net::IpAddr> {
        let _ = (header, reverse);
        None
    }

    /// Appends the members that an alert's EVE record carries for it, without braces or commas around them:
    /// `"http":{…}`. Nothing, if there is nothing to say.
    fn context(&self, members: &mut Vec<u8>);
}
