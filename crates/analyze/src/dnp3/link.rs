//! Frames of the link layer (IEEE 1815, clause 9), and the transport function that puts application messages together out
//! of them (clause 8).

/// What every frame begins with.
pub(super) const START: [u8; 2] = [0x05, 0x64];
/// Start, length, control, destination, source, CRC.
pub(super) const HEADER_BYTES: usize = 10;
/// What the length counts beside the data: control, destination, source.
const LENGTH_OF_HEADER: u8 = 5;
/// Data comes in blocks of so many octets, each with a CRC behind it.
const BLOCK_BYTES: usize = 16;
const CRC_BYTES: usize = 2;

/// The frame goes from a master to an outstation.
const DIRECTION: u8 = 0x80;
/// It comes from the one who asks of the link, and not from the one who answers.
const PRIMARY: u8 = 0x40;
/// User data, to be confirmed or not.
const USER_DATA: [u8; 2] = [3, 4];

/// A table for the CRC of DNP3: the polynomial 0x3d65, lowest bit first.
const CRC_TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut value = index as u16;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0xa6bc } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

fn crc(bytes: &[u8]) -> u16 {
    let step = |sum: u16, byte: &u8| {
        let [low, high] = sum.to_le_bytes();
        CRC_TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default() ^ u16::from(high)
    };
    !bytes.iter().fold(0, step)
}

/// Bytes without the CRC behind them, if it is right.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (data, sum) = bytes.split_last_chunk::<CRC_BYTES>()?;
    (crc(data) == u16::from_le_bytes(*sum)).then_some(data)
}

/// The header of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// Octets of data, without their CRCs.
    data_len: u8,
    pub(super) control: u8,
    pub(super) destination: u16,
    pub(super) source: u16,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// It does not begin like one.
    Start,
    /// The CRC of the header.
    HeaderCrc,
    /// Shorter than its own header.
    Length,
}

impl Header {
    /// The header that a stream begins with; `None` while it is too short.
    pub(super) fn read(stream: &[u8]) -> Option<Result<Self, Fault>> {
        let start = stream.get(..START.len().min(stream.len()))?;
        if !START.starts_with(start) {
            return Some(Err(Fault::Start));
        }
        let header = stream.get(..HEADER_BYTES)?;
        let Some(&[_, _, len, control, d0, d1, s0, s1]) = checked(header) else {
            return Some(Err(Fault::HeaderCrc));
        };
        let Some(data_len) = len.checked_sub(LENGTH_OF_HEADER) else { return Some(Err(Fault::Length)) };
        Some(Ok(Self {
            data_len,
            control,
            destination: u16::from_le_bytes([d0, d1]),
            source: u16::from_le_bytes([s0, s1]),
        }))
    }

    /// Bytes of the whole frame.
    pub(super) fn frame_len(self) -> usize {
        let data = usize::from(self.data_len);
        HEADER_BYTES + data + data.div_ceil(BLOCK_BYTES) * CRC_BYTES
    }

    /// Whether a master sends it.
    pub(super) const fn is_of_master(self) -> bool {
        self.control & DIRECTION != 0
    }

    /// Whether it carries something for the layers above.
    pub(super) fn is_user_data(self) -> bool {
        self.control & PRIMARY != 0 && USER_DATA.contains(&self.function()) && self.data_len > 0
    }

    /// The function of the link layer.
    pub(super) const fn function(self) -> u8 {
        self.control & 0x0f
    }
}

/// The data of a frame, its CRCs taken out; `None` if one is wrong.
pub(super) fn data(frame: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::with_capacity(frame.len());
    for block in frame.get(HEADER_BYTES..)?.chunks(BLOCK_BYTES + CRC_BYTES) {
        data.extend_from_slice(checked(block)?);
    }
    Some(data)
}

/// The last piece of a message, and its first.
const FINAL: u8 = 0x80;
const FIRST: u8 = 0x40;
const SEQUENCE: u8 = 0x3f;

/// Puts the pieces of messages that go one way together.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    /// What there is of the message, and the number of the latest piece.
    pieces: Option<(Vec<u8>, u8)>,
}

impl Assembly {
    /// Adds a piece; the message, if that was the last. `bytes_max` is the longest that is put together.
    pub(super) fn add(&mut self, piece: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
        let (&header, data) = piece.split_first()?;
        let sequence = header & SEQUENCE;
        let mut message = if header & FIRST != 0 {
            Vec::new()
        } else {
            // What is out of order belongs to nothing.
            let (message, latest) = self.pieces.take()?;
            if latest.wrapping_add(1) & SEQUENCE != sequence || message.len() + data.len() > bytes_max {
                return None;
            }
            message
        };
        message.extend_from_slice(data);
        if header & FINAL != 0 {
            self.pieces = None;
            return Some(message);
        }
        self.pieces = Some((message, sequence));
        None
    }
}
