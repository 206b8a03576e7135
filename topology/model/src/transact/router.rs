//! Commands about routers.

use crate::draft::Draft;
use crate::{NewInterface, NewRouter, OldInterface, Outcome, Rejection, Route, RouterId, RouterPatch};

fn unfinished() -> Result<Outcome, Rejection> {
    Err(Rejection::InvalidInput("unfinished".to_owned()))
}

pub(super) fn create(_: &mut Draft, _: Vec<NewRouter>) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn update(_: &mut Draft, _: RouterId, _: RouterPatch, _: Option<u64>) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn delete(_: &mut Draft, _: RouterId, _: Option<u64>) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn add_interface(_: &mut Draft, _: RouterId, _: NewInterface) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn remove_interface(_: &mut Draft, _: RouterId, _: OldInterface) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn add_routes(_: &mut Draft, _: RouterId, _: Vec<Route>) -> Result<Outcome, Rejection> {
    unfinished()
}

pub(super) fn remove_routes(_: &mut Draft, _: RouterId, _: Vec<Route>) -> Result<Outcome, Rejection> {
    unfinished()
}
