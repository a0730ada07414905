//! Custom resources whose definitions are in the same build.

use super::check;

const DEFINITION: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: queues.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Queue, plural: queues}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1, maximum: 9}
              name: {type: string, pattern: '^[a-z]+$', minLength: 2, maxLength: 4}
              port: {x-kubernetes-int-or-string: true}
              mode: {type: string, enum: [fast, safe]}
              ratio: {type: number}
              tags: {type: array, items: {type: string}, x-kubernetes-list-type: set, maxItems: 2}
              any: {type: object, x-kubernetes-preserve-unknown-fields: true}
              labels: {type: object, additionalProperties: {type: string}}
              pod: {type: object, x-kubernetes-embedded-resource: true, properties: {spec: {type: object}}}
  - name: v2
    served: true
    storage: false
";

fn queue(spec: &str, expected: &[&str]) {
    let object = format!(
        "{DEFINITION}---\napiVersion: example.com/v1\nkind: Queue\nmetadata: {{name: a}}\nspec: {spec}\n"
    );
    check(&object, expected);
}

#[test]
fn good_ones() {
    queue("{size: 3}", &[]);
    queue("{size: 9, name: abc, port: http, mode: fast, ratio: 1, tags: [a, b]}", &[]);
    queue("{size: 1, port: 80, ratio: 0.5, any: {deep: [1, {x: y}]}, labels: {a: b}}", &[]);
    queue("{size: 1, pod: {apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {}}}", &[]);
}

#[test]
fn bad_ones() {
    for (spec, expected) in [
        ("{}", "FWK003 Queue a: spec.size: this field is required"),
        ("{size: 0}", "FWK004 Queue a: spec.size: 0 is less than 1"),
        ("{size: 10}", "FWK004 Queue a: spec.size: 10 is more than 9"),
        (
            "{size: 1, sice: 2}",
            "FWK001 Queue a: spec.sice: there is no such field | the fields here are: any, labels, mode, name, pod, port, ratio, size, tags",
        ),
        ("{size: 1, name: ABC}", "FWK004 Queue a: spec.name: \"ABC\" doesn't match ^[a-z]+$"),
        ("{size: 1, name: a}", "FWK004 Queue a: spec.name: \"a\" is shorter than 2 characters"),
        (
            "{size: 1, name: abcde}",
            "FWK004 Queue a: spec.name: \"abcde\" is longer than 4 characters",
        ),
        (
            "{size: 1, mode: fst}",
            "FWK004 Queue a: spec.mode: \"fst\" is none of \"fast\", \"safe\" | did you mean \"fast\"?",
        ),
        ("{size: 1, tags: [a, a]}", "FWK005 Queue a: spec.tags[1]: a is in this list already"),
        ("{size: 1, tags: [a, b, c]}", "FWK004 Queue a: spec.tags: 3 items; at most 2 are allowed"),
        (
            "{size: 1, labels: {a: 1}}",
            "FWK002 Queue a: spec.labels.a: a string is expected, not `1` | put it in quotes: \"1\"",
        ),
        (
            "{size: 1, pod: {metadata: {lables: {}}}}",
            "FWK001 Queue a: spec.pod.metadata.lables: there is no such field | did you mean `labels`?",
        ),
    ] {
        queue(spec, &[expected]);
    }
}

#[test]
fn versions_without_a_schema_are_not_validated() {
    let object = format!(
        "{DEFINITION}---\napiVersion: example.com/v2\nkind: Queue\nmetadata: {{name: a}}\n"
    );
    check(
        &object,
        &["FWK009 Queue a: : not validated: the CustomResourceDefinition of Queue gives no schema"],
    );
}
