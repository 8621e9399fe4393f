//! TLS, for clients that are not on this machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use control::config::schema::Api;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::ServerError;

/// How long a client may take for its handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// What TLS needs, and where it listens.
pub(super) struct Tls {
    pub(super) listener: std::net::TcpListener,
    pub(super) acceptor: TlsAcceptor,
}

impl Tls {
    /// Listens where `api` says, if it does; files are as seen from `folder`.
    pub(super) fn bind(api: &Api, folder: &Path) -> Result<Option<Self>, ServerError> {
        let (Some(listen), Some(certificate), Some(key)) = (&api.listen, &api.certificate, &api.key) else {
            return Ok(None);
        };
        let file = |path: &str| folder.join(path);
        let config = ServerConfig::builder();
        let config = match &api.client_ca {
            None => config.with_no_client_auth(),
            Some(authorities) => {
                let path = file(authorities);
                let mut roots = RootCertStore::empty();
                for authority in certificates(&path)? {
                    roots.add(authority).map_err(|error| unusable(&path, &error))?;
                }
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated().build();
                config.with_client_cert_verifier(verifier.map_err(|error| unusable(&path, &error))?)
            }
        };
        let key_path = file(key);
        let key = PrivateKeyDer::from_pem_file(&key_path).map_err(|error| unusable(&key_path, &error))?;
        let certificate = file(certificate);
        let mut config = config
            .with_single_cert(certificates(&certificate)?, key)
            .map_err(|error| unusable(&certificate, &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let address = listen.get_ref().0;
        let bind = |address: SocketAddr| {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let listener = bind(address).map_err(|source| ServerError::Listen { address, source })?;
        Ok(Some(Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)) }))
    }
}

/// The handshake; `None` if it failed, which is the client's affair.
pub(super) async fn handshake(acceptor: TlsAcceptor, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await.ok()?.ok()
}

/// Common name in the subject of the client's certificate, which was verified in the handshake.
pub(super) fn common_name(stream: &TlsStream<TcpStream>) -> Option<String> {
    let (_, connection) = stream.get_ref();
    let certificate = connection.peer_certificates()?.first()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?;
    name.as_str().ok().map(str::to_owned)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServerError> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, &error))?;
    let certificates: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| unusable(path, &error))?;
    if certificates.is_empty() {
        return Err(unusable(path, &"it has no certificate"));
    }
    Ok(certificates)
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> ServerError {
    ServerError::Certificate { path: PathBuf::from(path), error: error.to_string() }
}
