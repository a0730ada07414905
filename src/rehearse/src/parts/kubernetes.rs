//! Kubernetes' own programs, built together: they share nearly all of their source.

use std::path::{Path, PathBuf};

use super::{Setup, golang::Module, kubebuilder_asset};
use crate::setup_error::SetupError;

const MODULE: Module = Module {
    name: "kubernetes",
    describe: "building Kubernetes 1.36.3 (seven minutes on two cores, once)",
    go_mod: include_str!("../../tools/kubernetes/go.mod"),
    go_sum: include_str!("../../tools/kubernetes/go.sum"),
    programs: &[
        ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
        ("k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"),
        ("k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
        ("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
    ],
    // Clients refuse a server that doesn't know its version.
    link: "-X k8s.io/component-base/version.gitVersion=v1.36.3 \
           -X k8s.io/component-base/version.gitMajor=1 \
           -X k8s.io/component-base/version.gitMinor=36",
};

/// The programs of a control plane, made available.
#[derive(Clone, Debug)]
pub struct Kubernetes {
    pub apiserver: PathBuf,
    pub controller_manager: PathBuf,
    pub scheduler: PathBuf,
    pub kubectl: PathBuf,
}

impl Kubernetes {
    /// Takes each program from `KUBEBUILDER_ASSETS` where it is there, and builds the rest.
    pub(crate) fn ensure(setup: &Setup<'_>) -> Result<Self, SetupError> {
        if let Ok(assets) = Self::from(|name| kubebuilder_asset(name).ok_or(())) {
            return Ok(assets);
        }
        let step = setup.step("kubernetes");
        let folder = MODULE.ensure(setup, &step)?;
        step.done();
        Self::from(|name| Ok(kubebuilder_asset(name).unwrap_or_else(|| folder.join(name))))
    }

    fn from<E>(find: impl Fn(&str) -> Result<PathBuf, E>) -> Result<Self, E> {
        Ok(Self {
            apiserver: find("kube-apiserver")?,
            controller_manager: find("kube-controller-manager")?,
            scheduler: find("kube-scheduler")?,
            kubectl: find("kubectl")?,
        })
    }

    /// kubectl as the owner of `kubeconfig`.
    pub(crate) fn kubectl(&self, kubeconfig: &Path) -> std::process::Command {
        kubectl(&self.kubectl, kubeconfig)
    }
}

/// kubectl as the owner of `kubeconfig`, with nothing of the user's own settings.
pub(crate) fn kubectl(program: &Path, kubeconfig: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.arg("--kubeconfig").arg(kubeconfig).arg("--request-timeout=10s");
    command.env("KUBECACHEDIR", kubeconfig.with_extension("cache"));
    for variable in ["KUBECONFIG", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        command.env_remove(variable);
    }
    command
}
