//! Words of Modbus (Modbus Application Protocol Specification V1.1b3) that rules and its analyser share.

/// What a function reads or writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ModbusTable {
    /// Coils: bits that can be written.
    Coils,
    /// Discrete inputs: bits.
    Discretes,
    /// Input registers.
    Input,
    /// Holding registers: those that can be written.
    Holding,
}

/// Categories of function codes, as a set of bits.
pub mod category {
    /// Public, and given a meaning.
    pub const PUBLIC_ASSIGNED: u8 = 1;
    /// Public, and free.
    pub const PUBLIC_UNASSIGNED: u8 = 2;
    /// For users.
    pub const USER: u8 = 4;
    /// Of companies' older products.
    pub const RESERVED: u8 = 8;
    /// Any of them.
    pub const ALL: u8 = PUBLIC_ASSIGNED | PUBLIC_UNASSIGNED | USER | RESERVED;
}
