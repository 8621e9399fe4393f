//! Keywords that the reference takes and that do nothing here, as they do nothing there where it only listens and where it
//! stores no certificates: `replace`, `nfq_set_mark`, `tls.store`. Their form is checked.

use app::Protocol;

use crate::ir::AppProtocol;
use crate::number::hexadecimal_or_decimal;
use crate::refusal::Outcome;
use crate::syntax::Span;

use super::builder::Builder;
use super::keyword::Keyword;

/// What a packet's content would be replaced with, if the packet passed through here.
pub(super) fn replace(_: &mut Builder<'_>, _: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    Ok(())
}

/// The mark and mask that a packet of a firewall's queue would get.
pub(super) fn mark(_: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let number = |text: &str| hexadecimal_or_decimal(text).and_then(|number| u32::try_from(number).ok());
    let parts = value.text.split_once('/').map(|(mark, mask)| (number(mark), number(mask)));
    match parts {
        Some((Some(_), Some(_))) => Ok(()),
        _ => Err(value.invalid("a mark and a mask, as in 0x1/0xff")),
    }
}

/// That the certificates of a connection would be stored.
pub(super) fn store(builder: &mut Builder<'_>, _: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    builder.require(AppProtocol::Only(Protocol::Tls))
}
