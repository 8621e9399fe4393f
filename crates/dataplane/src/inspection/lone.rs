//! Packets that rules are asked about without a flow.

use app::Direction;
use signature::{Ends, Subject};
use wire::TenantId;

use super::layer::{Layer, Raised};
use super::{Inspection, Moment, tunnel};
use crate::PacketMeta;
use crate::pipeline::Plan;
use crate::records::Records;

impl Inspection {
    /// The packets that the one in hand is in. They have no flow: that is the innermost packet's.
    #[cold]
    pub(super) fn around(
        &mut self,
        meta: &PacketMeta,
        tenant: TenantId,
        frame: &[u8],
        plan: Plan,
        records: &mut Records,
    ) {
        for (packet, _) in tunnel::outside(frame, &meta.packet, self.parse) {
            let meta = PacketMeta { packet, ..*meta };
            self.alone(&meta, tenant, frame, plan, records);
        }
    }

    /// A packet without a flow: an ICMP error about none that is known, or the outside of a tunnel.
    pub(super) fn alone(
        &mut self,
        meta: &PacketMeta,
        tenant: TenantId,
        frame: &[u8],
        plan: Plan,
        records: &mut Records,
    ) {
        let moment = Moment {
            time_us: meta.time.recorded_us,
            number: meta.time.number,
            direction: Direction::ToServer,
            packet: Some((&meta.packet, frame)),
            tenant,
            reassembled: meta.frames > 1,
            ending: false,
            parse: self.parse,
        };
        let Some(state) = self.tenants.get_mut(usize::from(tenant.0)) else { return };
        let subject = Subject {
            time_us: moment.time_us,
            direction: moment.direction,
            ends: Ends::of(&meta.packet),
            packet: moment.packet,
            payload: meta.packet.payload(frame),
            in_stream: false,
            stream: None,
            flow: None,
            reassembled: meta.frames > 1,
            decode_events: &[],
            stream_events: &[],
        };
        let mut alerts = Vec::new();
        for layer in Layer::BOTH {
            if let Some(signatures) = state.layers.get_mut(layer).filter(|_| plan.asks(layer)) {
                let found = signatures.inspect(&subject, None, None);
                alerts.extend(found.iter().map(|&alert| Raised { layer, alert }));
            }
        }
        for found in alerts {
            self.alert(found, &moment, &subject, records);
        }
    }
}
