//! What `redis-cli MONITOR` prints: time, database and client, then the command and its arguments in
//! quotes.
//!
//! A command that reads a value is a read of its key (several for `MGET`); of a hash, a list or a set
//! the key counts, not the field. A command that writes is a write of the key, with the size and the
//! time to live that it names; `DEL` and its like are deletions. Commands for no key (`PING`) and those
//! that only look (`TTL`, `SCAN`) are passed over. Sizes of values that are read are not in the log.

mod commands;

use super::lines::{Expected, Parse, Requests, millis, number};
use crate::request::{Op, Request, mix};
use commands::{DELETIONS, READS, READS_ALL, WRITES};

const EXPECTED: &str = "a line of MONITOR: TIME [DB CLIENT] \"command\" \"argument\" ...";

/// See the module's documentation.
pub(crate) struct Monitor;

impl Parse for Monitor {
    /// Lines hold the values that are written, of which a byte that can't be printed takes four.
    const LINE_BYTES_MAX: usize = 64 << 20;

    fn parse(&mut self, line: &[u8], out: &mut Requests) -> Result<(), Expected> {
        // What redis-cli prints first.
        if line == b"OK" {
            return Ok(());
        }
        let (head, words) = parse(line).ok_or_else(|| Expected::new(EXPECTED))?;
        let (command, arguments) = words.split_first().ok_or_else(|| Expected::new(EXPECTED))?;
        push(&command.to_ascii_lowercase(), arguments, head, out);
        Ok(())
    }
}

/// What is before the command.
#[derive(Clone, Copy)]
struct Head {
    time_ms: u64,
    /// Databases have keys of their own.
    database: u64,
}

/// Whether a line is of this format.
pub(crate) fn is_line(line: &[u8]) -> bool {
    parse(line).is_some_and(|(_, words)| !words.is_empty())
}

fn parse(line: &[u8]) -> Option<(Head, Vec<Vec<u8>>)> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let time_ms = millis(&line[..space], 1.0)?;
    let rest = line[space + 1..].strip_prefix(b"[")?;
    // The client behind the database may have brackets itself: `[::1]:6379`, or a socket's path.
    let end = rest.windows(3).position(|three| three == b"] \"");
    let end = end.or_else(|| rest.iter().position(|byte| *byte == b']'))?;
    let digits = rest[..end].split(|byte| *byte == b' ').next()?;
    let head = Head {
        time_ms,
        database: number(digits)?,
    };
    Some((head, arguments(rest[end + 1..].trim_ascii())?))
}

fn push(command: &[u8], arguments: &[Vec<u8>], head: Head, out: &mut Requests) {
    let is_in = |list: &[&str]| list.iter().any(|name| name.as_bytes() == command);
    let first = &arguments[..arguments.len().min(1)];
    if is_in(READS) {
        each(first, Op::Read, head, out);
    } else if is_in(READS_ALL) {
        each(arguments, Op::Read, head, out);
    } else if is_in(DELETIONS) {
        each(arguments, Op::Delete, head, out);
    } else if command == b"getdel" {
        each(first, Op::Read, head, out);
        each(first, Op::Delete, head, out);
    } else if command == b"mset" || command == b"msetnx" {
        for pair in arguments.chunks_exact(2) {
            let request = one(&pair[0], Op::Write, head, out);
            request.size = Some(pair[1].len() as u64);
        }
    } else if is_in(WRITES) && !first.is_empty() {
        let request = one(&arguments[0], Op::Write, head, out);
        (request.size, request.ttl_ms) = written(command, arguments, head.time_ms);
    }
}

fn each(keys: &[Vec<u8>], op: Op, head: Head, out: &mut Requests) {
    for key in keys {
        one(key, op, head, out);
    }
}

fn one<'a>(key: &[u8], op: Op, head: Head, out: &'a mut Requests) -> &'a mut Request {
    let request = out.push(key);
    (request.op, request.time_ms) = (op, Some(head.time_ms));
    if head.database > 0 {
        request.key = mix(request.key ^ mix(head.database));
        if let Some(name) = &mut request.name {
            let shown = [name, format!(" (database {})", head.database).as_bytes()].concat();
            *name = shown.into();
        }
    }
    request
}

/// The size and the time to live that a write names.
fn written(command: &[u8], arguments: &[Vec<u8>], now_ms: u64) -> (Option<u64>, Option<u64>) {
    let length = |at: usize| arguments.get(at).map(|value| value.len() as u64);
    let argument = |at: usize| arguments.get(at).and_then(|text| number(text));
    match command {
        b"set" => (
            length(1),
            ttl_of(arguments.get(2..).unwrap_or_default(), now_ms),
        ),
        b"setnx" | b"getset" => (length(1), None),
        b"setex" => (
            length(2),
            argument(1).and_then(|seconds| seconds.checked_mul(1_000)),
        ),
        b"psetex" => (length(2), argument(1)),
        _ => (None, None),
    }
}

/// `EX seconds`, `PX millis`, or the time itself with `EXAT` and `PXAT`.
fn ttl_of(options: &[Vec<u8>], now_ms: u64) -> Option<u64> {
    options.windows(2).find_map(|pair| {
        let value = number(&pair[1])?;
        match &pair[0].to_ascii_lowercase()[..] {
            b"ex" => value.checked_mul(1_000),
            b"px" => Some(value),
            b"exat" => Some(value.checked_mul(1_000)?.saturating_sub(now_ms)),
            b"pxat" => Some(value.saturating_sub(now_ms)),
            _ => None,
        }
    })
}

/// Words in quotes, with Redis' escapes.
fn arguments(mut text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    while !text.is_empty() {
        let mut word = Vec::new();
        text = text.strip_prefix(b"\"")?;
        loop {
            let (&byte, behind) = text.split_first()?;
            text = behind;
            match byte {
                b'"' => break,
                b'\\' => {
                    let (byte, behind) = unescaped(text)?;
                    word.push(byte);
                    text = behind;
                }
                byte => word.push(byte),
            }
        }
        words.push(word);
        text = text.trim_ascii_start();
    }
    Some(words)
}

/// The byte that an escape stands for, and what is behind it.
fn unescaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&letter, rest) = text.split_first()?;
    let byte = match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 7,
        b'b' => 8,
        b'x' => {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            return Some((u8::from_str_radix(digits, 16).ok()?, &rest[2..]));
        }
        other => other,
    };
    Some((byte, rest))
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Reading, read_all};
    use super::*;

    fn read(text: &str) -> Vec<Request> {
        try_read(text).unwrap()
    }

    fn try_read(text: &str) -> Result<Vec<Request>, crate::error::Error> {
        let reading = Reading {
            format: Some(Format::Monitor),
            keep_names: true,
            ..Reading::default()
        };
        read_all("a", text.as_bytes(), &reading)
    }

    fn line(command: &str) -> String {
        format!("1339518083.107412 [0 127.0.0.1:60866] {command}")
    }

    fn ops(command: &str) -> Vec<(Op, String)> {
        let all = read(&line(command));
        let name =
            |one: &Request| String::from_utf8_lossy(one.name.as_deref().unwrap()).into_owned();
        all.iter().map(|one| (one.op, name(one))).collect()
    }

    fn some(op: Op, keys: &[&str]) -> Vec<(Op, String)> {
        keys.iter().map(|key| (op, (*key).to_owned())).collect()
    }

    #[test]
    fn reads_writes_and_deletions_name_their_keys() {
        assert_eq!(ops(r#""GET" "x""#), some(Op::Read, &["x"]));
        assert_eq!(
            ops(r#""mget" "a" "b" "c""#),
            some(Op::Read, &["a", "b", "c"])
        );
        assert_eq!(
            ops(r#""hget" "user:1" "name""#),
            some(Op::Read, &["user:1"])
        );
        assert_eq!(
            ops(r#""HSET" "user:1" "name" "Ada""#),
            some(Op::Write, &["user:1"])
        );
        assert_eq!(
            ops(r#""mset" "a" "1" "b" "22""#),
            some(Op::Write, &["a", "b"])
        );
        assert_eq!(ops(r#""DEL" "a" "b""#), some(Op::Delete, &["a", "b"]));
        assert_eq!(
            ops(r#""getdel" "a""#),
            [some(Op::Read, &["a"]), some(Op::Delete, &["a"])].concat()
        );
    }

    #[test]
    fn commands_for_no_key_and_the_first_ok_are_passed_over() {
        let text = [
            "OK",
            &line(r#""PING""#),
            &line(r#""scan" "0""#),
            &line(r#""get""#),
        ]
        .join("\n");
        assert_eq!(read(&text), []);
    }

    #[test]
    fn a_write_has_the_size_and_the_time_to_live_that_it_names() {
        let facts = |command: &str| {
            let all = read(&line(command));
            (all[0].size, all[0].ttl_ms)
        };
        assert_eq!(facts(r#""set" "k" "12345""#), (Some(5), None));
        assert_eq!(
            facts(r#""set" "k" "12345" "NX" "EX" "60""#),
            (Some(5), Some(60_000))
        );
        assert_eq!(facts(r#""set" "k" "1" "px" "250""#), (Some(1), Some(250)));
        assert_eq!(
            facts(r#""set" "k" "1" "pxat" "1339518083200""#),
            (Some(1), Some(93))
        );
        assert_eq!(facts(r#""setex" "k" "10" "abc""#), (Some(3), Some(10_000)));
        assert_eq!(facts(r#""psetex" "k" "10" "abc""#), (Some(3), Some(10)));
    }

    #[test]
    fn escapes_stand_for_the_bytes_that_redis_means() {
        let all = read(&line(r#""get" "a\"b\\c\n\x00\xff d""#));
        assert_eq!(all[0].name.as_deref(), Some(&b"a\"b\\c\n\x00\xff d"[..]));
    }

    #[test]
    fn time_and_scripts_are_understood() {
        let all = read(r#"1339518083.107412 [0 lua] "get" "x""#);
        assert_eq!(all[0].time_ms, Some(1_339_518_083_107));
    }

    #[test]
    fn clients_may_have_brackets_in_their_names() {
        for client in ["[::1]:46134", "unix:/run/a] [b/redis.sock", "lua"] {
            let all = read(&format!(r#"1.5 [0 {client}] "get" "x] \" [""#));
            assert_eq!(all[0].name.as_deref(), Some(&b"x] \" ["[..]), "{client}");
        }
    }

    #[test]
    fn databases_have_keys_of_their_own() {
        let keys = ["0", "1", "2", "1"].map(|database| {
            let text = format!(r#"1.5 [{database} 127.0.0.1:1] "get" "x""#);
            read(&text)[0].key
        });
        assert_eq!(keys[1], keys[3]);
        assert_eq!(keys[0], crate::request::key_of_text(b"x"));
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        let named = &read(r#"1.5 [3 127.0.0.1:1] "get" "x""#)[0];
        assert_eq!(named.name.as_deref(), Some(&b"x (database 3)"[..]));
        assert_eq!(named.key_bytes, 1);
    }

    #[test]
    fn a_value_of_several_megabytes_is_a_value() {
        let all = read(&line(&format!(
            r#""set" "k" "{}""#,
            r"\x00".repeat(1 << 20)
        )));
        assert_eq!(all[0].size, Some(1 << 20));
    }

    #[test]
    fn lines_that_are_cut_or_of_something_else_are_malformed() {
        let cut = [r#""get" "x"#, r#""get" "\x0"#, "get x", ""];
        for text in cut.map(line) {
            assert!(try_read(&text).is_err(), "{text}");
        }
        for text in ["hello", "1.5 get x", "now [0 a] \"get\" \"x\""] {
            assert!(try_read(text).is_err(), "{text}");
        }
    }
}
