//! The published Twitter cache traces (Yang et al. 2020): time in seconds, key, key size, value size,
//! client, operation, time to live in seconds, separated by commas.

use super::lines::{Expected, Parse, Requests, millis, number, size};
use crate::request::Op;

const EXPECTED: &str = "seven fields: time, key, key size, value size, client, operation, ttl";
/// Fields before and behind the key, which may have commas in it.
const FIELDS_BEHIND_KEY: usize = 5;

/// See the module's documentation.
pub(crate) struct Twitter;

impl Parse for Twitter {
    fn parse(&mut self, line: &[u8], out: &mut Requests) -> Result<(), Expected> {
        parse(line, out).ok_or_else(|| Expected::new(EXPECTED))
    }
}

fn parse(line: &[u8], out: &mut Requests) -> Option<()> {
    let comma = line.iter().position(|byte| *byte == b',')?;
    let (time, rest) = (&line[..comma], &line[comma + 1..]);
    let mut behind: Vec<&[u8]> = rest
        .rsplitn(FIELDS_BEHIND_KEY + 1, |byte| *byte == b',')
        .collect();
    let key = behind.pop().filter(|key| !key.is_empty())?;
    let [ttl, op, _client, value_bytes, key_bytes] = behind[..].try_into().ok()?;
    let time_ms = millis(time, 1.0)?;
    let (key_bytes, value_bytes) = (number(key_bytes)?, size(value_bytes)?);
    let ttl_ms = number(ttl)?.checked_mul(1_000)?;
    let op = op_of(op)?;
    let request = out.push(key);
    request.key_bytes = key_bytes.try_into().ok()?;
    request.size = Some(value_bytes);
    request.time_ms = Some(time_ms);
    request.ttl_ms = (ttl_ms > 0).then_some(ttl_ms);
    request.op = op;
    Some(())
}

/// Memcached's commands.
fn op_of(name: &[u8]) -> Option<Op> {
    match name {
        b"get" | b"gets" => Some(Op::Read),
        b"set" | b"add" | b"replace" | b"cas" | b"append" | b"prepend" | b"incr" | b"decr" => {
            Some(Op::Write)
        }
        b"delete" => Some(Op::Delete),
        _ => None,
    }
}

/// Whether a line is of this format.
pub(crate) fn is_line(line: &[u8]) -> bool {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b',').collect();
    fields.len() >= 7
        && op_of(fields[fields.len() - 2]).is_some()
        && millis(fields[0], 1.0).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Reading, read_all};
    use super::*;

    fn reading() -> Reading {
        Reading {
            format: Some(Format::Twitter),
            keep_names: true,
            ..Reading::default()
        }
    }

    #[test]
    fn reads_writes_and_deletions_have_size_time_and_time_to_live() {
        let text =
            b"0,nz:u:eeW511W3dcH3de3d15ec,22,304,5,get,0\n2,k,1,10,9,set,60\n3,k,1,0,9,delete,0\n";
        let all = read_all("cluster52", text, &reading()).unwrap();
        let facts: Vec<_> = all
            .iter()
            .map(|one| (one.op, one.key_bytes, one.size, one.time_ms, one.ttl_ms))
            .collect();
        assert_eq!(
            facts,
            [
                (Op::Read, 22, Some(304), Some(0), None),
                (Op::Write, 1, Some(10), Some(2_000), Some(60_000)),
                (Op::Delete, 1, Some(0), Some(3_000), None),
            ]
        );
        assert_eq!(all[1].key, all[2].key);
    }

    #[test]
    fn a_key_may_have_commas_in_it() {
        let all = read_all("a", b"1,a,b,3,10,9,get,0\n", &reading()).unwrap();
        assert_eq!(all[0].name.as_deref(), Some(&b"a,b"[..]));
    }

    #[test]
    fn lines_with_something_else_in_them_are_malformed() {
        let lines: [&[u8]; 6] = [
            b"1,k,1,10,9,fetch,0",
            b"1,k,1,10,9,get",
            b"x,k,1,10,9,get,0",
            b"1,,1,10,9,get,0",
            b"1,k,1,ten,9,get,0",
            b"1,k,1,10,9,get,18446744073709551615",
        ];
        for line in lines {
            assert!(
                read_all("a", line, &reading()).is_err(),
                "{}",
                String::from_utf8_lossy(line)
            );
        }
    }
}
