//! The keywords of EtherNet/IP: `enip_command`, `cip_service`.

use app::Protocol;

use crate::ir::{AppCondition, AppProtocol, Cip, Comparison};
use crate::number::decimal;
use crate::refusal::Outcome;
use crate::syntax::Span;

use super::builder::Builder;
use super::keyword::Keyword;

/// The greatest service: what is above are responses.
const SERVICE_MAX: u8 = 127;

fn require(builder: &mut Builder<'_>) -> Outcome {
    builder.require(AppProtocol::Only(Protocol::Enip))
}

pub(super) fn command(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let command: u16 = decimal(value.text).ok_or_else(|| value.invalid("a number up to 65535"))?;
    require(builder)?;
    let value = Comparison::Equal(u64::from(command));
    builder.application(AppCondition::Number { field: "enip_command", value })
}

pub(super) fn service(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected =
        "a service up to 127, and perhaps a class and an attribute (with ! if it is another) up to 65535";
    let invalid = || value.invalid(expected);
    let mut parts = value.text.split(',');
    let service =
        parts.next().and_then(decimal).filter(|service| *service <= SERVICE_MAX).ok_or_else(invalid)?;
    let class = parts.next().map(|class| decimal(class).ok_or_else(invalid)).transpose()?;
    let attribute = parts.next().map(|attribute| {
        let (number, negated) = attribute.strip_prefix('!').map_or((attribute, false), |rest| (rest, true));
        decimal(number).map(|number| (number, negated)).ok_or_else(invalid)
    });
    let attribute = attribute.transpose()?;
    if parts.next().is_some() {
        return Err(invalid());
    }
    require(builder)?;
    builder.application(AppCondition::Cip(Cip { service, class, attribute }))
}
