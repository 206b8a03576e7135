//! Values of columns (RFC 7047, section 5.1). A scalar is a set of one element.

use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// One element of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Atom {
    /// A number without fraction.
    Integer(i64),
    /// Any number, by its bits so that it has an order.
    Real(u64),
    /// True or false.
    Boolean(bool),
    /// Text.
    String(String),
    /// The name of a row.
    Uuid(Uuid),
}

/// The value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Elements; one for a scalar.
    Set(BTreeSet<Atom>),
    /// Pairs.
    Map(BTreeMap<Atom, Atom>),
}

impl From<&str> for Atom {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<i64> for Atom {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl Atom {
    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Integer(number) => json!(number),
            Self::Real(bits) => json!(f64::from_bits(*bits)),
            Self::Boolean(value) => json!(value),
            Self::String(text) => json!(text),
            Self::Uuid(uuid) => json!(["uuid", uuid.to_string()]),
        }
    }

    /// The names of rows made in the same transaction are looked up in `names`.
    pub(super) fn from_json(json: &Json, names: &BTreeMap<String, Uuid>) -> Option<Self> {
        Some(match json {
            Json::Number(number) => match number.as_i64() {
                Some(number) => Self::Integer(number),
                None => Self::Real(number.as_f64()?.to_bits()),
            },
            Json::Bool(value) => Self::Boolean(*value),
            Json::String(text) => Self::String(text.clone()),
            Json::Array(pair) => match (pair.first()?.as_str()?, pair.get(1)?.as_str()?) {
                ("uuid", text) => Self::Uuid(Uuid::parse_str(text).ok()?),
                ("named-uuid", name) => Self::Uuid(*names.get(name)?),
                _ => return None,
            },
            Json::Null | Json::Object(_) => return None,
        })
    }
}

impl Value {
    /// One element.
    pub fn one(atom: impl Into<Atom>) -> Self {
        Self::Set(BTreeSet::from([atom.into()]))
    }

    /// No element.
    pub fn empty() -> Self {
        Self::Set(BTreeSet::new())
    }

    /// Pairs of texts.
    pub fn texts(pairs: &[(&str, &str)]) -> Self {
        Self::Map(pairs.iter().map(|(key, value)| (Atom::from(*key), Atom::from(*value))).collect())
    }

    /// The only element.
    pub fn atom(&self) -> Option<&Atom> {
        match self {
            Self::Set(set) if set.len() == 1 => set.first(),
            _ => None,
        }
    }

    /// The only element, a text.
    pub fn text(&self) -> Option<&str> {
        match self.atom()? {
            Atom::String(text) => Some(text),
            _ => None,
        }
    }

    /// The only element, a number.
    pub fn integer(&self) -> Option<i64> {
        match self.atom()? {
            Atom::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The rows that it names.
    pub fn uuids(&self) -> Vec<Uuid> {
        let atoms: Vec<&Atom> = match self {
            Self::Set(set) => set.iter().collect(),
            Self::Map(map) => map.iter().flat_map(|(key, value)| [key, value]).collect(),
        };
        atoms
            .into_iter()
            .filter_map(|atom| match atom {
                Atom::Uuid(uuid) => Some(*uuid),
                _ => None,
            })
            .collect()
    }

    /// The text under a key of a map.
    pub fn get(&self, key: &str) -> Option<&str> {
        match self {
            Self::Map(map) => match map.get(&Atom::from(key))? {
                Atom::String(text) => Some(text),
                _ => None,
            },
            Self::Set(_) => None,
        }
    }

    /// How many elements or pairs there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Set(set) => set.len(),
            Self::Map(map) => map.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Set(set) => match (set.len(), set.first()) {
                (1, Some(atom)) => atom.to_json(),
                _ => json!(["set", set.iter().map(Atom::to_json).collect::<Vec<_>>()]),
            },
            Self::Map(map) => {
                let pairs: Vec<Json> = map.iter().map(|(key, value)| json!([key.to_json(), value.to_json()])).collect();
                json!(["map", pairs])
            }
        }
    }

    pub(super) fn from_json(json: &Json, names: &BTreeMap<String, Uuid>) -> Option<Self> {
        let tagged = json.as_array().and_then(|array| Some((array.first()?.as_str()?, array.get(1)?)));
        match tagged {
            Some(("set", elements)) => {
                let atoms = elements.as_array()?.iter().map(|element| Atom::from_json(element, names));
                Some(Self::Set(atoms.collect::<Option<_>>()?))
            }
            Some(("map", pairs)) => {
                let pairs = pairs.as_array()?.iter().map(|pair| {
                    let key = Atom::from_json(pair.get(0)?, names)?;
                    Some((key, Atom::from_json(pair.get(1)?, names)?))
                });
                Some(Self::Map(pairs.collect::<Option<_>>()?))
            }
            _ => Some(Self::Set(BTreeSet::from([Atom::from_json(json, names)?]))),
        }
    }

    /// What a `modify` of an update2 carries for a column of several elements (ovsdb-server(7), 4.1.14): elements that
    /// came or went; pairs that came, went or, with their new value, changed.
    pub(super) fn difference(&self, after: &Self) -> Self {
        match (self, after) {
            (Self::Map(before), Self::Map(after)) => {
                let gone = before.iter().filter(|(key, _)| !after.contains_key(key));
                let come = after.iter().filter(|(key, value)| before.get(key) != Some(value));
                Self::Map(gone.chain(come).map(|(key, value)| (key.clone(), value.clone())).collect())
            }
            (Self::Set(before), Self::Set(after)) => Self::Set(before.symmetric_difference(after).cloned().collect()),
            _ => after.clone(),
        }
    }
}
