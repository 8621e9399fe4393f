//! Who runs next: surplus round robin over tenants, charged in measured cycles.
//!
//! Each tenant has an account. A round adds `weight × quantum` cycles to the account of every tenant that has work; the
//! tenant runs until its account is empty, and what the last packet took beyond that is taken off the next round
//! (Adiseshu, Parulkar and Varghese, "A Reliable and Scalable Striping Protocol", SIGCOMM 1996). So over time tenants
//! that always have work get cycles in the ratio of their weights, whatever their packets cost, and one that has little
//! work leaves its share to the others.

/// Cycles that a tenant of weight 1 gets in a round: some ten packets of ordinary inspection.
const QUANTUM_CYCLES: i64 = 20_000;

/// The accounts of one worker's tenants.
#[derive(Debug)]
pub(crate) struct Scheduler {
    accounts: Vec<Account>,
    /// Tenants with work, in the order of their turns.
    turns: std::collections::VecDeque<u16>,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    balance_cycles: i64,
    weight: u32,
    active: bool,
}

impl Scheduler {
    /// Accounts for `tenants` tenants, all of weight 1.
    pub(crate) fn new(tenants: usize) -> Self {
        let account = Account { balance_cycles: 0, weight: 1, active: false };
        Self { accounts: vec![account; tenants], turns: std::collections::VecDeque::with_capacity(tenants) }
    }

    /// Sets a tenant's weight (at least 1).
    pub(crate) fn set_weight(&mut self, tenant: usize, weight: u32) {
        if let Some(account) = self.accounts.get_mut(tenant) {
            account.weight = weight.max(1);
        }
    }

    /// The tenant is no more, and has no work; who comes after it begins with nothing.
    pub(crate) fn forget(&mut self, tenant: usize) {
        if let Some(account) = self.accounts.get_mut(tenant) {
            account.balance_cycles = 0;
        }
    }

    /// Says that the tenant has work; it gets its turn after those who have been waiting.
    #[inline]
    pub(crate) fn wake(&mut self, tenant: usize) {
        if let Some(account) = self.accounts.get_mut(tenant)
            && !account.active
        {
            account.active = true;
            self.turns.push_back(tenant as u16);
        }
    }

    /// The tenant whose turn it is, and the cycles that it may use now; `None` when nobody has work.
    pub(crate) fn next(&mut self) -> Option<(usize, u64)> {
        loop {
            let tenant = usize::from(self.turns.pop_front()?);
            let account = self.accounts.get_mut(tenant)?;
            account.balance_cycles += i64::from(account.weight) * QUANTUM_CYCLES;
            if account.balance_cycles > 0 {
                return Some((tenant, account.balance_cycles as u64));
            }
            // Still in debt for a packet that took longer than a round's share.
            self.turns.push_back(tenant as u16);
        }
    }

    /// Ends a turn: charges the cycles it took, and puts the tenant back in line if it has more work.
    pub(crate) fn charge(&mut self, tenant: usize, cycles: u64, more_work: bool) {
        let Some(account) = self.accounts.get_mut(tenant) else { return };
        account.balance_cycles = account.balance_cycles.saturating_sub_unsigned(cycles);
        if more_work {
            self.turns.push_back(tenant as u16);
        } else {
            account.active = false;
            // Credit is not saved for later; a debt is.
            account.balance_cycles = account.balance_cycles.min(0);
        }
    }

    /// Whether any tenant has work.
    pub(crate) fn is_idle(&self) -> bool {
        self.turns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs until `total` cycles are spent; tenants always have work; packet costs differ by tenant.
    fn shares(weights: &[u32], packet_cycles: &[u64], total: u64) -> Vec<f64> {
        let mut scheduler = Scheduler::new(weights.len());
        for (tenant, weight) in weights.iter().enumerate() {
            scheduler.set_weight(tenant, *weight);
            scheduler.wake(tenant);
        }
        let mut used = vec![0u64; weights.len()];
        while used.iter().sum::<u64>() < total {
            let (tenant, budget) = scheduler.next().unwrap();
            let mut spent = 0;
            while spent < budget {
                spent += packet_cycles[tenant];
            }
            used[tenant] += spent;
            scheduler.charge(tenant, spent, true);
        }
        used.iter().map(|cycles| *cycles as f64 / used.iter().sum::<u64>() as f64).collect()
    }

    #[test]
    fn cycles_go_by_weight_whatever_a_packet_costs() {
        let got = shares(&[1, 2, 4], &[300, 90_000, 1_000], 500_000_000);
        for (share, expected) in got.iter().zip([1.0 / 7.0, 2.0 / 7.0, 4.0 / 7.0]) {
            assert!((share - expected).abs() < 0.01, "{got:?}");
        }
    }

    #[test]
    fn a_packet_longer_than_a_round_is_paid_back_before_the_next_turn() {
        let mut scheduler = Scheduler::new(2);
        scheduler.wake(0);
        scheduler.wake(1);
        assert_eq!(scheduler.next(), Some((0, QUANTUM_CYCLES as u64)));
        scheduler.charge(0, 5 * QUANTUM_CYCLES as u64, true);
        for _ in 0..4 {
            assert_eq!(scheduler.next().unwrap().0, 1);
            scheduler.charge(1, QUANTUM_CYCLES as u64, true);
        }
        let turns: Vec<usize> = (0..2)
            .map(|_| {
                let (tenant, _) = scheduler.next().unwrap();
                scheduler.charge(tenant, 1, true);
                tenant
            })
            .collect();
        assert!(turns.contains(&0), "{turns:?}");
    }

    #[test]
    fn who_has_no_work_is_not_asked_and_saves_no_credit() {
        let mut scheduler = Scheduler::new(3);
        assert!(scheduler.is_idle());
        assert_eq!(scheduler.next(), None);
        scheduler.wake(2);
        scheduler.wake(2);
        let (tenant, budget) = scheduler.next().unwrap();
        scheduler.charge(tenant, 10, false);
        assert!(scheduler.is_idle());
        scheduler.wake(2);
        assert_eq!(scheduler.next(), Some((2, budget)));
    }
}
