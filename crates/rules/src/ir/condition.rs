//! What must be found in a buffer.

use app::Buffer;

use super::header::Comparison;

/// The conditions on one buffer, in the order in which they are tried.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// Where to look.
    pub buffer: Buffer,
    /// What is done to the buffer first.
    pub transforms: Vec<Transform>,
    /// What must hold.
    pub conditions: Vec<Condition>,
}

/// What is done to a buffer before rules look into it, in their order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Transform {
    /// `strip_whitespace`.
    StripWhitespace,
    /// `compress_whitespace`.
    CompressWhitespace,
    /// `dotprefix`: a dot in front.
    DotPrefix,
    /// `to_md5`: the 16 bytes.
    Md5,
    /// `to_sha1`: the 20 bytes.
    Sha1,
    /// `to_sha256`: the 32 bytes.
    Sha256,
    /// `to_lowercase`.
    LowerCase,
    /// `to_uppercase`.
    UpperCase,
    /// `header_lowercase`: names of HTTP headers.
    HeaderLowerCase,
    /// `strip_pseudo_headers`: HTTP/2 names that begin with a colon.
    StripPseudoHeaders,
    /// `url_decode`.
    UrlDecode,
    /// `xor:"KEY"`.
    Xor(Vec<u8>),
    /// `pcrexform:"REGEX"`: the first capture.
    PcreCapture(String),
}

/// One condition on a buffer.
#[derive(Clone, PartialEq, Debug)]
pub enum Condition {
    /// `content`.
    Content(Content),
    /// `pcre`.
    Pcre(Pcre),
    /// `byte_test`.
    ByteTest(ByteTest),
    /// `byte_jump`.
    ByteJump(ByteJump),
    /// `byte_extract`.
    ByteExtract(ByteExtract),
    /// `byte_math`.
    ByteMath(ByteMath),
    /// `isdataat`.
    IsDataAt(IsDataAt),
    /// `bsize`: length of the buffer.
    Size(Comparison<u64>),
    /// `urilen`: length of the URI, on the buffer that it says (normalised or raw).
    UriLength(Comparison<u16>),
    /// `base64_decode`: what it decodes is the buffer [`Buffer::Base64Data`] of this rule from here on.
    Base64Decode(Base64Decode),
    /// `dataset`.
    Dataset(Dataset),
    /// `datarep`.
    DataReputation(DataReputation),
}

/// A number that is written in the rule or was taken from the packet by `byte_extract` or `byte_math`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Number<T> {
    /// Written.
    Literal(T),
    /// Value of the rule's variable of this number.
    Variable(VariableId),
}

impl<T: Default> Default for Number<T> {
    fn default() -> Self {
        Self::Literal(T::default())
    }
}

/// Variables that one rule can set with `byte_extract` and `byte_math`; a rule with more is refused.
pub const VARIABLES_MAX: usize = 16;

/// A variable that `byte_extract` or `byte_math` sets, numbered within its rule from 0, below [`VARIABLES_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VariableId(pub u8);

/// `content` with its modifiers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Content {
    /// The bytes, unescaped.
    pub pattern: Vec<u8>,
    /// `!`: must not be there.
    pub negated: bool,
    /// `nocase`: ASCII letters of either case.
    pub nocase: bool,
    /// `offset`: begins at this byte or later.
    pub offset: Option<Number<u32>>,
    /// `depth`: ends within this many bytes of the offset.
    pub depth: Option<Number<u32>>,
    /// `distance`: begins this many bytes or more behind the last match.
    pub distance: Option<Number<i32>>,
    /// `within`: ends within this many bytes of the last match (plus distance).
    pub within: Option<Number<i32>>,
    /// `startswith`.
    pub startswith: bool,
    /// `endswith`.
    pub endswith: bool,
    /// Whether a later condition is relative to this one.
    pub relative_next: bool,
    /// `offset` and `depth` were written as distance and within, with nothing before them to count from.
    pub from_distance: bool,
}

impl Content {
    /// Whether it is looked for from the last match on.
    pub const fn is_relative(&self) -> bool {
        self.distance.is_some() || self.within.is_some()
    }
}

/// `pcre`. The buffer flags (U, H, P …) have been resolved into the group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pcre {
    /// The expression between the slashes, without the flags.
    pub pattern: String,
    /// `!`.
    pub negated: bool,
    /// `R`: from the last match on.
    pub relative: bool,
    /// `i`.
    pub caseless: bool,
    /// `s`: a dot matches a line's end.
    pub dotall: bool,
    /// `m`.
    pub multiline: bool,
    /// `x`.
    pub extended: bool,
    /// `A`.
    pub anchored: bool,
    /// `E`.
    pub dollar_endonly: bool,
    /// `G`.
    pub ungreedy: bool,
    /// `O`: ignore the match limit.
    pub no_match_limit: bool,
    /// Variables that captures go to (`pkt:name`, `flow:name`, or captures named `pkt_name`, `flow_name`).
    pub captures: Vec<PcreCapture>,
    /// Whether a later condition is relative to this one.
    pub relative_next: bool,
}

/// Where a capture of `pcre` goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PcreCapture {
    /// Which capture, from 1.
    pub capture: usize,
    /// For how long it is kept.
    pub scope: CaptureScope,
    /// Its name.
    pub name: String,
}

/// How long a capture is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaptureScope {
    /// This packet.
    Packet,
    /// The flow.
    Flow,
}

/// How bytes make a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    /// Binary, most significant byte first.
    Big,
    /// Binary, least significant byte first.
    Little,
    /// Binary, order as the DCE/RPC header of the PDU says.
    Dce,
    /// Digits, base 8, 10 or 16.
    Text(Base),
}

/// Base of digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Base {
    /// `oct`.
    Octal,
    /// `dec`.
    Decimal,
    /// `hex`.
    Hexadecimal,
}

/// Operators of `byte_test`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum ByteOperator {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

/// `byte_test`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ByteTest {
    /// How many bytes.
    pub bytes: Number<u8>,
    /// Comparison.
    pub operator: ByteOperator,
    /// `!`.
    pub negated: bool,
    /// Compared with.
    pub value: Number<u64>,
    /// Where.
    pub offset: Number<i32>,
    /// From the last match.
    pub relative: bool,
    /// How the bytes make a number.
    pub encoding: Encoding,
    /// `bitmask`: applied first, then shifted right by its trailing zeros.
    pub bitmask: Option<u32>,
}

/// `byte_jump`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ByteJump {
    /// How many bytes.
    pub bytes: Number<u8>,
    /// Where.
    pub offset: Number<i32>,
    /// From the last match.
    pub relative: bool,
    /// How the bytes make a number.
    pub encoding: Encoding,
    /// `multiplier`, 1 if not given.
    pub multiplier: u32,
    /// `align`: rounded up to 4 bytes.
    pub align: bool,
    /// `from_beginning`.
    pub from_beginning: bool,
    /// `from_end`.
    pub from_end: bool,
    /// `post_offset`.
    pub post_offset: i32,
    /// `bitmask`.
    pub bitmask: Option<u32>,
}

/// `byte_extract`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ByteExtract {
    /// How many bytes.
    pub bytes: u8,
    /// Where.
    pub offset: i32,
    /// From the last match.
    pub relative: bool,
    /// How the bytes make a number.
    pub encoding: Encoding,
    /// `multiplier`, 1 if not given.
    pub multiplier: u32,
    /// `align`: rounded up to 2 or 4 bytes.
    pub align: Option<u8>,
    /// What it sets.
    pub variable: VariableId,
}

/// Operators of `byte_math`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum MathOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    ShiftLeft,
    ShiftRight,
}

/// `byte_math`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ByteMath {
    /// How many bytes.
    pub bytes: Number<u8>,
    /// Where.
    pub offset: i32,
    /// From the last match.
    pub relative: bool,
    /// What is done.
    pub operator: MathOperator,
    /// With what.
    pub value: Number<u32>,
    /// How the bytes make a number.
    pub encoding: Encoding,
    /// `bitmask`.
    pub bitmask: Option<u32>,
    /// What it sets.
    pub variable: VariableId,
}

/// `isdataat`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IsDataAt {
    /// Where.
    pub offset: Number<u16>,
    /// `!`.
    pub negated: bool,
    /// From the last match.
    pub relative: bool,
}

/// `base64_decode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Base64Decode {
    /// At most so many bytes of text; 0: all.
    pub bytes: u32,
    /// Where.
    pub offset: u32,
    /// From the last match.
    pub relative: bool,
}

/// `dataset`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dataset {
    /// What is asked or done.
    pub operation: DatasetOperation,
    /// Its name, under which rules share it.
    pub name: String,
    /// What its items are; a rule may leave that to those before it.
    pub kind: Option<DatasetKind>,
    /// File that it is loaded from, as written in the rule.
    pub load: Option<String>,
    /// File that it is kept in, as written in the rule.
    pub state: Option<String>,
    /// `memcap`, in bytes.
    pub memory_bytes_max: Option<u64>,
    /// `hashsize`.
    pub hash_size: Option<u32>,
}

/// What `dataset` does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DatasetOperation {
    /// Matches if the buffer is in the set.
    IsSet,
    /// Matches if it is not.
    IsNotSet,
    /// Adds it; matches if it was new.
    Set,
    /// Takes it out; matches if it was there.
    Unset,
}

/// What the items of a dataset are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DatasetKind {
    /// Strings; base64 in files.
    Text,
    /// MD5 of the buffer.
    Md5,
    /// SHA-256 of the buffer.
    Sha256,
    /// IPv4 addresses.
    Ipv4,
    /// IPv4 and IPv6 addresses.
    Ip,
}

/// `datarep`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataReputation {
    /// The set.
    pub name: String,
    /// What its items are.
    pub kind: DatasetKind,
    /// Compared with the value.
    pub value: Comparison<u16>,
    /// File that it is loaded from.
    pub load: Option<String>,
}
