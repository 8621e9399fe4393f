//! Conditions on messages of industrial control.

use analyze::{CipService, ModbusCall};
use rules::ir::{Cip, Comparison, Modbus, ModbusWhat};

/// Whether one of the addresses from `first` to `last` is as a rule wants it.
fn any(comparison: Comparison<u16>, (first, last): (u32, u32)) -> bool {
    match comparison.map(u32::from) {
        Comparison::Equal(wanted) => (first..=last).contains(&wanted),
        Comparison::NotEqual(wanted) => first != wanted || last != wanted,
        Comparison::Less(limit) => first < limit,
        Comparison::LessOrEqual(limit) => first <= limit,
        Comparison::Greater(limit) => last > limit,
        Comparison::GreaterOrEqual(limit) => last >= limit,
        Comparison::Between(low, high) => first.max(low.saturating_add(1)) < high && last > low,
    }
}

/// Whether a message is as `modbus` wants it.
pub(super) fn modbus(wanted: &Modbus, call: &ModbusCall<'_>) -> bool {
    if wanted.unit.is_some_and(|unit| !unit.holds(u16::from(call.unit))) {
        return false;
    }
    match &wanted.what {
        None => true,
        Some(ModbusWhat::Function(function, subfunction)) => {
            *function == call.function && (subfunction.is_none() || *subfunction == call.subfunction)
        }
        Some(ModbusWhat::Category(categories)) => categories & call.categories != 0,
        Some(ModbusWhat::Access { write, table, address, value }) => {
            let right_way = if *write { call.writes } else { call.reads };
            let right_table = table.is_none() || *table == call.table;
            let right_address =
                address.is_none_or(|address| call.range().is_some_and(|range| any(address, range)));
            let right_value = value.is_none_or(|value| match address {
                Some(Comparison::Equal(address)) => {
                    call.value_at(*address).is_some_and(|found| value.holds(found))
                }
                _ => false,
            });
            right_way && right_table && right_address && right_value
        }
    }
}

/// Whether a service is one that `cip_service` wants.
pub(super) fn cip(wanted: Cip, asked: &CipService) -> bool {
    wanted.service == asked.service
        && wanted.class.is_none_or(|class| asked.classes.contains(&class))
        && wanted.attribute.is_none_or(|(attribute, negated)| {
            asked.attributes.iter().any(|&other| (other == attribute) != negated)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_told_apart_by_class_and_attribute() {
        let asked = CipService { service: 14, classes: vec![5], attributes: vec![7, 8] };
        let none = CipService { attributes: Vec::new(), ..asked.clone() };
        for (service, class, attribute, holds, holds_without) in [
            (14, None, None, true, true),
            (16, None, None, false, false),
            (14, Some(5), None, true, true),
            (14, Some(6), None, false, false),
            (14, Some(5), Some((7, false)), true, false),
            (14, Some(5), Some((9, false)), false, false),
            (14, Some(5), Some((7, true)), true, false),
        ] {
            let wanted = Cip { service, class, attribute };
            assert_eq!((cip(wanted, &asked), cip(wanted, &none)), (holds, holds_without), "{wanted:?}");
        }
    }

    #[test]
    fn addresses_are_compared_as_a_range() {
        let range = (1001, 1010);
        for (comparison, holds) in [
            (Comparison::Equal(1000), false),
            (Comparison::Equal(1001), true),
            (Comparison::Equal(1010), true),
            (Comparison::Equal(1011), false),
            (Comparison::Less(1001), false),
            (Comparison::Less(1002), true),
            (Comparison::Greater(1009), true),
            (Comparison::Greater(1010), false),
            (Comparison::Between(900, 1001), false),
            (Comparison::Between(900, 1002), true),
            (Comparison::Between(1001, 1005), true),
            (Comparison::Between(1010, 1100), false),
            (Comparison::Between(1005, 1006), false),
            (Comparison::Between(9, 5), false),
        ] {
            assert_eq!(any(comparison, range), holds, "{comparison:?}");
        }
    }
}
