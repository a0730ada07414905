//! Printing: a reader that goes away stops no run, and what can't be written otherwise is an error in the end.

use std::{
    fmt,
    io::{self, ErrorKind, Write as _},
    sync::OnceLock,
};

/// Why standard output is incomplete: the first failure.
static INCOMPLETE: OnceLock<io::Error> = OnceLock::new();

/// Prints a line of the result, to standard output.
macro_rules! outln {
    () => { $crate::cli::out::out(format_args!("\n")) };
    ($($arguments:tt)*) => {
        $crate::cli::out::out(format_args!("{}\n", format_args!($($arguments)*)))
    };
}

/// Prints a part of the result, to standard output.
macro_rules! out {
    ($($arguments:tt)*) => { $crate::cli::out::out(format_args!($($arguments)*)) };
}

/// Prints a line of what happens meanwhile, to standard error.
macro_rules! errln {
    ($($arguments:tt)*) => { $crate::cli::out::err(format_args!($($arguments)*)) };
}

pub(crate) fn out(text: fmt::Arguments<'_>) {
    note(io::stdout().write_fmt(text));
}

pub(crate) fn err(line: fmt::Arguments<'_>) {
    // Nobody is left to be told.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes what is still to be written; a failure where the result isn't all there.
pub(crate) fn finish() -> Result<(), &'static io::Error> {
    note(io::stdout().flush());
    INCOMPLETE.get().map_or(Ok(()), Err)
}

/// Takes down what came of writing to standard output.
pub(crate) fn note(written: io::Result<()>) {
    // Whoever closed the pipe has read what they wanted.
    if let Some(error) = written.err().filter(|error| error.kind() != ErrorKind::BrokenPipe) {
        let _ = INCOMPLETE.set(error);
    }
}
