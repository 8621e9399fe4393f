//! What one worker keeps of one tenant: its rules, ready to be asked, and the memory of its streams.

use std::sync::Arc;

use ::flow::stream::{Chunk, StreamBudget};
use app::Direction;

use super::TenantInspection;
use super::flow::InspectedFlow;
use super::layer::Layers;

/// What one worker keeps of one tenant.
pub(super) struct TenantState {
    pub(super) config: Arc<TenantInspection>,
    pub(super) layers: Layers,
    pub(super) budget: StreamBudget,
}

impl TenantState {
    pub(super) fn new(config: &Arc<TenantInspection>) -> Self {
        Self {
            config: Arc::clone(config),
            layers: layers(config, Layers::default()),
            budget: StreamBudget::new(config.stream_bytes_max),
        }
    }

    /// The tenant is inspected otherwise from now on. Streams that are under way keep their memory, and rules that are
    /// the same go on where they are.
    pub(super) fn change(&mut self, config: &Arc<TenantInspection>) {
        self.layers = layers(config, std::mem::take(&mut self.layers));
        self.budget.set_max(config.stream_bytes_max);
        self.config = Arc::clone(config);
    }

    /// Hands released data of one direction to the session.
    pub(super) fn read_stream(&mut self, flow: &mut InspectedFlow, direction: Direction, time_us: u64) {
        let config = &self.config.analyze;
        let mut direction = direction;
        loop {
            let (Some(stream), Some(session)) = (&mut flow.stream, &mut flow.session) else { return };
            if stream.is_one_sided() {
                session.set_one_sided();
            } else if stream.is_midstream() {
                session.set_midstream();
            }
            let status = match stream.take(direction) {
                None => break,
                Some(Chunk::Data { bytes, .. }) => session.data(config, time_us, direction, bytes),
                Some(Chunk::Gap { len, .. }) => session.gap(config, time_us, direction, len),
            };
            if status.changed {
                flow.signatures.forget_transactions();
                // Its files are of any length, as the reference's `smb.stream-depth` has it.
                if session.protocol() == Some(app::Protocol::Smb) {
                    stream.lift_depth();
                }
            }
            if status.reversed {
                flow.reverse();
                direction = direction.flipped();
            }
        }
        let (Some(stream), Some(session)) = (&mut flow.stream, &mut flow.session) else { return };
        for (way, due) in Direction::BOTH.into_iter().zip(session.take_flush_raw()) {
            if due {
                stream.trigger_raw(way);
            }
        }
    }
}

fn layers(config: &TenantInspection, before: Layers) -> Layers {
    Layers::new(config.policy.as_ref(), config.own.as_ref(), config.signature, before)
}
