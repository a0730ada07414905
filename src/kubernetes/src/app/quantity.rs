//! Quantities, `500m` and `0.5` alike.

/// Suffixes as powers of ten and of two.
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>
const DECIMAL: &[(&str, i32)] = &[
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: &[(&str, u32)] =
    &[("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

/// The finest unit that the API server keeps: nano.
const FINEST: i32 = -9;

/// Whether two texts are the same quantity; texts that are no quantities are equal to nothing.
pub fn same(a: &str, b: &str) -> bool {
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// The quantity in nano units, rounded up as the API server does; `None` where it is none or overflows.
fn parse(text: &str) -> Option<i128> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if number.is_empty() || number == "." || fraction.contains('.') {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()?;
    let (exponent, factor) = match BINARY.iter().find(|(name, _)| *name == suffix) {
        Some((_, power)) => (0, 1_i128.checked_shl(*power)?),
        None => (decimal_exponent(suffix)?, 1),
    };
    let power = exponent - scale - FINEST;
    let digits = digits.checked_mul(factor)?;
    let nanos = match u32::try_from(power) {
        Ok(power) => digits.checked_mul(10_i128.checked_pow(power)?)?,
        Err(_) => {
            let divisor = 10_i128.checked_pow(power.unsigned_abs())?;
            digits.div_euclid(divisor) + i128::from(digits.rem_euclid(divisor) != 0)
        }
    };
    Some(sign * nanos)
}

fn decimal_exponent(suffix: &str) -> Option<i32> {
    if let Some((_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some(*exponent);
    }
    suffix.strip_prefix(['e', 'E'])?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_equal_by_value() {
        for (a, b) in [
            ("0.5", "500m"),
            ("1", "1000m"),
            ("1Gi", "1024Mi"),
            ("0.5Gi", "512Mi"),
            ("1e3", "1k"),
            ("1E", "1000P"),
            ("0.0000000001", "1n"),
            ("-1", "-1000m"),
            ("01", "1"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [("1", "2"), ("1Gi", "1G"), ("x", "x"), ("", ""), ("1.1.1", "1"), ("1X", "1")]
        {
            assert!(!same(a, b), "{a} {b}");
        }
    }
}
