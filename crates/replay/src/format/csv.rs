//! Tables with named columns. The header says which column is which, by names that are usual or that
//! the user gave; a table without a header has its columns named by number. Fields may be quoted; a
//! field doesn't reach over the end of a line.

use super::Columns;
use super::lines::{self, Expected, Parse, Requests, millis, read_line};
use crate::error::Error;
use crate::input::Input;
use crate::request::Op;
use std::borrow::Cow;

const KEY_NAMES: &[&str] = &[
    "key",
    "id",
    "obj_id",
    "object_id",
    "object",
    "url",
    "block",
    "anonymized_key",
];
const SIZE_NAMES: &[&str] = &["size", "value_size", "obj_size", "object_size", "bytes"];
const TIME_NAMES: &[&str] = &[
    "time",
    "timestamp",
    "clock_time",
    "ts",
    "time_ms",
    "timestamp_ms",
    "time_us",
    "time_ns",
];
const TTL_NAMES: &[&str] = &["ttl", "ttl_ms", "expire"];
const OP_NAMES: &[&str] = &["op", "operation", "command"];

/// Characters of a header that a message shows.
const LISTED_CHARACTERS_MAX: usize = 200;

/// Where the fields of a request stand.
pub(crate) struct Csv {
    separator: u8,
    key: usize,
    size: Option<usize>,
    time: Option<Timed>,
    ttl: Option<Timed>,
    op: Option<usize>,
    has_header: bool,
}

struct Timed {
    column: usize,
    per_second: f64,
}

impl Csv {
    /// Reads the header, if there is one.
    pub(crate) fn new(input: &mut Input, columns: &Columns) -> Result<Self, Error> {
        let given = [
            &columns.key,
            &columns.size,
            &columns.time,
            &columns.ttl,
            &columns.op,
        ];
        let numbered = |name: &&String| name.parse::<usize>().is_ok();
        let is_numbered = given
            .iter()
            .any(|name| name.as_ref().is_some_and(|name| numbered(&name)));
        if is_numbered {
            let first = input.beginning()?;
            let end = first
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(first.len());
            return Self::of(&separator(&first[..end]), None, columns, input);
        }
        let mut line = Vec::new();
        read_line(input, &mut line)?;
        let separator = separator(&line);
        let header = String::from_utf8_lossy(&line).to_lowercase();
        let names = fields(header.as_bytes(), separator)
            .map(|name| String::from_utf8_lossy(&name).trim().to_owned());
        let names: Vec<String> = names.collect();
        Self::of(&separator, Some(&names), columns, input)
    }

    fn of(
        separator: &u8,
        names: Option<&[String]>,
        columns: &Columns,
        input: &Input,
    ) -> Result<Self, Error> {
        let unknown = |name: &str| Error::UnknownColumn {
            path: input.path.clone(),
            name: name.to_owned(),
            columns: names.map_or_else(|| "numbers from 1".to_owned(), listed),
        };
        let find = |given: &Option<String>, usual: &[&str]| -> Result<Option<usize>, Error> {
            let Some(names) = names else {
                let Some(given) = given else { return Ok(None) };
                let place = given
                    .parse::<usize>()
                    .ok()
                    .and_then(|place| place.checked_sub(1));
                return place.map(Some).ok_or_else(|| unknown(given));
            };
            match given {
                Some(given) => {
                    let wanted = given.to_lowercase();
                    let found = names.iter().position(|name| *name == wanted);
                    found.map(Some).ok_or_else(|| unknown(given))
                }
                None => Ok(usual
                    .iter()
                    .find_map(|usual| names.iter().position(|name| name == usual))),
            }
        };
        let timed = |column: Option<usize>| {
            column.map(|column| Timed {
                column,
                per_second: names.map_or(1.0, |names| per_second(&names[column])),
            })
        };
        Ok(Self {
            separator: *separator,
            key: find(&columns.key, KEY_NAMES)?.ok_or_else(|| unknown("key"))?,
            size: find(&columns.size, SIZE_NAMES)?,
            time: timed(find(&columns.time, TIME_NAMES)?),
            ttl: timed(find(&columns.ttl, TTL_NAMES)?),
            op: find(&columns.op, OP_NAMES)?,
            has_header: names.is_some(),
        })
    }

    /// Lines that were read to find the columns.
    pub(crate) fn lines_before(&self) -> u64 {
        u64::from(self.has_header)
    }
}

impl Parse for Csv {
    fn parse(&mut self, line: &[u8], out: &mut Requests) -> Result<(), Expected> {
        let fields: Vec<Cow<'_, [u8]>> = fields(line, self.separator).collect();
        let field = |column: usize, what: &str| {
            let found = fields.get(column);
            found.ok_or_else(|| Expected(format!("{what} in column {}", column + 1)))
        };
        let key = field(self.key, "a key")?;
        if key.is_empty() {
            return Err(Expected(format!("a key in column {}", self.key + 1)));
        }
        let time = |timed: Option<&Timed>, what: &str| {
            let Some(Timed { column, per_second }) = timed else {
                return Ok(None);
            };
            let text = field(*column, what)?;
            let found = millis(text, *per_second);
            found
                .map(Some)
                .ok_or_else(|| Expected(format!("{what} in column {}", column + 1)))
        };
        let size =
            match self.size {
                None => None,
                Some(column) => {
                    let found = lines::size(field(column, "a size in bytes")?);
                    Some(found.ok_or_else(|| {
                        Expected(format!("a size in bytes in column {}", column + 1))
                    })?)
                }
            };
        let time_ms = time(self.time.as_ref(), "a time")?;
        let has_ttl = |timed: &&Timed| fields.get(timed.column).is_none_or(|text| !text.is_empty());
        let ttl = self.ttl.as_ref().filter(has_ttl);
        let ttl_ms = time(ttl, "a time to live")?.filter(|ttl_ms| *ttl_ms > 0);
        let op = match self.op {
            None => Op::Read,
            Some(column) => op_of(field(column, "an operation")?),
        };
        let request = out.push(key);
        (request.size, request.time_ms, request.ttl_ms, request.op) = (size, time_ms, ttl_ms, op);
        Ok(())
    }
}

/// The columns of a table, for a message. What is no table may have one of a megabyte.
fn listed(names: &[String]) -> String {
    let all = lines::printable(&names.join(", "));
    match all.char_indices().nth(LISTED_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &all[..end]),
        None => all,
    }
}

fn op_of(name: &[u8]) -> Op {
    let name = name.to_ascii_lowercase();
    if name.starts_with(b"get") || name.starts_with(b"read") {
        Op::Read
    } else if name.starts_with(b"del") {
        Op::Delete
    } else {
        Op::Write
    }
}

/// Units of a second, as a column's name says.
fn per_second(name: &str) -> f64 {
    match name.rsplit('_').next() {
        Some("ms") => 1e3,
        Some("us") => 1e6,
        Some("ns") => 1e9,
        _ => 1.0,
    }
}

/// The separator of a table, told by a line of it.
fn separator(line: &[u8]) -> u8 {
    let count = |separator: &u8| line.iter().filter(|byte| *byte == separator).count();
    // The last of those that are as frequent wins: a table of one column has commas.
    *[b'\t', b';', b',']
        .iter()
        .max_by_key(|separator| count(separator))
        .unwrap_or(&b',')
}

/// Whether a line looks like a header with a key in it.
pub(crate) fn is_header(line: &[u8]) -> bool {
    let header = String::from_utf8_lossy(line).to_lowercase();
    let separator = separator(line);
    fields(header.as_bytes(), separator).any(|name| {
        KEY_NAMES
            .iter()
            .any(|known| known.as_bytes() == name.trim_ascii())
    })
}

/// The fields of a line.
fn fields(line: &[u8], separator: u8) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        if line.first() == Some(&b'"') {
            let (field, behind) = quoted(&line[1..]);
            rest = behind
                .iter()
                .position(|byte| *byte == separator)
                .map(|at| &behind[at + 1..]);
            return Some(Cow::Owned(field));
        }
        let end = line.iter().position(|byte| *byte == separator);
        rest = end.map(|end| &line[end + 1..]);
        Some(Cow::Borrowed(&line[..end.unwrap_or(line.len())]))
    })
}

/// A quoted field up to its closing quote, and what is behind it. Two quotes are one.
fn quoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut field = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'"' {
            if text.get(at + 1) != Some(&b'"') {
                return (field, &text[at + 1..]);
            }
            at += 1;
        }
        field.push(text[at]);
        at += 1;
    }
    (field, &[])
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Reading, read_all};
    use super::*;
    use crate::request::Request;

    fn read(text: &[u8], columns: Columns) -> Result<Vec<Request>, Error> {
        let reading = Reading {
            format: Some(Format::Csv),
            columns,
            keep_names: true,
            ..Reading::default()
        };
        read_all("t.csv", text, &reading)
    }

    fn some(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn usual_names_are_found_in_any_order_and_case() {
        let text = b"Timestamp,Size,KEY,ttl_ms,op\n1.5,10,a,2000,GET\n2,20,b,0,set\n";
        let all = read(text, Columns::default()).unwrap();
        let facts: Vec<_> = all
            .iter()
            .map(|one| (one.size, one.time_ms, one.ttl_ms, one.op))
            .collect();
        assert_eq!(
            facts,
            [
                (Some(10), Some(1_500), Some(2_000), Op::Read),
                (Some(20), Some(2_000), None, Op::Write)
            ]
        );
    }

    #[test]
    fn columns_can_be_named_and_numbered() {
        let named = Columns {
            key: some("page"),
            time: some("when_us"),
            ..Columns::default()
        };
        let all = read(b"when_us\tpage\n5000\tx\n", named).unwrap();
        assert_eq!(
            (all[0].name.as_deref(), all[0].time_ms),
            (Some(&b"x"[..]), Some(5))
        );
        let numbered = Columns {
            key: some("2"),
            size: some("1"),
            ..Columns::default()
        };
        let all = read(b"7;x\n8;y\n", numbered).unwrap();
        assert_eq!((all.len(), all[0].size, all[1].size), (2, Some(7), Some(8)));
    }

    #[test]
    fn a_column_that_is_not_there_is_named_together_with_those_that_are() {
        let columns = Columns {
            size: some("length"),
            ..Columns::default()
        };
        let error = read(b"key,size\na,1\n", columns).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"t.csv: there is no column "length" in the header; it has key, size"#
        );
        assert_eq!(error.exit_code(), 2);
        assert!(read(b"a,b\n1,2\n", Columns::default()).is_err());
    }

    #[test]
    fn a_header_that_is_no_text_is_shown_in_part_and_without_control_characters() {
        let junk = ["\x1b[2J".as_bytes(), &[b'x'; 100_000], b"\n"].concat();
        let error = read(&junk, Columns::default()).unwrap_err().to_string();
        assert!(error.len() < 400 && !error.contains('\x1b'), "{error}");
    }

    #[test]
    fn entries_without_a_time_to_live_leave_its_field_empty_or_at_zero() {
        let all = read(b"key,ttl\na,\nb,0\nc,5\n", Columns::default()).unwrap();
        let ttls: Vec<_> = all.iter().map(|one| one.ttl_ms).collect();
        assert_eq!(ttls, [None, None, Some(5_000)]);
        assert!(read(b"key,ttl\na\n", Columns::default()).is_err());
    }

    #[test]
    fn a_mark_before_the_header_is_no_part_of_a_name() {
        let all = read(b"\xef\xbb\xbfkey,size\na,1\n", Columns::default()).unwrap();
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn quoted_fields_may_hold_separators_and_quotes() {
        let all = read(b"size,key\n1,\"a,\"\"b\"\"\"\n2,\"\n", Columns::default());
        let error = all.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("t.csv:3: expected a key in column 2"),
            "{error}"
        );
        let all = read(b"size,key\n1,\"a,\"\"b\"\"\"\n", Columns::default()).unwrap();
        assert_eq!(all[0].name.as_deref(), Some(&b"a,\"b\""[..]));
    }

    #[test]
    fn fields_that_are_missing_or_no_numbers_are_malformed() {
        for line in ["a", "a,ten", "a,-1", "a,1.5", "a,1125899906842625", ",5"] {
            let error =
                read(format!("key,size\n{line}\n").as_bytes(), Columns::default()).unwrap_err();
            assert!(
                matches!(error, Error::Malformed { at: 2, .. }),
                "{line}: {error}"
            );
        }
    }

    #[test]
    fn sizes_of_zero_and_of_4_gib_are_sizes() {
        let all = read(b"key,size\na,0\nb,4294967296\n", Columns::default()).unwrap();
        assert_eq!((all[0].size, all[1].size), (Some(0), Some(1 << 32)));
    }
}
