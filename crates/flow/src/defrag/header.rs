//! From the first fragment's headers to those of a whole datagram.

/// Sets the length, the fragment fields and what belongs to them. `datagram` starts with the IP header as the first
/// fragment had it, without the IPv6 fragment header. `None` if the datagram is longer than IP can say.
pub(super) fn complete(datagram: &mut [u8], next_header: Option<(u16, u8)>) -> Option<()> {
    if let Some((at, next)) = next_header {
        let payload_len = u16::try_from(datagram.len().checked_sub(40)?).ok()?;
        *datagram.get_mut(usize::from(at))? = next;
        datagram.get_mut(4..6)?.copy_from_slice(&payload_len.to_be_bytes());
    } else {
        let total_len = u16::try_from(datagram.len()).ok()?;
        let header = datagram.first_chunk_mut::<20>()?;
        let old = [word(header, 2), word(header, 6)];
        let checksum = update_checksum(word(header, 10), &old, &[total_len, 0]);
        header[2..4].copy_from_slice(&total_len.to_be_bytes());
        header[6..8].fill(0);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
    Some(())
}

fn word(header: &[u8; 20], at: usize) -> u16 {
    u16::from_be_bytes([header[at], header[at + 1]])
}

/// RFC 1624, equation 3: HC' = ~(~HC + ~m + m').
fn update_checksum(checksum: u16, old: &[u16], new: &[u16]) -> u16 {
    let old: u32 = old.iter().map(|word| u32::from(!*word)).sum();
    let new: u32 = new.iter().map(|word| u32::from(*word)).sum();
    let mut sum = u32::from(!checksum) + old + new;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
