//! A bundle that waits to be committed.

use super::tables::Change;
use std::sync::{Mutex, PoisonError};
use weir_openflow::Xid;

/// Changes of one bundle.
type Sheet = Vec<(Xid, Change)>;

/// Changes on a full sheet.
const SHEET: usize = 2048;

/// Sheets that no bundle needs any more. The controller makes bundles all the time, and to have the system take their memory
/// back and hand it out anew costs more than to fill it.
static BLANK: Mutex<Vec<Sheet>> = Mutex::new(Vec::new());

/// Changes in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    /// Whether nothing can be added any more.
    pub(crate) closed: bool,
    sheets: Vec<Sheet>,
}

impl Bundle {
    /// Adds what a message says.
    pub(crate) fn add(&mut self, xid: Xid, change: Change) {
        match self.sheets.last_mut().filter(|sheet| sheet.len() < SHEET) {
            Some(sheet) => sheet.push((xid, change)),
            None => {
                let blank = BLANK.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let mut sheet = blank.unwrap_or_default();
                sheet.push((xid, change));
                self.sheets.push(sheet);
            }
        }
    }

    /// The changes.
    pub(crate) fn changes(&self) -> impl Iterator<Item = &Change> + Clone {
        self.sheets.iter().flatten().map(|(_, change)| change)
    }

    /// The message that the change at this place came by.
    pub(crate) fn xid(&self, place: usize) -> Xid {
        self.sheets[place / SHEET][place % SHEET].0
    }

    /// The message that the last change came by.
    pub(crate) fn last_xid(&self) -> Option<Xid> {
        Some(self.sheets.last()?.last()?.0)
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        if self.sheets.is_empty() {
            return;
        }
        self.sheets.iter_mut().for_each(Vec::clear);
        BLANK.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.sheets);
    }
}
