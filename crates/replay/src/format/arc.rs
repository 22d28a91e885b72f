//! The traces of the ARC paper: first block, number of blocks, a number without meaning here, and the
//! number of the request. Each block is a read.

use super::lines::{Expected, Parse, Requests, number};
use crate::request::Request;

/// Blocks of one line: more is not a request but a mistake.
const BLOCKS_MAX: u64 = 1 << 20;

/// See the module's documentation.
pub(crate) struct Arc;

impl Parse for Arc {
    fn parse(&mut self, line: &[u8], out: &mut Requests) -> Result<(), Expected> {
        let expected = || {
            Expected::new(
                "four numbers: first block, number of blocks (up to 1,048,576), ignored, request",
            )
        };
        let mut fields = line
            .split(|byte| byte.is_ascii_whitespace())
            .filter(|field| !field.is_empty());
        let mut next = || fields.next().and_then(number);
        let (Some(first), Some(count), Some(_), Some(_)) = (next(), next(), next(), next()) else {
            return Err(expected());
        };
        let end = first.checked_add(count).filter(|_| count <= BLOCKS_MAX);
        let (Some(end), None) = (end, fields.next()) else {
            return Err(expected());
        };
        for block in first..end {
            out.push_request(Request::read(block));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Reading, read_all};

    fn keys(text: &[u8]) -> Option<Vec<u64>> {
        let reading = Reading {
            format: Some(Format::Arc),
            ..Reading::default()
        };
        let all = read_all("a", text, &reading).ok()?;
        Some(all.iter().map(|request| request.key).collect())
    }

    #[test]
    fn a_line_is_a_run_of_blocks() {
        assert_eq!(
            keys(b"10 3 0 1\n20 1 0 2\n30 0 0 3\n"),
            Some(vec![10, 11, 12, 20])
        );
    }

    #[test]
    fn runs_that_no_disk_has_and_lines_of_other_lengths_are_malformed() {
        let lines: [&[u8]; 5] = [
            b"1 4000000000 0 1",
            b"18446744073709551615 2 0 1",
            b"1 2 3",
            b"1 2 3 4 5",
            b"1 -2 3 4",
        ];
        for line in lines {
            assert_eq!(keys(line), None, "{}", String::from_utf8_lossy(line));
        }
    }
}
