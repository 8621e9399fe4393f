//! Paths, and what each does. The `OpenAPI` document is made of the same functions.

use api::{
    Alerts, Change, Config, ConfigText, Diff, Generations, LoadRules, NewTenant, Refusal, RefusalKind,
    RuleSet, Status, SteeringRule, SteeringRules, SteeringTest, SteeringVerdict, Tenant, TenantChange,
    Tenants, VlanAssignment, Vlans,
};
use axum::extract::State;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use control::manager::Manager;
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::answer::{Answer, Body, No, Parameters, Place, not_this_way, nowhere};
use super::identity::Asker;
use crate::runner::EngineRunner;

/// Every path.
pub(super) fn router(app: App) -> Router {
    let paths = Router::new()
        .route("/status", get(status))
        .route("/alerts", get(alerts))
        .route("/tenants", get(tenants).post(add_tenant))
        .route("/tenants/{tenant}", get(tenant).patch(set_tenant).delete(remove_tenant))
        .route("/tenants/{tenant}/rules", get(rules).put(load_rules).delete(unload_rules))
        .route("/vlans", get(vlans))
        .route("/vlans/{vlans}", put(assign_vlans).delete(release_vlans))
        .route("/steering", get(steering).post(add_steering))
        .route("/steering/test", post(test_steering))
        .route("/steering/{rule}", delete(remove_steering))
        .route("/policy/steering", post(add_policy_steering))
        .route("/policy/rules", get(policy_rules).put(load_policy_rules).delete(unload_policy_rules))
        .route("/config", get(config).put(replace_config))
        .route("/config/reload", post(reload))
        .route("/generations", get(generations))
        .route("/generations/{generation}", get(generation))
        .route("/generations/{generation}/rollback", post(rollback))
        .route("/generations/{generation}/diff/{other}", get(diff))
        .route("/openapi.json", get(openapi))
        .method_not_allowed_fallback(not_this_way);
    Router::new().nest(api::BASE, paths).fallback(nowhere).with_state(app)
}

/// Parameters of every change.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Options {
    /// Say what it would do, and do not do it.
    dry_run: bool,
}

/// Parameters of taking rule files away.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Unload {
    /// Say what it would do, and do not do it.
    dry_run: bool,
    /// The files, by name, separated by commas; all if absent.
    names: Option<String>,
    /// Without `names`: the tenant has the rules of `[inspection]` again, rather than none.
    inherit: bool,
}

impl Unload {
    fn names(&self) -> Vec<String> {
        self.names.iter().flat_map(|names| names.split(',')).map(|name| name.trim().to_owned()).collect()
    }
}

/// Asks the manager on a thread that may wait: a change before this one may be under way.
async fn ask<T: Send + 'static>(
    app: App,
    question: impl FnOnce(&Manager<EngineRunner>) -> Result<T, Refusal> + Send + 'static,
) -> Answer<T> {
    let answer = tokio::task::spawn_blocking(move || question(&app.manager)).await;
    let panicked = |_| {
        Refusal::new(RefusalKind::Failed, "the daemon failed at this, which is a defect; its log says more")
    };
    Ok(Json(answer.map_err(panicked)??))
}

/// The tenants.
#[utoipa::path(
    get,
    path = "/tenants",
    responses(
        (status = 200, body = Tenants),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn tenants(State(app): State<App>, Asker(who): Asker) -> Answer<Tenants> {
    ask(app, move |manager| Ok(manager.tenants(&who))).await
}

/// Adds a tenant.
#[utoipa::path(
    post,
    path = "/tenants",
    params(Options),
    request_body = NewTenant,
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn add_tenant(
    State(app): State<App>,
    Asker(who): Asker,
    Parameters(options): Parameters<Options>,
    Body(new): Body<NewTenant>,
) -> Answer<Change> {
    ask(app, move |manager| manager.add_tenant(&who, new, options.dry_run)).await
}

/// One tenant.
#[utoipa::path(
    get,
    path = "/tenants/{tenant}",
    params(("tenant" = String, Path, description = "Name of the tenant")),
    responses(
        (status = 200, body = Tenant),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn tenant(
    State(app): State<App>,
    Asker(who): Asker,
    Place(tenant): Place<String>,
) -> Answer<Tenant> {
    ask(app, move |manager| manager.tenant(&who, &tenant)).await
}

/// Changes a tenant's settings.
#[utoipa::path(
    patch,
    path = "/tenants/{tenant}",
    params(("tenant" = String, Path, description = "Name of the tenant"), Options),
    request_body = TenantChange,
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn set_tenant(
    State(app): State<App>,
    Asker(who): Asker,
    Place(tenant): Place<String>,
    Parameters(options): Parameters<Options>,
    Body(change): Body<TenantChange>,
) -> Answer<Change> {
    ask(app, move |manager| manager.set_tenant(&who, &tenant, change, options.dry_run)).await
}

/// Removes a tenant, with its steering rules and operators.
#[utoipa::path(
    delete,
    path = "/tenants/{tenant}",
    params(("tenant" = String, Path, description = "Name of the tenant"), Options),
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn remove_tenant(
    State(app): State<App>,
    Asker(who): Asker,
    Place(tenant): Place<String>,
    Parameters(options): Parameters<Options>,
) -> Answer<Change> {
    ask(app, move |manager| manager.remove_tenant(&who, &tenant, options.dry_run)).await
}

/// A tenant's rule files, and what became of their rules.
#[utoipa::path(
    get,
    path = "/tenants/{tenant}/rules",
    params(("tenant" = String, Path, description = "Name of the tenant")),
    responses(
        (status = 200, body = RuleSet),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn rules(
    State(app): State<App>,
    Asker(who): Asker,
    Place(tenant): Place<String>,
) -> Answer<RuleSet> {
    ask(app, move |manager| manager.rules(&who, Some(&tenant))).await
}

/// Loads rule files for a tenant.
#[utoipa::path(
    put,
    path = "/tenants/{tenant}/rules",
    params(("tenant" = String, Path, description = "Name of the tenant"), Options),
    request_body = LoadRules,
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn load_rules(
    State(app): State<App>,
    Asker(who): Asker,
    Place(tenant): Place<String>,
    Parameters(options): Parameters<Options>,
    Body(load): Body<LoadRules>,
) -> Answer<Change> {
    ask(app, move |manager| manager.load_rules(&who, Some(&tenant), &load, options.dry_run)).await
}

/// Takes rule files away from a tenant.
#[utoipa::path(
    delete,
    path = "/tenants/{tenant}/rules",
    params(("tenant" = String, Path, description = "Name of the tenant"), Unload),
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn unload_rules(
    State(app): State<App>,
    Asker(who): Asker,
    Place(tenant): Place<String>,
    Parameters(unload): Parameters<Unload>,
) -> Answer<Change> {
    ask(app, move |manager| {
        manager.unload_rules(&who, Some(&tenant), &unload.names(), unload.inherit, unload.dry_run)
    })
    .await
}

/// Who has which VLAN.
#[utoipa::path(
    get,
    path = "/vlans",
    responses(
        (status = 200, body = Vlans),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn vlans(State(app): State<App>, Asker(who): Asker) -> Answer<Vlans> {
    ask(app, move |manager| Ok(manager.vlans(&who))).await
}

/// Gives VLANs to a tenant.
#[utoipa::path(
    put,
    path = "/vlans/{vlans}",
    params(("vlans" = String, Path, description = "One VLAN, or a range such as 110-119"), Options),
    request_body = VlanAssignment,
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn assign_vlans(
    State(app): State<App>,
    Asker(who): Asker,
    Place(vlans): Place<String>,
    Parameters(options): Parameters<Options>,
    Body(to): Body<VlanAssignment>,
) -> Answer<Change> {
    ask(app, move |manager| manager.assign_vlans(&who, &vlans, &to, options.dry_run)).await
}

/// Takes VLANs from whoever has them.
#[utoipa::path(
    delete,
    path = "/vlans/{vlans}",
    params(("vlans" = String, Path, description = "One VLAN, or a range such as 110-119"), Options),
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn release_vlans(
    State(app): State<App>,
    Asker(who): Asker,
    Place(vlans): Place<String>,
    Parameters(options): Parameters<Options>,
) -> Answer<Change> {
    ask(app, move |manager| manager.release_vlans(&who, &vlans, options.dry_run)).await
}

/// The steering rules, in the order in which they decide.
#[utoipa::path(
    get,
    path = "/steering",
    responses(
        (status = 200, body = SteeringRules),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn steering(State(app): State<App>, Asker(who): Asker) -> Answer<SteeringRules> {
    ask(app, move |manager| Ok(manager.steering(&who))).await
}

/// Adds a steering rule behind those of the policy.
#[utoipa::path(
    post,
    path = "/steering",
    params(Options),
    request_body = SteeringRule,
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn add_steering(
    State(app): State<App>,
    Asker(who): Asker,
    Parameters(options): Parameters<Options>,
    Body(rule): Body<SteeringRule>,
) -> Answer<Change> {
    ask(app, move |manager| manager.add_steering(&who, false, rule, options.dry_run)).await
}

/// Parameters of removing a steering rule.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveSteering {
    /// Say what it would do, and do not do it.
    dry_run: bool,
    /// The tenant that it is for, where several rules have the name.
    tenant: Option<String>,
}

/// Removes a steering rule.
#[utoipa::path(
    delete,
    path = "/steering/{rule}",
    params(("rule" = String, Path, description = "Name of the rule"), RemoveSteering),
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn remove_steering(
    State(app): State<App>,
    Asker(who): Asker,
    Place(rule): Place<String>,
    Parameters(options): Parameters<RemoveSteering>,
) -> Answer<Change> {
    ask(app, move |manager| manager.remove_steering(&who, &rule, options.tenant.as_deref(), options.dry_run))
        .await
}

/// Says which steering rule decides about a flow, and why.
#[utoipa::path(
    post,
    path = "/steering/test",
    request_body = SteeringTest,
    responses(
        (status = 200, body = SteeringVerdict),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn test_steering(
    State(app): State<App>,
    Asker(who): Asker,
    Body(test): Body<SteeringTest>,
) -> Answer<SteeringVerdict> {
    ask(app, move |manager| manager.test_steering(&who, &test)).await
}

/// Adds a steering rule to the policy.
#[utoipa::path(
    post,
    path = "/policy/steering",
    params(Options),
    request_body = SteeringRule,
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn add_policy_steering(
    State(app): State<App>,
    Asker(who): Asker,
    Parameters(options): Parameters<Options>,
    Body(rule): Body<SteeringRule>,
) -> Answer<Change> {
    ask(app, move |manager| manager.add_steering(&who, true, rule, options.dry_run)).await
}

/// The policy's rule files, and what became of their rules.
#[utoipa::path(
    get,
    path = "/policy/rules",
    responses(
        (status = 200, body = RuleSet),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn policy_rules(State(app): State<App>, Asker(who): Asker) -> Answer<RuleSet> {
    ask(app, move |manager| manager.rules(&who, None)).await
}

/// Loads rule files for the policy.
#[utoipa::path(
    put,
    path = "/policy/rules",
    params(Options),
    request_body = LoadRules,
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn load_policy_rules(
    State(app): State<App>,
    Asker(who): Asker,
    Parameters(options): Parameters<Options>,
    Body(load): Body<LoadRules>,
) -> Answer<Change> {
    ask(app, move |manager| manager.load_rules(&who, None, &load, options.dry_run)).await
}

/// Takes rule files away from the policy.
#[utoipa::path(
    delete,
    path = "/policy/rules",
    params(Unload),
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn unload_policy_rules(
    State(app): State<App>,
    Asker(who): Asker,
    Parameters(unload): Parameters<Unload>,
) -> Answer<Change> {
    ask(app, move |manager| manager.unload_rules(&who, None, &unload.names(), false, unload.dry_run)).await
}

/// The configuration that runs.
#[utoipa::path(
    get,
    path = "/config",
    responses(
        (status = 200, body = Config),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn config(State(app): State<App>, Asker(who): Asker) -> Answer<Config> {
    ask(app, move |manager| manager.config(&who, None)).await
}

/// Puts another configuration in its place.
#[utoipa::path(
    put,
    path = "/config",
    params(Options),
    request_body = ConfigText,
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn replace_config(
    State(app): State<App>,
    Asker(who): Asker,
    Parameters(options): Parameters<Options>,
    Body(config): Body<ConfigText>,
) -> Answer<Change> {
    ask(app, move |manager| manager.replace_config(&who, config.text, options.dry_run)).await
}

/// Reads the configuration file, and rule files that have changed, again.
#[utoipa::path(
    post,
    path = "/config/reload",
    params(Options),
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn reload(
    State(app): State<App>,
    Asker(who): Asker,
    Parameters(options): Parameters<Options>,
) -> Answer<Change> {
    ask(app, move |manager| manager.reload_config(&who, options.dry_run)).await
}

/// The generations that are kept, the newest first.
#[utoipa::path(
    get,
    path = "/generations",
    responses(
        (status = 200, body = Generations),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn generations(State(app): State<App>, Asker(who): Asker) -> Answer<Generations> {
    ask(app, move |manager| manager.generations(&who)).await
}

/// The configuration of a generation.
#[utoipa::path(
    get,
    path = "/generations/{generation}",
    params(("generation" = u32, Path, description = "Number of the generation")),
    responses(
        (status = 200, body = Config),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn generation(
    State(app): State<App>,
    Asker(who): Asker,
    Place(generation): Place<u32>,
) -> Answer<Config> {
    ask(app, move |manager| manager.config(&who, Some(generation))).await
}

/// Goes back to a generation.
#[utoipa::path(
    post,
    path = "/generations/{generation}/rollback",
    params(("generation" = u32, Path, description = "Number of the generation"), Options),
    responses(
        (status = 200, body = Change),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn rollback(
    State(app): State<App>,
    Asker(who): Asker,
    Place(generation): Place<u32>,
    Parameters(options): Parameters<Options>,
) -> Answer<Change> {
    ask(app, move |manager| manager.rollback(&who, generation, options.dry_run)).await
}

/// The lines in which two generations differ.
#[utoipa::path(
    get,
    path = "/generations/{generation}/diff/{other}",
    params(("generation" = u32, Path, description = "Number of the generation"), ("other" = u32, Path, description = "Number of the other")),
    responses(
        (status = 200, body = Diff),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn diff(
    State(app): State<App>,
    Asker(who): Asker,
    Place((from, to)): Place<(u32, u32)>,
) -> Answer<Diff> {
    ask(app, move |manager| manager.diff(&who, from, to)).await
}

/// How the daemon is.
#[utoipa::path(
    get,
    path = "/status",
    responses(
        (status = 200, body = Status),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn status(State(app): State<App>, Asker(who): Asker) -> Answer<Status> {
    let own = app.clone();
    ask(app, move |_| Ok(super::status::status(&own, &who))).await
}

/// Which alerts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Of this tenant; of all that the asker may see if absent.
    tenant: Option<String>,
    /// So many at most; 100 if absent.
    limit: Option<u16>,
}

/// Alerts that were raised lately.
#[utoipa::path(
    get,
    path = "/alerts",
    params(Which),
    responses(
        (status = 200, body = Alerts),
        (status = "4XX", body = Refusal),
        (status = "5XX", body = Refusal),
    ),
)]
pub(super) async fn alerts(
    State(app): State<App>,
    Asker(who): Asker,
    Parameters(which): Parameters<Which>,
) -> Answer<Alerts> {
    let own = app.clone();
    ask(app, move |manager| {
        if let Some(tenant) = &which.tenant {
            // Who may not see it is told that it is not there.
            manager.tenant(&who, tenant)?;
        }
        let most = usize::from(which.limit.unwrap_or(100));
        Ok(super::status::alerts(&own, &who, which.tenant.as_deref(), most))
    })
    .await
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", responses((status = 200, body = Object)))]
pub(super) async fn openapi() -> Result<Json<utoipa::openapi::OpenApi>, No> {
    Ok(Json(super::document::openapi()))
}
