//! The keyword `modbus`.

use app::modbus::category;
use app::{Direction, ModbusTable, Protocol};

use crate::ir::{AppCondition, AppProtocol, Comparison, Modbus, ModbusWhat};
use crate::number::decimal;
use crate::refusal::Outcome;
use crate::syntax::Span;

use super::builder::Builder;
use super::keyword::Keyword;

const EXPECTED: &str = "perhaps unit N, then function N, subfunction N, or function and a category (assigned, unassigned, \
                        public, user, reserved, all), or access read or write, coils, discretes, input or holding, \
                        address N, value N";

/// `N`, `<N`, `>N` or `N<>M`.
fn comparison(text: &str) -> Option<Comparison<u16>> {
    if let Some((low, high)) = text.split_once("<>") {
        return Some(Comparison::Between(decimal(low)?, decimal(high)?));
    }
    if let Some(number) = text.strip_prefix('<') {
        return decimal(number).map(Comparison::Less);
    }
    if let Some(number) = text.strip_prefix('>') {
        return decimal(number).map(Comparison::Greater);
    }
    decimal(text).map(Comparison::Equal)
}

/// The word and what follows it.
fn words(part: &str) -> (&str, &str) {
    part.trim().split_once(char::is_whitespace).map_or((part.trim(), ""), |(word, rest)| (word, rest.trim()))
}

fn categories(text: &str) -> Option<u8> {
    let (name, negated) = text.strip_prefix('!').map_or((text, false), |name| (name, true));
    let set = match name {
        "assigned" => category::PUBLIC_ASSIGNED,
        "unassigned" => category::PUBLIC_UNASSIGNED,
        "public" => category::PUBLIC_ASSIGNED | category::PUBLIC_UNASSIGNED,
        "user" => category::USER,
        "reserved" => category::RESERVED,
        "all" => category::ALL,
        _ => return None,
    };
    Some(if negated { category::ALL & !set } else { set })
}

fn access<'a>(text: &str, mut parts: impl Iterator<Item = &'a str>) -> Option<ModbusWhat> {
    let (direction, table) = words(text);
    let write = match direction {
        "read" => false,
        "write" => true,
        _ => return None,
    };
    let table = match table {
        "" => None,
        "coils" => Some(ModbusTable::Coils),
        "holding" => Some(ModbusTable::Holding),
        // Nobody writes inputs.
        "discretes" if !write => Some(ModbusTable::Discretes),
        "input" if !write => Some(ModbusTable::Input),
        _ => return None,
    };
    let mut number = |word: &str| match parts.next().map(words) {
        None => Some(None),
        Some((found, rest)) if found == word => comparison(rest).map(Some),
        Some(_) => None,
    };
    let address = number("address")?;
    let value = number("value")?;
    if value.is_some() && !matches!(address, Some(Comparison::Equal(_))) || parts.next().is_some() {
        return None;
    }
    Some(ModbusWhat::Access { write, table, address, value })
}

fn parse(text: &str) -> Option<Modbus> {
    let mut parts = text.split(',');
    let mut part = parts.next()?;
    let mut modbus = Modbus::default();
    if let ("unit", unit) = words(part) {
        modbus.unit = Some(comparison(unit)?);
        match parts.next() {
            None => return Some(modbus),
            Some(next) => part = next,
        }
    }
    modbus.what = Some(match words(part) {
        ("function", what) => {
            let function = match decimal::<u8>(what) {
                None => ModbusWhat::Category(categories(what)?),
                Some(0) => return None,
                Some(function) => {
                    let subfunction = match parts.next().map(words) {
                        None => None,
                        Some(("subfunction", number)) => Some(decimal(number)?),
                        Some(_) => return None,
                    };
                    ModbusWhat::Function(function, subfunction)
                }
            };
            if parts.next().is_some() {
                return None;
            }
            function
        }
        ("access", what) => access(what, parts)?,
        _ => return None,
    });
    Some(modbus)
}

pub(super) fn modbus(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let modbus = parse(value.text).ok_or_else(|| value.invalid(EXPECTED))?;
    builder.require(AppProtocol::Only(Protocol::Modbus))?;
    builder.only(Direction::ToServer)?;
    builder.application(AppCondition::Modbus(modbus))
}
