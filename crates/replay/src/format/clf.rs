//! A web server's access log in the common log format, or the combined one that adds to it: host,
//! identity, user, [time], "request", status, bytes. `GET` and `HEAD` are reads of the path with its
//! query; other methods, and lines without a request, are passed over.

use super::lines::{Expected, Parse, Requests, number, size};

const EXPECTED: &str = "a line of a common log: HOST IDENTITY USER [TIME] \"REQUEST\" STATUS BYTES";
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// See the module's documentation.
pub(crate) struct Clf;

/// What a line says.
struct Line<'a> {
    time_s: i64,
    request: &'a [u8],
    bytes: u64,
}

impl Parse for Clf {
    fn parse(&mut self, line: &[u8], out: &mut Requests) -> Result<(), Expected> {
        let parsed = parse(line).ok_or_else(|| Expected::new(EXPECTED))?;
        let mut words = parsed
            .request
            .split(|byte| *byte == b' ')
            .filter(|word| !word.is_empty());
        let (Some(b"GET" | b"HEAD"), Some(path)) = (words.next(), words.next()) else {
            return Ok(());
        };
        let request = out.push(path);
        request.size = Some(parsed.bytes);
        request.time_ms = u64::try_from(parsed.time_s)
            .ok()
            .map(|seconds| seconds * 1_000);
        Ok(())
    }
}

/// Whether a line is of this format.
pub(crate) fn is_line(line: &[u8]) -> bool {
    parse(line).is_some()
}

fn parse(line: &[u8]) -> Option<Line<'_>> {
    // Addresses and users may have brackets, too.
    let mut opens = (0..line.len()).filter(|at| line[*at] == b'[');
    let (time_s, rest) = opens.find_map(|open| timed(line, open))?;
    let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
    let end = closing_quote(rest)?;
    let mut behind = rest[end + 1..]
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    number(behind.next()?)?;
    let bytes = match behind.next()? {
        b"-" => 0,
        bytes => size(bytes)?,
    };
    Some(Line {
        time_s,
        request: &rest[..end],
        bytes,
    })
}

/// The time behind a bracket, and what follows it.
fn timed(line: &[u8], open: usize) -> Option<(i64, &[u8])> {
    // Host, identity and user before it.
    let words = line[..open]
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    if words.count() < 3 {
        return None;
    }
    let rest = &line[open + 1..];
    let close = rest.iter().position(|byte| *byte == b']')?;
    Some((time(&rest[..close])?, &rest[close + 1..]))
}

fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    text.iter().position(|byte| {
        let closes = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        closes
    })
}

/// Seconds since 1970 of `10/Oct/2000:13:55:36 -0700`.
fn time(text: &[u8]) -> Option<i64> {
    let part = |from: usize, to: usize| number(text.get(from..to)?).map(|value| value as i64);
    let is_shaped =
        text.get(2) == Some(&b'/') && text.get(6) == Some(&b'/') && text.get(11) == Some(&b':');
    let name = text.get(3..6)?;
    let month = MONTHS.iter().position(|month| *month == name)? as i64 + 1;
    let (day, year) = (part(0, 2)?, part(7, 11)?);
    let (hour, minute, second) = (part(12, 14)?, part(15, 17)?, part(18, 20)?);
    let zone = text.get(20..).unwrap_or_default().trim_ascii();
    let east_s = match zone {
        [] => 0,
        [sign, digits @ ..] if digits.len() == 4 => {
            let value = (number(&digits[..2])? * 3_600 + number(&digits[2..])? * 60) as i64;
            if *sign == b'-' { -value } else { value }
        }
        _ => return None,
    };
    let is_valid = is_shaped && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    is_valid.then(|| days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - east_s)
}

/// Days from 1970 to a date (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Reading, read_all};
    use crate::request::Request;

    fn read(text: &str) -> Result<Vec<Request>, crate::error::Error> {
        let reading = Reading {
            format: Some(Format::Clf),
            keep_names: true,
            ..Reading::default()
        };
        read_all("access.log", text.as_bytes(), &reading)
    }

    #[test]
    fn common_and_combined_lines_are_reads_of_a_path() {
        let common = r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif?a=b HTTP/1.0" 200 2326"#;
        let combined = format!(
            r#"{common} "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)""#
        );
        for line in [common, &combined] {
            let all = read(line).unwrap();
            assert_eq!(all[0].name.as_deref(), Some(&b"/apache_pb.gif?a=b"[..]));
            assert_eq!(
                (all[0].size, all[0].time_ms),
                (Some(2_326), Some(971_211_336_000))
            );
        }
    }

    #[test]
    fn other_methods_and_what_is_no_request_are_passed_over() {
        for request in ["POST /form HTTP/1.1", "-", "", r"\x16\x03\x01\x02"] {
            let line = format!(r#"::1 - - [01/Jan/2024:00:00:00 +0000] "{request}" 400 -"#);
            assert_eq!(read(&line).unwrap(), [], "{line}");
        }
    }

    #[test]
    fn an_escaped_quote_is_part_of_the_path_and_no_bytes_are_zero() {
        let line = r#"::1 - - [29/Feb/2024:23:59:60 +0130] "GET /a\"b HTTP/1.1" 304 -"#;
        let all = read(line).unwrap();
        assert_eq!(all[0].name.as_deref(), Some(&br#"/a\"b"#[..]));
        assert_eq!(
            (all[0].size, all[0].time_ms),
            (Some(0), Some(1_709_245_800_000))
        );
    }

    #[test]
    fn addresses_and_users_may_have_brackets() {
        for who in [
            "[2001:db8::1] - -",
            "::1 - [root]",
            "shop.example:443 ::1 - Ada [x",
        ] {
            let line = format!(r#"{who} [01/Jan/2024:00:00:00 +0000] "GET /a HTTP/1.1" 200 5"#);
            assert_eq!(read(&line).unwrap().len(), 1, "{line}");
        }
    }

    #[test]
    fn lines_of_something_else_are_malformed() {
        let lines = [
            "hello",
            r#"1.1.1.1 - - [yesterday] "GET / HTTP/1.1" 200 1"#,
            r#"1.1.1.1 - - [10/Okt/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 1"#,
            r#"1.1.1.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1 200 1"#,
            r#"1.1.1.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" OK 1"#,
            r#"1.1.1.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200"#,
        ];
        for line in lines {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
