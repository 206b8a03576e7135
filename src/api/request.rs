//! Parts of a request, with bounds.

use super::admission::Busy;
use super::fault::Fault;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that are read beyond a limit and thrown away, so that a client that is still sending hears the answer.
const DRAINED: usize = 16 << 20;

/// Bytes of a body that need no share of the [`Ration`].
const FREE: usize = 64 << 10;

/// The memory that large bodies have together, in KiB.
#[derive(Debug)]
pub(crate) struct Ration(Arc<Semaphore>);

/// A share of the ration, given back when the request ends.
pub(crate) struct Share {
    ration: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
    /// Bytes that are paid for.
    bytes: usize,
}

impl Ration {
    /// A ration of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes >> 10)))
    }

    /// Nothing yet.
    pub(crate) fn share(&self) -> Share {
        Share { ration: Arc::clone(&self.0), taken: None, bytes: FREE }
    }
}

impl Share {
    /// Makes the share large enough for a body of so many bytes.
    fn grow(&mut self, bytes: usize) -> Result<(), Fault> {
        let Some(missing) = bytes.checked_sub(self.bytes).filter(|missing| *missing > 0) else { return Ok(()) };
        let kibibytes = u32::try_from(missing.div_ceil(1 << 10)).unwrap_or(u32::MAX);
        let busy = |_| Fault::busy(Busy::Bodies);
        let more = Arc::clone(&self.ration).try_acquire_many_owned(kibibytes).map_err(busy)?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        self.bytes += (kibibytes as usize) << 10;
        Ok(())
    }
}

/// Reads a body that is at most `limit` bytes long.
///
/// # Errors
/// 413 over the limit, 408 when it comes too slowly, 400 when it breaks off, 503 when large bodies have no memory left.
pub(crate) async fn body(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    timeout: Duration,
    share: &mut Share,
) -> Result<Bytes, Fault> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok())
        .unwrap_or(0);
    if announced > limit.saturating_add(DRAINED) {
        return Err(Fault::too_large(limit));
    }
    match tokio::time::timeout(timeout, collect(body, limit, announced, share)).await {
        Ok(result) => result,
        Err(_) => {
            Err(Fault::new(StatusCode::REQUEST_TIMEOUT, "HTTPRequestTimeout", "The body did not arrive in time."))
        }
    }
}

async fn collect(mut body: Body, limit: usize, announced: usize, share: &mut Share) -> Result<Bytes, Fault> {
    // Most bodies come in one piece, which is then not copied.
    let mut only: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    let mut total = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Fault::bad_request("The body broke off."))?;
        let Ok(data) = frame.into_data() else { continue };
        let before = total;
        total += data.len();
        if total > limit {
            if total > limit.saturating_add(DRAINED) {
                break;
            }
            continue;
        }
        share.grow(total)?;
        if before == 0 {
            only = Some(data);
            continue;
        }
        if let Some(first) = only.take() {
            share.grow(announced.min(limit))?;
            whole.reserve(announced.min(limit).max(first.len() + data.len()));
            whole.extend_from_slice(&first);
        }
        whole.extend_from_slice(&data);
    }
    if total > limit {
        return Err(Fault::too_large(limit));
    }
    Ok(only.unwrap_or_else(|| whole.freeze()))
}

/// Refuses bodies that say that they are something else than JSON. Clients that say nothing, or what `curl` says by
/// default, are believed to mean JSON.
///
/// # Errors
/// 415.
pub(crate) fn expect_json(headers: &HeaderMap) -> Result<(), Fault> {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let kind = kind.to_str().unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let fits = essence.is_empty()
        || essence == "application/json"
        || essence.ends_with("+json")
        || essence == "text/plain"
        || essence == "application/x-www-form-urlencoded";
    if fits {
        return Ok(());
    }
    Err(Fault::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "HTTPUnsupportedMediaType",
        format!("The content type {essence} is not supported; bodies are application/json."),
    ))
}

/// Understands a body.
///
/// # Errors
/// 400 when it is not JSON, or deeper than serde_json goes (128 levels).
pub(crate) fn json(bytes: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(bytes).map_err(|_| Fault::bad_request("Body contains invalid data"))
}

/// The revision that an `If-Match: revision_number=N` header demands.
///
/// # Errors
/// 400 when there are several or it is not a number. Other tags are passed over.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Fault> {
    let mut demanded = None;
    for value in headers.get_all(header::IF_MATCH) {
        for tag in value.to_str().unwrap_or_default().split(',') {
            let tag = tag.trim().trim_matches('"');
            let Some(number) = tag.strip_prefix("revision_number=") else { continue };
            if demanded.is_some() {
                return Err(Fault::bad_part("if-match", "Multiple revision_number etags are not supported"));
            }
            demanded = Some(number.parse().map_err(|_| {
                Fault::bad_part("if-match", "Revision number etag must be in the format of revision_number=<int>")
            })?);
        }
    }
    Ok(demanded)
}

/// Scheme and authority by which the client reached the API, for links in answers.
pub(crate) fn base(uri: &Uri, headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = text("x-forwarded-proto").filter(|scheme| matches!(*scheme, "http" | "https")).unwrap_or("http");
    let host = text("host")
        .or_else(|| uri.authority().map(axum::http::uri::Authority::as_str))
        .filter(|host| host.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\')))
        .unwrap_or("127.0.0.1:9696");
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn demanded(values: &[&'static str]) -> Result<Option<u64>, Fault> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_MATCH, HeaderValue::from_static(value));
        }
        if_match(&headers)
    }

    #[test]
    fn large_bodies_share_a_ration() {
        let ration = Ration::new(1 << 20);
        let mut small = ration.share();
        small.grow(FREE).unwrap();
        let mut one = ration.share();
        one.grow(FREE + (1 << 19)).unwrap();
        let mut two = ration.share();
        two.grow(FREE + (1 << 19)).unwrap();
        assert_eq!(two.grow(FREE + (1 << 19) + 1).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(small.grow(FREE + 1).unwrap_err().retry_after, Some(1));
        drop(one);
        two.grow(FREE + (1 << 20)).unwrap();
        small.grow(FREE).unwrap();
    }

    #[test]
    fn if_match_names_one_revision() {
        assert_eq!(demanded(&[]), Ok(None));
        assert_eq!(demanded(&["revision_number=7"]), Ok(Some(7)));
        assert_eq!(demanded(&["\"revision_number=7\""]), Ok(Some(7)));
        assert_eq!(demanded(&["\"other\", revision_number=0"]), Ok(Some(0)));
        assert_eq!(
            demanded(&["revision_number=x"]).unwrap_err().message,
            "Bad if-match request: Revision number etag must be in the format of revision_number=<int>."
        );
        assert!(demanded(&["revision_number=1, revision_number=2"]).is_err());
        assert!(demanded(&["revision_number=1", "revision_number=1"]).is_err());
    }
}
