//! Pages of a list.

use crate::controller::Controller;
use serde_json::{Value, json};

/// The names on a page, and where its neighbours are.
fn page(client: &crate::client::Client, path: &str) -> (Vec<String>, Option<String>, Option<String>) {
    let body = client.get(path).expect(200);
    let names = body["networks"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned());
    let link = |rel: &str| {
        let links = body.get("networks_links").and_then(Value::as_array)?;
        let link = links.iter().find(|link| link["rel"] == rel)?;
        Some(link["href"].as_str().unwrap().strip_prefix(&client.base).unwrap().to_owned())
    };
    (names.collect(), link("next"), link("previous"))
}

#[test]
fn links_lead_through_a_list_and_back() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    for name in ["a", "b", "c", "d", "e"] {
        client.create("network", json!({ "name": name }));
    }
    let (names, next, previous) = page(&client, "/v2.0/networks");
    assert_eq!((names.len(), next, previous), (5, None, None));
    let (first, next, _) = page(&client, "/v2.0/networks?limit=2&sort_key=name&sort_dir=asc");
    assert_eq!(first, ["a", "b"]);
    let (second, next, previous) = page(&client, &next.unwrap());
    assert_eq!(second, ["c", "d"]);
    let (back, ..) = page(&client, &previous.unwrap());
    assert_eq!(back, ["a", "b"]);
    let (third, next, previous) = page(&client, &next.unwrap());
    assert_eq!((third, next), (vec!["e".to_owned()], None));
    let (back, next, _) = page(&client, &previous.unwrap());
    assert_eq!(back, ["c", "d"]);
    assert!(next.is_some());
    let (last, ..) = page(&client, "/v2.0/networks?limit=2&sort_key=name&sort_dir=asc&page_reverse=True");
    assert_eq!(last, ["d", "e"]);
    let (all, next, _) = page(&client, "/v2.0/networks?limit=10");
    assert_eq!((all.len(), next), (5, None));
}

#[test]
fn a_page_must_make_sense() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    client.create("network", json!({}));
    client.get("/v2.0/networks?limit=-1").fault(
        400,
        "BadRequest",
        "Bad limit request: Limit must be an integer 0 or greater and not '-1'.",
    );
    client.get("/v2.0/networks?limit=1&marker=nowhere").fault(
        404,
        "NetworkNotFound",
        "Network nowhere could not be found.",
    );
    let zero = client.get("/v2.0/networks?limit=0").expect(200);
    assert_eq!(zero.get("networks_links"), None);
    assert_eq!(zero["networks"].as_array().unwrap().len(), 1);
}
