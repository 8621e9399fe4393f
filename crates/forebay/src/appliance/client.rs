//! Requests to the daemon: HTTP/1.1 over its Unix socket.

use std::fmt::Write as _;
use std::path::PathBuf;

use api::Refusal;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::cli::Remote;
use crate::failure::Failure;

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    const fn of_http(self) -> hyper::Method {
        match self {
            Self::Get => hyper::Method::GET,
            Self::Post => hyper::Method::POST,
            Self::Put => hyper::Method::PUT,
            Self::Patch => hyper::Method::PATCH,
            Self::Delete => hyper::Method::DELETE,
        }
    }
}

/// A daemon.
#[derive(Debug)]
pub(super) struct Client {
    socket: PathBuf,
    token: Option<String>,
}

/// A path of these parts, whatever characters they have.
pub(super) fn path(parts: &[&str]) -> String {
    parts.iter().flat_map(|part| ["/".to_owned(), escaped(part)]).collect()
}

/// A path with parameters.
pub(super) fn with_query(path: &str, parameters: &[(&str, String)]) -> String {
    let pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// Percent-encoding of all that is not unreserved (RFC 3986, 2.3).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

impl Client {
    pub(super) fn new(at: &Remote) -> Self {
        Self { socket: at.socket.clone(), token: at.token.clone() }
    }

    /// What is there.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Method::Get, path, None::<&()>)
    }

    /// Sends a request; a refusal is a failure with the daemon's own words.
    pub(super) fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let mut request = Request::builder()
            .method(method.of_http())
            .uri(format!("{}{path}", api::BASE))
            .header(hyper::header::HOST, "forebay");
        if let Some(token) = &self.token {
            request = request.header(hyper::header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            None => Bytes::new(),
            Some(body) => {
                request = request.header(hyper::header::CONTENT_TYPE, "application/json");
                Bytes::from(serde_json::to_vec(body)?)
            }
        };
        let request = request.body(Full::new(body))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (status, answer) = runtime.block_on(self.exchange(request))?;
        if status.is_success() {
            return serde_json::from_slice(&answer).map_err(|error| {
                Failure::new(format!(
                    "the daemon's answer is not understood ({error}); are `forebay` and `forebayd` of one version?"
                ))
            });
        }
        match serde_json::from_slice::<Refusal>(&answer) {
            Ok(refusal) => Err(Failure::new(refusal.to_string())),
            Err(_) => Err(Failure::new(format!("the daemon answered {status} and did not say why"))),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| {
            let remedy = match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    "you may not connect; be in the group that [api] names, or use sudo"
                }
                _ => "is forebayd running? `systemctl status forebayd`; another socket is given by --socket",
            };
            Failure::new(format!("{}: {error}; {remedy}", self.socket.display()))
        })?;
        let lost = |error: hyper::Error| {
            Failure::new(format!(
                "the daemon was lost before it answered ({error}); `forebay config history` says whether the change was made"
            ))
        };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(lost)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(lost)?.to_bytes();
        connection.abort();
        Ok((status, body))
    }
}

#[cfg(test)]
mod tests {
    use super::{path, with_query};

    #[test]
    fn parts_of_a_path_cannot_leave_it() {
        assert_eq!(path(&["tenants", "../x y"]), "/tenants/..%2Fx%20y");
        assert_eq!(with_query("/a", &[]), "/a");
        assert_eq!(with_query("/a", &[("n", "x&y=z,ü".to_owned())]), "/a?n=x%26y%3Dz%2C%C3%BC");
    }
}
