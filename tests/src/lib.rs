//! End-to-end tests: the whole program against the local cloud.
