//! Checks of `[api]` and `[[operator]]`.

use super::check::Names;
use super::problem::Problems;
use super::value::Role;
use super::{Operator, schema};

/// TLS needs a certificate and its key, and those are of no use without it.
pub(super) fn checked_api(api: &schema::Api, problems: &mut Problems<'_>) -> schema::Api {
    if let Some(listen) = &api.listen
        && (api.certificate.is_none() || api.key.is_none())
    {
        problems.add(
            &listen.span(),
            "the API listens for TLS and has no certificate or no key",
            "add `certificate` and `key` to [api], or remove `listen`",
        );
    }
    api.clone()
}

pub(super) fn checked_operator(
    operator: &schema::Operator,
    names: &Names<'_>,
    problems: &mut Problems<'_>,
) -> Operator {
    let (name, span) = (operator.name.get_ref(), operator.name.span());
    if let Some(tenant) = &operator.tenant {
        names.tenant(tenant, problems);
    }
    match (operator.role, &operator.tenant) {
        (Role::Tenant, None) => problems.add(
            &span,
            format!("operator `{name}` works for a tenant that is not named"),
            "add `tenant = \"NAME\"`, or give another role",
        ),
        (Role::Headquarters, Some(tenant)) => problems.add(
            &tenant.span(),
            format!("operator `{name}` is headquarters', and so of no one tenant"),
            "remove `tenant`, or set role = \"tenant\"",
        ),
        _ => {}
    }
    Operator {
        name: name.clone(),
        role: operator.role,
        tenant: operator.tenant.as_ref().map(|tenant| tenant.get_ref().clone()),
        user: operator.user.as_ref().map(|user| user.get_ref().clone()),
        token_sha256: operator.token_sha256.as_ref().map(|digest| *digest.get_ref()),
        certificate: operator.certificate.as_ref().map(|name| name.get_ref().clone()),
    }
}
