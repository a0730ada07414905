//! Making the text of a secret.

use formwork_engine::{Failure, Nested};
use rand::distr::{Distribution as _, slice::Choose};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The lengths that a text may have, in characters.
pub(super) const LENGTHS: std::ops::RangeInclusive<u32> = 8..=4096;

const LETTERS_AND_DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// None of `/ @ " '`, a backslash or a space, which RDS and connection URLs don't take.
const SYMBOLS: &str = "!#$%&()*+,-.:;<=>?[]^_{|}~";

/// How the text of a secret is made: characters drawn evenly, by the operating system's randomness.
#[derive(Nested, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generate {
    /// Characters, 8 to 4,096. A letter or digit is worth 5.95 bits.
    pub length: u32,
    /// Whether there may be symbols beside letters and digits. Default: no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbols: Option<bool>,
}

impl Generate {
    /// A new text. It is kept in memory only, and wiped from there when it is dropped.
    pub(super) fn text(&self) -> Result<SecretString, Failure> {
        let symbols = if self.symbols == Some(true) { SYMBOLS } else { "" };
        let alphabet: Vec<char> = LETTERS_AND_DIGITS.chars().chain(symbols.chars()).collect();
        let choose = Choose::new(&alphabet).map_err(|e| Failure::invalid(e.to_string()))?;
        let length = usize::try_from(self.length).map_err(|e| Failure::invalid(e.to_string()))?;
        // All the room at once: a text that grows leaves copies of its beginning behind.
        let mut text = String::with_capacity(length);
        let mut random = rand::rng();
        text.extend((0..length).map(|_| choose.sample(&mut random)));
        Ok(SecretString::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;
    use std::collections::BTreeMap;

    fn text(length: u32, symbols: Option<bool>) -> String {
        Generate { length, symbols }.text().unwrap().expose_secret().to_owned()
    }

    #[test]
    fn a_text_is_as_long_as_asked_and_of_its_alphabet() {
        assert_eq!(text(40, None).len(), 40);
        assert!(text(4096, None).chars().all(|c| c.is_ascii_alphanumeric()));
        let with_symbols = text(4096, Some(true));
        assert!(with_symbols.chars().any(|c| SYMBOLS.contains(c)));
        assert!(!with_symbols.contains(['/', '@', '"', '\'', '\\', ' ']));
        assert_ne!(text(40, None), text(40, None));
    }

    /// 62 characters 62,000 times: each 1,000 times, with a standard deviation of 31.
    #[test]
    fn each_character_is_as_likely_as_any_other() {
        let mut counts: BTreeMap<char, u32> = BTreeMap::new();
        for c in text(62_000, None).chars() {
            *counts.entry(c).or_default() += 1;
        }
        assert_eq!(counts.len(), 62);
        // Seven deviations: one run in 10^10 is out of it by chance.
        assert!(counts.values().all(|n| (780..=1220).contains(n)), "{counts:?}");
    }

    #[test]
    fn a_text_prints_as_nothing() {
        let made = Generate { length: 40, symbols: None }.text().unwrap();
        assert!(!format!("{made:?}").contains(made.expose_secret()));
    }
}
