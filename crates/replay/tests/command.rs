//! The command from outside: what it prints, and how it ends.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder of one test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn file(test: &str, name: &str, bytes: &[u8]) -> String {
    let path = folder(test).join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nearcache-replay"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).stdin(Stdio::null()).output().unwrap()
}

fn run_with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = command(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn rows(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", stderr(output));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn fails(output: &Output, code: i32, with: &str) {
    let message = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.contains(with), "{message}");
    assert!(!message.contains("panicked"), "{message}");
}

/// Keys one to three in turn, then one alone.
fn keys() -> Vec<u8> {
    let keys = [1u64, 2, 3, 1, 2, 3, 1, 1, 1, 1];
    keys.iter().flat_map(|key| key.to_le_bytes()).collect()
}

/// Keys, sizes and times of a made-up trace.
fn sized() -> Vec<u8> {
    let record = |at: u32| {
        let key = u64::from(at * at % 61);
        let mut bytes = key.to_le_bytes().to_vec();
        bytes.extend((100 + key as u32 * 7).to_le_bytes());
        bytes.extend(at.to_le_bytes());
        bytes
    };
    (0..2_000).flat_map(record).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn a_row_has_all_fields_and_the_right_numbers() {
    let trace = file("row", "abc.k.bin", &keys());
    let all = rows(&run(&[
        &trace,
        "--entries",
        "2",
        "--policy",
        "lru",
        "--json",
    ]));
    let row = &all[0];
    let field = |name: &str| row[name].clone();
    assert_eq!(all.len(), 1);
    assert_eq!(
        [field("trace"), field("policy"), field("mode")],
        ["abc".into(), "lru".into(), Value::from("object")]
    );
    // Each of the cycle misses, then key one hits three times.
    let numbers = [
        "capacity",
        "requests",
        "hits",
        "evictions",
        "rejected",
        "entries",
    ];
    assert_eq!(
        numbers.map(|name| field(name).as_u64()),
        [2, 10, 3, 5, 0, 2].map(Some)
    );
    assert_eq!(field("hit_ratio"), 0.3);
    assert!(field("fraction").is_null() && field("byte_hit_ratio").is_null());
    assert!(field("seconds").is_number());
}

#[test]
fn every_policy_is_replayed_at_every_size_in_the_order_given() {
    let trace = file("order", "abc.kst.bin", &sized());
    let all = rows(&run(&[
        &trace,
        "--fraction",
        "0.1,0.5",
        "--mode",
        "byte",
        "--json",
        "--policy",
        "nearcache,lru,fifo,sieve,s3-fifo,lfu,arc,w-tinylfu,caffeine-like",
    ]));
    assert_eq!(all.len(), 18);
    assert!(
        all[..9]
            .iter()
            .all(|row| row["fraction"] == 0.1 && row["byte_hit_ratio"].is_number())
    );
    // 31 squares modulo 61.
    let footprint: u64 = (0..61u64)
        .map(|at| at * at % 61)
        .collect::<std::collections::BTreeSet<_>>()
        .iter()
        .map(|key| 100 + key * 7)
        .sum();
    assert_eq!(
        all[17]["capacity"],
        ((footprint as f64) * 0.5).round_ties_even() as u64
    );
    assert_eq!(all[9]["policy"], "nearcache");
}

#[test]
fn packed_files_and_standard_input_give_what_the_plain_file_gives() {
    let plain = file("packed", "abc.kst.bin", &sized());
    let options = [
        "--memory",
        "100000",
        "--mode",
        "byte",
        "--policy",
        "lru,nearcache",
        "--json",
    ];
    let without_times = |output: &Output| {
        let mut all = rows(output);
        for row in &mut all {
            let row = row.as_object_mut().unwrap();
            row.remove("seconds");
            row.remove("trace");
        }
        all
    };
    let expected = without_times(&run(&[&[&plain[..]], &options[..]].concat()));
    for (name, bytes) in [
        ("abc.kst.bin.gz", gzip(&sized())),
        ("abc.kst.bin.zst", zstd(&sized())),
    ] {
        let packed = file("packed", name, &bytes);
        assert_eq!(
            without_times(&run(&[&[&packed[..]], &options[..]].concat())),
            expected,
            "{name}"
        );
        let stdin = [&["-", "--format", "bin", "--layout", "kst"], &options[..]].concat();
        assert_eq!(
            without_times(&run_with_input(&stdin, &bytes)),
            expected,
            "{name}"
        );
    }
    let two = gzip(&sized()[..16 * 700])
        .into_iter()
        .chain(gzip(&sized()[16 * 700..]))
        .collect::<Vec<_>>();
    let packed = file("packed", "two.kst.bin.gz", &two);
    assert_eq!(
        without_times(&run(&[&[&packed[..]], &options[..]].concat())),
        expected
    );
    let two = zstd(&sized()[..16 * 700])
        .into_iter()
        .chain(zstd(&sized()[16 * 700..]))
        .collect::<Vec<_>>();
    let packed = file("packed", "two.kst.bin.zst", &two);
    assert_eq!(
        without_times(&run(&[&[&packed[..]], &options[..]].concat())),
        expected
    );
    // pzstd tells the length of each frame in one that is to be skipped.
    let skipped = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
    let skipping = [&skipped[..], &zstd(&sized()), &skipped].concat();
    let packed = file("packed", "skipping.kst.bin.zst", &skipping);
    assert_eq!(
        without_times(&run(&[&[&packed[..]], &options[..]].concat())),
        expected
    );
    let stdin = [&["-", "--format", "bin", "--layout", "kst"], &options[..]].concat();
    assert_eq!(without_times(&run_with_input(&stdin, &skipping)), expected);
}

#[test]
fn a_capture_of_monitor_is_replayed_with_its_writes() {
    let text = concat!(
        "OK\n",
        "1.0 [0 127.0.0.1:1] \"SET\" \"a\" \"1\" \"EX\" \"10\"\n",
        "2.0 [0 127.0.0.1:1] \"GET\" \"a\"\n",
        "3.0 [0 127.0.0.1:1] \"MGET\" \"a\" \"b\"\n",
        "4.0 [0 127.0.0.1:1] \"DEL\" \"b\"\n",
        "5.0 [0 127.0.0.1:1] \"GET\" \"b\"\n",
        "20.0 [0 127.0.0.1:1] \"GET\" \"a\"\n",
    );
    let trace = file("monitor", "capture.log", text.as_bytes());
    for row in rows(&run(&[
        &trace,
        "--entries",
        "10",
        "--json",
        "--policy",
        "nearcache,lru,w-tinylfu",
    ])) {
        assert_eq!(
            (&row["requests"], &row["hits"]),
            (&5.into(), &2.into()),
            "{row}"
        );
        assert_eq!(row["expired"], 1, "{row}");
    }
}

#[test]
fn a_pipe_that_gives_one_line_at_a_time_has_the_same_format_as_a_file() {
    let mut child = command(&["-", "--entries", "10", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // As redis-cli does: what comes first is no line of the format.
    input.write_all(b"OK\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let line = |at: u32| format!("{at}.5 [0 127.0.0.1:1] \"GET\" \"a\"\n");
    for at in 0..3 {
        input.write_all(line(at).as_bytes()).unwrap();
    }
    drop(input);
    let row = &rows(&child.wait_with_output().unwrap())[0];
    assert_eq!((&row["requests"], &row["hits"]), (&3.into(), &2.into()));
}

#[cfg(unix)]
#[test]
fn what_reads_twice_refuses_pipes() {
    // A pipe by name, as a shell's `<(...)` is one.
    let folder = folder("pipe");
    let pipe = folder.join("pipe");
    let _ = std::fs::remove_file(&pipe);
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let pipe = pipe.to_str().unwrap();
    fails(&run(&["size", pipe]), 2, "read the trace twice");
    fails(
        &run(&[pipe, "--fraction", "0.5"]),
        2,
        "read the trace twice",
    );
}

#[test]
fn a_trace_without_reads_is_bad_data() {
    let trace = file("no-reads", "t.csv", b"op,key\nR,a\nW,b\nR,a\n");
    let message = "none of its 3 requests reads";
    fails(&run(&[&trace, "--entries", "3"]), 1, message);
    fails(&run(&["size", &trace]), 1, message);
}

#[test]
fn what_came_before_bad_data_is_shown() {
    let good = file("good-and-bad", "good.k.bin", &keys());
    let output = run(&[&good, "/does/not/exist", "--entries", "3"]);
    fails(&output, 1, "can't be opened");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("nearcache"), "{table}");
}

#[test]
fn a_capture_of_monitor_has_the_sizes_of_what_was_written() {
    let line = |number: u32, command: &str| format!("{number}.0 [0 127.0.0.1:1] {command}\n");
    let set = |key: &str, length: usize| format!("\"SET\" \"{key}\" \"{}\"", "x".repeat(length));
    let text = [
        "\"GET\" \"a\"".to_owned(), // 100 bytes by default: nobody has said so far
        set("a", 20),
        "\"GET\" \"a\"".to_owned(),
        set("b", 80),
        "\"GET\" \"b\"".to_owned(),
        "\"GET\" \"a\"".to_owned(),
    ];
    let text: String = (1..)
        .zip(&text)
        .map(|(n, command)| line(n, command))
        .collect();
    let trace = file("monitor-bytes", "capture.log", text.as_bytes());
    let arguments = ["--format", "monitor", "--mode", "byte", "--fraction", "1"];
    let arguments = [&[&trace[..], "--json"], &arguments[..]].concat();
    let row = &rows(&run(&arguments))[0];
    assert_eq!(row["capacity"], 100, "{row}");
    assert_eq!(
        (&row["requests"], &row["hits"]),
        (&4.into(), &3.into()),
        "{row}"
    );
    assert_eq!(row["byte_hit_ratio"], 0.545_455, "120 of 220: {row}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_shown_how_far_it_is() {
    // Enough for a look at the position.
    let trace = file("terminal", "many.k.bin", &[7; 8 * 20_000]);
    let program = env!("CARGO_BIN_EXE_nearcache-replay");
    // script(1) runs the command in a pseudo-terminal.
    let shown = Command::new("script")
        .args([
            "-qec",
            &format!("{program} {trace} --entries 10"),
            "/dev/null",
        ])
        .stdin(Stdio::null())
        .output();
    // Not every system has it.
    let Ok(shown) = shown else { return };
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(
        text.contains("many.k.bin") && text.contains("156.25 KiB"),
        "{text}"
    );
}

#[test]
fn a_table_is_printed_without_json() {
    let trace = file("table", "abc.k.bin", &keys());
    let output = run(&[&trace, "--entries", "1,2", "--policy", "lru"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("30.00 %"), "{text}");
    assert_eq!(
        stderr(&output),
        "",
        "no progress bar where there is no terminal"
    );
}

#[test]
fn capacities_of_one_and_of_more_than_the_trace_are_sizes_like_others() {
    let trace = file("capacities", "abc.k.bin", &keys());
    let all = rows(&run(&[&trace, "--entries", "1,1000000", "--json"]));
    assert_eq!(
        (&all[0]["hits"], &all[0]["entries"]),
        (&3.into(), &1.into())
    );
    assert_eq!(
        (&all[1]["hits"], &all[1]["entries"]),
        (&7.into(), &3.into())
    );
    let all = rows(&run(&[&trace, "--fraction", "0.0001,1.5,2.5", "--json"]));
    let capacities: Vec<&Value> = all.iter().map(|row| &row["capacity"]).collect();
    // Halves are rounded to even numbers.
    assert_eq!(capacities, [1, 4, 8]);
}

#[test]
fn wrong_command_lines_end_with_two_and_say_why() {
    let trace = file("usage", "abc.k.bin", &keys());
    let trace = &trace[..];
    fails(&run(&[]), 2, "--entries");
    fails(&run(&[trace]), 2, "--fraction");
    fails(&run(&[trace, "--entries", "0"]), 2, "room for something");
    fails(&run(&[trace, "--entries", "many"]), 2, "many");
    fails(
        &run(&[trace, "--entries", "1", "--memory", "1"]),
        2,
        "cannot be used with",
    );
    fails(&run(&[trace, "--memory", "1"]), 2, "at least 65536");
    fails(
        &run(&[trace, "--entries", "18446744073709551615"]),
        2,
        "it must be 1 to",
    );
    fails(
        &run(&[trace, "--fraction", "-0.5"]),
        2,
        "unexpected argument",
    );
    fails(&run(&[trace, "--fraction", "0"]), 2, "more than 0");
    fails(&run(&[trace, "--fraction", "NaN"]), 2, "more than 0");
    fails(&run(&[trace, "--fraction", "1001"]), 2, "at most 1000");
    let endless = ["--value-size", "18446744073709551615", "--policy", "lru"];
    fails(
        &run(&[&[trace, "--memory", "65536"], &endless[..]].concat()),
        2,
        "a number of bytes, up to",
    );
    fails(
        &run(&[trace, "--entries", "1", "--mode", "byte"]),
        2,
        "--entries counts objects",
    );
    fails(
        &run(&[trace, "--entries", "1", "--policy", "best"]),
        2,
        "the policies are nearcache, lru",
    );
    fails(
        &run(&[trace, "--entries", "1", "--format", "pcap"]),
        2,
        "the formats are auto, bin",
    );
    fails(
        &run(&[trace, "--entries", "1", "--columns", "key"]),
        2,
        "WHAT=COLUMN",
    );
    fails(&run(&["-", "--fraction", "0.1"]), 2, "read the trace twice");
    fails(&run(&["size", "-"]), 2, "read the trace twice");
    fails(
        &run(&["size", trace, "--target", "1.5"]),
        2,
        "between 0 and 1",
    );
    fails(&run(&["size", trace, "--price-per-gb-month", "-1"]), 2, "");
    fails(
        &run(&["size", trace, "--traffic-price", "5,1"]),
        2,
        "the lower one",
    );
}

#[test]
fn bad_data_ends_with_one_and_says_where() {
    let of = |name: &str, bytes: &[u8]| run(&[&file("bad", name, bytes), "--entries", "10"]);
    fails(
        &run(&["/does/not/exist", "--entries", "1"]),
        1,
        "can't be opened",
    );
    fails(
        &run(&[folder("bad").to_str().unwrap(), "--entries", "1"]),
        1,
        "bad",
    );
    fails(&of("empty", b""), 1, "no request");
    fails(&of("lines", b"\n\r\n\n"), 1, "no request");
    fails(&of("empty.k.bin", b""), 1, "no request");
    fails(&of("empty.k.bin.gz", &gzip(b"")), 1, "no request");
    fails(&of("comments.trc", b"*\n*\n"), 1, "no request");
    fails(
        &of("short.k.bin", &keys()[..21]),
        1,
        "ends within record 3: 5 bytes are left of records of 8",
    );
    fails(&of("nothing.k.bin.gz", b""), 1, "cut short");
    let whole = gzip(&sized());
    fails(
        &of("cut.kst.bin.gz", &whole[..whole.len() - 20]),
        1,
        "cut short",
    );
    fails(&of("cut-in-head.kst.bin.gz", &whole[..5]), 1, "cut short");
    let whole = zstd(&sized());
    fails(
        &of("cut.kst.bin.zst", &whole[..whole.len() - 20]),
        1,
        "reading failed (the file is cut short)",
    );
    fails(&of("plain.k.bin.gz", &keys()), 1, "reading failed");
    fails(&of("plain.k.bin.zst", &keys()), 1, "reading failed");
    let junk: Vec<u8> = (0..5_000u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    fails(&of("junk", &junk), 1, "neither its name nor its content");
    fails(
        &of("junk.csv", b"key,size\n\xff\xfe\x00,\x01\n"),
        1,
        "junk.csv",
    );
    fails(
        &of(
            "access.log",
            b"::1 - - [01/Jan/2024:00:00:00 +0000] \"GET / HTTP/1.1\" 200 5\nx\n",
        ),
        1,
        "access.log:2: expected a line of a common log",
    );
    let unsized_trace = file("bad", "abc.k.bin", &keys());
    fails(
        &run(&[&unsized_trace, "--fraction", "0.5", "--mode", "byte"]),
        1,
        "the trace has none",
    );
    fails(
        &run(&[&unsized_trace, "--fraction", "0.5", "--format", "keys"]),
        1,
        "expected text",
    );
}

#[test]
fn an_unknown_column_is_the_users_mistake() {
    let trace = file("columns", "t.csv", b"page,length\n/,5\n");
    let found = rows(&run(&[
        &trace,
        "--columns",
        "key=page,size=length",
        "--fraction",
        "1",
        "--mode",
        "byte",
        "--json",
    ]));
    assert_eq!(found[0]["capacity"], 5);
    fails(
        &run(&[&trace, "--entries", "1", "--columns", "key=url"]),
        2,
        r#"no column "url" in the header; it has page, length"#,
    );
    fails(&run(&[&trace, "--entries", "1"]), 2, "no column");
}

#[test]
fn skipped_lines_and_mended_times_are_told() {
    let trace = file("skipped", "t.csv", b"key,time\na,5\nb,x\nc,3\nd\n");
    let options = ["--entries", "3", "--json", "--skip-bad-lines"];
    let output = run(&[&[&trace[..]], &options[..]].concat());
    assert_eq!(rows(&output)[0]["requests"], 2);
    let told = stderr(&output);
    assert!(told.contains("2 malformed lines were skipped"), "{told}");
    assert!(told.contains("1 times ran backwards"), "{told}");
}

#[test]
fn keys_longer_than_the_engine_takes_are_stored_by_their_hash() {
    let (long, longer) = ("x".repeat(70_000), "y".repeat(100_000));
    let text = [&long[..], &longer, &long, "short", &longer].join("\n");
    let trace = file("long", "keys.txt", text.as_bytes());
    for size in [["--entries", "10"], ["--memory", "1000000"]] {
        let all = rows(&run(&[&[&trace[..], "--json"], &size[..]].concat()));
        assert_eq!(
            (&all[0]["hits"], &all[0]["entries"]),
            (&2.into(), &3.into())
        );
    }
}

#[test]
fn sizes_of_nothing_and_of_4_gib_go_through() {
    let text = "key,size\na,0\nb,4294967296\na,0\nb,4294967296\nc,1125899906842624\n";
    let trace = file("extremes", "t.csv", text.as_bytes());
    let all = "nearcache,lru,fifo,sieve,s3-fifo,lfu,arc,w-tinylfu,caffeine-like";
    let policies = ["--json", "--mode", "byte", "--policy", all];
    for size in [["--memory", "1000000"], ["--memory", "65536"]] {
        for row in rows(&run(&[&[&trace[..]], &policies[..], &size[..]].concat())) {
            assert_eq!(
                (&row["hits"], &row["rejected"]),
                (&1.into(), &3.into()),
                "{row}"
            );
        }
    }
    // A sum of sizes beyond all use is refused by the engine, not wrapped.
    fails(
        &run(&[&trace, "--mode", "byte", "--fraction", "1"]),
        2,
        "the limit is",
    );
}

#[test]
fn size_tells_everything_as_json_as_a_table_and_as_a_drawing() {
    let trace = file("size", "abc.kst.bin", &sized());
    let drawing = folder("size").join("curve.svg");
    let drawing = drawing.to_str().unwrap();
    let all = rows(&run(&[
        "size", &trace, "--target", "0.5", "--json", "--svg", drawing,
    ]));
    let told = &all[0];
    assert_eq!(
        (&told["requests"], &told["unique_keys"]),
        (&2_000.into(), &31.into())
    );
    for field in [
        "curve",
        "knee",
        "target",
        "misses",
        "one_hit_wonders",
        "hot_share",
        "hottest",
        "largest",
        "working_set",
        "costs",
    ] {
        assert!(!told[field].is_null(), "{field}");
    }
    let last = told["curve"].as_array().unwrap().last().unwrap().clone();
    assert!(last["nearcache"].as_f64().unwrap() > 0.98, "{last}");
    assert_eq!(
        told["costs"]["a_month"]["network_cache"],
        serde_json::json!([530.0, 630.0])
    );
    assert!(
        std::fs::read_to_string(drawing)
            .unwrap()
            .contains("nearcache")
    );
    let table = run(&["size", &trace, "--target", "0.5"]);
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    for part in [
        "knee:",
        "50.00 % hits:",
        "one-hit wonders:",
        "working set over time:",
        "costs a month",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn size_of_nothing_is_bad_data() {
    fails(
        &run(&["size", &file("none", "none.k.bin", b"")]),
        1,
        "no request",
    );
    let trace = file("none", "abc.k.bin", &keys());
    fails(
        &run(&["size", &trace, "--svg", "/does/not/exist/a.svg"]),
        1,
        "can't be written",
    );
}

#[test]
fn a_seed_changes_what_is_left_to_chance_and_is_repeatable() {
    let keys: String = (0..40_000u64)
        .map(|n| {
            format!(
                "{}\n",
                n.wrapping_mul(n.wrapping_mul(0x9e37_79b9)) % 3_000 % (1 + n % 2_999)
            )
        })
        .collect();
    let trace = file("seed", "trace.keys", keys.as_bytes());
    let hits = |seed: &[&str]| {
        let mut arguments = vec![trace.as_str(), "--entries", "200", "--json"];
        arguments.extend(seed);
        rows(&run(&arguments))[0]["hits"].as_u64().unwrap()
    };
    let with_seed = |seed: &str| hits(&["--seed", seed]);
    assert_eq!(with_seed("1"), with_seed("1"));
    assert_eq!(hits(&[]), hits(&[]));
    let different: std::collections::HashSet<_> =
        (1..6).map(|n| with_seed(&n.to_string())).collect();
    assert!(different.len() > 1, "{different:?}");
    fails(
        &run(&[&trace, "--entries", "200", "--seed", "one"]),
        2,
        "--seed",
    );
}
