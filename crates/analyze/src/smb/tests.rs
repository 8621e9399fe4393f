//! What the analyser makes of messages, told by what it keeps of them.

use super::*;

fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(message);
    bytes
}

#[test]
fn a_frame_is_found_behind_garbage() {
    let mut message = b"\xfeSMB".to_vec();
    message.resize(64, 0);
    let frame = framed(&message);
    let mut bytes = b"SMB garbage \xffSMB ".to_vec();
    let garbage = bytes.len();
    bytes.extend_from_slice(&frame);
    assert_eq!(find_frame(&bytes), Some(garbage));
    assert_eq!(find_frame(&bytes[..garbage + 7]), None);
}
