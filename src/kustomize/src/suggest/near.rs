//! Suggestions: the name that was meant, and what there is instead.

/// More differences than this and the name was meant to be another one.
const MAX_DISTANCE: usize = 3;
/// Longer names are not compared letter by letter.
const MAX_LETTERS: usize = 128;
/// Shorter endings fit too many names.
const MIN_ENDING: usize = 3;
/// How many names are compared.
const MAX_CANDIDATES: usize = 10_000;
/// How many names are listed.
const MAX_LISTED: usize = 8;

/// The known name that is a few letters away.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let comparable = |known: &&str| known.len() <= MAX_LETTERS && name.len() <= MAX_LETTERS;
    let known: Vec<&str> = known.into_iter().take(MAX_CANDIDATES).filter(comparable).collect();
    let near = known.iter().map(|known| (distance(&name, &known.to_lowercase()), *known));
    let near = near.filter(|(distance, known)| {
        // Of a short name, three letters of difference leave nothing.
        *distance <= MAX_DISTANCE && *distance * 2 < name.len().max(known.len())
    });
    // `tag` for `newTag`: the end of a name is what one remembers.
    let ending = || {
        let long_enough = name.len() >= MIN_ENDING;
        known.iter().copied().find(|known| long_enough && known.to_lowercase().ends_with(&name))
    };
    near.min().map(|(_, known)| known).or_else(ending)
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

/// How many letters must be changed, added, taken out, or exchanged with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let change = above[j] + usize::from(x != y);
            let mut least = change.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}
