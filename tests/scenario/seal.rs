//! Seals, as tests look at them.

use weir_compile::{SEAL_TABLE, seal_cookie};
use weir_openflow::{Action, FlowTable};
use weir_reconcile::SealPlace;

/// Where seals are.
pub(crate) fn place() -> SealPlace {
    SealPlace { table: SEAL_TABLE, cookie: seal_cookie() }
}

/// What a bridge holds besides its seal, and what the seal says.
pub(crate) fn open(mut content: FlowTable) -> (FlowTable, Option<u128>) {
    let seal = content.flows.keys().find(|key| key.table == SEAL_TABLE).cloned();
    let seal = seal.and_then(|key| content.flows.remove(&key));
    let sum = seal.map(|seal| match seal.instructions.apply[..] {
        [Action::SetField { value, .. }] if seal.cookie == seal_cookie() => value,
        _ => panic!("no seal: {seal:?}"),
    });
    (content, sum)
}
