//! What goes wrong, where it says so, and what must not take for ever.

use crate::check::{check_error, fails, files, in_order};
use formwork_kustomize::{ErrorKind, build};
use std::fmt::Write as _;
use std::path::Path;

const SERVICE: &str = "--- service.yaml\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n";

#[test]
fn an_unknown_field_is_named_with_its_place_and_the_field_that_was_meant() {
    let error = fails(&format!(
        "--- kustomization.yaml\nresources: [service.yaml]\nnamePrefx: a-\n{SERVICE}"
    ));
    let place = error.place.as_ref().expect("a place");
    assert_eq!(
        (place.file.as_path(), place.line, place.column),
        (Path::new("/kustomization.yaml"), 2, 1)
    );
    assert!(error.to_string().contains("did you mean \"namePrefix\"?"), "{error}");
}

#[test]
fn messages_name_the_file_and_the_line() {
    for (kustomization, part) in [
        (
            "resources: [service.yaml, nowhere.yaml]",
            "/kustomization.yaml:1:27: there is no file or directory \"nowhere.yaml\"",
        ),
        (
            "resources: [service.yaml]\nimages:\n- name: a\n  newTag: 1.5",
            "/kustomization.yaml:4:11: newTag must be a string",
        ),
        (
            "resources: [service.yaml]\nreplicas:\n- {name: none, count: 2}",
            "/kustomization.yaml:3:3: no Deployment",
        ),
        (
            "resources: [service.yaml]\npatches:\n- patch: '{kind: Pod, metadata: {name: x}}'",
            "/kustomization.yaml:3:11: no object",
        ),
        ("resources: [service.yaml, service.yaml]", "is there already"),
        ("resources: [.]", "a cycle"),
        (
            "resources: [service.yaml]\ntransformers:\n- |\n  apiVersion: x/v1\n  kind: Y\n  metadata: {name: z}",
            "not built here",
        ),
        ("namePrefix: ''", "says nothing"),
    ] {
        check_error(&format!("--- kustomization.yaml\n{kustomization}\n{SERVICE}"), part);
    }
}

#[test]
fn a_key_that_stands_twice_is_refused_where_it_stands() {
    check_error(
        "--- kustomization.yaml\nresources: [a.yaml]\n--- a.yaml\nkind: A\nmetadata:\n  name: a\n  name: b\n",
        "/a.yaml:4:3: not valid YAML: key \"name\" stands twice",
    );
}

#[test]
fn files_outside_of_the_root_are_refused() {
    let error = build(
        &files(&format!("--- base/kustomization.yaml\nresources: [../service.yaml]\n{SERVICE}")),
        Path::new("/base"),
        &in_order(),
    );
    assert!(matches!(error.map_err(|error| error.kind), Err(ErrorKind::OutsideRoot { .. })));
}

#[test]
fn an_alias_bomb_is_cut_short() {
    let mut bomb =
        String::from("--- kustomization.yaml\nresources: [a.yaml]\n--- a.yaml\na0: &a0 [x, x]\n");
    for level in 1..40 {
        let below = level - 1;
        writeln!(bomb, "a{level}: &a{level} [*a{below}, *a{below}]").expect("writing to a string");
    }
    check_error(&bomb, "once aliases are expanded");
}

#[test]
fn endless_nesting_is_cut_short() {
    let deep = "[".repeat(100_000);
    check_error(
        &format!("--- kustomization.yaml\nresources: [a.yaml]\n--- a.yaml\na: {deep}\n"),
        "not valid YAML",
    );
}

#[test]
fn what_is_not_text_is_refused() {
    let files = files("--- kustomization.yaml\nresources: [a.yaml]\n")
        .with("/a.yaml", vec![0xff, 0xfe, 0x00]);
    let error = build(&files, Path::new("/"), &in_order()).map(drop).map_err(|error| error.kind);
    assert!(matches!(error, Err(ErrorKind::NotText)));
}

#[test]
fn garbage_never_panics() {
    let seeds = [
        "resources: [a]\npatches: [{patch: 'x', target: {kind: '('}}]",
        "configMapGenerator: [{name: a, literals: ['a=b']}]\nvars: [{name: A}]\nreplacements: [{}]",
        "namePrefix: a\nnamespace: b\nlabels: [{pairs: {a: b}}]\nimages: [{name: '['}]\nopenapi: {version: x}",
        "- a\n- b",
        "? a\n: b",
        "&a [*a]",
        "!!int x",
        "{",
        "'",
        "\"\\x",
        "%YAML 9",
        "\t",
        "a: |9\n b",
        "<<: 1",
    ];
    for seed in seeds {
        for cut in 0..=seed.len() {
            for text in [seed[..cut].to_owned(), format!("{}{}", &seed[cut..], &seed[..cut])] {
                let files = files("").with("/kustomization.yaml", text.clone()).with("/a", text);
                let _ = build(&files, Path::new("/"), &in_order());
            }
        }
    }
}
