//! The traces of the LIRS paper: a block number a line; lines with a star separate phases.

use super::lines::{Expected, Parse, Requests, number};
use crate::request::Request;

/// See the module's documentation.
pub(crate) struct Lirs;

impl Parse for Lirs {
    fn parse(&mut self, line: &[u8], out: &mut Requests) -> Result<(), Expected> {
        if line.trim_ascii().starts_with(b"*") {
            return Ok(());
        }
        let block = number(line).ok_or_else(|| Expected::new("a block number"))?;
        out.push_request(Request::read(block));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Reading, read_all};

    #[test]
    fn stars_are_passed_over() {
        let reading = Reading {
            format: Some(Format::Lirs),
            ..Reading::default()
        };
        let all = read_all("a", b"5\n*\n 6\n*\n5\n", &reading).unwrap();
        let keys: Vec<_> = all.iter().map(|request| request.key).collect();
        assert_eq!(keys, [5, 6, 5]);
    }
}
