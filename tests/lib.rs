//! Test tiers of Weir; see the folders beside this file.
