//! Meters.

use crate::MeterId;

/// What a meter counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeterFlags {
    /// Rate in kilobits a second.
    pub kbps: bool,
    /// Rate in packets a second.
    pub pktps: bool,
    /// Bursts are honoured.
    pub burst: bool,
    /// Statistics are kept.
    pub stats: bool,
}

/// A band of a meter: drops what is over the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Band {
    /// Rate in the unit of the meter.
    pub rate: u32,
    /// Burst in kilobits or packets; without meaning, and 0 in the canonical form, unless the meter honours bursts.
    pub burst: u32,
}

/// A meter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Meter {
    /// Its number.
    pub id: MeterId,
    /// What it counts.
    pub flags: MeterFlags,
    /// Its bands.
    pub bands: Vec<Band>,
}

impl Meter {
    /// The form in which a switch hands the meter back: without bursts unless it honours them.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        if !self.flags.burst {
            self.bands.iter_mut().for_each(|band| band.burst = 0);
        }
        self
    }
}
