//! Limits of the reassembly, and what makes a set of them unusable.

use super::chunks::CHUNK_COST;
use super::datagram::PAGES;

/// Limits of one [`Defrag`](super::Defrag). All memory is reserved when it is made and none afterwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Time in milliseconds from a datagram's first fragment until it is given up (RFC 8200 4.5: 60 s).
    pub timeout_ms: u64,
    /// Datagrams in reassembly, over all tenants.
    pub trackers_max: u32,
    /// Datagrams in reassembly, of one tenant.
    pub trackers_per_tenant_max: u32,
    /// Fragments of one datagram. 8,192 is every fragment of the longest datagram, each of 8 bytes.
    pub fragments_per_datagram_max: u32,
    /// Bytes held, over all tenants: payload and its book-keeping, in whole chunks of 3,072 bytes for 2,048 of payload.
    pub bytes_max: usize,
    /// Bytes held of one tenant, counted as in `bytes_max`.
    pub bytes_per_tenant_max: usize,
    /// Give up an IPv6 datagram in which fragments overlap other than as exact duplicates (RFC 5722, RFC 8200 4.5).
    ///
    /// Off by default, as in Suricata: a sensor that gives up what its target may still accept is blind to it.
    /// Overlaps are counted either way.
    pub ipv6_overlap_drops: bool,
    /// A fragment other than the last with less payload than this, in bytes, counts as tiny (RFC 1858).
    pub tiny_fragment_bytes: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout_ms: 60_000,
            trackers_max: 8192,
            trackers_per_tenant_max: 2048,
            fragments_per_datagram_max: 8192,
            bytes_max: 32 << 20,
            bytes_per_tenant_max: 8 << 20,
            ipv6_overlap_drops: false,
            tiny_fragment_bytes: 64,
        }
    }
}

/// The least that `bytes_per_tenant_max` can be: one datagram of the longest kind.
pub(super) const BYTES_MIN: usize = PAGES * CHUNK_COST;

/// Why a [`Config`] cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    /// A limit of 0 would refuse everything.
    #[error("defrag: {field} is 0; set it to at least 1")]
    Zero {
        /// The field's name.
        field: &'static str,
    },
    /// A tenant may hold more than all tenants together.
    #[error(
        "defrag: {field} ({tenant}) is more than the limit over all tenants ({all}); lower it or raise {all_field}"
    )]
    TenantAboveAll {
        /// The field that is too high.
        field: &'static str,
        /// Its value.
        tenant: u64,
        /// The field with the limit over all tenants.
        all_field: &'static str,
        /// The value of that.
        all: u64,
    },
    /// A tenant could not hold one datagram of the longest kind.
    #[error("defrag: bytes_per_tenant_max ({bytes}) does not hold one datagram; set it to at least {min}")]
    BytesTooFew {
        /// What was asked for.
        bytes: usize,
        /// The least that works.
        min: usize,
    },
    /// The number of trackers or of chunks does not fit its index.
    #[error("defrag: {field} is too large; set it to at most {max}")]
    TooLarge {
        /// The field's name.
        field: &'static str,
        /// The most that works.
        max: u64,
    },
}

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (field, value) in [
            ("timeout_ms", self.timeout_ms),
            ("trackers_max", u64::from(self.trackers_max)),
            ("trackers_per_tenant_max", u64::from(self.trackers_per_tenant_max)),
            ("fragments_per_datagram_max", u64::from(self.fragments_per_datagram_max)),
        ] {
            if value == 0 {
                return Err(ConfigError::Zero { field });
            }
        }
        if self.bytes_per_tenant_max < BYTES_MIN {
            return Err(ConfigError::BytesTooFew { bytes: self.bytes_per_tenant_max, min: BYTES_MIN });
        }
        for (field, tenant, all_field, all) in [
            (
                "trackers_per_tenant_max",
                u64::from(self.trackers_per_tenant_max),
                "trackers_max",
                u64::from(self.trackers_max),
            ),
            ("bytes_per_tenant_max", self.bytes_per_tenant_max as u64, "bytes_max", self.bytes_max as u64),
        ] {
            if tenant > all {
                return Err(ConfigError::TenantAboveAll { field, tenant, all_field, all });
            }
        }
        // Indices are 32 bits and the highest one means "none".
        let trackers_max = u64::from(u32::MAX >> 2);
        if u64::from(self.trackers_max) > trackers_max {
            return Err(ConfigError::TooLarge { field: "trackers_max", max: trackers_max });
        }
        let bytes_max = u64::from(u32::MAX >> 1) * CHUNK_COST as u64;
        if self.bytes_max as u64 > bytes_max {
            return Err(ConfigError::TooLarge { field: "bytes_max", max: bytes_max });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn each_unusable_limit_is_named_with_what_to_do() {
        assert_eq!(Config::default().check(), Ok(()));
        assert!(error(|c| c.timeout_ms = 0).contains("timeout_ms is 0"));
        assert!(error(|c| c.trackers_max = 0).contains("trackers_max is 0"));
        assert!(error(|c| c.fragments_per_datagram_max = 0).contains("at least 1"));
        assert!(error(|c| c.trackers_per_tenant_max = 8193).contains("raise trackers_max"));
        assert!(error(|c| c.bytes_per_tenant_max = c.bytes_max + 1).contains("raise bytes_max"));
        assert!(error(|c| c.bytes_per_tenant_max = BYTES_MIN - 1).contains(&BYTES_MIN.to_string()));
        assert!(error(|c| c.trackers_max = u32::MAX).contains("at most 1073741823"));
    }
}
