//! Drift as plain text and as Markdown.

use super::words::value;
use formwork_engine::drift::{Changed, Difference, Drift, What};
use std::fmt::Write as _;

pub(crate) fn text(drift: &Drift) -> String {
    let mut out = String::new();
    for difference in &drift.differences {
        let Difference { address, kind, id, .. } = difference;
        // Writing to a string has no way to fail.
        let _ = writeln!(out, "! {address} ({kind}) {id}");
        for line in lines(difference) {
            let _ = writeln!(out, "    {line}");
        }
    }
    for line in asides(drift) {
        let _ = writeln!(out, "? {line}");
    }
    let _ = writeln!(out, "{}: {}", drift.stack, summary(drift));
    out
}

pub(crate) fn markdown(drift: &Drift) -> String {
    let mut out = format!("### `{}`: {}\n", drift.stack, summary(drift));
    for difference in &drift.differences {
        let Difference { address, kind, id, .. } = difference;
        let _ = write!(out, "\n`{address}` ({kind}, `{id}`)\n\n```\n");
        for line in lines(difference) {
            let _ = writeln!(out, "{}", super::markdown::fenced(&line));
        }
        out.push_str("```\n");
    }
    for line in asides(drift) {
        let _ = write!(out, "\n> {}\n", super::markdown::fenced(&line));
    }
    out
}

fn summary(drift: &Drift) -> String {
    let differ = match drift.differences.len() {
        0 => "nothing differs".to_owned(),
        1 => "1 difference".to_owned(),
        many => format!("{many} differences"),
    };
    format!("{differ} ({} resources, {} reads)", drift.resources, drift.reads)
}

fn lines(difference: &Difference) -> Vec<String> {
    match &difference.what {
        What::Gone => vec!["it is gone".to_owned()],
        What::Deleting => vec!["somebody is deleting it".to_owned()],
        What::Failed(why) => vec![format!("the service says that it failed: {why}")],
        What::Twice(ids) => vec![format!("made beside it by the same call: {}", ids.join(", "))],
        What::Changed(changes) => changes.iter().map(change).collect(),
    }
}

fn change(change: &Changed) -> String {
    let side = |data: &Option<_>| data.as_ref().map_or_else(|| "nothing".to_owned(), value);
    let by: Vec<String> = change
        .by
        .iter()
        .map(|author| match &author.when {
            Some(when) => format!("{} at {when}", author.who),
            None => author.who.clone(),
        })
        .collect();
    let by = match by.is_empty() {
        true => String::new(),
        false => format!("  (by {})", by.join(", ")),
    };
    format!("{}: {} → {}{by}", change.path, side(&change.recorded), side(&change.found))
}

/// What is said beside the differences.
fn asides(drift: &Drift) -> impl Iterator<Item = String> {
    let unread =
        drift.not_observed.iter().map(|(address, why)| format!("{address}: not observed: {why}"));
    let unsettled = drift.unsettled.iter().map(|address| {
        format!(
            "{address}: a run that was cut off may have created it; the next apply finds out first"
        )
    });
    unread.chain(unsettled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use formwork_engine::{Author, Data};

    #[test]
    fn drift_reads_as_what_happened() {
        let changed = Changed {
            path: "size".to_owned(),
            recorded: Some(Data::from_json(&1.into())),
            found: Some(Data::from_json(&5.into())),
            by: vec![Author {
                who: "kubectl-scale".into(),
                when: Some("2026-01-02T00:00:00Z".into()),
            }],
        };
        let difference = |what| Difference {
            address: "prod/app".parse().unwrap(),
            kind: "kube.App".into(),
            id: "n/a".into(),
            what,
        };
        let drift = Drift {
            stack: "prod".into(),
            serial: 3,
            resources: 2,
            reads: 4,
            differences: vec![difference(What::Changed(vec![changed])), difference(What::Gone)],
            not_observed: [("prod/db".parse().unwrap(), "no way there".to_owned())].into(),
            unsettled: vec![],
        };
        let lines = "\
! prod/app (kube.App) n/a
    size: 1 → 5  (by kubectl-scale at 2026-01-02T00:00:00Z)
! prod/app (kube.App) n/a
    it is gone
? prod/db: not observed: no way there
prod: 2 differences (2 resources, 4 reads)
";
        assert_eq!(text(&drift), lines);
        let markdown = markdown(&drift);
        assert!(markdown.starts_with("### `prod`: 2 differences"));
        assert!(markdown.contains("\n```\nsize: 1 → 5  (by kubectl-scale"));
    }
}
