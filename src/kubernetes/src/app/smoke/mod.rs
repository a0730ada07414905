//! Smoke checks: whether what was deployed answers at its public address.

mod ask;

use crate::rollout::printable;
use ask::{Answer, ask};
use formwork_engine::{Data, Failure, Nested, Part, Progress};
use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Write as _},
    time::Duration,
};
use tokio::time::Instant;
use ureq::http::Uri;

/// The most checks of one App.
pub const MOST_CHECKS: usize = 20;
/// The longest patience of a check, in seconds.
pub const MOST_PATIENCE: u32 = 60 * 60;
/// Patience where a check doesn't say.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pauses after the first and later tries; the last one repeats.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// Bytes of a body that evidence shows.
const SHOWN: usize = 2 * 1024;
/// Headers that evidence shows: none of them holds anybody's credentials.
const SHOWN_HEADERS: &[&str] = &[
    "age",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "retry-after",
    "server",
    "via",
    "x-amz-cf-id",
    "x-amz-cf-pop",
    "x-amzn-trace-id",
    "x-cache",
    "x-request-id",
];

/// A request that has to be answered well after a deploy: a GET of a public address.
///
/// It is asked from where formwork runs, by the proxy in `HTTPS_PROXY` if there is one, and with the
/// certificates that this machine trusts. Redirects are followed, unless `status` is one.
#[derive(Nested, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The address, `https://shop.example/health`.
    pub url: String,
    /// The status that is expected: 200 by default.
    pub status: Option<u16>,
    /// A text that must be in the body, in its first mebibyte.
    pub body: Option<String>,
    /// How long it is tried again, in seconds: 60 by default, at most 3600.
    pub patience: Option<u32>,
}

/// A check that isn't passed.
#[derive(Debug)]
pub struct Missed {
    check: Check,
    wrong: String,
    answer: Answer,
    tries: u32,
}

/// The checks among an App's inputs.
pub fn of(inputs: &Data) -> Result<Vec<Check>, Failure> {
    let given = inputs.get("checks").filter(|given| **given != Data::Null);
    let checks: Option<Vec<Check>> = given
        .map(Data::parse)
        .transpose()
        .map_err(|error| Failure::invalid(format!("the field `checks` is bad: {error}")))?;
    let checks = checks.unwrap_or_default();
    if checks.len() > MOST_CHECKS {
        return Err(Failure::invalid(format!("{} checks are too many", checks.len()))
            .hint(format!("give at most {MOST_CHECKS}; one Job can check more")));
    }
    checks.iter().try_for_each(Check::refuse)?;
    Ok(checks)
}

/// Fails on checks that can't be passed, as far as they are known.
pub fn refuse(fields: &Data) -> Result<(), Failure> {
    match fields.get("checks") {
        Some(checks) if checks.unknowns().is_empty() => of(fields).map(drop),
        _ => Ok(()),
    }
}

/// Tries all checks side by side until they are passed or their patience is over; those that aren't passed.
pub async fn run(checks: &[Check], tell: &(dyn Fn(Progress) + Send + Sync)) -> Vec<Missed> {
    let all: Vec<_> = checks.iter().map(|check| check.run(tell)).collect();
    let missed: Vec<Option<Missed>> = stream::iter(all).buffered(MOST_CHECKS).collect().await;
    missed.into_iter().flatten().collect()
}

impl Check {
    fn refuse(&self) -> Result<(), Failure> {
        let bad = |why: &str| Failure::invalid(format!("the check {self}: {why}"));
        let uri: Uri = self.url.parse().map_err(|_| bad("that is no address"))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(Failure::invalid("the address of a check holds a user name")
                .hint("check an address that is public: what is kept of a deploy shows it"));
        }
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(bad("its address has to begin with https:// or http://"));
        }
        if self.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err(bad("`status` has to be from 200 to 599"));
        }
        if self.patience.is_some_and(|patience| patience > MOST_PATIENCE) {
            return Err(bad(&format!("`patience` can't be more than {MOST_PATIENCE} seconds")));
        }
        Ok(())
    }

    fn wanted_status(&self) -> u16 {
        self.status.unwrap_or(200)
    }

    async fn run(&self, tell: &(dyn Fn(Progress) + Send + Sync)) -> Option<Missed> {
        let patience = self.patience.map_or(PATIENCE, |given| Duration::from_secs(given.into()));
        let until = Instant::now() + patience;
        let (mut tries, mut told) = (0_u32, None);
        // As long as its patience: each try has a limit and is followed by a pause.
        loop {
            let answer = ask(self, until.saturating_duration_since(Instant::now())).await;
            let pause = PAUSES[PAUSES.len().min(tries as usize + 1) - 1];
            tries += 1;
            let wrong = self.wrong(&answer);
            if told.as_ref() != Some(&wrong) {
                tell(self.progress(wrong.clone()));
                told = Some(wrong.clone());
            }
            let wrong = wrong?;
            if Instant::now() + pause > until {
                return Some(Missed { check: self.clone(), wrong, answer, tries });
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// What is wrong with an answer, if anything.
    fn wrong(&self, answer: &Answer) -> Option<String> {
        let (status, body, broken) = match answer {
            Answer::None(why) => return Some(format!("no answer: {why}")),
            Answer::Given { status, body, broken, .. } => (*status, body, broken),
        };
        let wanted = self.wanted_status();
        if status != wanted {
            return Some(format!("answered {status}, not {wanted}"));
        }
        let text = self.body.as_ref().filter(|text| !contains(body, text.as_bytes()))?;
        Some(match broken {
            Some(why) => format!("answered {status}, and its body broke off: {why}"),
            None => format!("answered {status}, and its body doesn't have the text {text:?}"),
        })
    }

    fn progress(&self, wrong: Option<String>) -> Progress {
        let done = wrong.is_none();
        let part = Part {
            name: self.to_string(),
            done,
            desired: 1,
            updated: 1,
            ready: done.into(),
            restarts: 0,
            reason: wrong,
        };
        Progress { parts: vec![part], message: None }
    }
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

impl fmt::Display for Check {
    /// As it is asked, without its query: that is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GET {}", self.url.split(['?', '#']).next().unwrap_or_default())
    }
}

impl Missed {
    /// In one line.
    pub fn why(&self) -> String {
        format!("{}: {}", self.check, self.wrong)
    }
}

impl fmt::Display for Missed {
    /// The evidence: the last answer, without what could be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tries = match self.tries {
            1 => "1 try".to_owned(),
            tries => format!("{tries} tries"),
        };
        writeln!(f, "== {} ({tries})", self.why())?;
        let Answer::Given { headers, body, .. } = &self.answer else { return f.write_char('\n') };
        writeln!(f, "-- headers of the last answer")?;
        for (name, value) in headers {
            if SHOWN_HEADERS.contains(&name.as_str()) {
                writeln!(f, "{name}: {}", printable(value))?;
            }
        }
        writeln!(f, "-- its body, the first {SHOWN} bytes")?;
        let shown = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]);
        shown.lines().try_for_each(|line| writeln!(f, "{}", printable(line)))?;
        f.write_char('\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(url: &str) -> Check {
        Check { url: url.into(), status: None, body: None, patience: None }
    }

    fn given(status: u16, body: &str) -> Answer {
        Answer::Given { status, headers: vec![], body: body.into(), broken: None }
    }

    #[test]
    fn an_answer_is_held_to_status_and_body() {
        let wrong = |status: Option<u16>, body: Option<&str>, answer: Answer| {
            let body = body.map(str::to_owned);
            Check { status, body, ..check("https://a.example/") }.wrong(&answer)
        };
        assert_eq!(wrong(None, None, given(200, "")), None);
        assert_eq!(wrong(None, None, given(500, "")).unwrap(), "answered 500, not 200");
        assert_eq!(wrong(Some(301), None, given(301, "")), None);
        assert_eq!(wrong(Some(404), None, given(200, "")).unwrap(), "answered 200, not 404");
        assert_eq!(wrong(None, Some("shop"), given(200, "the shop is open")), None);
        assert_eq!(
            wrong(None, Some("shop"), given(200, "sorry")).unwrap(),
            r#"answered 200, and its body doesn't have the text "shop""#
        );
        assert_eq!(wrong(None, Some("shop"), given(503, "shop")).unwrap(), "answered 503, not 200");
        let broken = |body: &str| Answer::Given {
            status: 200,
            headers: vec![],
            body: body.into(),
            broken: Some("timeout".into()),
        };
        assert_eq!(wrong(None, Some("shop"), broken("the shop")), None);
        assert_eq!(
            wrong(None, Some("shop"), broken("the sh")).unwrap(),
            "answered 200, and its body broke off: timeout"
        );
        assert_eq!(
            wrong(None, None, Answer::None("connection refused".into())).unwrap(),
            "no answer: connection refused"
        );
    }

    #[test]
    fn a_check_that_can_not_be_passed_is_refused() {
        let refused = |field: serde_json::Value| {
            let found = of(&Data::from_json(&json!({"checks": [field]})));
            found.err().map(|failure| failure.message)
        };
        let url = "https://shop.example/health";
        assert_eq!(refused(json!({"url": url})), None);
        assert_eq!(refused(json!({"url": url, "status": 404, "patience": 0})), None);
        for (field, words) in [
            (json!({"url": "shop.example"}), "begin with https"),
            (json!({"url": "ftp://shop.example/"}), "begin with https"),
            (json!({"url": "no address"}), "no address"),
            (json!({"url": "https://ann:hunter2@shop.example/"}), "a user name"),
            (json!({"url": url, "status": 99}), "from 200 to 599"),
            (json!({"url": url, "patience": 3601}), "more than 3600"),
            (json!({"url": url, "status": "ok"}), "`checks` is bad"),
        ] {
            let message = refused(field).unwrap();
            assert!(message.contains(words), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
        let many = vec![json!({"url": url}); MOST_CHECKS + 1];
        of(&Data::from_json(&json!({"checks": many}))).unwrap_err();
        assert!(of(&Data::from_json(&json!({}))).unwrap().is_empty());
    }

    #[test]
    fn evidence_shows_the_answer_and_no_secret() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let long = format!("sor\u{1b}ry\n{}", "x".repeat(2 * SHOWN));
        let answer = Answer::Given {
            status: 500,
            headers: vec![
                header("content-type", "text/html"),
                header("set-cookie", "session=hunter2"),
                header("location", "/?token=hunter2"),
                header("x-api-key", "hunter2"),
            ],
            body: long.into(),
            broken: None,
        };
        let check = check("https://shop.example/a?token=hunter2");
        let wrong = check.wrong(&answer).unwrap();
        let missed = Missed { check: check.clone(), wrong, answer, tries: 3 };
        let expected = format!(
            "== GET https://shop.example/a: answered 500, not 200 (3 tries)\n-- headers of the last \
             answer\ncontent-type: text/html\n-- its body, the first 2048 bytes\nsorry\n{}\n\n",
            "x".repeat(SHOWN - "sor_ry\n".len())
        );
        assert_eq!(missed.to_string(), expected);
        let silent = Answer::None("connection refused".into());
        let wrong = check.wrong(&silent).unwrap();
        let missed = Missed { check, wrong, answer: silent, tries: 1 };
        assert_eq!(
            missed.to_string(),
            "== GET https://shop.example/a: no answer: connection refused (1 try)\n\n"
        );
    }
}
