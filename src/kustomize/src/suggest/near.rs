//! Suggestions: the name that was meant, and what there is instead.

/// More differences than this and the name was meant to be another one.
const MAX_DISTANCE: usize = 3;
/// Longer names are not compared letter by letter.
const MAX_LETTERS: usize = 128;
/// How many names are compared.
const MAX_CANDIDATES: usize = 10_000;
/// How many names are listed.
const MAX_LISTED: usize = 8;

/// The known name that is a few letters away.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let comparable = |known: &&str| known.len() <= MAX_LETTERS && name.len() <= MAX_LETTERS;
    let near = known.into_iter().take(MAX_CANDIDATES).filter(comparable);
    let near = near.map(|known| (distance(&name, &known.to_lowercase()), known));
    near.filter(|(distance, known)| {
        // Of a short name, three letters of difference leave nothing.
        *distance <= MAX_DISTANCE && *distance * 2 < name.len().max(known.len())
    })
    .min()
    .map(|(_, known)| known)
}

/// `a, b, c and 4 more`; `None` where there is nothing.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(MAX_LISTED);
    names.truncate(MAX_LISTED);
    match (names.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(names.join(", ")),
        (false, more) => Some(format!("{} and {more} more", names.join(", "))),
    }
}

/// How many letters must be changed, added or taken out.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
