//! What is allowed and probably not meant.

use super::check::by_priority;
use super::problem::Problems;
use super::schema::Document;
use super::{Config, Inspector, Name, Verdict};

/// Looks through a document that passed every check.
pub(crate) fn warn(document: &Document, config: &Config, warnings: &mut Problems<'_>) {
    let written = by_priority(document);
    let rules = crate::engine::steering(config);
    for classify::Warning::Unreachable { rule, by } in
        classify::validate(&rules, config.tenants.len()).unwrap_or_default()
    {
        let (rule, by) = (written.get(rule.0 as usize), written.get(by.0 as usize));
        if let (Some((_, rule)), Some((_, by))) = (rule, by) {
            let (name, by_name) = (rule.name.get_ref(), by.name.get_ref());
            let by_line = warnings.line_of(&by.name.span());
            warnings.add(
                &rule.name.span(),
                format!("steering rule `{name}` never decides: `{by_name}` on line {by_line} comes first and matches all it matches"),
                "remove it, or give it a lower priority number",
            );
        }
    }
    for operator in &document.operator {
        if operator.user.is_none() && operator.token_sha256.is_none() && operator.certificate.is_none() {
            warnings.add(
                &operator.name.span(),
                format!(
                    "nobody can be operator `{}`: nothing tells them from anybody else",
                    operator.name.get_ref()
                ),
                "add `user`, `token_sha256` or `certificate`",
            );
        }
    }
    for tenant in &document.tenant {
        let name = tenant.name.get_ref();
        let has_port =
            document.port.iter().any(|port| port.tenant.as_ref().is_some_and(|t| t.get_ref() == name));
        if tenant.vlans.is_empty() && !tenant.any_vlan.get_ref() && !has_port {
            warnings.add(
                &tenant.name.span(),
                format!("tenant `{name}` has no VLAN and no port, so it gets no traffic"),
                "give it `vlans` or an access port",
            );
        }
        let rules = tenant.rules.as_ref().and_then(|rules| rules.first());
        if let Some(first) = rules.filter(|_| !may_inspect(config, name)) {
            warnings.add(
                &first.span(),
                format!("tenant `{name}` has rules, and no flow of it goes through a pipeline with the inspector `ids`"),
                "give it `default_verdict = \"pipeline full\"`, or steer flows into a pipeline with `ids`",
            );
        }
    }
}

/// Whether a flow of the tenant can come to its rules.
fn may_inspect(config: &Config, name: &Name) -> bool {
    let Some(index) = config.tenants.iter().position(|tenant| tenant.name == *name) else { return false };
    let steered = config.rules.iter().filter(|rule| rule.tenant.is_none_or(|tenant| tenant == index));
    let default = config.tenants.get(index).map(|tenant| tenant.default_verdict);
    steered.map(|rule| rule.verdict).chain(default).any(|verdict| {
        let Verdict::Pipeline(pipeline) = verdict else { return false };
        config.pipelines.get(pipeline).is_some_and(|pipeline| pipeline.inspectors.contains(&Inspector::Ids))
    })
}
