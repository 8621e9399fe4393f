//! The `OpenAPI` document, made of the functions that answer.

use utoipa::OpenApi;

use super::routes;

/// The API, version 1.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Forebay",
        description = "Tenants, VLANs, rules, steering and policy of a Forebay appliance. Every change can be tried \
                       with dry_run, and makes a generation that can be gone back to.",
    ),
    servers((url = "/v1")),
    paths(
        routes::tenants,
        routes::add_tenant,
        routes::tenant,
        routes::set_tenant,
        routes::remove_tenant,
        routes::rules,
        routes::load_rules,
        routes::unload_rules,
        routes::vlans,
        routes::assign_vlans,
        routes::release_vlans,
        routes::steering,
        routes::add_steering,
        routes::remove_steering,
        routes::test_steering,
        routes::add_policy_steering,
        routes::policy_rules,
        routes::load_policy_rules,
        routes::unload_policy_rules,
        routes::config,
        routes::replace_config,
        routes::reload,
        routes::generations,
        routes::generation,
        routes::rollback,
        routes::diff,
        routes::status,
        routes::alerts,
        routes::openapi,
    )
)]
struct Document;

/// The document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The document as JSON.
pub(crate) fn openapi_json() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&openapi())
}
