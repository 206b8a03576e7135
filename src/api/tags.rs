//! `/v2.0/{collection}/{id}/tags`: tags, one by one or all of them.

use super::attribute::{MAX_TAGS, Misfit, TAG_LEN, texts};
use super::fault::Fault;
use super::operate::{Answer, Scene, TAG_ATTEMPTS};
use super::resource::{Resource, Tagged};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Answers a request below `/tags`; `tag` is what follows.
pub(crate) async fn answer<R: Tagged>(
    scene: Scene<'_>,
    method: &Method,
    id: &str,
    tag: Option<&str>,
    body: Option<Value>,
    if_revision: Option<u64>,
) -> Result<Answer, Fault> {
    if let Some(tag) = tag
        && tag.chars().nth(TAG_LEN).is_some()
    {
        return Err(Fault::invalid_input(format_args!("'{tag}' exceeds maximum length of {TAG_LEN}")));
    }
    match (method, tag) {
        (&Method::GET, None) => {
            let topology = scene.backend.snapshot.load();
            let tags = find::<R>(scene, &topology, id)?.tags();
            Ok(Answer { status: StatusCode::OK, body: listed(tags) })
        }
        (&Method::GET, Some(tag)) => {
            let topology = scene.backend.snapshot.load();
            if find::<R>(scene, &topology, id)?.tags().contains(tag) { Ok(nothing()) } else { Err(no_tag(tag)) }
        }
        (&Method::POST, None) => {
            let added = named(body)?;
            change::<R>(scene, id, if_revision, |tags| {
                tags.extend(added.iter().cloned());
                bounded::<R>(tags)
            })
            .await?;
            Ok(Answer { status: StatusCode::OK, body: listed(&added) })
        }
        (&Method::PUT, None) => {
            let wanted = named(body)?;
            bounded::<R>(&wanted)?;
            let tags = change::<R>(scene, id, if_revision, |tags| {
                tags.clone_from(&wanted);
                Ok(())
            })
            .await?;
            Ok(Answer { status: StatusCode::OK, body: listed(&tags) })
        }
        (&Method::PUT, Some(tag)) => {
            change::<R>(scene, id, if_revision, |tags| {
                tags.insert(tag.to_owned());
                bounded::<R>(tags)
            })
            .await?;
            Ok(Answer { status: StatusCode::CREATED, body: b"null".to_vec() })
        }
        (&Method::DELETE, None) => {
            change::<R>(scene, id, if_revision, |tags| {
                tags.clear();
                Ok(())
            })
            .await?;
            Ok(nothing())
        }
        (&Method::DELETE, Some(tag)) => {
            change::<R>(scene, id, if_revision, |tags| if tags.remove(tag) { Ok(()) } else { Err(no_tag(tag)) })
                .await?;
            Ok(nothing())
        }
        _ => Err(Fault::method_not_allowed()),
    }
}

/// Refuses more tags than an object can have.
pub(crate) fn bounded<R: Resource>(tags: &BTreeSet<String>) -> Result<(), Fault> {
    if tags.len() <= MAX_TAGS {
        return Ok(());
    }
    Err(Fault::bad_part(R::COLLECTION, format_args!("The number of tags exceed the per-resource limit of {MAX_TAGS}")))
}

fn nothing() -> Answer {
    Answer { status: StatusCode::NO_CONTENT, body: Vec::new() }
}

fn listed(tags: &BTreeSet<String>) -> Vec<u8> {
    json!({ "tags": tags }).to_string().into_bytes()
}

fn no_tag(tag: &str) -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "TagNotFound", format!("Tag {tag} could not be found."))
}

fn find<'t, R: Tagged>(scene: Scene<'_>, topology: &'t weir_model::Topology, id: &str) -> Result<&'t R, Fault> {
    scene.find::<R>(topology, id).map(AsRef::as_ref).map_err(|_| {
        Fault::new(
            StatusCode::NOT_FOUND,
            "TagResourceNotFound",
            format!("Resource {} {id} could not be found.", R::COLLECTION),
        )
    })
}

/// The tags of a body `{"tags": [..]}`.
fn named(body: Option<Value>) -> Result<BTreeSet<String>, Fault> {
    let given = match body {
        Some(Value::Object(mut body)) => body.remove("tags"),
        _ => None,
    };
    let given = given.ok_or_else(|| Fault::invalid_input("Invalid tags body"))?;
    match texts(given, TAG_LEN) {
        Ok(tags) => Ok(tags.into_iter().collect()),
        Err(Misfit::Reason(reason)) => Err(Fault::invalid_input(reason)),
        Err(Misfit::Fault(fault)) => Err(*fault),
    }
}

/// Changes the tags of an object as they are at that moment, and gives back what they became.
async fn change<R: Tagged>(
    scene: Scene<'_>,
    id: &str,
    if_revision: Option<u64>,
    edit: impl Fn(&mut BTreeSet<String>) -> Result<(), Fault>,
) -> Result<BTreeSet<String>, Fault> {
    let mut attempts = 0..TAG_ATTEMPTS;
    loop {
        let (command, tags) = {
            let topology = scene.backend.snapshot.load();
            let uuid = find::<R>(scene, &topology, id)?.id();
            let object = scene.find_own::<R>(&topology, id, "update")?;
            let mut tags = object.tags().clone();
            edit(&mut tags)?;
            if tags == *object.tags() && if_revision.is_none() {
                return Ok(tags);
            }
            (R::retag(uuid, tags.clone(), if_revision.or(Some(object.revision()))), tags)
        };
        match scene.submit(command).await {
            Ok(_) => return Ok(tags),
            Err(failed) => {
                let again = failed.is_stale() && if_revision.is_none() && attempts.next().is_some();
                if !again {
                    return Err(failed.into());
                }
            }
        }
    }
}
