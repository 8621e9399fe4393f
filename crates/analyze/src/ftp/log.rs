//! `ftp` records.

use event::json::{bytes, literal, number_after};

use super::endpoint::Mode;
use super::transaction::FtpTransaction;

/// `"ftp":{…}` of a record or an alert.
pub(super) fn write(to: &mut Vec<u8>, transaction: &FtpTransaction) {
    literal(to, r#""ftp":{"#);
    if let Some(command) = transaction.command() {
        literal(to, r#""command":""#);
        literal(to, command);
        literal(to, r#"","#);
        if !transaction.argument.is_empty() {
            literal(to, r#""command_data":"#);
            bytes(to, &transaction.argument);
            literal(
                to,
                if transaction.argument_cut {
                    r#","command_truncated":true,"#
                } else {
                    r#","command_truncated":false,"#
                },
            );
        }
    }
    let mut separator = r#""completion_code":[""#;
    for code in transaction.replies.iter().filter_map(|(code, _)| *code) {
        literal(to, separator);
        to.extend_from_slice(&code);
        literal(to, "\"");
        separator = ",\"";
    }
    if separator.len() == 2 {
        literal(to, "],");
    }
    if !transaction.replies.is_empty() {
        literal(to, r#""reply":["#);
        for (place, (_, text)) in transaction.replies.iter().enumerate() {
            literal(to, if place == 0 { "" } else { "," });
            bytes(to, text);
        }
        literal(to, "],");
    }
    if let Some((mode, port)) = transaction.announced {
        number_after(to, r#""dynamic_port":"#, u64::from(port));
        literal(to, if mode == Mode::Active { r#","mode":"active","# } else { "," });
    }
    literal(to, r#""reply_received":""#);
    literal(to, if transaction.replies.is_empty() { "no" } else { "yes" });
    literal(to, r#"","reply_truncated":"#);
    literal(to, if transaction.reply_cut { "true}" } else { "false}" });
}
