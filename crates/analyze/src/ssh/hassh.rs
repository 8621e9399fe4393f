//! HASSH (<https://github.com/salesforce/hassh>): what a side offers in its key exchange, as a fingerprint.

use app::Direction;

use crate::reader::Reader;

/// The HASSH string of `SSH_MSG_KEXINIT` (RFC 4253, section 7.1) behind its number: the lists of key exchange methods, and
/// of ciphers, authentication codes and compressions of the sender's own direction. `None` if it is cut short.
pub(super) fn fingerprint(offer: &[u8], direction: Direction) -> Option<String> {
    const COOKIE: usize = 16;
    let mut reader = Reader(offer);
    reader.take(COOKIE)?;
    let mut list = || {
        let len = reader.u32()?;
        reader.take(usize::try_from(len).ok()?)
    };
    let kex = list()?;
    let _host_keys = list()?;
    let ciphers = [list()?, list()?];
    let codes = [list()?, list()?];
    let compressions = [list()?, list()?];
    let of_own = |[to_server, to_client]: [_; 2]| match direction {
        Direction::ToServer => to_server,
        Direction::ToClient => to_client,
    };
    let parts = [kex, of_own(ciphers), of_own(codes), of_own(compressions)];
    Some(parts.map(String::from_utf8_lossy).join(";"))
}
