//! JSON in and out, refusals, and what a request may cost.

use std::time::Duration;

use api::{Refusal, RefusalKind};
use axum::Json;
use axum::body::HttpBody as _;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::App;

/// Bytes of a request's body: the largest rule sets that are sold, several times over.
const BODY_BYTES_MAX: usize = 64 << 20;

/// How long a client may take to send a body.
const BODY_MAX: Duration = Duration::from_secs(60);

/// A refusal as an answer.
#[derive(Debug)]
pub(super) struct No(pub(super) Refusal);

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let status = match self.0.kind {
            RefusalKind::BadRequest => StatusCode::BAD_REQUEST,
            RefusalKind::Unauthenticated => StatusCode::UNAUTHORIZED,
            RefusalKind::Forbidden => StatusCode::FORBIDDEN,
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            RefusalKind::Timeout => StatusCode::REQUEST_TIMEOUT,
            RefusalKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(self.0)).into_response()
    }
}

/// What a handler answers.
pub(super) type Answer<T> = Result<Json<T>, No>;

fn bad(message: impl Into<String>) -> No {
    No(Refusal::new(RefusalKind::BadRequest, message))
}

/// A request's body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = No;

    async fn from_request(request: Request, _: &App) -> Result<Self, No> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_none_or(|kind| !kind.starts_with("application/json")) {
            return Err(bad("the body is not JSON; send it with content-type: application/json"));
        }
        let too_large = || {
            let message = format!("the body is larger than {BODY_BYTES_MAX} bytes; send less at a time");
            No(Refusal::new(RefusalKind::TooLarge, message))
        };
        if request.body().size_hint().lower() > BODY_BYTES_MAX as u64 {
            return Err(too_large());
        }
        let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
        let Ok(body) = tokio::time::timeout(BODY_MAX, body).await else {
            let message = format!("the body did not come within {} s", BODY_MAX.as_secs());
            return Err(No(Refusal::new(RefusalKind::Timeout, message)));
        };
        let body = body.map_err(|error| {
            if error.downcast_ref::<LengthLimitError>().is_some() {
                return too_large();
            }
            bad("the body was cut short")
        })?;
        let value = serde_json::from_slice(&body.to_bytes());
        value.map(Self).map_err(|error| bad(format!("the body cannot be understood: {error}")))
    }
}

/// The parameters behind the question mark.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Parameters<T> {
    type Rejection = No;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, No> {
        let Query(value) = Query::try_from_uri(&parts.uri).map_err(|error| bad(error.body_text()))?;
        Ok(Self(value))
    }
}

/// The variable parts of the path.
pub(super) struct Place<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Place<T> {
    type Rejection = No;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, No> {
        let Path(value) =
            Path::from_request_parts(parts, app).await.map_err(|error| bad(error.body_text()))?;
        Ok(Self(value))
    }
}

/// A path that is not there.
pub(super) async fn nowhere(uri: Uri) -> No {
    let message =
        format!("there is nothing at {}; {}/openapi.json says what there is", uri.path(), api::BASE);
    No(Refusal::new(RefusalKind::NotFound, message))
}

/// A method that the path does not know.
pub(super) async fn not_this_way(method: Method, uri: Uri) -> Response {
    let message = format!("{} does not know {method}", uri.path());
    let refusal = Json(Refusal::new(RefusalKind::BadRequest, message));
    (StatusCode::METHOD_NOT_ALLOWED, refusal).into_response()
}
