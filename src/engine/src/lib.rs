//! The plan and apply engine: values, graph, plan, apply, state, journal. No cloud, no terminal.
