//! Kubernetes resources: a kustomize overlay applied, pruned and awaited as one unit.
