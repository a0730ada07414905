//! The typed mould an application's infrastructure is poured into: prelude, command line, rendering.
