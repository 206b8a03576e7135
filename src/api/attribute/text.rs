//! Names and DNS names.

/// Longest DNS name, in bytes (RFC 1035, section 2.3.4, as Neutron bounds it).
const FQDN_MAX: usize = 255;

/// Whether a text is printable and neither begins nor ends with a space.
pub(super) fn is_name(text: &str) -> bool {
    let printable = |symbol: char| !symbol.is_control() && !matches!(symbol, '\u{2028}' | '\u{2029}');
    text.chars().all(printable) && !text.starts_with(char::is_whitespace) && !text.ends_with(char::is_whitespace)
}

/// Judges a host name, alone or with its domain (RFC 1123, section 2.1).
pub(super) fn dns(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Ok(());
    }
    let because = |reason: String| format!("'{name}' not a valid PQDN or FQDN. Reason: {reason}");
    let trimmed = name.strip_suffix('.').unwrap_or(name);
    if trimmed.len() > FQDN_MAX {
        return Err(because(format!("'{trimmed}' exceeds the {FQDN_MAX} character FQDN limit")));
    }
    let mut labels = 0;
    let mut last = "";
    for label in trimmed.split('.') {
        if label.is_empty() {
            return Err(because("Encountered an empty component".to_owned()));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(because(format!("Name '{label}' must not start or end with a hyphen")));
        }
        let fits = label.len() <= 63 && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !fits {
            return Err(because(format!(
                "Name '{label}' must be 1-63 characters long, each of which can only be alphanumeric or a hyphen"
            )));
        }
        labels += 1;
        last = label;
    }
    if labels > 1 && last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(because(format!("TLD '{last}' must not be all numeric")));
    }
    Ok(())
}

/// Judges a domain: fully qualified, with room for a name before it.
pub(super) fn dns_domain(domain: &str) -> Result<(), String> {
    if domain.is_empty() {
        return Ok(());
    }
    if !domain.ends_with('.') {
        return Err(format!("'{domain}' is not a FQDN"));
    }
    dns(domain)?;
    if domain.len() > FQDN_MAX - 2 {
        return Err(format!(
            "'{domain}' contains {} characters. Adding a sub-domain will cause it to exceed the maximum length of a FQDN of '{FQDN_MAX}'",
            domain.len()
        ));
    }
    Ok(())
}
