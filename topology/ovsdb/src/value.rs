//! Values of columns: atoms, sets and maps (RFC 7047, section 5.1).
//!
//! OVSDB writes a set of one element as the bare element, so a scalar *is* a set of one here.

use serde::de::{self, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::{SmallVec, smallvec};
use std::cmp::Ordering;
use std::fmt;
use uuid::Uuid;

/// The most elements taken from one set or map.
const MAX_ELEMENTS: usize = 1 << 20;

/// The type of an atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AtomKind {
    /// A 64-bit signed integer.
    Integer,
    /// A double.
    Real,
    /// True or false.
    Boolean,
    /// Text.
    String,
    /// The identity of a row, or a name standing for one within a transaction.
    Uuid,
}

impl fmt::Display for AtomKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Uuid => "uuid",
        })
    }
}

/// One indivisible value.
#[derive(Clone, Debug)]
pub enum Atom {
    /// A 64-bit signed integer.
    Integer(i64),
    /// A finite double.
    Real(f64),
    /// True or false.
    Boolean(bool),
    /// Text.
    String(String),
    /// The identity of a row.
    Uuid(Uuid),
    /// The row that an insert of the same transaction calls by this name.
    NamedUuid(String),
}

impl Atom {
    /// The type of the atom.
    pub const fn kind(&self) -> AtomKind {
        match self {
            Self::Integer(_) => AtomKind::Integer,
            Self::Real(_) => AtomKind::Real,
            Self::Boolean(_) => AtomKind::Boolean,
            Self::String(_) => AtomKind::String,
            Self::Uuid(_) | Self::NamedUuid(_) => AtomKind::Uuid,
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Integer(_) => 0,
            Self::Real(_) => 1,
            Self::Boolean(_) => 2,
            Self::String(_) => 3,
            Self::Uuid(_) => 4,
            Self::NamedUuid(_) => 5,
        }
    }
}

impl Ord for Atom {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(b),
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::String(a), Self::String(b)) | (Self::NamedUuid(a), Self::NamedUuid(b)) => a.cmp(b),
            (Self::Uuid(a), Self::Uuid(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Atom {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Atom {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Atom {}

impl From<i64> for Atom {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for Atom {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<&str> for Atom {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Atom {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Uuid> for Atom {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}

/// A set of atoms, sorted, without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Set(SmallVec<[Atom; 1]>);

impl Set {
    /// The elements in order.
    pub fn as_slice(&self) -> &[Atom] {
        &self.0
    }

    /// The elements in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Atom> {
        self.0.iter()
    }
}

impl<A: Into<Atom>> FromIterator<A> for Set {
    fn from_iter<I: IntoIterator<Item = A>>(atoms: I) -> Self {
        let mut atoms: SmallVec<[Atom; 1]> = atoms.into_iter().map(Into::into).collect();
        atoms.sort_unstable();
        atoms.dedup();
        Self(atoms)
    }
}

/// A map of atoms to atoms, sorted by key, each key once.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Map(Vec<(Atom, Atom)>);

impl Map {
    /// The pairs in the order of their keys.
    pub fn as_slice(&self) -> &[(Atom, Atom)] {
        &self.0
    }

    /// The pairs in the order of their keys.
    pub fn iter(&self) -> std::slice::Iter<'_, (Atom, Atom)> {
        self.0.iter()
    }
}

impl<K: Into<Atom>, V: Into<Atom>> FromIterator<(K, V)> for Map {
    /// Of several pairs with one key the first one stays.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut pairs: Vec<(Atom, Atom)> = pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, earlier| later.0 == earlier.0);
        Self(pairs)
    }
}

/// The value of a column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Datum {
    /// A set; a scalar is a set of one element, an absent optional value the empty set.
    Set(Set),
    /// A map.
    Map(Map),
}

/// A value of another type than expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct DatumError {
    /// What the column should hold.
    pub expected: &'static str,
    /// What was there instead.
    pub found: String,
}

impl Datum {
    /// The empty set: an optional value that is absent.
    pub fn empty() -> Self {
        Self::Set(Set(SmallVec::new()))
    }

    /// The empty map.
    pub const fn empty_map() -> Self {
        Self::Map(Map(Vec::new()))
    }

    /// A set of the given elements.
    pub fn set<A: Into<Atom>>(atoms: impl IntoIterator<Item = A>) -> Self {
        Self::Set(atoms.into_iter().collect())
    }

    /// A map of the given pairs.
    pub fn map<K: Into<Atom>, V: Into<Atom>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(pairs.into_iter().collect())
    }

    /// A reference to the row that an insert of the same transaction calls `name`.
    pub fn named(name: &str) -> Self {
        Atom::NamedUuid(name.to_owned()).into()
    }

    /// An absent or a present optional value.
    pub fn optional<A: Into<Atom>>(value: Option<A>) -> Self {
        Self::set(value)
    }

    /// The only element of a set of one.
    pub fn atom(&self) -> Option<&Atom> {
        match self {
            Self::Set(set) => match set.as_slice() {
                [atom] => Some(atom),
                _ => None,
            },
            Self::Map(_) => None,
        }
    }

    pub(crate) fn mismatch(&self, expected: &'static str) -> DatumError {
        let found = match self {
            Self::Map(map) => format!("a map of {}", map.0.len()),
            Self::Set(set) => match set.as_slice() {
                [] => "the empty set".to_owned(),
                [atom] => format!("a {}", atom.kind()),
                [first, ..] => format!("a set of {} {}s", set.0.len(), first.kind()),
            },
        };
        DatumError { expected, found }
    }
}

impl<A: Into<Atom>> From<A> for Datum {
    fn from(atom: A) -> Self {
        Self::Set(Set(smallvec![atom.into()]))
    }
}

impl Serialize for Atom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Real(value) => serializer.serialize_f64(*value),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::String(value) => serializer.serialize_str(value),
            Self::Uuid(uuid) => ("uuid", uuid).serialize(serializer),
            Self::NamedUuid(name) => ("named-uuid", name).serialize(serializer),
        }
    }
}

impl Serialize for Set {
    /// As `<set>`: a set of one element is the bare element.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_slice() {
            [atom] => atom.serialize(serializer),
            atoms => ("set", atoms).serialize(serializer),
        }
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_seq(Some(2))?;
        parts.serialize_element("map")?;
        parts.serialize_element(&self.0)?;
        parts.end()
    }
}

impl Serialize for Datum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Set(set) => set.serialize(serializer),
            Self::Map(map) => map.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Atom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AtomVisitor)
    }
}

struct AtomVisitor;

impl<'de> Visitor<'de> for AtomVisitor {
    type Value = Atom;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, a boolean, [\"uuid\", ...] or [\"named-uuid\", ...]")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Atom, E> {
        Ok(Atom::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Atom, E> {
        Ok(Atom::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Atom, E> {
        i64::try_from(value)
            .map(Atom::Integer)
            .map_err(|_| E::custom(format_args!("integer {value} exceeds 64 bits with sign")))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Atom, E> {
        Ok(Atom::Real(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Atom, E> {
        Ok(Atom::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Atom, A::Error> {
        let tag: Tag = next(&mut parts, "a tag")?;
        let atom = tag.atom(&mut parts)?;
        end(&mut parts)?;
        Ok(atom)
    }
}

impl<'de> Deserialize<'de> for Datum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DatumVisitor)
    }
}

struct DatumVisitor;

impl<'de> Visitor<'de> for DatumVisitor {
    type Value = Datum;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an atom, [\"set\", [...]] or [\"map\", [...]]")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Datum, E> {
        AtomVisitor.visit_bool(value).map(Datum::from)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Datum, E> {
        AtomVisitor.visit_i64(value).map(Datum::from)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Datum, E> {
        AtomVisitor.visit_u64(value).map(Datum::from)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Datum, E> {
        AtomVisitor.visit_f64(value).map(Datum::from)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Datum, E> {
        AtomVisitor.visit_str(value).map(Datum::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Datum, A::Error> {
        let datum = match next(&mut parts, "a tag")? {
            Tag::Set => Datum::Set(next::<_, Elements<Atom>>(&mut parts, "a list")?.into_set()),
            Tag::Map => {
                let pairs: Elements<(Atom, Atom)> = next(&mut parts, "a list of pairs")?;
                let count = pairs.0.len();
                let map: Map = pairs.0.into_iter().collect();
                if map.0.len() != count {
                    return Err(de::Error::custom("a map with a key twice"));
                }
                Datum::Map(map)
            }
            tag => tag.atom(&mut parts)?.into(),
        };
        end(&mut parts)?;
        Ok(datum)
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Tag {
    Set,
    Map,
    Uuid,
    NamedUuid,
}

impl Tag {
    fn atom<'de, A: SeqAccess<'de>>(self, parts: &mut A) -> Result<Atom, A::Error> {
        match self {
            Self::Uuid => Ok(Atom::Uuid(next(parts, "a uuid")?)),
            Self::NamedUuid => Ok(Atom::NamedUuid(next(parts, "a name")?)),
            Self::Set | Self::Map => Err(de::Error::custom("a set or map where an atom belongs")),
        }
    }
}

fn next<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(parts: &mut A, what: &str) -> Result<T, A::Error> {
    parts.next_element()?.ok_or_else(|| de::Error::custom(format_args!("{what} is missing")))
}

fn end<'de, A: SeqAccess<'de>>(parts: &mut A) -> Result<(), A::Error> {
    match parts.next_element::<de::IgnoredAny>()? {
        None => Ok(()),
        Some(_) => Err(de::Error::custom("more elements than a tagged value has")),
    }
}

/// A bounded list.
struct Elements<T>(Vec<T>);

impl Elements<Atom> {
    fn into_set(self) -> Set {
        self.0.into_iter().collect()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Elements<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementsVisitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ElementsVisitor<T> {
            type Value = Elements<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of elements")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = parts.next_element()? {
                    if elements.len() == MAX_ELEMENTS {
                        return Err(de::Error::custom("a set or map of too many elements"));
                    }
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }

        deserializer.deserialize_seq(ElementsVisitor(std::marker::PhantomData))
    }
}
