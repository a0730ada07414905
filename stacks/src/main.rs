//! The team's formwork.

fn main() -> std::process::ExitCode {
    stacks::program().run()
}
