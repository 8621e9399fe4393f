//! What rules ask of protocols of industrial control.

use app::ModbusTable;

use super::Comparison;

/// `modbus`: conditions on one message, all of which must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Modbus {
    /// `unit`.
    pub unit: Option<Comparison<u16>>,
    /// What else is asked, if anything.
    pub what: Option<ModbusWhat>,
}

/// What `modbus` asks beside the unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModbusWhat {
    /// `function N`, perhaps with `subfunction M`.
    Function(u8, Option<u16>),
    /// `function public` and its kin: bits of [`app::modbus::category`], any of which will do.
    Category(u8),
    /// `access`.
    Access {
        /// `write` and not `read`.
        write: bool,
        /// `coils`, `discretes`, `input` or `holding`.
        table: Option<ModbusTable>,
        /// `address`, counted from 1: one of those that are read or written must be so.
        address: Option<Comparison<u16>>,
        /// `value`: what is written to that address; only with one address.
        value: Option<Comparison<u16>>,
    },
}

/// `cip_service`: a service of the Common Industrial Protocol that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cip {
    /// Which.
    pub service: u8,
    /// Of which class.
    pub class: Option<u16>,
    /// With this attribute, or (`true`) with one that is not this.
    pub attribute: Option<(u16, bool)>,
}
