//! The query of a list: filters, fields, order and page.

use super::attribute::{Attribute, Table, Wanted, find, list};
use super::fault::Fault;
use std::borrow::Cow;

/// Most parameters of one query.
const MAX_PARAMETERS: usize = 4096;

/// The parameters of a query, decoded, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// Reads the part of the URI after the question mark.
    ///
    /// # Errors
    /// 400 when it is not UTF-8 or too long.
    pub(crate) fn read(query: Option<&'a str>) -> Result<Self, Fault> {
        let mut parameters = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            if parameters.len() == MAX_PARAMETERS {
                return Err(Fault::bad_request(format!("A query has at most {MAX_PARAMETERS} parameters.")));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.push((form(name)?, form(value)?));
        }
        Ok(Self(parameters))
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_ref())
    }

    fn last(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }
}

/// Decodes a part of a query, where `+` is a space.
fn form(text: &str) -> Result<Cow<'_, str>, Fault> {
    if text.contains('+') { Ok(Cow::Owned(decoded(&text.replace('+', " "))?.into_owned())) } else { decoded(text) }
}

/// Decodes `%xx`.
///
/// # Errors
/// 400 when the bytes are not UTF-8.
pub(crate) fn decoded(text: &str) -> Result<Cow<'_, str>, Fault> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Fault::bad_request("The URL is not UTF-8."))
}

/// Encodes as Python's `quote_plus` does.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                out.push('%');
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
}

/// Attributes, and for each the values of which it must have one.
type Filters<R> = Vec<(&'static Attribute<R>, Vec<Wanted>)>;

/// What a list is asked for.
pub(crate) struct Query<R: 'static> {
    /// Attributes and the values of which one must be met.
    pub(crate) filters: Filters<R>,
    /// Attributes to show; all when empty.
    pub(crate) fields: Vec<String>,
    /// Attributes to sort by, and whether ascending.
    pub(crate) sorts: Vec<(&'static Attribute<R>, bool)>,
    /// Objects on a page; `None` for all.
    pub(crate) limit: Option<usize>,
    /// The id of the last object of the page before.
    pub(crate) marker: Option<String>,
    /// Whether the page before the marker is meant.
    pub(crate) reverse: bool,
}

impl<R> Query<R> {
    /// Understands the parameters of a list.
    ///
    /// # Errors
    /// 400 for what the table does not have or a value that cannot be.
    pub(crate) fn read(table: Table<R>, parameters: &Parameters<'_>) -> Result<Self, Fault> {
        let limit = match parameters.last("limit") {
            None => 0,
            Some(text) => text.trim().parse::<usize>().map_err(|_| {
                Fault::bad_part("limit", format_args!("Limit must be an integer 0 or greater and not '{text}'"))
            })?,
        };
        Ok(Self {
            filters: filters(table, parameters)?,
            fields: fields(parameters),
            sorts: sorts(table, parameters)?,
            limit: (limit > 0).then_some(limit),
            marker: parameters.last("marker").map(str::to_owned),
            reverse: parameters.last("page_reverse").is_some_and(|text| text.eq_ignore_ascii_case("true")),
        })
    }

    /// Whether an object passes every filter.
    pub(crate) fn passes(&self, object: &R, view: &super::view::View<'_>) -> bool {
        self.filters.iter().all(|(attribute, wanted)| {
            let shown = (attribute.read)(object, view);
            wanted.iter().any(|wanted| shown.is(wanted))
        })
    }

    /// The one value of a filter, if it has just one.
    pub(crate) fn only(&self, name: &str) -> Option<&Wanted> {
        let (_, wanted) = self.filters.iter().find(|(attribute, _)| attribute.name == name)?;
        match wanted.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The one project whose objects are asked for, under either of its names.
    pub(crate) fn project(&self) -> Option<&str> {
        match self.only("project_id").or_else(|| self.only("tenant_id")) {
            Some(Wanted::Text(project)) => Some(project),
            _ => None,
        }
    }
}

/// The attributes to show; `project_id` and `tenant_id` come together.
pub(crate) fn fields(parameters: &Parameters<'_>) -> Vec<String> {
    let mut fields: Vec<String> = parameters.all("fields").filter(|name| !name.is_empty()).map(str::to_owned).collect();
    for (one, other) in [("project_id", "tenant_id"), ("tenant_id", "project_id")] {
        if fields.iter().any(|name| name == one) && !fields.iter().any(|name| name == other) {
            fields.push(other.to_owned());
        }
    }
    fields
}

fn filters<R>(table: Table<R>, parameters: &Parameters<'_>) -> Result<Filters<R>, Fault> {
    const OTHERS: [&str; 6] = ["fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"];
    let mut values: Vec<(&'static Attribute<R>, crate::api::attribute::Filter, Vec<&str>)> = Vec::new();
    let mut unknown: Vec<&str> = Vec::new();
    for (name, value) in parameters.0.iter().filter(|(name, _)| !OTHERS.contains(&name.as_ref())) {
        match find(table, name).and_then(|attribute| Some((attribute, attribute.filter?))) {
            None if unknown.contains(&name.as_ref()) => {}
            None => unknown.push(name),
            Some((attribute, filter)) => match values.iter_mut().find(|(known, ..)| known.name == attribute.name) {
                Some((.., values)) => values.push(value),
                None => values.push((attribute, filter, vec![value])),
            },
        }
    }
    if !unknown.is_empty() {
        return Err(Fault::bad_request(format!("{} is invalid attribute for filtering", list(unknown))));
    }
    values.into_iter().map(|(attribute, filter, values)| Ok((attribute, filter.read(&values)?))).collect()
}

fn sorts<R>(table: Table<R>, parameters: &Parameters<'_>) -> Result<Vec<(&'static Attribute<R>, bool)>, Fault> {
    let keys: Vec<&str> = parameters.all("sort_key").filter(|key| !key.is_empty()).collect();
    let directions: Vec<&str> = parameters.all("sort_dir").filter(|direction| !direction.is_empty()).collect();
    if keys.len() != directions.len() {
        return Err(Fault::bad_request("The number of sort_keys and sort_dirs must be same"));
    }
    let known = |key: &str| find(table, key).filter(|attribute| attribute.sort);
    let unknown: Vec<&str> = keys.iter().copied().filter(|key| known(key).is_none()).collect();
    if !unknown.is_empty() {
        return Err(Fault::bad_request(format!("{} is invalid attribute for sort_keys", list(unknown))));
    }
    let wrong: Vec<&str> = directions.iter().copied().filter(|it| !matches!(*it, "asc" | "desc")).collect();
    if !wrong.is_empty() {
        return Err(Fault::bad_request(format!(
            "{} is invalid value for sort_dirs, valid value is 'asc' and 'desc'",
            list(wrong)
        )));
    }
    Ok(keys.into_iter().filter_map(known).zip(directions.into_iter().map(|direction| direction == "asc")).collect())
}

/// Where the next or the previous page is.
pub(crate) fn link(url: &str, parameters: &Parameters<'_>, marker: Option<&str>, reverse: bool) -> String {
    let mut link = String::with_capacity(url.len() + 64);
    link.push_str(url);
    let mut separator = '?';
    let mut add = |name: &str, value: &str| {
        link.push(separator);
        separator = '&';
        encode(name, &mut link);
        link.push('=');
        encode(value, &mut link);
    };
    for (name, value) in &parameters.0 {
        if !matches!(name.as_ref(), "marker" | "page_reverse") {
            add(name, value);
        }
    }
    if let Some(marker) = marker {
        add("marker", marker);
    }
    if reverse {
        add("page_reverse", "True");
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let read = |query| Parameters::read(Some(query)).unwrap();
        let parameters = read("name=a%20b+c&name=%C3%A9&x&%zz=1&=2");
        assert_eq!(parameters.all("name").collect::<Vec<_>>(), ["a b c", "é"]);
        assert_eq!(parameters.last("x"), Some(""));
        assert_eq!(parameters.last("%zz"), Some("1"));
        assert_eq!(parameters.last(""), Some("2"));
        assert!(Parameters::read(Some("a=%ff")).is_err());
        let many = "a&".repeat(MAX_PARAMETERS + 1);
        assert!(Parameters::read(Some(&many)).is_err());
    }

    #[test]
    fn links_keep_the_other_parameters() {
        let parameters = Parameters::read(Some("limit=2&name=a%2Fb+c&marker=x&page_reverse=True")).unwrap();
        assert_eq!(
            link("http://h/v2.0/networks", &parameters, Some("y"), false),
            "http://h/v2.0/networks?limit=2&name=a%2Fb+c&marker=y"
        );
        assert_eq!(
            link("http://h/v2.0/networks", &parameters, None, true),
            "http://h/v2.0/networks?limit=2&name=a%2Fb+c&page_reverse=True"
        );
    }

    #[test]
    fn projects_are_asked_for_under_both_names() {
        let parameters = Parameters::read(Some("fields=id&fields=tenant_id&fields=")).unwrap();
        assert_eq!(fields(&parameters), ["id", "tenant_id", "project_id"]);
    }
}
