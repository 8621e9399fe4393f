//! What a key's fields are, and rules over them.

use dpdk_sys::{rte_acl_field, rte_acl_field_def, rte_acl_field_types, rte_acl_rule_data};

/// The bytes that are classified; aligned, as the library reads them in words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C, align(4))]
pub struct AclKey<const K: usize>(pub [u8; K]);

/// One field: how rules name its values. The number is its size in bytes: 1, 2 or 4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AclField {
    /// A value and how many of its leading bits count.
    Prefix(u8),
    /// First and last value.
    Range(u8),
    /// A value and a mask of the bits that count.
    Bits(u8),
}

impl AclField {
    /// Size in bytes.
    pub const fn bytes(self) -> u8 {
        match self {
            Self::Prefix(bytes) | Self::Range(bytes) | Self::Bits(bytes) => bytes,
        }
    }

    const fn kind(self) -> u8 {
        (match self {
            Self::Prefix(_) => dpdk_sys::RTE_ACL_FIELD_TYPE_MASK,
            Self::Range(_) => dpdk_sys::RTE_ACL_FIELD_TYPE_RANGE,
            Self::Bits(_) => dpdk_sys::RTE_ACL_FIELD_TYPE_BITMASK,
        }) as u8
    }

    /// The largest value that the field holds.
    const fn largest(self) -> u32 {
        u32::MAX >> (32 - 8 * self.bytes() as u32)
    }
}

/// What a rule wants of one field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AclValue {
    /// For [`AclField::Prefix`].
    Prefix {
        /// The value, in host byte order.
        value: u32,
        /// How many leading bits count; 0 matches everything.
        bits: u8,
    },
    /// For [`AclField::Range`].
    Range {
        /// First value that matches.
        first: u32,
        /// Last value that matches.
        last: u32,
    },
    /// For [`AclField::Bits`].
    Bits {
        /// The value, in host byte order.
        value: u32,
        /// The bits that count; 0 matches everything.
        mask: u32,
    },
}

/// One rule of `N` fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AclRule<const N: usize> {
    /// Of the rules that match, the one with the highest number decides: 1 to [`AclRule::PRIORITY_MAX`].
    pub priority: u32,
    /// What [`classify`](super::AclContext::classify) answers; 0 means that no rule matches, so it is not allowed.
    pub result: u32,
    /// In the order of the layout's fields.
    pub fields: [AclValue; N],
}

impl<const N: usize> AclRule<N> {
    /// The highest priority: 2^29 - 1.
    pub const PRIORITY_MAX: u32 = dpdk_sys::RTE_ACL_MAX_PRIORITY;
}

/// Why a layout is not one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LayoutError {
    /// The first field is not one byte long.
    #[error("the first field of a key must be one byte long")]
    First,
    /// A field is not 1, 2 or 4 bytes long, or lies across two words, or leaves a word half filled.
    #[error("the fields of a key after the first must be of 1, 2 or 4 bytes and fill words of 4 bytes")]
    Words,
    /// The fields do not add up to the key's size.
    #[error("the fields do not fill the key exactly")]
    Size,
    /// More fields than the library has room for.
    #[error("a key has at most {} fields", dpdk_sys::RTE_ACL_MAX_FIELDS)]
    TooMany,
}

/// The fields of a key of `K` bytes, checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AclLayout<const N: usize, const K: usize> {
    fields: [AclField; N],
}

/// `struct rte_acl_rule` with its flexible array of a known length.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct RawRule<const N: usize> {
    data: rte_acl_rule_data,
    fields: [rte_acl_field; N],
}

impl<const N: usize, const K: usize> AclLayout<N, K> {
    /// Checks that `fields` fill a key of `K` bytes; see the module for how they lie in it.
    ///
    /// # Errors
    ///
    /// See [`LayoutError`].
    pub const fn new(fields: [AclField; N]) -> Result<Self, LayoutError> {
        if N == 0 || fields[0].bytes() != 1 {
            return Err(LayoutError::First);
        }
        if N > dpdk_sys::RTE_ACL_MAX_FIELDS as usize {
            return Err(LayoutError::TooMany);
        }
        let mut end = 4;
        let mut field = 1;
        while field < N {
            let bytes = fields[field].bytes() as usize;
            if !matches!(bytes, 1 | 2 | 4) || end % 4 + bytes > 4 {
                return Err(LayoutError::Words);
            }
            end += bytes;
            field += 1;
        }
        if end % 4 != 0 {
            return Err(LayoutError::Words);
        }
        if end != K {
            return Err(LayoutError::Size);
        }
        Ok(Self { fields })
    }

    /// The library's form of the fields.
    pub(super) fn definitions(&self) -> [rte_acl_field_def; N] {
        let mut definitions = [rte_acl_field_def::default(); N];
        let mut end = 4_u32;
        for (index, (definition, field)) in definitions.iter_mut().zip(self.fields).enumerate() {
            let offset = if index == 0 { 0 } else { end };
            *definition = rte_acl_field_def {
                type_: field.kind(),
                size: field.bytes(),
                field_index: index as u8,
                // A word of the key each; the first field's is word 0.
                input_index: (offset / 4) as u8,
                offset,
            };
            if index > 0 {
                end += u32::from(field.bytes());
            }
        }
        definitions
    }

    /// The library's form of a rule; `None` if a value does not fit its field (the library would read past it, or
    /// shift by a negative number).
    pub(super) fn rule(&self, rule: &AclRule<N>) -> Option<RawRule<N>> {
        if rule.result == 0 || rule.priority == 0 || rule.priority > AclRule::<N>::PRIORITY_MAX {
            return None;
        }
        let mut fields = [rte_acl_field::default(); N];
        for ((raw, field), value) in fields.iter_mut().zip(self.fields).zip(rule.fields) {
            let (value, with) = match (field, value) {
                (AclField::Prefix(bytes), AclValue::Prefix { value, bits }) if bits <= 8 * bytes => {
                    (value, u32::from(bits))
                }
                (AclField::Range(_), AclValue::Range { first, last })
                    if first <= last && last <= field.largest() =>
                {
                    (first, last)
                }
                (AclField::Bits(_), AclValue::Bits { value, mask }) if mask <= field.largest() => {
                    (value, mask)
                }
                _ => return None,
            };
            if value > field.largest() {
                return None;
            }
            *raw = rte_acl_field {
                value: rte_acl_field_types { u64_: u64::from(value) },
                mask_range: rte_acl_field_types { u64_: u64::from(with) },
            };
        }
        let data = rte_acl_rule_data {
            category_mask: 1,
            priority: rule.priority.cast_signed(),
            userdata: rule.result,
        };
        Some(RawRule { data, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: AclLayout<4, 12> =
        match AclLayout::new([AclField::Bits(1), AclField::Prefix(4), AclField::Range(2), AclField::Bits(2)])
        {
            Ok(layout) => layout,
            Err(_) => panic!("a good layout"),
        };

    fn rule(fields: [AclValue; 4]) -> AclRule<4> {
        AclRule { priority: 1, result: 1, fields }
    }

    const GOOD: [AclValue; 4] = [
        AclValue::Bits { value: 6, mask: 0xff },
        AclValue::Prefix { value: 0x0a00_0000, bits: 8 },
        AclValue::Range { first: 0, last: 0xffff },
        AclValue::Bits { value: 0, mask: 0 },
    ];

    #[test]
    fn fields_lie_where_the_module_says() {
        let places = LAYOUT.definitions().map(|d| (d.field_index, d.input_index, d.offset, d.size));
        assert_eq!(places, [(0, 0, 0, 1), (1, 1, 4, 4), (2, 2, 8, 2), (3, 2, 10, 2)]);
    }

    #[test]
    fn layouts_that_the_library_cannot_walk_are_refused() {
        use AclField::{Bits, Prefix, Range};
        assert_eq!(AclLayout::<1, 4>::new([Range(2)]), Err(LayoutError::First));
        assert_eq!(AclLayout::<0, 4>::new([]), Err(LayoutError::First));
        assert_eq!(AclLayout::<2, 8>::new([Bits(1), Range(2)]), Err(LayoutError::Words));
        assert_eq!(AclLayout::<2, 8>::new([Bits(1), Prefix(3)]), Err(LayoutError::Words));
        assert_eq!(
            AclLayout::<4, 12>::new([Bits(1), Range(2), Prefix(4), Range(2)]),
            Err(LayoutError::Words)
        );
        assert_eq!(AclLayout::<2, 12>::new([Bits(1), Prefix(4)]), Err(LayoutError::Size));
        assert_eq!(AclLayout::<65, 260>::new([Bits(1); 65]), Err(LayoutError::TooMany));
    }

    #[test]
    fn values_that_do_not_fit_their_field_are_refused() {
        assert!(LAYOUT.rule(&rule(GOOD)).is_some());
        let bad = [
            (0, AclValue::Bits { value: 6, mask: 0x1ff }),
            (0, AclValue::Bits { value: 256, mask: 0xff }),
            (0, AclValue::Range { first: 0, last: 1 }),
            (1, AclValue::Prefix { value: 0, bits: 33 }),
            (2, AclValue::Range { first: 2, last: 1 }),
            (2, AclValue::Range { first: 0, last: 0x1_0000 }),
        ];
        for (field, value) in bad {
            let mut fields = GOOD;
            fields[field] = value;
            assert!(LAYOUT.rule(&rule(fields)).is_none(), "{value:?}");
        }
        assert!(LAYOUT.rule(&AclRule { result: 0, ..rule(GOOD) }).is_none());
        assert!(LAYOUT.rule(&AclRule { priority: 0, ..rule(GOOD) }).is_none());
        assert!(LAYOUT.rule(&AclRule { priority: AclRule::<4>::PRIORITY_MAX + 1, ..rule(GOOD) }).is_none());
    }
}
