//! Which format a trace has, by its name and by what it begins with.

use super::oracle::RECORD_BYTES;
use super::records::{u32_at, u64_at};
use super::{Format, clf, csv, monitor, twitter};
use crate::error::Error;
use crate::input::{BYTE_ORDER_MARK, Input};

/// Lines that are looked at: those at the beginning may be greetings.
const LINES: usize = 20;
/// Records that are looked at.
const RECORDS: usize = 64;

/// The format of an input.
///
/// # Errors
/// [`Error::UnknownFormat`], or [`Error::Empty`] if there is nothing in it.
pub(crate) fn detect(input: &mut Input) -> Result<Format, Error> {
    let name = input.name.to_string_lossy().to_lowercase();
    let path = input.path.clone();
    let start = &input.beginning()?[..];
    if start.is_empty() {
        return Err(Error::Empty { path });
    }
    let by_name = match name.rsplit('.').next() {
        _ if name.contains("oraclegeneral") => Some(Format::OracleGeneral),
        Some("bin") if !is_records(start) || has_layout(&name) => Some(Format::Bin),
        Some("lis") => Some(Format::Arc),
        Some("trc") => Some(Format::Lirs),
        _ => None,
    };
    let found = by_name.or_else(|| by_content(start, &name));
    found.ok_or(Error::UnknownFormat { path })
}

fn has_layout(name: &str) -> bool {
    [".k.bin", ".kt.bin", ".ks.bin", ".kst.bin"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

fn by_content(start: &[u8], name: &str) -> Option<Format> {
    if !is_text(start) {
        return is_records(start).then_some(Format::OracleGeneral);
    }
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let mut lines = start
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines: Vec<&[u8]> = lines
        .by_ref()
        .filter(|line| !line.is_empty())
        .take(LINES)
        .collect();
    let any = |is_line: fn(&[u8]) -> bool| lines.iter().any(|line| is_line(line));
    if any(monitor::is_line) {
        Some(Format::Monitor)
    } else if any(clf::is_line) {
        Some(Format::Clf)
    } else if any(twitter::is_line) {
        Some(Format::Twitter)
    } else if name.ends_with(".csv")
        || name.ends_with(".tsv")
        || lines
            .first()
            .is_some_and(|line| csv::is_header(line) && line.contains(&b','))
    {
        Some(Format::Csv)
    } else if all_numbers(&lines, 4) {
        Some(Format::Arc)
    } else if lines.contains(&&b"*"[..]) {
        Some(Format::Lirs)
    } else {
        Some(Format::Keys)
    }
}

fn all_numbers(lines: &[&[u8]], fields: usize) -> bool {
    // The last line may be cut.
    let whole = match lines {
        [] => return false,
        [only] => std::slice::from_ref(only),
        [whole @ .., _] => whole,
    };
    whole.iter().all(|line| {
        let mut words = line
            .split(|byte| byte.is_ascii_whitespace())
            .filter(|word| !word.is_empty());
        words.clone().count() == fields && words.all(|word| word.iter().all(u8::is_ascii_digit))
    })
}

/// Text has no control bytes but those of lines and tables, and is UTF-8 for the most part.
fn is_text(start: &[u8]) -> bool {
    let is_control = |byte: &u8| *byte < 32 && !matches!(byte, b'\n' | b'\r' | b'\t' | 27);
    !start.iter().any(is_control)
}

/// Whether these may be libCacheSim's records: time doesn't run backwards, and next uses lie ahead.
fn is_records(start: &[u8]) -> bool {
    let mut before = 0;
    let mut all = start.chunks_exact(RECORD_BYTES).take(RECORDS).enumerate();
    start.len() >= RECORD_BYTES
        && all.all(|(at, record)| {
            let (time, next) = (u32_at(record, 0), u64_at(record, 16) as i64);
            let is_plausible = time >= before
                && (next == -1 || next == i64::MAX || next > at as i64 && next < 1 << 40);
            before = time;
            is_plausible
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(name: &str, bytes: &[u8]) -> Option<Format> {
        detect(&mut Input::of_bytes(name, bytes)).ok()
    }

    fn oracle() -> Vec<u8> {
        let record = |time: u32, next: i64| {
            let mut bytes = time.to_le_bytes().to_vec();
            bytes.extend(77u64.to_le_bytes());
            bytes.extend(4_096u32.to_le_bytes());
            bytes.extend(next.to_le_bytes());
            bytes
        };
        [record(5, 1), record(6, -1)].concat()
    }

    #[test]
    fn names_tell_the_formats_that_have_names() {
        assert_eq!(detected("a.kst.bin", &[1; 16]), Some(Format::Bin));
        assert_eq!(detected("P3.lis", b"1 2 0 1\n"), Some(Format::Arc));
        assert_eq!(detected("loop.trc", b"1\n"), Some(Format::Lirs));
        assert_eq!(
            detected("x.oracleGeneral.bin", &oracle()),
            Some(Format::OracleGeneral)
        );
    }

    #[test]
    fn content_tells_the_others() {
        let found = |text: &str| detected("capture", text.as_bytes());
        assert_eq!(
            found("OK\n1339518083.1 [0 1.1.1.1:1] \"get\" \"x\"\n"),
            Some(Format::Monitor)
        );
        assert_eq!(
            found("::1 - - [01/Jan/2024:00:00:00 +0000] \"GET / HTTP/1.1\" 200 5\n"),
            Some(Format::Clf)
        );
        assert_eq!(found("0,abc,3,10,1,get,0\n"), Some(Format::Twitter));
        assert_eq!(found("time,key,size\n1,a,2\n"), Some(Format::Csv));
        assert_eq!(found("10 1 0 1\n11 1 0 2\n"), Some(Format::Arc));
        assert_eq!(found("10\n*\n11\n"), Some(Format::Lirs));
        assert_eq!(found("user:1\nuser:2\n"), Some(Format::Keys));
        assert_eq!(detected("capture", &oracle()), Some(Format::OracleGeneral));
    }

    #[test]
    fn junk_is_no_format_and_nothing_is_empty() {
        let junk: Vec<u8> = (0..4_096u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let error = detect(&mut Input::of_bytes("junk", &junk)).unwrap_err();
        assert!(matches!(error, Error::UnknownFormat { .. }), "{error}");
        let error = detect(&mut Input::of_bytes("none", b"")).unwrap_err();
        assert!(matches!(error, Error::Empty { .. }), "{error}");
    }
}
