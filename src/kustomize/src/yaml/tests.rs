//! What must hold for any text: what is printed reads back as what it was.

use super::*;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Texts that are likely to be misread: numbers, words, dates, syntax, blanks and breaks.
///
/// Not `<<`: go-yaml prints it without quotes as a key, and then it doesn't read back.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "",
        " ",
        "~",
        "yes",
        "No",
        "on",
        "y",
        "null",
        "true",
        "0777",
        "0o7",
        "0x1F",
        "1e3",
        "1.",
        ".5",
        "-",
        "?",
        ":",
        "- a",
        "a: b",
        "a #b",
        "#a",
        "'",
        "\"",
        "\\",
        "&a",
        "*a",
        "!a",
        "%a",
        "@a",
        "`a",
        "{a",
        "[a",
        "a]",
        "=",
        "---",
        "...",
        "2001-01-01",
        "12:30",
        "a\nb",
        "a\n",
        "\na",
        " a",
        "a ",
        "a \nb",
        "a\n b",
        "\ta",
        "a\tb",
        "\r\n",
        "é",
        "😀",
        "\u{feff}",
        "\u{a0}",
        "\u{7}",
    ]);
    let word = prop_oneof![odd.prop_map(str::to_owned), "[a-z]{1,12}", "[ -~]{0,20}"];
    prop::collection::vec(word, 1..12).prop_map(|words| words.join(" "))
}

fn tree() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-1e9..1e9).prop_map(|number: f64| Json::from(number + 0.5)),
        text().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map(text(), inner, 0..5)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

fn read(text: &str, options: ParseOptions) -> Node {
    parse_document(text, options).expect("what was printed is YAML").unwrap_or_else(Node::null)
}

/// A tree with strings tagged as such, whatever they look like.
fn node(value: &Json) -> Node {
    match value {
        Json::String(text) => Node::string(text.as_str()),
        Json::Array(items) => Node::sequence(items.iter().map(node).collect()),
        Json::Object(map) => Node::mapping(
            map.iter().map(|(key, value)| (Key::string(key.as_str()), node(value))).collect(),
        ),
        Json::Number(number) => Node::untyped(number.to_string()),
        other => from_json(other),
    }
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_in_either_dialect(value in tree()) {
        let root = json!({"root": value});
        let printed = to_yaml([&node(&root)]).expect("every value can be printed");
        for dialect in [Dialect::V2, Dialect::V3] {
            let options = ParseOptions { dialect, ..ParseOptions::RESOURCE };
            let back = to_json(&read(&printed, options), dialect).expect("every value has its type");
            prop_assert_eq!(&back, &root, "{}", printed);
        }
    }

    #[test]
    fn printing_twice_changes_nothing(value in tree()) {
        let root = json!({"root": value});
        let once = to_yaml([&node(&root)]).expect("every value can be printed");
        let twice = to_yaml([&read(&once, ParseOptions::RESOURCE)]).expect("every value can be printed");
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn documents_read_back(value in tree()) {
        let root = json!({"root": value});
        let printed = to_document(&node(&root));
        let back = to_json(&read(&printed, ParseOptions::EMBEDDED), Dialect::V3).expect("every value has its type");
        prop_assert_eq!(&back, &root, "{}", printed);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[ -~\n\t]{0,60}") {
        for options in [ParseOptions::RESOURCE, ParseOptions::CONFIG, ParseOptions::EMBEDDED] {
            let _ = parse_document(&text, options);
        }
        let _ = parse_documents(&text, ParseOptions::RESOURCE);
    }
}

#[test]
fn plain_scalars_mean_what_go_yaml_says() {
    use Resolved::{Bool, Float, Int, Null, Str, Timestamp, Uint};
    for (text, v3, v2) in [
        ("", Null, Null),
        ("~", Null, Null),
        ("yes", Str, Bool(true)),
        ("n", Str, Bool(false)),
        ("True", Bool(true), Bool(true)),
        ("tRUE", Str, Str),
        ("0777", Int(511), Int(511)),
        ("0o17", Int(15), Int(15)),
        ("08", Float(8.0), Float(8.0)),
        ("1_000", Int(1000), Int(1000)),
        ("-0b11", Int(-3), Int(-3)),
        ("18446744073709551615", Uint(u64::MAX), Uint(u64::MAX)),
        (
            "+18446744073709551615",
            Float(18_446_744_073_709_551_615.0),
            Float(18_446_744_073_709_551_615.0),
        ),
        ("1e3", Float(1000.0), Float(1000.0)),
        ("1e400", Str, Str),
        (".5", Float(0.5), Float(0.5)),
        (".", Str, Str),
        ("1:30", Str, Str),
        (
            "2024-2-3",
            Timestamp("2024-02-03T00:00:00Z".into()),
            Timestamp("2024-02-03T00:00:00Z".into()),
        ),
        ("2024-02-30", Str, Str),
    ] {
        assert_eq!(resolve(Dialect::V3, text), v3, "{text}");
        assert_eq!(resolve(Dialect::V2, text), v2, "{text}");
    }
}

#[test]
fn floats_are_printed_as_go_prints_them() {
    for (value, shortest, json) in [
        (0.5, "0.5", "0.5"),
        (1_234_567.5, "1.2345675e+06", "1234567.5"),
        (1e20, "1e+20", "100000000000000000000"),
        (1e21, "1e+21", "1e+21"),
        (1.5e-9, "1.5e-09", "1.5e-9"),
        (0.000_01, "1e-05", "0.00001"),
        (-2.0, "-2", "-2"),
    ] {
        assert_eq!((go_shortest(value).as_str(), go_json_number(value).as_str()), (shortest, json));
    }
}
