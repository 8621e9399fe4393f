//! One message of Modbus over TCP: what it says, and what is wrong with it (Modbus Application Protocol Specification
//! V1.1b3, and its Messaging Implementation Guide V1.0b).

use app::modbus::category;
use app::{Direction, ModbusTable};

use crate::reader::Reader;

/// Bytes before the unit identifier: transaction, protocol, length.
pub(super) const HEADER_BYTES: usize = 6;
/// The length can be from unit and function to the longest PDU.
pub(super) const LENGTHS: std::ops::RangeInclusive<u16> = 2..=254;

/// The bit of a function code that says that it was refused.
const EXCEPTION: u8 = 0x80;

/// What is wrong with a message, as bits in the order in which records list them.
pub(super) mod flags {
    pub(in crate::modbus) const DATA_VALUE: u8 = 1;
    pub(in crate::modbus) const DATA_LENGTH: u8 = 2;
    pub(in crate::modbus) const EXC_CODE: u8 = 4;
    pub(in crate::modbus) const FUNC_CODE: u8 = 8;
    pub(in crate::modbus) const PROTO_ID: u8 = 16;
}

/// What a message carries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Data {
    /// Not even a function.
    #[default]
    None,
    Bytes(Vec<u8>),
    Read {
        address: u16,
        quantity: u16,
    },
    ReadAnswer(Vec<u8>),
    /// One value, or the answer to several: how many.
    Write {
        address: u16,
        value: u16,
    },
    WriteSeveral {
        address: u16,
        quantity: u16,
        values: Vec<u8>,
    },
    Mask {
        address: u16,
        and: u16,
        or: u16,
    },
    ReadAndWrite {
        read: (u16, u16),
        address: u16,
        quantity: u16,
        values: Vec<u8>,
    },
    Diagnostic {
        subfunction: u16,
        data: Vec<u8>,
    },
    Interface {
        kind: u8,
        data: Vec<u8>,
    },
    Exception(u8),
}

/// One message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Message {
    pub(super) transaction: u16,
    pub(super) protocol: u16,
    pub(super) unit: u8,
    /// As sent.
    pub(super) raw: u8,
    /// Without the bit of exceptions.
    pub(super) function: u8,
    /// Its category; none, if it cannot be a function.
    pub(super) category: u8,
    pub(super) data: Data,
    /// What is wrong with it.
    pub(super) flags: u8,
}

/// What is known of a function code.
pub(super) fn category_of(function: u8) -> u8 {
    match function {
        1..=24 => category::PUBLIC_ASSIGNED,
        25..=40 | 44..=64 | 73..=89 | 92..=99 | 111..=124 => category::PUBLIC_UNASSIGNED,
        65..=72 | 100..=110 => category::USER,
        41..=43 | 90 | 91 | 125..=127 => category::RESERVED,
        _ => 0,
    }
}

/// Whether the function reads, whether it writes, and what.
pub(super) const fn access(function: u8) -> (bool, bool, Option<ModbusTable>) {
    match function {
        1 => (true, false, Some(ModbusTable::Coils)),
        2 => (true, false, Some(ModbusTable::Discretes)),
        3 => (true, false, Some(ModbusTable::Holding)),
        4 => (true, false, Some(ModbusTable::Input)),
        5 | 15 => (false, true, Some(ModbusTable::Coils)),
        6 | 16 | 22 => (false, true, Some(ModbusTable::Holding)),
        23 => (true, true, Some(ModbusTable::Holding)),
        _ => (false, false, None),
    }
}

impl Message {
    /// What is known when the length cannot be.
    pub(super) fn without_body(transaction: u16, protocol: u16) -> Self {
        let wrong = if protocol == 0 { 0 } else { flags::PROTO_ID };
        Self { transaction, protocol, flags: wrong | flags::DATA_LENGTH, ..Self::default() }
    }

    /// The message of this header and body, which begins with the unit.
    pub(super) fn read(direction: Direction, (transaction, protocol): (u16, u16), body: &[u8]) -> Self {
        let mut reader = Reader(body);
        let (Some(unit), Some(raw)) = (reader.u8(), reader.u8()) else {
            return Self::without_body(transaction, protocol);
        };
        let refused = raw & EXCEPTION != 0;
        let base = raw & !EXCEPTION;
        // Nobody refuses a function that is not known.
        let function = if refused && !matches!(base, 1..=24 | 43) { 0 } else { base };
        let mut message = Self {
            transaction,
            protocol,
            unit,
            raw,
            function,
            category: category_of(function),
            ..Self::default()
        };
        if protocol != 0 {
            message.flags |= flags::PROTO_ID;
        }
        let to_server = direction == Direction::ToServer;
        // A request cannot be refused; of some functions the reference does not say so.
        let said = !matches!(function, 7 | 8 | 11 | 12 | 17 | 24 | 43);
        message.wrong(function == 0 || refused && to_server && said, flags::FUNC_CODE);
        if refused && !to_server && function != 0 {
            message.exception(reader);
        } else if to_server {
            message.request(reader);
        } else {
            message.response(reader);
        }
        message
    }

    fn wrong(&mut self, is: bool, flag: u8) {
        if is {
            self.flags |= flag;
        }
    }

    fn bytes(&mut self, reader: Reader<'_>) {
        self.data = Data::Bytes(reader.0.to_vec());
    }

    /// The data is shorter than the function's.
    fn cut(&mut self, reader: Reader<'_>) {
        self.flags |= flags::DATA_LENGTH;
        self.bytes(reader);
    }

    fn exception(&mut self, whole: Reader<'_>) {
        let mut reader = whole;
        let Some(code) = reader.u8() else { return self.cut(whole) };
        self.wrong(!reader.is_empty(), flags::DATA_LENGTH);
        self.wrong(!matches!(code, 1..=8 | 10 | 11), flags::EXC_CODE);
        self.data = Data::Exception(code);
    }

    fn request(&mut self, whole: Reader<'_>) {
        let mut reader = whole;
        match self.function {
            1..=4 => {
                let (Some(address), Some(quantity)) = (reader.u16(), reader.u16()) else {
                    return self.cut(whole);
                };
                let most = if self.function <= 2 { 2000 } else { 125 };
                self.wrong(!(1..=most).contains(&quantity), flags::DATA_VALUE);
                self.wrong(!reader.is_empty(), flags::DATA_LENGTH);
                self.data = Data::Read { address, quantity };
            }
            5 | 6 => {
                let (Some(address), Some(value)) = (reader.u16(), reader.u16()) else {
                    return self.cut(whole);
                };
                self.wrong(self.function == 5 && !matches!(value, 0 | 0xff00), flags::DATA_VALUE);
                self.wrong(!reader.is_empty(), flags::DATA_LENGTH);
                self.data = Data::Write { address, value };
            }
            7 | 11 | 12 | 17 => {
                self.wrong(!reader.is_empty(), flags::DATA_LENGTH);
                self.bytes(reader);
            }
            15 | 16 => {
                let (Some(address), Some(quantity), Some(count)) = (reader.u16(), reader.u16(), reader.u8())
                else {
                    return self.cut(whole);
                };
                let needed = self.bytes_of(quantity);
                self.wrong(u32::from(count) != needed, flags::DATA_VALUE);
                self.wrong(count == 0 || usize::from(count) != reader.0.len(), flags::DATA_LENGTH);
                self.data = Data::WriteSeveral { address, quantity, values: reader.0.to_vec() };
            }
            22 => self.mask(whole),
            23 => {
                let read = reader.u16().zip(reader.u16());
                let write = reader.u16().zip(reader.u16()).zip(reader.u8());
                let (Some(read), Some(((address, quantity), count))) = (read, write) else {
                    self.wrong(read.is_none_or(|(_, quantity)| quantity == 0), flags::DATA_VALUE);
                    return self.cut(whole);
                };
                let fits = (1..=125).contains(&read.1)
                    && (1..=121).contains(&quantity)
                    && u32::from(count) == self.bytes_of(quantity);
                self.wrong(!fits, flags::DATA_VALUE);
                self.wrong(usize::from(count) != reader.0.len(), flags::DATA_LENGTH);
                self.data = Data::ReadAndWrite { read, address, quantity, values: reader.0.to_vec() };
            }
            24 => {
                self.wrong(reader.0.len() != 2, flags::DATA_LENGTH);
                self.bytes(reader);
            }
            8 => self.diagnostic(whole, true),
            43 => self.interface(whole),
            _ => self.bytes(reader),
        }
    }

    fn response(&mut self, whole: Reader<'_>) {
        let mut reader = whole;
        match self.function {
            1..=4 | 23 => {
                let Some(count) = reader.u8() else { return self.cut(whole) };
                self.wrong(usize::from(count) != reader.0.len(), flags::DATA_VALUE);
                self.data = Data::ReadAnswer(reader.0.to_vec());
            }
            5 | 6 | 15 | 16 => {
                let (Some(address), Some(value)) = (reader.u16(), reader.u16()) else {
                    return self.cut(whole);
                };
                self.wrong(!reader.is_empty(), flags::DATA_LENGTH);
                self.data = Data::Write { address, value };
            }
            22 => self.mask(whole),
            8 => self.diagnostic(whole, false),
            43 => self.interface(whole),
            _ => self.bytes(reader),
        }
    }

    fn mask(&mut self, whole: Reader<'_>) {
        let mut reader = whole;
        let (Some(address), Some(and), Some(or)) = (reader.u16(), reader.u16(), reader.u16()) else {
            return self.cut(whole);
        };
        self.wrong(!reader.is_empty(), flags::DATA_LENGTH);
        self.data = Data::Mask { address, and, or };
    }

    fn diagnostic(&mut self, whole: Reader<'_>, asked: bool) {
        let mut reader = whole;
        let Some(subfunction) = reader.u16() else { return self.cut(whole) };
        let data = reader.0;
        if matches!(subfunction, 5..=9 | 22..) {
            self.category = category::RESERVED;
        } else {
            self.wrong(data.len() != 2, flags::DATA_LENGTH);
            // What a counter stands at is only in answers.
            let known = match subfunction {
                1 => matches!(data, [0 | 0xff, 0]),
                3 => matches!(data, [_, 0]),
                2 | 10..=18 | 20 => matches!(data, [0, 0]),
                _ => true,
            };
            self.wrong(asked && data.len() == 2 && !known, flags::DATA_VALUE);
        }
        self.data = Data::Diagnostic { subfunction, data: data.to_vec() };
    }

    fn interface(&mut self, whole: Reader<'_>) {
        let mut reader = whole;
        let Some(kind) = reader.u8() else { return self.cut(whole) };
        if matches!(kind, 13 | 14) {
            self.category = category::PUBLIC_ASSIGNED;
        }
        self.data = Data::Interface { kind, data: reader.0.to_vec() };
    }

    /// How many bytes so many values of the function's table take.
    fn bytes_of(&self, quantity: u16) -> u32 {
        match access(self.function).2 {
            Some(ModbusTable::Coils | ModbusTable::Discretes) => u32::from(quantity).div_ceil(8),
            _ => u32::from(quantity) * 2,
        }
    }

    /// Whether this response can be for that request.
    pub(super) fn answers(&self, request: &Self) -> bool {
        let same = |message: &Self| (message.transaction, message.unit, message.function);
        let subfunctions = match (&self.data, &request.data) {
            (Data::Diagnostic { subfunction: mine, .. }, Data::Diagnostic { subfunction: asked, .. }) => {
                mine == asked
            }
            _ => true,
        };
        same(self) == same(request) && subfunctions
    }

    /// Notes what of this response is not what the request asked for.
    pub(super) fn compare(&mut self, request: &Self) {
        let differs = match (&self.data, &request.data) {
            (
                Data::ReadAnswer(data),
                Data::Read { quantity, .. } | Data::ReadAndWrite { read: (_, quantity), .. },
            ) => u32::try_from(data.len()).is_ok_and(|len| len != self.bytes_of(*quantity)),
            (Data::Write { address, value }, Data::WriteSeveral { address: asked, quantity, .. }) => {
                (address, value) != (asked, quantity)
            }
            (Data::Write { .. }, Data::Write { .. }) | (Data::Mask { .. }, Data::Mask { .. }) => {
                self.data != request.data
            }
            _ => false,
        };
        self.wrong(differs, flags::DATA_VALUE);
    }
}
