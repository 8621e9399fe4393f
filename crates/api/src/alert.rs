//! Alerts that were raised lately.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Alerts, newest first.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Alerts {
    /// EVE events of the type `alert`, as they are in the event file. The daemon keeps the latest 200 of each tenant.
    #[schema(value_type = Vec<Object>)]
    pub alerts: Vec<serde_json::Value>,
}
