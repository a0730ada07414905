//! `formwork kube schemas`: the types of a Kubernetes version, read from an API server.

use super::super::{CliError, Ended};
use clap::{Arg, ArgMatches, Command, value_parser};
use formwork_kustomize::Schemas;
use std::path::PathBuf;

pub(in crate::cli) fn command() -> Command {
    Command::new("schemas")
        .about("Read the types of all kinds from an API server, for `formwork kube check --schemas`")
        .long_about(
            "Read the types of all kinds from an API server, for `formwork kube check --schemas`.\n\n\
             One request, /openapi/v2. The types that come with formwork were read in this way from the \
             API server of the local cloud: src/kustomize/data.",
        )
        .arg(
            Arg::new("kubeconfig")
                .long("kubeconfig")
                .env("KUBECONFIG")
                .value_name("FILE")
                .required(true)
                .help("How the API server is reached"),
        )
        .arg(Arg::new("context").long("context").value_name("NAME").help("Not its current context"))
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("FILE")
                .required(true)
                .help("Where they are written to")
                .value_parser(value_parser!(PathBuf)),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<Ended, CliError> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let kubeconfig = text("kubeconfig").unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(format!("can't start: {error}")))?;
    let read = formwork_kubernetes::openapi(&kubeconfig, text("context"));
    let openapi = runtime.block_on(read)?;
    let packed = Schemas::pack(openapi.as_bytes())
        .map_err(|error| CliError::new(format!("what {kubeconfig} leads to answered: {error}")))?;
    // What is written can be read again, or isn't written.
    let schemas = Schemas::unpack(&packed)
        .map_err(|error| CliError::new(format!("after packing: {error}")))?;
    if let Some(file) = matches.get_one::<PathBuf>("output") {
        std::fs::write(file, &packed)
            .map_err(|error| CliError::new(format!("can't write {}: {error}", file.display())))?;
        let (version, size) = (schemas.version(), packed.len());
        outln!("{}: the types of Kubernetes {version}, {size} bytes", file.display());
    }
    Ok(Ended::Fine)
}
