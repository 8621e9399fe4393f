//! What rules see of a transaction, whatever its protocol.

use app::{Buffer, Direction, ModbusTable, Stage};

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

/// What `modbus` is asked of: a request, or a response that stands alone.
#[derive(Clone, Copy, Debug)]
pub struct ModbusCall<'a> {
    /// Unit identifier.
    pub unit: u8,
    /// Function code, without the bit of exceptions; 0 if it cannot be one.
    pub function: u8,
    /// Subfunction of a diagnostic.
    pub subfunction: Option<u16>,
    /// What kind of function code it is: bits of [`app::modbus::category`].
    pub categories: u8,
    /// Whether it reads.
    pub reads: bool,
    /// Whether it writes.
    pub writes: bool,
    /// What it reads or writes.
    pub table: Option<ModbusTable>,
    /// First address on the wire, and how many; of a function that reads and writes those that it writes.
    pub addresses: Option<(u16, u16)>,
    /// What it writes.
    pub values: ModbusValues<'a>,
}

/// A service of the Common Industrial Protocol that is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CipService {
    /// Which.
    pub service: u8,
    /// Classes that its path names.
    pub classes: Vec<u16>,
    /// Attributes that its path or its data names.
    pub attributes: Vec<u16>,
}

/// What a Modbus request writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModbusValues<'a> {
    /// Nothing, or what cannot be told from the request.
    None,
    /// One value.
    One(u16),
    /// Bits, lowest first in each byte.
    Coils(&'a [u8]),
    /// Numbers of 16 bits, most significant byte first.
    Registers(&'a [u8]),
}

impl ModbusCall<'_> {
    /// First and last address, counted from 1 as rules do.
    pub fn range(&self) -> Option<(u32, u32)> {
        let (first, count) = self.addresses?;
        (count > 0).then(|| (u32::from(first) + 1, u32::from(first) + u32::from(count)))
    }

    /// What it writes to an address, counted from 1.
    pub fn value_at(&self, address: u16) -> Option<u16> {
        let (first, last) = self.range()?;
        let place = u32::from(address).checked_sub(first).filter(|_| u32::from(address) <= last)? as usize;
        match self.values {
            ModbusValues::None => None,
            ModbusValues::One(value) => (place == 0).then_some(value),
            ModbusValues::Coils(bytes) => bytes.get(place / 8).map(|byte| u16::from(byte >> (place % 8) & 1)),
            ModbusValues::Registers(bytes) => bytes
                .chunks_exact(2)
                .nth(place)
                .map(|pair| pair.iter().fold(0, |value, &byte| value << 8 | u16::from(byte))),
        }
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

    /// The Modbus message that it is about, if it is one.
    fn modbus(&self) -> Option<ModbusCall<'_>> {
        None
    }

    /// The services of the Common Industrial Protocol that it asks for.
    fn services(&self) -> &[CipService] {
        &[]
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
