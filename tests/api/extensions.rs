//! Versions, extensions, paths and methods.

use crate::controller::Controller;
use serde_json::json;

#[test]
fn versions_and_resources_are_found() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let base = &client.base;
    assert_eq!(
        client.get("/").expect(200),
        json!({"versions": [{"id": "v2.0", "status": "CURRENT",
            "links": [{"rel": "self", "href": format!("{base}/v2.0/")}]}]})
    );
    let resources = client.get("/v2.0/").expect(200);
    assert_eq!(resources, client.get("/v2.0").expect(200));
    assert_eq!(
        resources["resources"][0],
        json!({"name": "network", "collection": "networks",
            "links": [{"rel": "self", "href": format!("{base}/v2.0/networks")}]})
    );
    let forwarded = client.with("X-Forwarded-Proto", "https").get("/").expect(200);
    assert!(forwarded["versions"][0]["links"][0]["href"].as_str().unwrap().starts_with("https://"));
}

#[test]
fn extensions_are_listed_and_shown() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let listed = client.get("/v2.0/extensions").expect(200);
    let extensions = listed["extensions"].as_array().unwrap();
    let aliases: Vec<&str> = extensions.iter().map(|it| it["alias"].as_str().unwrap()).collect();
    let mut sorted = aliases.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(aliases, sorted);
    assert!(aliases.contains(&"binding") && aliases.contains(&"port-security"));
    for extension in extensions {
        let alias = extension["alias"].as_str().unwrap();
        let shown = client.get(&format!("/v2.0/extensions/{alias}.json")).expect(200);
        assert_eq!(shown["extension"], *extension);
    }
    client.get("/v2.0/extensions/quotas").fault(404, "HTTPNotFound", "Extension with alias quotas does not exist");
}

#[test]
fn paths_end_as_clients_write_them() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({}))["id"].as_str().unwrap().to_owned();
    for path in ["/v2.0/networks", "/v2.0/networks/", "/v2.0/networks.json"] {
        assert_eq!(client.get(path).expect(200)["networks"][0]["id"], network, "{path}");
    }
    for path in [format!("/v2.0/networks/{network}.json"), format!("/v2.0/networks/{network}/")] {
        assert_eq!(client.get(&path).expect(200)["network"]["id"], network, "{path}");
    }
    client.raw("DELETE", &format!("/v2.0/networks/{network}.json"), None).expect(204);
}

#[test]
fn other_methods_and_paths_are_refused() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let no_method = "The server could not comply with the request since it is either malformed or otherwise incorrect.";
    for (method, path) in [
        ("PATCH", "/v2.0/networks"),
        ("PUT", "/v2.0/networks"),
        ("DELETE", "/v2.0/networks"),
        ("POST", "/v2.0/networks/x"),
        ("PATCH", "/v2.0/networks/x"),
        ("OPTIONS", "/v2.0/ports"),
        ("BREW", "/v2.0/ports"),
        ("POST", "/"),
        ("POST", "/v2.0"),
        ("POST", "/v2.0/networks/x/tags/y"),
        ("PUT", "/v2.0/security-group-rules/x"),
        ("GET", "/v2.0/routers/x/add_router_interface"),
        ("POST", "/v2.0/address-groups/x/add_addresses"),
        ("POST", "/weir/v1/hosts"),
        ("DELETE", "/weir/v1/healthz"),
    ] {
        let answer = client.raw(method, path, None);
        assert_eq!((answer.status, method, path), (405, method, path));
        answer.fault(405, "HTTPMethodNotAllowed", no_method);
    }
    for path in [
        "/v2.0/floatingips",
        "/v3",
        "/v2.0/security_groups",
        "/v2.0/routers/x/y",
        "/v2.0/address-groups/x/tags",
        "/v2.0/networks/x/y",
        "/v2.0/networks/x/tags/y/z",
        "/weir/v1/x",
        "/x/y/z",
    ] {
        let answer = client.get(path);
        assert_eq!((answer.status, path), (404, path));
        answer.fault(404, "HTTPNotFound", "The resource could not be found.");
    }
    client.post("/v2.0/extensions", &json!({})).fault(404, "HTTPNotFound", "The resource could not be found.");
    assert_eq!(client.raw("HEAD", "/v2.0/networks", None).status, 405);
}

#[test]
fn every_answer_has_an_id_of_its_own() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let id = |path: &str| client.get(path).headers["x-openstack-request-id"].to_str().unwrap().to_owned();
    let ids = [id("/"), id("/v2.0/networks"), id("/nowhere"), id("/weir/v1/healthz")];
    for (at, id) in ids.iter().enumerate() {
        assert_eq!(id.len(), "req-00000000-0000-0000-0000-000000000000".len());
        assert!(id.starts_with("req-") && !ids[..at].contains(id));
    }
}
