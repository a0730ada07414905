//! Physical names, derived from addresses.

use crate::Address;
use sha2::{Digest as _, Sha256};

/// Hexadecimal digits of the digest that replace the end of a name that is too long.
const DIGEST: usize = 8;

/// The name of a resource's n-th self, where one is created before the one before it is deleted: the
/// first has the derived name itself, each later one a number behind it.
pub fn generation_name(address: Address, longest: usize, generation: u32) -> String {
    if generation == 0 {
        return physical_name(address, longest);
    }
    let ending = format!("-g{generation}");
    format!("{}{ending}", physical_name(address, longest.saturating_sub(ending.len())))
}

/// `stack-name`, or where that is too long its beginning with a digest of the whole.
///
/// Two addresses never share a name: a cut one carries the digest of its whole address, and `a-b/c`
/// and `a/b-c` are told apart by the digest as well.
pub fn physical_name(address: Address, longest: usize) -> String {
    let whole = format!("{}-{}", address.stack(), address.name());
    // A name of the stack that has a dash could read as another stack's.
    let ambiguous = address.stack().contains('-');
    if whole.len() <= longest && !ambiguous {
        return whole;
    }
    let digest = hex::encode(Sha256::digest(address.to_string().as_bytes()));
    let digest = &digest[..DIGEST];
    let kept = whole.len().min(longest.saturating_sub(DIGEST + 1));
    format!("{}-{digest}", whole[..kept].trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_differ() {
        let name = |stack: &str, node: &str| physical_name(Address::new(stack, node).unwrap(), 32);
        assert_eq!(name("production", "db"), "production-db");
        assert_ne!(name("a-b", "c"), name("a", "b-c"));
        let long = name("production", "a-very-long-name-for-a-database");
        assert!(long.len() <= 32, "{long}");
        assert_ne!(long, name("production", "a-very-long-name-for-a-databases"));
        let second =
            generation_name("production/a-very-long-name-for-a-database".parse().unwrap(), 32, 1);
        assert!(second.len() <= 32 && second.ends_with("-g1") && second != long, "{second}");
    }
}
