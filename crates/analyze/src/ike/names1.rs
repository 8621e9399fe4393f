//! Names and numbers of IKE version 1 (RFC 2407, RFC 2409 and IANA), as EVE writes them.

/// The name of a payload; `None` for those that are not told.
pub(super) const fn payload(number: u8) -> Option<&'static str> {
    Some(match number {
        0 => "None",
        1 => "SecurityAssociation",
        2 => "Proposal",
        3 => "Transform",
        4 => "KeyExchange",
        5 => "Identification",
        6 => "Certificate",
        7 => "CertificateRequest",
        8 => "Hash",
        9 => "Signature",
        10 => "Nonce",
        11 => "Notification",
        12 => "Delete",
        13 => "VendorID",
        15 => "SaKekPayload",
        16 => "SaTekPayload",
        17 => "KeyDownload",
        18 => "SequenceNumber",
        19 => "ProofOfPossession",
        20 => "NatDiscovery",
        21 => "NatOriginalAddress",
        22 => "GroupAssociatedPolicy",
        _ => return None,
    })
}

/// The name of an exchange.
pub(super) const fn exchange(number: u8) -> Option<&'static str> {
    Some(match number {
        0 => "Unknown Exchange Type",
        1 => "Base",
        2 => "Identity Protection",
        3 => "Authentication Only",
        4 => "Aggressive",
        5 => "Informational",
        6 => "Transaction (Config Mode)",
        32 => "Quick Mode",
        33 => "New Group Mode",
        _ => return None,
    })
}

/// The name of an attribute of a transform.
pub(super) const fn attribute(number: u16) -> &'static str {
    match number {
        1 => "alg_enc",
        2 => "alg_hash",
        3 => "alg_auth",
        4 => "alg_dh",
        5 => "sa_group_type",
        6 => "sa_group_prime",
        7 => "sa_group_generator_one",
        8 => "sa_group_generator_two",
        9 => "sa_group_curve_a",
        10 => "sa_group_curve_b",
        11 => "sa_life_type",
        12 => "sa_life_duration",
        13 => "alg_prf",
        14 => "sa_key_length",
        15 => "sa_field_size",
        16 => "sa_group_order",
        _ => "unknown",
    }
}

/// The name of an attribute's value.
pub(super) const fn value(attribute: u16, value: u16) -> &'static str {
    let name = match attribute {
        1 => encryption(value),
        2 => hash(value),
        3 => authentication(value),
        4 => group(value),
        11 => life(value),
        _ => None,
    };
    match name {
        Some(name) => name,
        None => "Unknown",
    }
}

const fn encryption(value: u16) -> Option<&'static str> {
    Some(match value {
        1 => "EncDesCbc",
        2 => "EncIdeaCbc",
        3 => "EncBlowfishCbc",
        4 => "EncRc5R16B64Cbc",
        5 => "EncTripleDesCbc",
        6 => "EncCastCbc",
        7 => "EncAesCbc",
        8 => "EncCamelliaCbc",
        _ => return None,
    })
}

const fn hash(value: u16) -> Option<&'static str> {
    Some(match value {
        1 => "HashMd5",
        2 => "HashSha",
        3 => "HashTiger",
        4 => "HashSha2_256",
        5 => "HashSha2_384",
        6 => "HashSha2_512",
        _ => return None,
    })
}

const fn authentication(value: u16) -> Option<&'static str> {
    Some(match value {
        1 => "AuthPreSharedKey",
        2 => "AuthDssSignatures",
        3 => "AuthRsaSignatures",
        4 => "AuthEncryptionWithRsa",
        5 => "AuthRevisedEncryptionWithRsa",
        6..=8 => "AuthReserved",
        9 => "AuthEcdsaSha256",
        10 => "AuthEcdsaSha384",
        11 => "AuthEcdsaSha512",
        _ => return None,
    })
}

const fn group(value: u16) -> Option<&'static str> {
    Some(match value {
        1 => "GroupDefault768BitModp",
        2 => "GroupAlternate1024BitModpGroup",
        3 => "GroupEc2nOnGp2p155",
        4 => "GroupEc2nOnGp2p185",
        5 => "GroupModp1536Bit",
        6 | 7 => "GroupEc2nOverGf2p163",
        8 | 9 => "GroupEc2nOverGf2p283",
        10 | 11 => "GroupEc2nOverGf2p409",
        12 | 13 => "GroupEc2nOverGf2p571",
        14 => "GroupModp2048Bit",
        15 => "GroupModp3072Bit",
        16 => "GroupModp4096Bit",
        17 => "GroupModp6144Bit",
        18 => "GroupModp8192Bit",
        19 => "GroupRandomEcp256",
        20 => "GroupRandomEcp384",
        21 => "GroupRandomEcp521",
        22 => "GroupModp1024With160BitPrime",
        23 => "GroupModp2048With224BitPrime",
        24 => "GroupModp2048With256BitPrime",
        25 => "GroupRandomEcp192",
        26 => "GroupRandomEcp224",
        27 => "GroupBrainpoolEcp224",
        28 => "GroupBrainpoolEcp256",
        29 => "GroupBrainpoolEcp384",
        30 => "GroupBrainpoolEcp512",
        _ => return None,
    })
}

const fn life(value: u16) -> Option<&'static str> {
    Some(match value {
        1 => "LifeTypeSeconds",
        2 => "LifeTypeKilobytes",
        _ => return None,
    })
}
