//! Protocol logs: what sessions have finished, as events.

use analyze::Session;
use event::json::{literal, string};
use event::{Detail, Event};

use super::flow::InspectedFlow;
use super::{Announced, Inspection, Moment};
use crate::pipeline::Plan;
use crate::records::Records;

/// EVE's `app_proto` of a flow.
pub(super) fn app_proto(session: &Session) -> Option<&'static str> {
    match session.protocol() {
        Some(protocol) => Some(protocol.as_str()),
        None => session.failed().then_some("failed"),
    }
}

impl Inspection {
    /// Writes the records that the session has finished, as far as the pipeline wants them, and lets transactions go.
    pub(super) fn log(
        flow: &mut InspectedFlow,
        announced: &Announced,
        plan: Plan,
        moment: &Moment<'_>,
        records: &mut Records,
    ) {
        let Some(session) = &mut flow.session else { return };
        let tuple = flow.entry.key().tuple(flow.client);
        for expectation in session.take_expectations() {
            let (opener, host) = match expectation.opened {
                app::Direction::ToServer => (tuple.src, tuple.dst),
                app::Direction::ToClient => (tuple.dst, tuple.src),
            };
            announced.add(opener, host, expectation, flow.latest_us);
        }
        let finished: Vec<_> = session.take_records().collect();
        session.retire(moment.direction);
        session.forget_events();
        for record in finished {
            // A rule's `config` is about the transaction's own record.
            let silenced = record.tx_id.is_some_and(|id| flow.signatures.is_silenced(id))
                && !matches!(record.event_type, "fileinfo" | "anomaly");
            if plan.logs(record.event_type) && !silenced {
                let moment = Moment { direction: record.direction, ..*moment };
                let detail = describe(flow, record.event_type, &moment, records);
                let mut members = record.members;
                if record.event_type == "fileinfo"
                    && let Some(name) = flow.session.as_ref().and_then(app_proto)
                {
                    literal(&mut members, r#","app_proto":"#);
                    string(&mut members, name);
                }
                let detail = Detail { tx_id: record.tx_id, members, ..detail };
                records.push(Event::Detail(Box::new(detail)));
            }
        }
    }
}

/// What every event of a flow says, with nothing of its own yet.
pub(super) fn describe(
    flow: &InspectedFlow,
    event_type: &'static str,
    moment: &Moment<'_>,
    records: &Records,
) -> Detail {
    let client = flow.client;
    let tuple = flow.entry.key().tuple(match moment.direction {
        app::Direction::ToServer => client,
        app::Direction::ToClient => client.flipped(),
    });
    let vlans = flow.entry.key().vlans();
    Detail {
        event_type,
        timestamp_us: moment.time_us,
        flow_id: Some(flow.id),
        packet_number: (moment.number > 0).then_some(moment.number),
        vlans: moment.vlans(vlans),
        addresses: Some((tuple.src.to_ip(tuple.ip_version), tuple.dst.to_ip(tuple.ip_version))),
        protocol: tuple.protocol,
        ports: crate::records::ports(&flow.entry, &tuple),
        packet_source: moment.source(),
        community_id_seed: records.community_id_seed(),
        tx_id: None,
        tenant: records.tenant(flow.tenant),
        members: Vec::new(),
    }
}
