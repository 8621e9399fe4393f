//! `forebay token`.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::failure::{Failure, print};

#[derive(Serialize)]
struct Token {
    token: String,
    token_sha256: String,
}

/// Makes a token of 256 random bits, and the digest by which the configuration knows it.
pub(crate) fn run(json: bool) -> Result<(), Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    let token = format!("fb_{}", control::config::Digest(bytes));
    let token_sha256 = control::config::Digest(Sha256::digest(token.as_bytes()).into()).to_string();
    if json {
        return print(&(serde_json::to_string(&Token { token, token_sha256 })? + "\n"));
    }
    print(&format!(
        "{token}\n\nThis is shown once; give it to the operator. Put its digest into the configuration:\n\n  \
         [[operator]]\n  name = \"…\"\n  role = \"tenant\"\n  tenant = \"…\"\n  token_sha256 = \"{token_sha256}\"\n"
    ))
}
