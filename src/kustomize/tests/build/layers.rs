//! A kustomization in memory above an overlay: how a caller sets names, images and values from outside.

use crate::check::{files, in_order};
use formwork_kustomize::{Layered, Memory, build};
use std::path::{Path, PathBuf};

#[test]
fn a_kustomization_in_memory_is_laid_over_an_overlay() {
    let overlay = files(
        "--- shop/overlay/kustomization.yaml
resources: [../base]
configMapGenerator: [{name: settings, literals: [COLOUR=green]}]
--- shop/base/kustomization.yaml
resources: [service.yaml]
--- shop/base/service.yaml
apiVersion: v1
kind: Service
metadata: {name: web}
",
    );
    let above = Memory::new().with(
        "/above/kustomization.yaml",
        "resources: [../shop/overlay]
namespace: pr7
namePrefix: pr7-
configMapGenerator: [{name: settings, behavior: merge, literals: [SIZE=2]}]
",
    );
    let built =
        build(&Layered::new(above, overlay), Path::new("/above"), &in_order()).expect("a build");
    let names: Vec<_> =
        built.objects().map(|object| (object.kind(), object.name(), object.namespace())).collect();
    assert_eq!(names[0], ("Service", "pr7-web", Some("pr7")));
    assert!(names[1].1.starts_with("pr7-settings-"), "{names:?}");
    let data = &built.objects().last().expect("two objects").to_json()["data"];
    assert_eq!(data, &serde_json::json!({"COLOUR": "green", "SIZE": "2"}));
    let read: Vec<_> = built.files_read().map(Path::to_owned).collect();
    let expected = [
        "/above/kustomization.yaml",
        "/shop/base/kustomization.yaml",
        "/shop/base/service.yaml",
        "/shop/overlay/kustomization.yaml",
    ];
    assert_eq!(read, expected.map(PathBuf::from));
    let service = built.objects().next().expect("a service");
    assert_eq!(service.origin_file(), Some(Path::new("/shop/base/service.yaml")));
    assert_eq!(service.origin_line(), Some(1));
}
