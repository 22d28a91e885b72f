//! What all text formats share: lines with numbers, malformed ones, time that doesn't run backwards.
//! A line is held in memory one at a time, and is at most a mebibyte long; with values in it, 64.

use super::{Notes, Reader, Reading, Timekeeper};
use crate::error::Error;
use crate::input::Input;
use crate::request::{Request, key_of_text};
use std::collections::VecDeque;
use std::io::{BufRead, Read};

/// The longest line, in bytes. What has none for so long is no text.
const LINE_BYTES_MAX: usize = 1 << 20;
/// The largest value that a trace may speak of, in bytes: a pebibyte. Sums stay countable.
pub(crate) const SIZE_BYTES_MAX: u64 = 1 << 50;
/// Bytes of a malformed line that a message shows.
const SHOWN_BYTES_MAX: usize = 60;

/// A line that is not what the format prescribes: what was expected.
pub(crate) struct Expected(pub(crate) String);

impl Expected {
    pub(crate) fn new(what: &str) -> Self {
        Self(what.to_owned())
    }
}

/// What a text format does with one line.
pub(crate) trait Parse {
    /// Bytes that a line stays below.
    const LINE_BYTES_MAX: usize = LINE_BYTES_MAX;

    /// Appends the requests of a line that is not empty and has no line end. Times may run backwards.
    fn parse(&mut self, line: &[u8], out: &mut Requests) -> Result<(), Expected>;
}

/// Where a parser puts what it finds.
pub(crate) struct Requests {
    found: VecDeque<Request>,
    keep_names: bool,
}

impl Requests {
    /// Appends a read of a key that is text; the caller says what else is known.
    pub(crate) fn push(&mut self, key: &[u8]) -> &mut Request {
        let request = Request {
            key_bytes: key.len().try_into().unwrap_or(u32::MAX),
            name: self.keep_names.then(|| key.into()),
            ..Request::read(key_of_text(key))
        };
        self.push_request(request)
    }

    pub(crate) fn push_request(&mut self, request: Request) -> &mut Request {
        let at = self.found.len();
        self.found.push_back(request);
        &mut self.found[at]
    }
}

/// See the module's documentation.
pub(crate) struct Lines<P> {
    input: Input,
    parser: P,
    skip_bad_lines: bool,
    number: u64,
    line: Vec<u8>,
    requests: Requests,
    time: Timekeeper,
    bad_lines: u64,
    other_lines: u64,
}

impl<P: Parse> Lines<P> {
    pub(crate) fn new(input: Input, reading: &Reading, parser: P) -> Self {
        Self {
            input,
            parser,
            skip_bad_lines: reading.skip_bad_lines,
            number: 0,
            line: Vec::new(),
            requests: Requests {
                found: VecDeque::new(),
                keep_names: reading.keep_names,
            },
            time: Timekeeper::default(),
            bad_lines: 0,
            other_lines: 0,
        }
    }

    /// So many lines have been read already.
    pub(crate) fn after(mut self, lines: u64) -> Self {
        self.number = lines;
        self
    }

    /// Takes what the next line says; false at the end.
    fn take_line(&mut self) -> Result<bool, Error> {
        if !read_part(&mut self.input, &mut self.line, P::LINE_BYTES_MAX)? {
            return Ok(false);
        }
        self.number += 1;
        if self.line.is_empty() {
            return Ok(true);
        }
        let is_cut = self.line.len() >= P::LINE_BYTES_MAX;
        let parsed = if is_cut {
            let mebibytes = P::LINE_BYTES_MAX >> 20;
            Err(Expected(format!("a line of less than {mebibytes} MiB")))
        } else if self.line.contains(&0) {
            Err(Expected::new("text"))
        } else {
            self.parser.parse(&self.line, &mut self.requests)
        };
        match parsed {
            Ok(()) => self.other_lines += u64::from(self.requests.found.is_empty()),
            Err(_) if self.skip_bad_lines => {
                self.requests.found.clear();
                self.bad_lines += 1;
                if is_cut {
                    self.pass_over_rest()?;
                }
            }
            Err(Expected(expected)) => {
                return Err(Error::Malformed {
                    path: self.input.path.clone(),
                    at: self.number,
                    expected,
                    found: shown(&self.line),
                });
            }
        }
        Ok(true)
    }

    /// Passes over what is left of a line that is too long, so that it counts as one.
    fn pass_over_rest(&mut self) -> Result<(), Error> {
        loop {
            let some = self.input.peek()?;
            let end = some.iter().position(|byte| *byte == b'\n');
            let (passed, is_over) = match end {
                Some(end) => (end + 1, true),
                None => (some.len(), some.is_empty()),
            };
            self.input.reader.consume(passed);
            if is_over {
                return Ok(());
            }
        }
    }
}

impl<P: Parse> Reader for Lines<P> {
    fn next(&mut self) -> Result<Option<Request>, Error> {
        loop {
            if let Some(mut request) = self.requests.found.pop_front() {
                request.time_ms = request.time_ms.map(|time_ms| self.time.keep(time_ms));
                return Ok(Some(request));
            }
            if !self.take_line()? {
                return Ok(None);
            }
        }
    }

    fn notes(&self) -> Notes {
        Notes {
            bad_lines: self.bad_lines,
            other_lines: self.other_lines,
            times_backwards: self.time.backwards,
        }
    }
}

/// Reads a line without its end; false if there is none. Of a line that is too long, a part.
pub(crate) fn read_line(input: &mut Input, line: &mut Vec<u8>) -> Result<bool, Error> {
    read_part(input, line, LINE_BYTES_MAX)
}

fn read_part(input: &mut Input, line: &mut Vec<u8>, bytes_max: usize) -> Result<bool, Error> {
    line.clear();
    let mut limited = (&mut input.reader).take(bytes_max as u64);
    let read = limited.read_until(b'\n', line);
    if read.map_err(Error::reading(&input.path))? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(true)
}

/// A line as a message shows it.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(SHOWN_BYTES_MAX)]);
    let text = printable(&text);
    let rest = if line.len() > SHOWN_BYTES_MAX {
        "…"
    } else {
        ""
    };
    format!("{text:?}{rest}")
}

/// Text without what a terminal takes for a command.
pub(crate) fn printable(text: &str) -> String {
    let shown = |each: char| if each.is_control() { '.' } else { each };
    text.chars().map(shown).collect()
}

/// A field as a number.
pub(crate) fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.trim().parse().ok()
}

/// A field as a size in bytes.
pub(crate) fn size(field: &[u8]) -> Option<u64> {
    number(field).filter(|bytes| *bytes <= SIZE_BYTES_MAX)
}

/// A time or duration as milliseconds; `per_second` are the units of a second. `None` for what is
/// negative, endless or no number.
pub(crate) fn millis(field: &[u8], per_second: f64) -> Option<u64> {
    let value: f64 = std::str::from_utf8(field).ok()?.trim().parse().ok()?;
    let millis = value * 1_000.0 / per_second;
    (0.0..1e16).contains(&millis).then_some(millis as u64)
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Reading, read_all, reader};
    use super::*;

    fn lirs(skip_bad_lines: bool) -> Reading {
        Reading {
            format: Some(Format::Lirs),
            skip_bad_lines,
            ..Reading::default()
        }
    }

    #[test]
    fn a_malformed_line_is_an_error_with_file_line_and_what_was_expected() {
        let error = read_all("dir/a.trc", b"1\n\n2\nthree\n4\n", &lirs(false)).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"dir/a.trc:4: expected a block number, found "three""#
        );
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn malformed_lines_can_be_skipped_and_are_counted() {
        let input = Input::of_bytes("a", b"1\nx\n2\n\0\0\n3");
        let mut reader = reader(input, &lirs(true)).unwrap();
        let keys: Vec<_> = std::iter::from_fn(|| reader.next().unwrap()).collect();
        assert_eq!(keys.len(), 3);
        assert_eq!(reader.notes().bad_lines, 2);
    }

    #[test]
    fn lines_may_end_as_on_windows_and_the_last_may_have_no_end() {
        assert_eq!(read_all("a", b"1\r\n2", &lirs(false)).unwrap().len(), 2);
    }

    #[test]
    fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
        let reading = Reading {
            format: Some(Format::Keys),
            ..Reading::default()
        };
        let error = read_all("a", &vec![b'x'; 3 << 20], &reading).unwrap_err();
        assert!(error.to_string().contains("less than 1 MiB"), "{error}");
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_to_its_end_and_counts_once() {
        let mut text = vec![b'9'; 3 << 20];
        text.extend(b"\n7\n");
        let mut reader = reader(Input::of_bytes("a", &text), &lirs(true)).unwrap();
        let keys: Vec<_> = std::iter::from_fn(|| reader.next().unwrap()).collect();
        assert_eq!((keys.len(), keys[0].key), (1, 7));
        assert_eq!(reader.notes().bad_lines, 1);
    }

    #[test]
    fn times_are_read_in_their_unit_and_nonsense_is_none() {
        assert_eq!(millis(b"1.5", 1.0), Some(1_500));
        assert_eq!(millis(b"1500", 1e3), Some(1_500));
        assert_eq!(millis(b" 7 ", 1e6), Some(0));
        for nonsense in [&b"-1"[..], b"NaN", b"inf", b"1e300", b"", b"soon", b"\xff"] {
            assert_eq!(millis(nonsense, 1.0), None);
        }
    }
}
