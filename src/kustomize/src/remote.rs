//! Bases in Git repositories: which paths are URLs, and what they point to.

use std::time::Duration;

/// A repository, a reference and a directory in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    pub raw: String,
    /// What `git clone` takes.
    pub clone_url: String,
    /// A branch, a tag or a commit; empty for the default branch.
    pub reference: String,
    /// The directory in the repository, empty for its root.
    pub directory: String,
    pub submodules: bool,
    /// How long fetching it may take, where the URL says (`?timeout=90` or `?timeout=1m30s`).
    pub timeout: Option<Duration>,
}

/// Endings of URLs that are files, not repositories.
const FILE_ENDINGS: &[&str] = &[".yaml", ".yml", ".json"];
/// Parts of URLs that only repositories have.
const REPOSITORY_MARKS: &[&str] = &[".git/", "_git/", "?ref=", "&ref=", "?version=", "&version="];

/// Whether a name is a URL, not a path.
pub fn is_url(name: &str) -> bool {
    name.starts_with("https://") || name.starts_with("http://")
}

/// Whether a URL is that of one file: `https://example.com/install.yaml`.
///
/// kustomize asks the server first, and takes what isn't objects for a repository; the same URL always means the same here.
pub fn is_file(raw: &str) -> bool {
    let Some(rest) = raw.strip_prefix("https://").or_else(|| raw.strip_prefix("http://")) else {
        return false;
    };
    let path = rest.split('?').next().unwrap_or(rest);
    FILE_ENDINGS.iter().any(|ending| path.ends_with(ending))
        && !rest.contains("//")
        && !REPOSITORY_MARKS.iter().any(|mark| raw.contains(mark))
}

const SCHEMES: &[&str] = &["ssh://", "https://", "http://", "file://"];

impl Repository {
    /// Reads a path that is a repository's URL; `None` for ordinary paths.
    pub fn parse(raw: &str) -> Option<Self> {
        if raw.starts_with('/') || is_file(raw) {
            return None;
        }
        let (body, query) = raw.split_once('?').unwrap_or((raw, ""));
        let body = strip_prefix_any_case(body, "git::").unwrap_or(body);
        let scheme = SCHEMES.iter().find(|scheme| strip_prefix_any_case(body, scheme).is_some());
        let rest = scheme.and_then(|scheme| strip_prefix_any_case(body, scheme)).unwrap_or(body);
        let (user, rest) = split_user(rest);
        let lower = rest.to_ascii_lowercase();
        let is_github = lower.starts_with("github.com/") || lower.starts_with("github.com:");
        let scp_style = scheme.is_none() && (!user.is_empty() || is_github);
        if scheme.is_none() && !scp_style {
            return None;
        }
        let scheme = scheme.copied().unwrap_or("");
        let (host, path, default_length) = if scheme == "file://" {
            (scheme.to_owned(), format!("{user}{rest}"), usize::MAX)
        } else {
            let slash = rest.find('/');
            let colon = rest.find(':').filter(|at| scp_style && *at > 0);
            let end = match (slash, colon) {
                (Some(slash), Some(colon)) => Some(slash.min(colon)),
                (slash, colon) => slash.or(colon),
            };
            let (host, path) = end.map_or((rest, ""), |at| rest.split_at(at + 1));
            let host = match (is_github, scheme == "ssh://" || !user.is_empty()) {
                (true, true) => format!("{user}github.com:"),
                (true, false) => "https://github.com/".to_owned(),
                (false, _) => format!("{scheme}{user}{host}"),
            };
            (host, path.to_owned(), 2)
        };
        let (repository, directory) = split_repository(&path, default_length)?;
        let directory = directory.trim_start_matches('/');
        if repository.is_empty() || directory.split('/').next() == Some("..") {
            return None;
        }
        let value = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .filter(|(key, value)| *key == name && !value.is_empty())
                .map(|(_, value)| value.to_owned())
                .next()
        };
        Some(Self {
            raw: raw.to_owned(),
            clone_url: format!("{host}{repository}"),
            reference: value("ref").or_else(|| value("version")).unwrap_or_default(),
            directory: directory.to_owned(),
            submodules: value("submodules").is_none_or(|value| value != "false" && value != "0"),
            timeout: value("timeout").and_then(|text| duration(&text)),
        })
    }
}

/// Seconds, or a duration as Go writes it in whole hours, minutes and seconds; nothing for zero.
fn duration(text: &str) -> Option<Duration> {
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let mut rest = text;
            let mut sum = 0u64;
            while !rest.is_empty() {
                let digits = rest.find(|c: char| !c.is_ascii_digit())?;
                let count: u64 = rest[..digits].parse().ok()?;
                let seconds = match rest.as_bytes().get(digits)? {
                    b'h' => 3600,
                    b'm' => 60,
                    b's' => 1,
                    _ => return None,
                };
                sum = sum.checked_add(count.checked_mul(seconds)?)?;
                rest = &rest[digits + 1..];
            }
            sum
        }
    };
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

fn strip_prefix_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// A user name before an `@`, the sign included.
fn split_user(text: &str) -> (&str, &str) {
    match text.split_once('@') {
        Some((user, _))
            if user.starts_with(|c: char| c.is_ascii_alphabetic())
                && user.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') =>
        {
            text.split_at(user.len() + 1)
        }
        _ => ("", text),
    }
}

/// The repository's path and the directory in it: split at `_git/`, `//`, `.git`, or after two names.
fn split_repository(path: &str, default_length: usize) -> Option<(String, String)> {
    const AZURE: &str = "_git/";
    if let Some(at) = path.find(AZURE) {
        let (before, after) = path.split_at(at + AZURE.len());
        let (name, directory) = after.split_once('/').unwrap_or((after, ""));
        return Some((format!("{before}{name}"), directory.to_owned()));
    }
    if let Some((repository, directory)) = path.split_once("//") {
        return Some((repository.to_owned(), directory.to_owned()));
    }
    if let Some(at) = path.find(".git") {
        let (repository, directory) = path.split_at(at + ".git".len());
        return Some((repository.to_owned(), directory.to_owned()));
    }
    if default_length == usize::MAX {
        return Some((path.to_owned(), String::new()));
    }
    let parts: Vec<&str> = path.split('/').collect();
    if parts.len() < default_length {
        return None;
    }
    Some((parts[..default_length].join("/"), parts[default_length..].join("/")))
}

#[cfg(test)]
mod tests {
    use super::{Repository, duration, is_file};
    use std::time::Duration;

    #[test]
    fn urls_of_files_are_told_from_repositories() {
        for file in [
            "https://example.com/install.yaml",
            "https://raw.githubusercontent.com/o/r/main/deploy/a.yml",
            "https://github.com/o/r/releases/download/v1/install.yaml",
            "http://example.com/a.json?token=1",
        ] {
            assert!(is_file(file), "{file}");
            assert_eq!(Repository::parse(file), None, "{file}");
        }
        for repository in [
            "https://github.com/o/r//deploy?ref=v1",
            "https://github.com/o/r.git/deploy/a.yaml",
            "https://github.com/o/r/a.yaml?ref=v1",
            "git@github.com:o/r.git",
            "ssh://git@example.com/o/r",
            "github.com/o/r/deploy",
        ] {
            assert!(!is_file(repository), "{repository}");
            assert!(Repository::parse(repository).is_some(), "{repository}");
        }
        assert_eq!(Repository::parse("base/install.yaml"), None);
    }

    #[test]
    fn a_url_may_say_how_long_it_may_take() {
        let timeout = |url| Repository::parse(url).and_then(|repository| repository.timeout);
        assert_eq!(timeout("https://github.com/o/r?timeout=90"), Some(Duration::from_secs(90)));
        assert_eq!(timeout("https://github.com/o/r?timeout=1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(timeout("https://github.com/o/r?ref=main"), None);
        for wrong in ["", "0", "0s", "m", "5x", "99999999999999999999h", "18446744073709551615h"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}
