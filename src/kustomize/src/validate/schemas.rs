//! The schemas of one Kubernetes version, unpacked as they are asked for.

use super::SchemaError;
use super::types::Type;
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

/// The first words of the stored text, which end in the format's number.
pub const HEADER: &str = "formwork-schemas 1";
/// Kubernetes' own schemas unpack to about half a megabyte.
const MAX_UNPACKED: usize = 64 << 20;
/// How many references may lead from one definition to the next.
const MAX_REFERENCES: usize = 32;

/// Read from an API server of that version by `formwork kube schemas`.
const STORED: &[u8] = include_bytes!("../../data/kubernetes-1.36.schemas");

/// The types of all kinds of one Kubernetes version.
///
/// Stored is a text: a header with the version, a line for each kind (`apps/v1 Deployment DEFINITION`), an empty line,
/// and a line for each definition (its name and JSON). A definition is read when an object needs it.
#[derive(Debug)]
pub struct Schemas {
    version: String,
    /// Definitions by API version and kind.
    kinds: HashMap<(String, String), usize>,
    groups: BTreeSet<String>,
    names: HashMap<String, usize>,
    definitions: Vec<Definition>,
}

#[derive(Debug)]
struct Definition {
    json: String,
    read: OnceLock<Type>,
}

impl Schemas {
    /// The schemas that are part of this program, unpacked once.
    pub fn stored() -> &'static Self {
        static UNPACKED: OnceLock<Schemas> = OnceLock::new();
        // A test reads every definition of what is stored.
        UNPACKED.get_or_init(|| Self::unpack(STORED).unwrap_or_else(|_| Self::empty()))
    }

    fn empty() -> Self {
        Self {
            version: String::new(),
            kinds: HashMap::new(),
            groups: BTreeSet::new(),
            names: HashMap::new(),
            definitions: Vec::new(),
        }
    }

    /// The Kubernetes version, such as `1.36`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Packs what an API server serves at `/openapi/v2`, for [`Schemas::unpack`].
    pub fn pack(openapi: &[u8]) -> Result<Vec<u8>, SchemaError> {
        super::pack::pack(openapi)
    }

    /// Reads what [`Schemas::pack`] has written.
    pub fn unpack(packed: &[u8]) -> Result<Self, SchemaError> {
        let bytes = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, MAX_UNPACKED)
            .map_err(|error| SchemaError::NotPacked(error.to_string()))?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| SchemaError::NotPacked("it isn't text".to_owned()))?;
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default();
        let Some(version) = header.strip_prefix(HEADER) else {
            return Err(SchemaError::NotPacked(format!("it doesn't begin with {HEADER:?}")));
        };
        let kinds: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let mut schemas = Self { version: version.trim().to_owned(), ..Self::empty() };
        for line in lines {
            let (name, json) = line.split_once(' ').unwrap_or((line, ""));
            schemas.names.insert(name.to_owned(), schemas.definitions.len());
            schemas.definitions.push(Definition { json: json.to_owned(), read: OnceLock::new() });
        }
        for line in kinds {
            let mut words = line.splitn(3, ' ').map(str::to_owned);
            let (Some(api_version), Some(kind), Some(name)) =
                (words.next(), words.next(), words.next())
            else {
                return Err(SchemaError::NotPacked(format!("{line:?} isn't a kind")));
            };
            let Some(&position) = schemas.names.get(&name) else {
                return Err(SchemaError::NotPacked(format!("{name} isn't defined")));
            };
            schemas.groups.insert(group_of(&api_version).to_owned());
            schemas.kinds.insert((api_version, kind), position);
        }
        Ok(schemas)
    }

    /// The type of a kind's objects.
    pub(super) fn of(&self, api_version: &str, kind: &str) -> Option<&Type> {
        let position = self.kinds.get(&(api_version.to_owned(), kind.to_owned()))?;
        Some(self.definitions[*position].get())
    }

    /// Whether this Kubernetes version serves kinds of that group itself.
    pub(super) fn has_group(&self, api_version: &str) -> bool {
        self.groups.contains(group_of(api_version))
    }

    /// Every kind: its API version and name.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        self.kinds.keys().map(|(api_version, kind)| (api_version.as_str(), kind.as_str()))
    }

    /// A definition by its name.
    pub(super) fn definition(&self, name: &str) -> Option<&Type> {
        Some(self.definitions[*self.names.get(name)?].get())
    }

    /// The type that a reference leads to; `None` where it leads nowhere.
    pub(super) fn follow<'a>(&'a self, mut kind: &'a Type) -> Option<&'a Type> {
        for _ in 0..MAX_REFERENCES {
            match &kind.reference {
                Some(name) => kind = self.definition(name)?,
                None => return Some(kind),
            }
        }
        None
    }

    /// Reads every definition; for a test of what is stored.
    #[cfg(test)]
    pub(super) fn read_all(&self) -> Result<usize, serde_json::Error> {
        self.definitions
            .iter()
            .try_for_each(|definition| serde_json::from_str::<Type>(&definition.json).map(drop))?;
        Ok(self.definitions.len())
    }
}

impl Definition {
    fn get(&self) -> &Type {
        // What can't be read lets everything through; a test holds that what is stored can be.
        self.read.get_or_init(|| serde_json::from_str(&self.json).unwrap_or_default())
    }
}

/// `apps` of `apps/v1`; empty for `v1`.
pub fn group_of(api_version: &str) -> &str {
    crate::id::split_api_version(api_version).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_stored_can_be_read() {
        let schemas = Schemas::stored();
        assert!(schemas.read_all().expect("each definition is JSON of a type") > 100);
        let kinds: Vec<(String, String)> = schemas.kinds.keys().cloned().collect();
        for (api_version, kind) in kinds {
            assert!(schemas.of(&api_version, &kind).is_some_and(|kind| !kind.is_free()), "{kind}");
        }
    }
}
