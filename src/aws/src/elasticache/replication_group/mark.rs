//! The marks of ownership in a replication group's description.
//!
//! ElastiCache tells a group's tags only while it is available, which a new one isn't for ten minutes.
//! Its description is told from the first moment: so a creation that was cut off is known again.

use formwork_engine::Owner;

const WORDS: [&str; 3] = ["formwork", "lineage", "intent"];

/// The description of a group: `formwork <address> lineage <lineage> intent <intent>`.
pub(super) fn written(owner: &Owner) -> String {
    let [formwork, lineage, intent] = WORDS;
    format!("{formwork} {} {lineage} {} {intent} {}", owner.address, owner.lineage, owner.intent)
}

/// The owner that a description names, if it is one of ours.
pub(super) fn read(description: &str) -> Option<Owner> {
    let parts: Vec<&str> = description.split(' ').collect();
    let &[formwork, address, lineage_word, lineage, intent_word, intent] = &*parts else {
        return None;
    };
    let ours = [formwork, lineage_word, intent_word] == WORDS;
    let address = address.parse().ok().filter(|_| ours)?;
    Some(Owner { lineage: lineage.to_owned(), address, intent: intent.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest description that ElastiCache takes.
    const LONGEST: usize = 255;

    #[test]
    fn what_is_written_is_read_back_and_fits() {
        let uuid = "0".repeat(36);
        let address = format!("{0}/{0}", "a".repeat(formwork_engine::MAX_NAME)).parse().unwrap();
        let owner = Owner { lineage: uuid.clone(), address, intent: uuid };
        let text = written(&owner);
        assert_eq!(read(&text), Some(owner));
        assert!(text.len() <= LONGEST, "{}", text.len());
    }

    #[test]
    fn other_descriptions_name_nobody() {
        for text in ["", "sessions", "formwork s/a lineage l", "terraform s/a lineage l intent i"] {
            assert_eq!(read(text), None);
        }
    }
}
