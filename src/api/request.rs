//! Parts of a request, with bounds.

use super::ApiConfig;
use super::fault::Fault;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde_json::Value;

/// Bytes that are read beyond a limit and thrown away, so that a client that is still sending hears the answer.
const DRAINED: usize = 16 << 20;

/// Reads a body that is at most `limit` bytes long.
///
/// # Errors
/// 413 over the limit, 408 when it comes too slowly, 400 when it breaks off.
pub(crate) async fn body(headers: &HeaderMap, body: Body, limit: usize, config: &ApiConfig) -> Result<Bytes, Fault> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok())
        .unwrap_or(0);
    if announced > limit.saturating_add(DRAINED) {
        return Err(Fault::too_large(limit));
    }
    match tokio::time::timeout(config.body_timeout, collect(body, limit, announced)).await {
        Ok(result) => result,
        Err(_) => {
            Err(Fault::new(StatusCode::REQUEST_TIMEOUT, "HTTPRequestTimeout", "The body did not arrive in time."))
        }
    }
}

async fn collect(mut body: Body, limit: usize, announced: usize) -> Result<Bytes, Fault> {
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
        if before == 0 {
            only = Some(data);
            continue;
        }
        if let Some(first) = only.take() {
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
