//! What is served where: `/` and `/v2.0/`.

use serde_json::json;

/// The versions document of `/`.
pub(crate) fn versions(base: &str) -> Vec<u8> {
    json!({
        "versions": [{
            "id": "v2.0",
            "status": "CURRENT",
            "links": [{"rel": "self", "href": format!("{base}/v2.0/")}],
        }]
    })
    .to_string()
    .into_bytes()
}

/// The resources of `/v2.0/`.
pub(crate) fn resources(base: &str, resources: &[(&str, &str)]) -> Vec<u8> {
    let resources: Vec<_> = resources
        .iter()
        .map(|(name, collection)| {
            json!({
                "name": name,
                "collection": collection,
                "links": [{"rel": "self", "href": format!("{base}/v2.0/{collection}")}],
            })
        })
        .collect();
    json!({ "resources": resources }).to_string().into_bytes()
}
