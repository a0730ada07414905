//! The schemas that come with the program, and packing others.

use formwork_kustomize::Schemas;

#[test]
fn the_stored_ones_name_their_version() {
    assert_eq!(Schemas::stored().version(), "1.36");
}

#[test]
fn what_was_packed_is_unpacked() {
    let openapi = r##"{"info": {"version": "1.99"}, "definitions": {
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {"type": "object"},
        "a.Thing": {"type": "object", "description": "not kept",
            "properties": {"metadata": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}},
            "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}]}}}"##;
    let packed = Schemas::pack(openapi.as_bytes()).unwrap();
    assert_eq!(Schemas::unpack(&packed).unwrap().version(), "1.99");
}

#[test]
fn what_is_no_document_is_refused() {
    for (text, part) in [("no", "isn't JSON"), ("{}", "is missing")] {
        let error = Schemas::pack(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let error = Schemas::unpack(b"something else").unwrap_err().to_string();
    assert!(error.contains("not a file of schemas"), "{error}");
}
