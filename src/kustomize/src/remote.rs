//! Bases in Git repositories: which paths are URLs, and what they point to.

/// A repository, a reference and a directory in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryUrl {
    pub raw: String,
    /// What `git clone` takes.
    pub clone_url: String,
    /// A branch, a tag or a commit; empty for the default branch.
    pub reference: String,
    /// The directory in the repository, empty for its root.
    pub directory: String,
    pub submodules: bool,
}

const SCHEMES: &[&str] = &["ssh://", "https://", "http://", "file://"];

impl RepositoryUrl {
    /// Reads a path that is a repository's URL; `None` for ordinary paths.
    pub fn parse(raw: &str) -> Option<Self> {
        if raw.starts_with('/') {
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
        })
    }
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
