//! Progress for programs: each event a JSON object on a line.
//!
//! `event` says which it is; `address` is there always, the rest as the event has it. `at` is when, in RFC 3339.

use super::words::doing;
use formwork_engine::apply::{Event, Reporter};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub(super) struct Json;

impl Reporter for Json {
    fn report(&self, event: Event) {
        let mut line = object(event);
        if let Ok(at) = OffsetDateTime::now_utc().format(&Rfc3339) {
            line["at"] = at.into();
        }
        errln!("{line}");
    }
}

fn object(event: Event) -> Value {
    match event {
        Event::Started { address, action } => {
            json!({"event": "started", "address": address, "doing": doing(action)})
        }
        Event::Waiting { address, status } => {
            json!({"event": "waiting", "address": address, "status": status})
        }
        Event::Progress { address, progress } => {
            json!({"event": "progress", "address": address, "parts": progress.parts, "message": progress.message})
        }
        Event::Evidence { address, evidence } => {
            json!({"event": "evidence", "address": address, "text": evidence})
        }
        Event::Finished { address, .. } => json!({"event": "finished", "address": address}),
        Event::Differs { address, paths } => {
            json!({"event": "differs", "address": address, "paths": paths})
        }
        Event::Failed { address, failure } => {
            json!({"event": "failed", "address": address, "why": failure.to_string(), "hint": failure.hint})
        }
        Event::Skipped { address } => json!({"event": "skipped", "address": address}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use formwork_engine::{Part, Progress};

    #[test]
    fn an_event_says_what_it_is_and_of_what() {
        let address = "production/app".parse().unwrap();
        let part = Part { name: "Deployment web".into(), desired: 2, ..Part::default() };
        let progress = Progress { parts: vec![part], message: None };
        assert_eq!(
            object(Event::Progress { address, progress }),
            json!({"event": "progress", "address": "production/app", "parts": [{
                "name": "Deployment web", "done": false, "desired": 2, "updated": 0, "ready": 0, "restarts": 0,
            }], "message": null})
        );
    }
}
