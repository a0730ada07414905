//! What only a disk has: symbolic links, files that are no text, files without end.

use formwork_kustomize::{Disk, Error, ErrorKind, LoadRestrictor, Options, build};
use std::fs;
use std::path::Path;

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n";

/// A directory with an overlay in it that names `a.yaml`.
fn project() -> tempfile::TempDir {
    let project = tempfile::tempdir().expect("a directory");
    let overlay = project.path().join("overlay");
    fs::create_dir(&overlay).expect("a directory");
    fs::write(overlay.join("kustomization.yaml"), "resources:\n- a.yaml\n").expect("a file");
    project
}

fn fails(project: &Path, options: &Options) -> Error {
    build(&Disk, &project.join("overlay"), options).map(drop).expect_err("an error")
}

#[test]
fn a_symbolic_link_does_not_lead_out_of_the_root() {
    let project = project();
    let (outside, link) =
        (project.path().join("secret.yaml"), project.path().join("overlay/a.yaml"));
    fs::write(&outside, SERVICE).expect("a file");
    std::os::unix::fs::symlink(&outside, &link).expect("a link");
    let error = fails(project.path(), &Options::default());
    assert!(matches!(error.kind, ErrorKind::OutsideRoot { .. }), "{error}");
    assert_eq!(error.place.map(|place| place.line), Some(2));
    let anywhere = Options { load_restrictor: LoadRestrictor::None, ..Options::default() };
    build(&Disk, &project.path().join("overlay"), &anywhere).expect("a build");
}

#[test]
fn a_link_that_leads_round_in_a_circle_is_an_error() {
    let project = project();
    let link = project.path().join("overlay/a.yaml");
    std::os::unix::fs::symlink(&link, &link).expect("a link");
    let error = fails(project.path(), &Options::default());
    assert_eq!(error.place.map(|place| place.line), Some(2));
}

#[test]
fn what_is_no_text_is_refused_at_its_line() {
    let project = project();
    let path = project.path().join("overlay/a.yaml");
    fs::write(&path, b"apiVersion: v1\nkind: \xff\xfe\n").expect("a file");
    let error = fails(project.path(), &Options::default());
    assert!(matches!(error.kind, ErrorKind::NotText), "{error}");
    let place = error.place.expect("a place");
    assert!(place.file.ends_with("a.yaml"), "{place}");
    assert_eq!(place.line, 2);
}

#[test]
fn a_gigantic_file_is_not_read() {
    let project = project();
    let file = fs::File::create(project.path().join("overlay/a.yaml")).expect("a file");
    // Sparse: it takes no room on the disk.
    file.set_len(1 << 40).expect("a large file");
    let error = fails(project.path(), &Options::default());
    assert!(error.to_string().contains("larger than 64 MiB"), "{error}");
}

#[test]
fn a_device_is_not_read() {
    let project = project();
    let anywhere = Options { load_restrictor: LoadRestrictor::None, ..Options::default() };
    std::os::unix::fs::symlink("/dev/zero", project.path().join("overlay/a.yaml")).expect("a link");
    let error = fails(project.path(), &anywhere);
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

#[test]
fn a_missing_directory_is_named_with_what_is_near() {
    let project = project();
    let error = build(&Disk, &project.path().join("overlai"), &Options::default());
    let error = error.map(drop).expect_err("an error").to_string();
    assert!(error.contains("there is no file or directory"), "{error}");
    assert!(error.contains("overlay"), "{error}");
}
