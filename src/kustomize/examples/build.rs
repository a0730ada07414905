//! `kustomize build` as an example: `cargo run --example build -- build DIR`.

use formwork_kustomize::{Disk, LoadRestrictor, Options, Reorder, build};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("Error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut options = Options::default();
    let mut roots = Vec::new();
    let mut output = None;
    let mut words = std::env::args().skip(1).filter(|word| word != "build");
    while let Some(word) = words.next() {
        let (flag, inline) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => {
                (flag.to_owned(), Some(value.to_owned()))
            }
            _ => (word, None),
        };
        let mut value = || {
            inline.clone().or_else(|| words.next()).ok_or(format!("flag needs an argument: {flag}"))
        };
        match flag.as_str() {
            "--reorder" => {
                options.reorder = match value()?.as_str() {
                    "none" => Reorder::None,
                    "legacy" => Reorder::Legacy,
                    other => return Err(format!("--reorder must be none or legacy, not {other}")),
                }
            }
            "--load-restrictor" => {
                options.load_restrictor = match value()?.as_str() {
                    "LoadRestrictionsNone" => LoadRestrictor::None,
                    "LoadRestrictionsRootOnly" | "" => LoadRestrictor::RootOnly,
                    other => return Err(format!("unknown --load-restrictor {other}")),
                }
            }
            "--enable-managedby-label" => options.enable_managedby_label = true,
            "--enable-helm" => options.enable_helm = true,
            "--helm-command" => options.helm_command = value()?,
            "--helm-kube-version" => options.helm_kube_version = value()?,
            "--helm-api-versions" => options.helm_api_versions.push(value()?),
            "--helm-debug" => options.helm_debug = true,
            // These are for functions in containers, which are not run.
            "-e" | "--env" | "--mount" | "--network-name" => drop(value()?),
            "--network" | "--as-current-user" | "--enable-alpha-plugins" => {}
            "-o" | "--output" => output = Some(PathBuf::from(value()?)),
            flag if flag.starts_with('-') => return Err(format!("unknown flag: {flag}")),
            _ => roots.push(PathBuf::from(flag)),
        }
    }
    let root = match roots.len() {
        0 => PathBuf::from("."),
        1 => roots.remove(0),
        _ => return Err("specify one path to kustomization.yaml".to_owned()),
    };
    let built = build(&Disk, &root, &options).map_err(|error| error.to_string())?;
    for warning in built.warnings() {
        eprintln!("Warning: {warning}");
    }
    match output {
        Some(path) if path.is_dir() => built.files().try_for_each(|(name, object)| {
            std::fs::write(path.join(name), object.to_yaml()).map_err(|error| error.to_string())
        }),
        Some(path) => std::fs::write(path, built.to_yaml()).map_err(|error| error.to_string()),
        None => {
            print!("{}", built.to_yaml());
            Ok(())
        }
    }
}
