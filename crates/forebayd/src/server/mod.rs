//! The API: HTTP/1.1 and JSON over a Unix socket, whose peers the system knows by name, and over TLS.
//!
//! In: connections. Out: answers of [`control::manager::Manager`]. Rooms: `routes` (paths and what each does), `answer`
//! (JSON in and out, refusals, limits), `identity` (who asks), `tls`, `document` (the `OpenAPI` document).

mod answer;
mod document;
mod identity;
mod routes;
mod status;
mod tls;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use control::config::schema::Api;
use control::manager::Manager;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use nix::unistd::{Group, chown};
use sink::{LossCounters, Recent};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::log;
use crate::runner::EngineRunner;
pub(crate) use document::openapi_json;
use identity::Peer;
use tls::Tls;

/// Connections at one time; one more waits until another is closed.
const CONNECTIONS_MAX: usize = 128;

/// How long a client may take to send the head of a request.
const HEAD_MAX: Duration = Duration::from_secs(10);

/// Why the API does not listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// The socket.
    #[error("cannot listen at {}: {source}; check [api] socket, and that its folder can be written", path.display())]
    Bind {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody listens there.
    #[error("{}: another forebayd listens there; stop that one, or set another [api] socket", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// The group.
    #[error("[api] group: there is no group `{0}`; make it with `groupadd --system {0}`")]
    NoGroup(String),
    /// The address for TLS.
    #[error("cannot listen at {address}: {source}; check [api] listen")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate or key.
    #[error("{}: cannot be used: {error}; check [api] certificate, key and client_ca", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// Threads.
    #[error("the API's thread cannot be started: {0}")]
    Thread(std::io::Error),
}

/// What requests are answered from.
#[derive(Clone)]
pub(crate) struct App {
    manager: Arc<Manager<EngineRunner>>,
    losses: Arc<LossCounters>,
    recent: Arc<Recent>,
}

impl App {
    pub(crate) fn new(
        manager: Arc<Manager<EngineRunner>>,
        losses: Arc<LossCounters>,
        recent: Arc<Recent>,
    ) -> Self {
        Self { manager, losses, recent }
    }
}

/// A server that listens and does not answer yet.
pub(crate) struct Server {
    socket: PathBuf,
    listener: std::os::unix::net::UnixListener,
    tls: Option<Tls>,
}

/// A server that answers, on a thread of its own.
pub(crate) struct Serving {
    socket: PathBuf,
    stop: watch::Sender<bool>,
    thread: std::thread::JoinHandle<()>,
}

impl Server {
    /// Listens at the socket that `api` names, as seen from `folder`, and for TLS if it says so.
    pub(crate) fn bind(api: &Api, folder: &Path) -> Result<Self, ServerError> {
        let socket = folder.join(&api.socket);
        let bind_error = |source| ServerError::Bind { path: socket.clone(), source };
        let group = match &api.group {
            None => None,
            Some(name) => {
                let group = Group::from_name(name).ok().flatten();
                Some(group.ok_or_else(|| ServerError::NoGroup(name.clone()))?.gid)
            }
        };
        if let Some(parent) = socket.parent() {
            std::fs::create_dir_all(parent).map_err(bind_error)?;
        }
        // A socket that a killed daemon has left refuses connections.
        if socket.exists() {
            if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
                return Err(ServerError::InUse { path: socket });
            }
            std::fs::remove_file(&socket).map_err(bind_error)?;
        }
        let listener = std::os::unix::net::UnixListener::bind(&socket).map_err(bind_error)?;
        listener.set_nonblocking(true).map_err(bind_error)?;
        let mode = if group.is_some() { 0o660 } else { 0o600 };
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(mode)).map_err(bind_error)?;
        if group.is_some() {
            chown(&socket, None, group).map_err(|error| bind_error(error.into()))?;
        }
        Ok(Self { socket, listener, tls: Tls::bind(api, folder)? })
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Answers from now on.
    pub(crate) fn serve(self, app: App) -> Result<Serving, ServerError> {
        let Self { socket, listener, tls } = self;
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("api")
            .max_blocking_threads(8)
            .build()
            .map_err(ServerError::Thread)?;
        let thread = std::thread::Builder::new()
            .name("api".to_owned())
            .spawn(move || runtime.block_on(accept(listener, tls, app, stopped)))
            .map_err(ServerError::Thread)?;
        Ok(Serving { socket, stop, thread })
    }
}

impl Serving {
    /// Takes no more requests; those that are under way are answered, within a bounded time.
    pub(crate) fn stop(self) {
        // A server that has ended needs no telling.
        let _ = self.stop.send(true);
        if self.thread.join().is_err() {
            log::error("the API's thread has panicked, which is a defect; please report the lines above");
        }
        drop(std::fs::remove_file(&self.socket));
    }
}

/// How long requests that are under way may take when the server stops.
const STOP_MAX: Duration = Duration::from_secs(5);

async fn accept(
    listener: std::os::unix::net::UnixListener,
    tls: Option<Tls>,
    app: App,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let routes = routes::router(app);
    let local = accept_local(listener, &routes, &places);
    let remote = accept_tls(tls, &routes, &places);
    tokio::select! {
        ended = local => report(ended),
        ended = remote => report(ended),
        _ = stopped.changed() => {}
    }
    // Each connection holds a place.
    drop(tokio::time::timeout(STOP_MAX, places.acquire_many(CONNECTIONS_MAX as u32)).await);
}

fn report(ended: std::io::Result<()>) {
    if let Err(error) = ended {
        log::error(&format!("the API does not listen any more: {error}"));
    }
}

async fn accept_local(
    listener: std::os::unix::net::UnixListener,
    routes: &axum::Router,
    places: &Arc<Semaphore>,
) -> std::io::Result<()> {
    let listener = UnixListener::from_std(listener)?;
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return Ok(()) };
        let Some((stream, _)) = accepted(listener.accept().await).await else { continue };
        let peer = stream.peer_cred().ok().map(|peer| Peer::user(peer.uid()));
        tokio::spawn(serve(stream, routes.clone().layer(axum::Extension(peer)), place));
    }
}

async fn accept_tls(tls: Option<Tls>, routes: &axum::Router, places: &Arc<Semaphore>) -> std::io::Result<()> {
    let Some(Tls { listener, acceptor }) = tls else { return std::future::pending().await };
    let listener = TcpListener::from_std(listener)?;
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return Ok(()) };
        let Some((stream, _)) = accepted(listener.accept().await).await else { continue };
        let (acceptor, routes) = (acceptor.clone(), routes.clone());
        tokio::spawn(async move {
            if let Some(stream) = tls::handshake(acceptor, stream).await {
                let peer = tls::common_name(&stream).map(Peer::certificate);
                serve(stream, routes.layer(axum::Extension(peer)), place).await;
            }
        });
    }
}

/// A connection; `None` after a pause if there is none to be had.
async fn accepted<T>(accepted: std::io::Result<T>) -> Option<T> {
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            // Too many open files, most likely; it passes, or an operator must look.
            log::warn(&format!("a connection to the API was not accepted: {error}"));
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    routes: axum::Router,
    place: OwnedSemaphorePermit,
) {
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    // A client that went away, or sent no HTTP, is told so by hyper where that can be.
    drop(connection.await);
    drop(place);
}
