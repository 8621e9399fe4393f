//! Checks of `[api]` and `[[operator]]`.

use toml::Spanned;

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

/// Somebody is one operator only: what tells them is no other operator's.
pub(super) fn check_told_apart(operators: &[schema::Operator], problems: &mut Problems<'_>) {
    let mut users = Seen::default();
    let mut tokens = Seen::default();
    let mut certificates = Seen::default();
    for operator in operators {
        let name = operator.name.get_ref().as_str();
        users.see(name, operator.user.as_ref(), "user", problems);
        tokens.see(name, operator.token_sha256.as_ref(), "token_sha256", problems);
        certificates.see(name, operator.certificate.as_ref(), "certificate", problems);
    }
}

/// By what operators are told, and whose each is.
struct Seen<'a, T>(Vec<(&'a T, &'a str)>);

impl<T> Default for Seen<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T: PartialEq> Seen<'a, T> {
    fn see(
        &mut self,
        operator: &'a str,
        told_by: Option<&'a Spanned<T>>,
        field: &str,
        problems: &mut Problems<'_>,
    ) {
        let Some(told_by) = told_by else { return };
        if let Some((_, other)) = self.0.iter().find(|(known, _)| *known == told_by.get_ref()) {
            problems.add(
                &told_by.span(),
                format!("operators `{other}` and `{operator}` have the same `{field}`, so nothing tells which of them asks"),
                "give each one of their own",
            );
        } else {
            self.0.push((told_by.get_ref(), operator));
        }
    }
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
