//! Ending many flows at once: all whose time is over, all of a tenant, all there are.

use wire::TenantId;

use super::{FlowId, FlowTable, class_list};
use crate::flow::{EndReason, Flow, FlowState};
use crate::prefetch::Prefetch;

/// The order in which a tenant's flows end: closed ones first.
const STATES: [FlowState; 3] = [FlowState::Closed, FlowState::New, FlowState::Established];

impl<P: Prefetch> FlowTable<P> {
    /// Ends every flow whose time is over by `now_us`, however many and however far the timers have come. What is then
    /// left for [`drain`](Self::drain) depends on the packets alone.
    pub fn expire_all(&mut self, now_us: u64, ended: &mut impl FnMut(&Flow, EndReason)) {
        for list in 0..self.free_list() {
            let mut next = self.order.front(list);
            while let Some(entry) = next {
                next = self.order.after(entry);
                if self.flows.get(entry).is_some_and(|flow| now_us > self.timeouts.deadline_us(flow)) {
                    self.end(FlowId(entry), EndReason::Timeout, ended);
                }
            }
        }
    }

    /// Ends every flow: by tenant, then closed, new and established ones, each in the order in which they became so.
    /// [`expire_all`](Self::expire_all) first, or flows that are over count as shut down.
    pub fn drain(&mut self, ended: &mut impl FnMut(&Flow, EndReason)) {
        for tenant in 0..self.tenants.len() as u16 {
            for state in STATES {
                while let Some(entry) = self.order.front(class_list(TenantId(tenant), state)) {
                    self.end(FlowId(entry), EndReason::Shutdown, ended);
                }
            }
        }
    }

    /// Ends every flow of a tenant that is no more, in the order of [`drain`](Self::drain). One whose time was over by
    /// `now_us` has ended by itself.
    pub fn end_tenant(&mut self, tenant: TenantId, now_us: u64, ended: &mut impl FnMut(&Flow, EndReason)) {
        if usize::from(tenant.0) >= self.tenants.len() {
            return;
        }
        for state in STATES {
            while let Some(entry) = self.order.front(class_list(tenant, state)) {
                let over = self.flows.get(entry).is_some_and(|flow| now_us > self.timeouts.deadline_us(flow));
                let reason = if over { EndReason::Timeout } else { EndReason::TenantRemoved };
                self.end(FlowId(entry), reason, ended);
            }
        }
    }
}
