//! Dates and times, which go-yaml recognises in plain scalars and kustomize prints in RFC 3339.

/// Whether a text is a date that there is.
pub fn is_timestamp(text: &str) -> bool {
    normalise(text).is_some()
}

/// The RFC 3339 form of a plain scalar that go-yaml takes for a timestamp.
///
/// The forms are `2006-1-2`, `2006-1-2 15:4:5`, and `2006-1-2T15:4:5Z` with `t` for `T` and an offset for `Z`.
pub fn normalise(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return None;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((bytes[at], &text[at + 1..]))),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year: u32 = parts.next()?.parse().ok()?;
    let month = small(parts.next()?)?;
    let day = small(parts.next()?)?;
    if parts.next().is_some()
        || !(1..=12).contains(&month)
        || day == 0
        || day > days_in(year, month)
    {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    let Some((separator, time)) = time else { return Some(format!("{date}T00:00:00Z")) };
    let (clock, zone) = if separator == b' ' {
        (time, "Z".to_owned())
    } else {
        let at = time.find(['Z', '+', '-'])?;
        (&time[..at], zone(&time[at..])?)
    };
    Some(format!("{date}T{}{zone}", clock_of(clock)?))
}

fn clock_of(text: &str) -> Option<String> {
    let mut parts = text.splitn(3, ':');
    let hour = small(parts.next()?)?;
    let minute = small(parts.next()?)?;
    let (second, fraction) = match parts.next()?.split_once(['.', ',']) {
        Some((second, fraction)) => (small(second)?, fraction),
        None => (small(text.rsplit(':').next()?)?, ""),
    };
    if hour > 23
        || minute > 59
        || second > 59
        || !fraction.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let fraction = fraction.get(..9).unwrap_or(fraction).trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!("{hour:02}:{minute:02}:{second:02}{dot}{fraction}"))
}

fn zone(text: &str) -> Option<String> {
    if text == "Z" {
        return Some("Z".to_owned());
    }
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two = |part: &str| (part.len() == 2).then(|| small(part)).flatten();
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    if hours > 24 || minutes > 60 {
        return None;
    }
    Some(if hours == 0 && minutes == 0 { "Z".to_owned() } else { text.to_owned() })
}

fn small(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 2 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}
