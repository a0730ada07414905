//! This team's stacks and the formwork binary that runs them.
