//! Wrong wiring doesn't compile, and the compiler's message says what to do.

#[test]
fn wrong_wiring_is_refused_with_a_helpful_message() {
    trybuild::TestCases::new().compile_fail("tests/compile/*.rs");
}
