//! Ignoring a finding, with a reason.

use super::all;

fn pod(name: &str, annotation: &str) -> String {
    let text = serde_json::Value::from(annotation).to_string();
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{formwork.dev/ignore: {text}}}}}\nspec: {{containers: [{{name: b, image: web}}]}}\n---\n"
    )
}

const AT: &str = "metadata.annotations[\"formwork.dev/ignore\"]";
const IMAGE: &str = "FWK113 Pod a: spec.containers[0].image: web has no tag, so it is `latest`";
const REQUESTS: &str =
    "FWK112 Pod a: spec.containers[0].resources: container b requests no cpu and no memory";

#[test]
fn with_a_reason_a_finding_is_left_out() {
    assert_eq!(all(&pod("a", "")), [REQUESTS, IMAGE]);
    assert_eq!(all(&pod("a", "FWK113 built on the node itself")), [REQUESTS]);
    assert_eq!(all(&pod("a", "FWK113: built on the node itself")), [REQUESTS]);
    assert!(all(&pod("a", "FWK113 built on the node; FWK112 a toy")).is_empty());
    assert!(all(&pod("a", "FWK113 built on the node\nFWK112 a toy\n")).is_empty());
}

#[test]
fn without_a_reason_it_is_an_error() {
    for text in ["FWK113", "FWK113  ", "FWK113:", "FWK112 a toy; FWK113"] {
        let found = all(&pod("a", text));
        let expected = format!(
            "FWK091 Pod a: {AT}: FWK113 is ignored without a reason | write why after the code: `FWK113 because …`"
        );
        assert!(found.contains(&expected) && found.contains(&IMAGE.to_owned()), "{found:#?}");
    }
}

#[test]
fn unknown_codes_and_refusals_cannot_be_ignored() {
    let found = all(&pod("a", "FWK999 because"));
    let expected = format!(
        "FWK091 Pod a: {AT}: \"FWK999\" is no code of a check | `formwork kube checks` lists them"
    );
    assert!(found.contains(&expected), "{found:#?}");
    let found = all(&pod("a", "FWK001 because"));
    let expected = format!(
        "FWK091 Pod a: {AT}: FWK001 (unknown field) can't be ignored: the API server refuses it"
    );
    assert!(found.contains(&expected), "{found:#?}");
}

#[test]
fn what_is_of_no_use_is_said_once() {
    let stale = "FWK104 the queue has one reader";
    let expected = format!("FWK092 Pod a: {AT}: FWK104 doesn't find anything here");
    let found = all(&(pod("a", stale) + &pod("b", stale)));
    assert_eq!(
        found.iter().filter(|line| line.starts_with("FWK092")).collect::<Vec<_>>(),
        [&expected]
    );
    // One annotation for all objects, as `commonAnnotations` makes it, is of use if one object needs it.
    let common = pod("a", "FWK113 built here")
        + &pod("b", "FWK113 built here").replace("image: web", "image: 'web:1'");
    assert!(all(&common).iter().all(|line| line.starts_with("FWK112")));
}
