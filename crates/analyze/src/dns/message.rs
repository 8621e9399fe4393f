//! DNS messages (RFC 1035 4): header, questions, answers and authorities, tolerant where the reference is.

/// The header's 12 bytes.
pub(super) const HEADER_BYTES: usize = 12;
/// Name bytes that are kept; what is longer is cut and noted.
const NAME_BYTES_MAX: usize = 1025;
/// Labels and pointers of one name that are followed.
const NAME_STEPS_MAX: usize = 255;
/// Records of one message that are kept; a message has fewer bytes than would hold more of any use.
const RECORDS_MAX: usize = 4096;

/// The header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Header {
    pub id: u16,
    pub flags: u16,
    pub questions: u16,
    pub answers: u16,
    pub authorities: u16,
    pub additionals: u16,
}

impl Header {
    /// `None` if the bytes are too few.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let mut reader = Reader { message, rest: message, oddities: Oddities::default() };
        Some(Self {
            id: reader.u16()?,
            flags: reader.u16()?,
            questions: reader.u16()?,
            answers: reader.u16()?,
            authorities: reader.u16()?,
            additionals: reader.u16()?,
        })
    }

    /// Whether so many records can be in a message of `len` bytes.
    pub(super) fn fits(&self, len: usize) -> bool {
        let records = [self.questions, self.answers, self.authorities, self.additionals];
        records.into_iter().map(usize::from).sum::<usize>() * 2 <= len
    }

    /// QR.
    pub(super) const fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    pub(super) const fn opcode(&self) -> u8 {
        (self.flags >> 11 & 0xf) as u8
    }

    pub(super) const fn rcode(&self) -> u8 {
        (self.flags & 0xf) as u8
    }

    /// The bit that must be zero.
    pub(super) const fn z(&self) -> bool {
        self.flags & 0x0040 != 0
    }
}

/// What was odd about the names of a message that could be read all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Oddities {
    pub truncated: bool,
    pub infinite_loop: bool,
    pub too_many_labels: bool,
}

/// A question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Question {
    pub name: Vec<u8>,
    pub rrtype: u16,
    /// The name was too long, and is cut.
    pub truncated: bool,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Data {
    /// A or AAAA: the address's bytes.
    Address(Vec<u8>),
    /// CNAME, MX, NS, PTR: a name. TXT: one of its strings. NULL: whatever.
    Text(Vec<u8>),
    Soa {
        mname: Vec<u8>,
        rname: Vec<u8>,
        numbers: [u32; 5],
    },
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        target: Vec<u8>,
    },
    Sshfp {
        algorithm: u8,
        kind: u8,
        fingerprint: Vec<u8>,
    },
    Other,
}

/// A record; each string of a TXT record is one by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Record {
    pub name: Vec<u8>,
    pub rrtype: u16,
    pub ttl: u32,
    pub data: Data,
}

/// A message without its additional records.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Message {
    pub header: Header,
    pub questions: Vec<Question>,
    pub answers: Vec<Record>,
    pub authorities: Vec<Record>,
    pub oddities: Oddities,
}

impl Message {
    /// `None` if it cannot be read.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let header = Header::read(bytes)?;
        let mut reader =
            Reader { message: bytes, rest: bytes.get(HEADER_BYTES..)?, oddities: Oddities::default() };
        let mut message = Self { header, ..Self::default() };
        for _ in 0..header.questions {
            let before = std::mem::take(&mut reader.oddities.truncated);
            let name = reader.name()?;
            let truncated = reader.oddities.truncated;
            reader.oddities.truncated |= before;
            let rrtype = reader.u16()?;
            reader.u16()?;
            message.questions.push(Question { name, rrtype, truncated });
        }
        for _ in 0..header.answers {
            reader.record(&mut message.answers)?;
        }
        for _ in 0..header.authorities {
            reader.record(&mut message.authorities)?;
        }
        message.oddities = reader.oddities;
        Some(message)
    }
}

struct Reader<'a> {
    message: &'a [u8],
    rest: &'a [u8],
    oddities: Oddities,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn u16(&mut self) -> Option<u16> {
        let (bytes, rest) = self.rest.split_first_chunk::<2>()?;
        self.rest = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    fn u32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    /// A name, dotted, without the last dot. One that is too long or loops is cut, if it is clear where to go on:
    /// behind its first pointer.
    fn name(&mut self) -> Option<Vec<u8>> {
        let mut name = Vec::new();
        let mut at = self.rest;
        // Where reading goes on once a pointer was followed.
        let mut behind = None;
        let mut steps = 0;
        let mut cut = false;
        while let Some((&len, after)) = at.split_first() {
            match len >> 6 {
                0 if len == 0 => {
                    at = after;
                    break;
                }
                0 => {
                    let (label, rest) = after.split_at_checked(usize::from(len))?;
                    if !cut {
                        if !name.is_empty() {
                            name.push(b'.');
                        }
                        name.extend_from_slice(label);
                    }
                    at = rest;
                }
                3 => {
                    let (&low, rest) = after.split_first()?;
                    let offset = usize::from(len & 0x3f) << 8 | usize::from(low);
                    let target = self.message.get(offset..)?;
                    if target.len() == at.len() {
                        self.oddities.infinite_loop = true;
                        behind?;
                        break;
                    }
                    at = target;
                    behind.get_or_insert(rest);
                }
                _ => return None,
            }
            steps += 1;
            if steps > NAME_STEPS_MAX {
                self.oddities.too_many_labels = true;
                behind?;
                break;
            }
            if name.len() > NAME_BYTES_MAX {
                name.truncate(NAME_BYTES_MAX);
                self.oddities.truncated = true;
                cut = true;
                if behind.is_some() {
                    break;
                }
            }
        }
        self.rest = behind.unwrap_or(at);
        Some(name)
    }

    fn record(&mut self, to: &mut Vec<Record>) -> Option<()> {
        let name = self.name()?;
        let rrtype = self.u16()?;
        self.u16()?;
        let ttl = self.u32()?;
        let len = self.u16()?;
        let data = self.take(usize::from(len))?;
        if data.is_empty() {
            return None;
        }
        let mut inside = Reader { message: self.message, rest: data, oddities: self.oddities };
        if rrtype == rrtype::TXT {
            let before = to.len();
            while let Some(text) = inside.u8().and_then(|len| inside.take(usize::from(len))) {
                if to.len() < RECORDS_MAX {
                    to.push(Record { name: name.clone(), rrtype, ttl, data: Data::Text(text.to_vec()) });
                }
            }
            return (to.len() > before).then_some(());
        }
        let data = inside.data(rrtype)?;
        self.oddities = inside.oddities;
        if to.len() < RECORDS_MAX {
            to.push(Record { name, rrtype, ttl, data });
        }
        Some(())
    }

    fn data(&mut self, rrtype: u16) -> Option<Data> {
        Some(match rrtype {
            rrtype::A | rrtype::AAAA => Data::Address(self.rest.to_vec()),
            rrtype::NS | rrtype::CNAME | rrtype::PTR => Data::Text(self.name()?),
            rrtype::MX => {
                self.u16()?;
                Data::Text(self.name()?)
            }
            rrtype::NULL => Data::Text(self.rest.to_vec()),
            rrtype::SOA => Data::Soa {
                mname: self.name()?,
                rname: self.name()?,
                numbers: [self.u32()?, self.u32()?, self.u32()?, self.u32()?, self.u32()?],
            },
            rrtype::SRV => Data::Srv {
                priority: self.u16()?,
                weight: self.u16()?,
                port: self.u16()?,
                target: self.name()?,
            },
            rrtype::SSHFP => {
                Data::Sshfp { algorithm: self.u8()?, kind: self.u8()?, fingerprint: self.rest.to_vec() }
            }
            _ => Data::Other,
        })
    }
}

/// Numbers of record types that are told apart here.
pub(super) mod rrtype {
    pub(in super::super) const A: u16 = 1;
    pub(in super::super) const NS: u16 = 2;
    pub(in super::super) const CNAME: u16 = 5;
    pub(in super::super) const SOA: u16 = 6;
    pub(in super::super) const NULL: u16 = 10;
    pub(in super::super) const PTR: u16 = 12;
    pub(in super::super) const MX: u16 = 15;
    pub(in super::super) const TXT: u16 = 16;
    pub(in super::super) const AAAA: u16 = 28;
    pub(in super::super) const SRV: u16 = 33;
    pub(in super::super) const SSHFP: u16 = 44;
}
