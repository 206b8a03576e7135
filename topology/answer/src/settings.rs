//! What the operator has configured of the answers.

/// What the operator has configured of the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Seconds that an address is given for; all ones for ever.
    pub dhcp_lease_s: u32,
    /// The domain of ports' names where their network has none of its own.
    pub dns_domain: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { dhcp_lease_s: 86_400, dns_domain: "openstacklocal.".to_owned() }
    }
}
