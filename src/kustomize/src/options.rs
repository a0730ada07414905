//! The choices that the command line leaves to a build.

use crate::tools::{NoTools, Tools};
use std::sync::Arc;

/// Where files named by a kustomization may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadRestrictor {
    /// In or below the kustomization's own directory (`LoadRestrictionsRootOnly`).
    #[default]
    RootOnly,
    /// Anywhere (`LoadRestrictionsNone`).
    None,
}

/// The order of the output where no `sortOptions` say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reorder {
    /// As the command does by default: namespaces first, webhooks last, the rest by kind and name.
    #[default]
    Legacy,
    /// As loaded.
    None,
}

/// The choices that the command line leaves to a build; the default is the command's.
#[derive(Clone, Debug)]
pub struct Options {
    pub load_restrictor: LoadRestrictor,
    pub reorder: Reorder,
    /// Adds `app.kubernetes.io/managed-by`.
    pub enable_managedby_label: bool,
    /// Lets kustomizations inflate helm charts through [`Tools`].
    pub enable_helm: bool,
    pub helm_command: String,
    pub helm_kube_version: String,
    pub helm_api_versions: Vec<String>,
    pub helm_debug: bool,
    /// The programs that a build may call: `git` for remote bases, `helm` for charts. By default none.
    pub tools: Arc<dyn Tools>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            load_restrictor: LoadRestrictor::default(),
            reorder: Reorder::default(),
            enable_managedby_label: false,
            enable_helm: false,
            helm_command: "helm".to_owned(),
            helm_kube_version: String::new(),
            helm_api_versions: Vec::new(),
            helm_debug: false,
            tools: Arc::new(NoTools),
        }
    }
}
