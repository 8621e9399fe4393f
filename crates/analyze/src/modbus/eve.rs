//! Messages as records have them.

use event::json::{bytes, literal, number_after};

use super::message::{Data, Message};

/// Names of functions, from 1.
const FUNCTIONS: [&str; 24] = [
    "RdCoils",
    "RdDiscreteInputs",
    "RdHoldRegs",
    "RdInputRegs",
    "WrSingleCoil",
    "WrSingleReg",
    "RdExcStatus",
    "Diagnostic",
    "Program484",
    "Poll484",
    "GetCommEventCtr",
    "GetCommEventLog",
    "ProgramController",
    "PollController",
    "WrMultCoils",
    "WrMultRegs",
    "ReportServerID",
    "Program884",
    "ResetCommLink",
    "RdFileRec",
    "WrFileRec",
    "MaskWrReg",
    "RdWrMultRegs",
    "RdFIFOQueue",
];

/// Names of diagnostic subfunctions, from 0.
const DIAGNOSTICS: [&str; 22] = [
    "RetQueryData",
    "RestartCommOpt",
    "RetDiagReg",
    "ChangeInputDelimiter",
    "ForceListenOnlyMode",
    "Reserved",
    "Reserved",
    "Reserved",
    "Reserved",
    "Reserved",
    "ClearCtrDiagReg",
    "RetBusMsgCount",
    "RetBusCommErrCount",
    "RetBusExcErrCount",
    "RetServerMsgCount",
    "RetServerNoRespCount",
    "RetServerNAKCount",
    "RetServerBusyCount",
    "RetBusCharOverrunCount",
    "RetOverrunErrCount",
    "ClearOverrunCounterFlag",
    "GetClearPlusStats",
];

/// Names of exceptions, from 1.
const EXCEPTIONS: [&str; 11] = [
    "IllegalFunction",
    "IllegalDataAddr",
    "IllegalDataValue",
    "ServerDeviceFail",
    "Ack",
    "ServerDeviceBusy",
    "NegAck",
    "MemParityErr",
    "Unknown",
    "GatewayPathUnavailable",
    "GatewayTargetFailToResp",
];

const FLAGS: [&str; 5] = ["DATA_VALUE", "DATA_LENGTH", "EXC_CODE", "FUNC_CODE", "PROTO_ID"];

/// Bits of [`app::modbus::category`], lowest first.
const CATEGORIES: [&str; 4] = ["PUBLIC_ASSIGNED", "PUBLIC_UNASSIGNED", "USER_DEFINED", "RESERVED"];

const fn access(function: u8) -> &'static str {
    match function {
        1 => "READ | COILS",
        2 => "READ | DISCRETES",
        3 => "READ | HOLDING",
        4 => "READ | INPUT",
        5 => "WRITE | COILS | SINGLE | WRITE_SINGLE",
        6 => "WRITE | HOLDING | SINGLE | WRITE_SINGLE",
        15 => "WRITE | COILS | MULTIPLE | WRITE_MULTIPLE",
        16 => "WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE",
        22 => "WRITE | HOLDING",
        23 => "READ | WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE",
        _ => "NONE",
    }
}

fn function(function: u8) -> &'static str {
    let known = usize::from(function).checked_sub(1).and_then(|place| FUNCTIONS.get(place));
    known.copied().unwrap_or(if function == 43 { "MEI" } else { "Unknown" })
}

fn exception(code: u8) -> &'static str {
    let known = usize::from(code).checked_sub(1).and_then(|place| EXCEPTIONS.get(place));
    known.copied().unwrap_or("Unknown")
}

const fn interface(kind: u8) -> &'static str {
    match kind {
        13 => "CANOpenGenRefReqResp",
        14 => "RdDevId",
        _ => "Unknown",
    }
}

/// `"KEY":"A | B"` of the names whose bits are set, or `NONE`.
fn bits(to: &mut Vec<u8>, key: &str, set: u8, names: &[&str]) {
    literal(to, key);
    let mut none = true;
    for (bit, name) in names.iter().enumerate() {
        if set >> bit & 1 == 1 {
            literal(to, if none { "" } else { " | " });
            literal(to, name);
            none = false;
        }
    }
    literal(to, if none { "NONE\"" } else { "\"" });
}

/// Appends a message as an object.
pub(super) fn write(message: &Message, to: &mut Vec<u8>) {
    number_after(to, r#"{"transaction_id":"#, u64::from(message.transaction));
    number_after(to, r#","protocol_id":"#, u64::from(message.protocol));
    number_after(to, r#","unit_id":"#, u64::from(message.unit));
    number_after(to, r#","function_raw":"#, u64::from(message.raw));
    for (key, text) in [
        (r#","function_code":""#, function(message.function)),
        (r#"","access_type":""#, access(message.function)),
    ] {
        literal(to, key);
        literal(to, text);
    }
    bits(to, r#"","category":""#, message.category, &CATEGORIES);
    bits(to, r#","error_flags":""#, message.flags, &FLAGS);
    data(&message.data, to);
    to.push(b'}');
}

fn data(data: &Data, to: &mut Vec<u8>) {
    let number = |to: &mut Vec<u8>, key: &str, value: u16| number_after(to, key, u64::from(value));
    let text = |to: &mut Vec<u8>, key: &str, value: &[u8]| {
        literal(to, key);
        bytes(to, value);
    };
    match data {
        Data::None => return,
        Data::Bytes(raw) => return text(to, r#","data":"#, raw),
        Data::Read { address, quantity } => {
            number(to, r#","read":{"address":"#, *address);
            number(to, r#","quantity":"#, *quantity);
        }
        Data::ReadAnswer(values) => text(to, r#","read":{"data":"#, values),
        Data::Write { address, value } => {
            number(to, r#","write":{"address":"#, *address);
            number(to, r#","data":"#, *value);
        }
        Data::WriteSeveral { address, quantity, values } => {
            number(to, r#","write":{"address":"#, *address);
            number(to, r#","quantity":"#, *quantity);
            text(to, r#","data":"#, values);
        }
        Data::Mask { address, and, or } => {
            number(to, r#","write":{"address":"#, *address);
            number(to, r#","and_mask":"#, *and);
            number(to, r#","or_mask":"#, *or);
        }
        Data::ReadAndWrite { read, address, quantity, values } => {
            number(to, r#","read":{"address":"#, read.0);
            number(to, r#","quantity":"#, read.1);
            number(to, r#"},"write":{"address":"#, *address);
            number(to, r#","quantity":"#, *quantity);
            text(to, r#","data":"#, values);
        }
        Data::Diagnostic { subfunction, data } => {
            number(to, r#","diagnostic":{"raw":"#, *subfunction);
            literal(to, r#","code":""#);
            literal(to, DIAGNOSTICS.get(usize::from(*subfunction)).copied().unwrap_or("Reserved"));
            text(to, r#"","data":"#, data);
        }
        Data::Interface { kind, data } => {
            number(to, r#","mei":{"raw":"#, u16::from(*kind));
            literal(to, r#","code":""#);
            literal(to, interface(*kind));
            text(to, r#"","data":"#, data);
        }
        Data::Exception(code) => {
            number(to, r#","exception":{"raw":"#, u16::from(*code));
            literal(to, r#","code":""#);
            literal(to, exception(*code));
            to.push(b'"');
        }
    }
    to.push(b'}');
}
