//! The rule language's `bypass`: a flow that is only counted from the packet on in which such a rule matched.
//!
//! In: a flow of which rules have just seen a packet. Out: what its transactions have come to so far is logged; its stream
//! and its rules are let go. A tenant's rule does that for the tenant's rules alone while the policy still asks its own.

use app::Direction;
use wire::TenantId;

use super::flow::InspectedFlow;
use super::layer::Layer;
use super::{Inspection, Moment};
use crate::pipeline::Plan;
use crate::records::Records;

impl Inspection {
    /// Stops looking into a flow of which a rule said so.
    #[inline]
    pub(super) fn heed_bypass(
        &mut self,
        flow: &mut InspectedFlow,
        plan: Plan,
        moment: &Moment<'_>,
        records: &mut Records,
    ) {
        let signatures = &flow.signatures;
        if signatures.is_bypassed(Layer::Policy)
            || signatures.is_bypassed(Layer::Own) && !self.is_asked(flow.tenant, plan, Layer::Policy)
        {
            self.bypass(flow, plan, moment, records);
        }
    }

    fn is_asked(&self, tenant: TenantId, plan: Plan, layer: Layer) -> bool {
        let tenant = self.tenants.get(usize::from(tenant.0));
        plan.asks(layer) && tenant.is_some_and(|tenant| tenant.layers.get(layer).is_some())
    }

    #[cold]
    fn bypass(&mut self, flow: &mut InspectedFlow, plan: Plan, moment: &Moment<'_>, records: &mut Records) {
        if flow.bypassed {
            return;
        }
        (flow.bypassed, flow.passed) = (true, true);
        let Some(tenant) = self.tenants.get_mut(usize::from(flow.tenant.0)) else { return };
        if let Some(mut stream) = flow.stream.take() {
            stream.close(&mut tenant.budget);
        }
        for direction in Direction::BOTH {
            if let Some(session) = &mut flow.session {
                session.close(&tenant.config.analyze, moment.time_us, direction);
            }
        }
        for direction in Direction::BOTH {
            let moment = Moment { direction, ..*moment };
            Self::log(flow, &tenant.config.announced, plan, &moment, records);
        }
    }
}
