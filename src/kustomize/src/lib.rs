//! A kustomize build as a pure function: files in, objects out.
