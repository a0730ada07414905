//! AWS resources: one file per resource, its calls and their IAM actions beside each other.
