//! A context: rules being collected, or what the library made of them.

use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use arrayvec::ArrayVec;
use dpdk_sys::{rte_acl_config, rte_acl_ctx, rte_acl_param, rte_acl_rule};

use crate::eal::{Eal, quietly, reason};
use crate::errno;

use super::layout::{AclKey, AclLayout, AclRule, RawRule};

/// Keys handed to the library in one call; it walks up to 32 of them at the same time.
const BATCH: usize = 64;

/// Why a context was not created, filled or built.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AclError {
    /// The EAL has not the memory for the rules.
    #[error("no memory for a table of {rules} rules: {reason}; raise memory_mib")]
    Create {
        /// Rules asked for.
        rules: u32,
        /// DPDK's error.
        reason: String,
    },
    /// More rules than the context was created for.
    #[error("the table was made for {rules_max} rules and is full")]
    Full {
        /// Rules that fit.
        rules_max: u32,
    },
    /// A rule's priority, result or one of its values is out of range.
    #[error("a rule has a value that does not fit its field: {rule}")]
    Rule {
        /// The rule.
        rule: String,
    },
    /// There is nothing to build.
    #[error("a table without rules cannot be built")]
    Empty,
    /// What the rules compile to is larger than allowed.
    #[error("the compiled rules need more than the limit of {size_bytes_max} bytes")]
    TooLarge {
        /// The limit.
        size_bytes_max: usize,
    },
    /// The rules overlap in too many ways, or the EAL has not the memory for the result.
    #[error("DPDK cannot compile these rules: {reason}; raise memory_mib, or use fewer rules that overlap")]
    Build {
        /// DPDK's error and the last line of its log.
        reason: String,
    },
}

/// The state of a context that takes rules.
#[derive(Debug)]
pub struct Configuring {
    rules_max: u32,
    rules: u32,
}

/// The state of a context that answers.
#[derive(Debug)]
pub struct Built(());

/// An `rte_acl` context of `N` fields over keys of `K` bytes; freed on drop.
#[derive(Debug)]
pub struct AclContext<const N: usize, const K: usize, State> {
    handle: Handle,
    layout: AclLayout<N, K>,
    state: State,
}

/// The library's context, owned.
#[derive(Debug)]
struct Handle {
    raw: NonNull<rte_acl_ctx>,
    /// Keeps the EAL's memory, in which the context lies, alive.
    _eal: Eal,
}

// SAFETY: a context is plain memory of the EAL, tied to no thread; creating and freeing take the library's own lock.
unsafe impl Send for Handle {}
// SAFETY: the methods of AclContext that take `&self` are `classify`, which calls rte_acl_classify: it takes the context
// as const, keeps its state on the stack and is documented as safe to call from many threads; `rules`, which reads a
// number of ours; and `fmt`, which prints the pointer. What changes a context takes it by `&mut self` or by value.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: this is the context's only owner, and the EAL, which `_eal` keeps, still runs.
        unsafe { dpdk_sys::rte_acl_free(self.raw.as_ptr()) };
    }
}

impl<const N: usize, const K: usize> AclContext<N, K, Configuring> {
    /// Makes an empty context for up to `rules_max` rules.
    ///
    /// # Errors
    ///
    /// [`AclError::Create`] when the EAL's memory is short.
    pub fn new(eal: &Eal, layout: AclLayout<N, K>, rules_max: u32) -> Result<Self, AclError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        /// `SOCKET_ID_ANY`.
        const ANY: i32 = -1;

        // For a name that exists rte_acl_create returns the existing context, which would then be freed twice. The
        // counter makes names unique; after 2^32 contexts it repeats one that is long gone.
        let name =
            CString::new(format!("fb_acl_{}", NEXT.fetch_add(1, Ordering::Relaxed))).unwrap_or_default();
        let parameters = rte_acl_param {
            name: name.as_ptr(),
            socket_id: ANY,
            rule_size: size_of::<RawRule<N>>() as u32,
            max_rule_num: rules_max,
        };
        // The library multiplies rule size and number in 32 bits.
        if parameters.rule_size.checked_mul(rules_max).is_none() {
            return Err(AclError::Create { rules: rules_max, reason: "the size overflows".into() });
        }
        let (raw, log) = quietly(|| {
            // SAFETY: the EAL runs (`eal` says so); the parameters are valid and their name is copied.
            let raw = unsafe { dpdk_sys::rte_acl_create(&raw const parameters) };
            NonNull::new(raw).ok_or_else(errno)
        });
        let raw = raw.map_err(|code| AclError::Create { rules: rules_max, reason: reason(code, &log) })?;
        let handle = Handle { raw, _eal: eal.clone() };
        Ok(Self { handle, layout, state: Configuring { rules_max, rules: 0 } })
    }

    /// Adds a rule.
    ///
    /// # Errors
    ///
    /// [`AclError::Rule`] if a value does not fit its field, [`AclError::Full`] if there is no room; the context is as
    /// before.
    pub fn add(&mut self, rule: &AclRule<N>) -> Result<(), AclError> {
        let refused = || AclError::Rule { rule: format!("{rule:?}") };
        if self.state.rules == self.state.rules_max {
            return Err(AclError::Full { rules_max: self.state.rules_max });
        }
        let raw = self.layout.rule(rule).ok_or_else(refused)?;
        // SAFETY: the context is alive and ours alone; its rule size is RawRule<N>'s, which has the layout of
        // rte_acl_rule with N fields. The library copies the rule; `layout.rule` vouches for its values.
        let code = unsafe {
            dpdk_sys::rte_acl_add_rules(self.handle.raw.as_ptr(), (&raw const raw).cast::<rte_acl_rule>(), 1)
        };
        if code != 0 {
            return Err(refused());
        }
        self.state.rules += 1;
        Ok(())
    }

    /// Number of rules added.
    pub fn rules(&self) -> u32 {
        self.state.rules
    }

    /// Compiles the rules. May take seconds, and much memory of the process for that time.
    ///
    /// With `size_bytes_max`, the library starts with few, large tries and tries smaller ones until the result fits;
    /// with `None` it makes small tries at once, whatever the size.
    ///
    /// # Errors
    ///
    /// [`AclError::Empty`], [`AclError::TooLarge`] or [`AclError::Build`], with the context as it was.
    pub fn build(self, size_bytes_max: Option<usize>) -> Result<AclContext<N, K, Built>, (AclError, Self)> {
        /// `ERANGE`: the library returns it for "larger than the limit" and nothing else.
        const TOO_LARGE: i32 = -34;

        if self.state.rules == 0 {
            return Err((AclError::Empty, self));
        }
        let mut config = rte_acl_config {
            num_categories: 1,
            num_fields: N as u32,
            max_size: size_bytes_max.unwrap_or(0),
            ..rte_acl_config::default()
        };
        for (to, from) in config.defs.iter_mut().zip(self.layout.definitions()) {
            *to = from;
        }
        let (code, log) = quietly(|| {
            // SAFETY: the context is alive and ours alone. The layout keeps the rules that the library does not check:
            // first field one byte, the others in whole words. On failure it frees what it has made and keeps the rules.
            unsafe { dpdk_sys::rte_acl_build(self.handle.raw.as_ptr(), &raw const config) }
        });
        match code {
            0 => Ok(AclContext { handle: self.handle, layout: self.layout, state: Built(()) }),
            TOO_LARGE => Err((AclError::TooLarge { size_bytes_max: config.max_size }, self)),
            code => Err((AclError::Build { reason: reason(code, &log) }, self)),
        }
    }
}

impl<const N: usize, const K: usize> AclContext<N, K, Built> {
    /// Writes to `results`, for each key, the result of the highest rule that matches it, or 0. Stops at the end of
    /// the shorter slice.
    #[inline]
    pub fn classify(&self, keys: &[AclKey<K>], results: &mut [u32]) {
        for (keys, results) in keys.chunks(BATCH).zip(results.chunks_mut(BATCH)) {
            let count = keys.len().min(results.len());
            let mut pointers: ArrayVec<*const u8, BATCH> =
                keys.iter().take(count).map(|key| key.0.as_ptr()).collect();
            // SAFETY: `pointers` and `results` hold at least `count` elements. The build was given this layout, whose
            // every word lies within the K bytes of a key. One category needs one result a key. It fails only for a
            // wrong number of categories.
            unsafe {
                dpdk_sys::rte_acl_classify(
                    self.handle.raw.as_ptr(),
                    pointers.as_mut_ptr(),
                    results.as_mut_ptr(),
                    count as u32,
                    1,
                );
            }
        }
    }
}
