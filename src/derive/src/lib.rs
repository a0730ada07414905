//! Derives for formwork resources: Resource, Nested, Outputs.
