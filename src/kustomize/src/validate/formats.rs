//! The formats that texts have: quantities, dates, Base64.

use base64::Engine;

/// Suffixes of quantities
/// (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).
const SUFFIXES: &[&str] =
    &["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// Whether a text is a quantity: `500m`, `1.5Gi`, `1e3`.
pub fn is_quantity(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    digits > 0 && number.len() - digits <= 1 && (SUFFIXES.contains(&suffix) || is_exponent(suffix))
}

fn is_exponent(suffix: &str) -> bool {
    let digits = suffix.strip_prefix(['e', 'E']).unwrap_or_default();
    let digits = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is a date and time with an offset, as RFC 3339 has it: `2030-01-31T12:00:00Z`.
pub fn is_date_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let Some((head, tail)) = bytes.split_at_checked(shape.len()) else { return false };
    let fits = |(byte, wanted): (&u8, &u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        wanted => byte.eq_ignore_ascii_case(wanted),
    };
    let tail = match tail.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 { return false } else { &fraction[digits..] }
        }
        None => tail,
    };
    let zone = match tail {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', rest @ ..] => rest.len() == 5 && rest.iter().zip(b"dd:dd").all(fits),
        _ => false,
    };
    zone && head.iter().zip(shape).all(fits) && crate::yaml::is_timestamp(text)
}

/// Whether a text is Base64, with line breaks or without.
pub fn is_base64(text: &str) -> bool {
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).is_ok();
    if text.contains(['\n', '\r']) { decode(&text.replace(['\n', '\r'], "")) } else { decode(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        for good in ["0", "500m", "1.5Gi", ".5", "5.", "-1", "+2k", "1e3", "1E-3", "12Ei", "100n"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", ".", "1.2.3", "1 Gi", "1gi", "Gi", "1e", "500mb", "1MB", "two", "1e3k"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }

    #[test]
    fn dates() {
        for good in
            ["2030-01-31T12:00:00Z", "2030-01-31T12:00:00.123456Z", "2030-01-31t01:02:03+02:00"]
        {
            assert!(is_date_time(good), "{good}");
        }
        for bad in [
            "",
            "2030-01-31",
            "2030-01-31T12:00:00",
            "2030-13-31T12:00:00Z",
            "2030-01-31 12:00:00Z",
            "2030-01-31T12:00:00.Z",
            "2030-01-31T12:00:00+2",
        ] {
            assert!(!is_date_time(bad), "{bad}");
        }
    }

    #[test]
    fn base64() {
        assert!(is_base64("") && is_base64("YQ==") && is_base64("YWJj\nZGVm\n"));
        assert!(!is_base64("plain text") && !is_base64("YQ"));
    }
}
