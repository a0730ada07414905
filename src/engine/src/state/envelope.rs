//! The envelope of everything that is kept: a header line that says what it is, then the content.
//!
//! The header names the kind of content and its format, who wrote it and when, and the SHA-256 of what
//! follows, so that damage shows before anything is made of it. The content may be sealed.

use super::{Seal, SealError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The longest header that is looked for.
const LONGEST_HEADER: usize = 4096;

/// What stands before the content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// What the content is: `state`, `journal`, `plan`.
    pub formwork: String,
    /// The version of the content's form.
    pub format: u32,
    /// Who wrote it: user, host and run.
    pub by: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// Unique to this write.
    pub id: String,
    /// How the content is sealed, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// The digest of all the rest: this header, with this field empty, and the content as it stands in
    /// the file.
    pub sha256: String,
}

impl Header {
    fn digest(&self, content: &[u8]) -> Result<String, EnvelopeError> {
        let bare = Self { sha256: String::new(), ..self.clone() };
        Ok(hex::encode(
            Sha256::new().chain_update(bare.to_line()?).chain_update(content).finalize(),
        ))
    }

    fn to_line(&self) -> Result<Vec<u8>, EnvelopeError> {
        let json = serde_json::to_vec(self);
        let mut line = json.map_err(|error| EnvelopeError::Header(error.to_string()))?;
        line.push(b'\n');
        Ok(line)
    }
}

/// What is wrong with something that was kept.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    #[error("it is empty")]
    Empty,
    #[error("it has no readable header: {0}")]
    Header(String),
    #[error("it has format {0}, which is of a later program")]
    Future(u32),
    #[error("it is a {found}, not a {wanted}")]
    Other { found: String, wanted: &'static str },
    #[error("it doesn't have the digest that its header says: it was cut off or changed")]
    Digest,
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Puts content into an envelope.
pub fn wrap(
    what: &str,
    format: u32,
    by: &str,
    content: Vec<u8>,
    seal: Option<&Seal>,
) -> Result<(Header, Vec<u8>), EnvelopeError> {
    let (sealed, content) = match seal {
        Some(seal) => (Some(seal.name().to_owned()), seal.close(&content)?),
        None => (None, content),
    };
    let bare = Header {
        formwork: what.to_owned(),
        format,
        by: by.to_owned(),
        at: time::OffsetDateTime::now_utc().unix_timestamp(),
        id: uuid::Uuid::now_v7().to_string(),
        sealed,
        sha256: String::new(),
    };
    let header = Header { sha256: bare.digest(&content)?, ..bare };
    let mut bytes = header.to_line()?;
    bytes.extend(content);
    Ok((header, bytes))
}

/// The header and the content as it stands in the file, undamaged; `newest` is the last format that is
/// known.
pub fn open<'b>(
    what: &'static str,
    newest: u32,
    bytes: &'b [u8],
) -> Result<(Header, &'b [u8]), EnvelopeError> {
    if bytes.is_empty() {
        return Err(EnvelopeError::Empty);
    }
    let end = bytes.iter().take(LONGEST_HEADER).position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| EnvelopeError::Header("it has no first line".into()))?;
    let (head, content) = (&bytes[..end], &bytes[end + 1..]);
    let unreadable = |error: serde_json::Error| {
        EnvelopeError::Header(format!("column {}: {error}", error.column()))
    };
    let json: serde_json::Value = serde_json::from_slice(head).map_err(unreadable)?;
    // A later header may have other fields, so this comes before all else.
    let format = json.get("format").and_then(serde_json::Value::as_u64);
    if let Some(format) = format.filter(|format| *format > u64::from(newest)) {
        return Err(EnvelopeError::Future(u32::try_from(format).unwrap_or(u32::MAX)));
    }
    let header: Header = serde_json::from_slice(head).map_err(unreadable)?;
    if header.formwork != what {
        return Err(EnvelopeError::Other { found: header.formwork, wanted: what });
    }
    if header.sha256 != header.digest(content)? {
        return Err(EnvelopeError::Digest);
    }
    Ok((header, content))
}

/// The content in the clear.
pub fn unseal(
    header: &Header,
    content: &[u8],
    seal: Option<&Seal>,
) -> Result<Vec<u8>, EnvelopeError> {
    match (&header.sealed, seal) {
        (None, _) => Ok(content.to_vec()),
        (Some(_), Some(seal)) => Ok(seal.open(content)?),
        (Some(how), None) => Err(SealError::NoKey(how.clone()).into()),
    }
}
