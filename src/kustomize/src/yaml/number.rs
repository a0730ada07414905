//! Floats as Go prints them, which is what hashes and output are made of.

/// Decimal exponent below which Go's JSON turns to scientific notation.
const JSON_SMALL: i32 = -6;
/// Decimal exponent from which Go's JSON turns to scientific notation.
const JSON_LARGE: i32 = 21;
/// Decimal exponents outside of which Go's `%g` turns to scientific notation: the shortest form is laid out as if six
/// digits had been asked for.
const SHORTEST_SMALL: i32 = -4;
const SHORTEST_LARGE: i32 = 6;

/// A float in Go's JSON encoding: plain digits in the middle range, `1e+21` and `1e-7` outside of it.
pub fn go_json(value: f64) -> String {
    if value == 0.0 {
        return if value.is_sign_negative() { "-0".to_owned() } else { "0".to_owned() };
    }
    let digits = Digits::of(value);
    if digits.exponent < JSON_SMALL || digits.exponent >= JSON_LARGE {
        let sign = if digits.exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{}", digits.mantissa(), digits.exponent.abs())
    } else {
        digits.plain()
    }
}

/// A float in Go's shortest form, `strconv.FormatFloat(value, 'g', -1, 64)`.
pub fn go_shortest(value: f64) -> String {
    if value == 0.0 {
        return if value.is_sign_negative() { "-0".to_owned() } else { "0".to_owned() };
    }
    let digits = Digits::of(value);
    if digits.exponent < SHORTEST_SMALL || digits.exponent >= SHORTEST_LARGE {
        let sign = if digits.exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", digits.mantissa(), digits.exponent.abs())
    } else {
        digits.plain()
    }
}

/// The shortest digits that read back as the same float, and where the point goes.
struct Digits {
    negative: bool,
    digits: String,
    exponent: i32,
}

impl Digits {
    fn of(value: f64) -> Self {
        let text = format!("{:e}", value.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        Self {
            negative: value.is_sign_negative(),
            digits: mantissa.replace('.', ""),
            exponent: exponent.parse().unwrap_or(0),
        }
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }

    fn mantissa(&self) -> String {
        let (first, rest) = self.digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{}{first}{dot}{rest}", self.sign())
    }

    fn plain(&self) -> String {
        let count = self.digits.len() as i32;
        let sign = self.sign();
        if self.exponent < 0 {
            let zeros = "0".repeat((-self.exponent - 1) as usize);
            format!("{sign}0.{zeros}{}", self.digits)
        } else if count <= self.exponent + 1 {
            let zeros = "0".repeat((self.exponent + 1 - count) as usize);
            format!("{sign}{}{zeros}", self.digits)
        } else {
            let (whole, fraction) = self.digits.split_at((self.exponent + 1) as usize);
            format!("{sign}{whole}.{fraction}")
        }
    }
}
