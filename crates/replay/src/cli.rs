//! The command line.

use crate::error::Error;
use crate::format::{self, Columns, Format, Reading};
use crate::input::{Input, is_stdin};
use crate::policy::PolicyKind;
use crate::replay::{Mode, Plan, Row, Sizes};
use crate::report;
use crate::survey::{Survey, survey};
use clap::{Args, Parser};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Replays traces of requests through the cache engine and through reference policies.
#[derive(Debug, Parser)]
#[command(
    name = "nearcache-replay",
    version,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(flatten)]
    replay: ReplayArgs,
}

/// How to read files.
#[derive(Debug, Args)]
pub struct ReadingArgs {
    /// The format of the traces
    #[arg(long, default_value = "auto", value_parser = format_option, value_name = "FORMAT")]
    format: FormatOption,
    /// Which columns of a table mean what, by name or number: key=…,size=…,time=…,ttl=…,op=…
    #[arg(long, value_parser = columns, value_name = "COLUMNS")]
    columns: Option<Columns>,
    /// Count malformed lines instead of failing at the first one
    #[arg(long)]
    skip_bad_lines: bool,
}

/// A format, or none: it is told from name and content.
#[derive(Clone, Copy, Debug)]
struct FormatOption(Option<Format>);

fn format_option(name: &str) -> Result<FormatOption, String> {
    if name == "auto" {
        return Ok(FormatOption(None));
    }
    let found = Format::ALL.into_iter().find(|format| format.name() == name);
    let found = found.map(|format| FormatOption(Some(format)));
    found.ok_or_else(|| {
        format!(
            "the formats are auto, {}",
            Format::ALL.map(Format::name).join(", ")
        )
    })
}

fn columns(text: &str) -> Result<Columns, String> {
    let mut columns = Columns::default();
    for part in text.split(',') {
        let (what, name) = part.split_once('=').ok_or("it is WHAT=COLUMN,…")?;
        let place = match what.trim() {
            "key" => &mut columns.key,
            "size" => &mut columns.size,
            "time" => &mut columns.time,
            "ttl" => &mut columns.ttl,
            "op" => &mut columns.op,
            other => return Err(format!("{other:?} is none of key, size, time, ttl, op")),
        };
        *place = Some(name.trim().to_owned());
    }
    Ok(columns)
}

impl ReadingArgs {
    /// What readers need to know.
    pub fn reading(&self, keep_names: bool) -> Reading {
        Reading {
            format: self.format.0,
            columns: self.columns.clone().unwrap_or_default(),
            skip_bad_lines: self.skip_bad_lines,
            keep_names,
        }
    }
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// Traces; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    sizes: SizeArgs,
    /// What a capacity counts: entries of one size, or bytes of the trace's sizes
    #[arg(long, default_value = "object", value_parser = mode)]
    mode: Mode,
    /// Bytes of a value where the trace says no size, and of all values with `--mode object`
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    value_size: u64,
    /// Which caches
    #[arg(long, value_name = "POLICY", value_delimiter = ',', default_value = "nearcache", value_parser = policy)]
    policy: Vec<PolicyKind>,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct SizeArgs {
    /// Caches that hold exactly so many entries
    #[arg(long, value_name = "N", value_delimiter = ',')]
    entries: Vec<u64>,
    /// Caches with a budget of so many bytes, everything included
    #[arg(long, value_name = "BYTES", value_delimiter = ',')]
    memory: Vec<u64>,
    /// Caches for a part of the trace's unique keys, or with `--mode byte` of their bytes
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    fraction: Vec<f64>,
}

fn mode(name: &str) -> Result<Mode, String> {
    let modes = [Mode::Object, Mode::Byte];
    let found = modes.into_iter().find(|mode| mode.name() == name);
    found.ok_or_else(|| "it is object or byte".to_owned())
}

fn policy(name: &str) -> Result<PolicyKind, String> {
    let found = PolicyKind::ALL.into_iter().find(|kind| kind.name() == name);
    found.ok_or_else(|| {
        format!(
            "the policies are {}",
            PolicyKind::ALL.map(PolicyKind::name).join(", ")
        )
    })
}

impl SizeArgs {
    fn sizes(&self, mode: Mode) -> Result<Sizes, Error> {
        let positive = |name: &str, all: &[u64]| {
            if all.contains(&0) {
                return Err(Error::usage(format!(
                    "--{name} 0: a cache has room for something"
                )));
            }
            Ok(all.to_vec())
        };
        if !self.entries.is_empty() {
            if mode == Mode::Byte {
                return Err(Error::usage(
                    "--entries counts objects; with --mode byte use --memory or --fraction",
                ));
            }
            return positive("entries", &self.entries).map(Sizes::Entries);
        }
        if !self.memory.is_empty() {
            return positive("memory", &self.memory).map(Sizes::Memory);
        }
        match self
            .fraction
            .iter()
            .find(|part| !(part.is_finite() && **part > 0.0 && **part <= 1000.0))
        {
            Some(part) => Err(Error::usage(format!(
                "--fraction {part}: it is more than 0"
            ))),
            None => Ok(Sizes::Fraction(self.fraction.clone())),
        }
    }
}

/// Runs the command line; writes results to `out`.
///
/// # Errors
/// The first error; results of earlier files have been written.
pub fn run(cli: &Cli, out: &mut dyn Write) -> Result<(), Error> {
    cli.replay.run(out)
}

impl ReplayArgs {
    fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let plan = Plan {
            policies: self.policy.clone(),
            sizes: self.sizes.sizes(self.mode)?,
            mode: self.mode,
            value_bytes: self.value_size,
        };
        let mut rows = Vec::new();
        for file in &self.files {
            let of_file = self.replay(file, &plan)?;
            if self.json {
                for row in &of_file {
                    print(out, &format!("{}\n", report::json_line(row)))?;
                }
            }
            rows.extend(of_file);
        }
        if !self.json {
            print(out, &report::table(&rows))?;
        }
        Ok(())
    }

    fn replay(&self, file: &Path, plan: &Plan) -> Result<Vec<Row>, Error> {
        let reading = self.reading.reading(false);
        let mut known = Survey::default();
        if plan.needs_survey() {
            if is_stdin(file) {
                return Err(Error::FractionOfStdin);
            }
            let mut reader = format::reader(Input::open(file)?, &reading)?;
            known = survey(reader.as_mut(), plan.survey_sizes())?;
        }
        let mut reader = format::reader(Input::open(file)?, &reading)?;
        plan.run(file, reader.as_mut(), known)
    }
}

fn print(out: &mut dyn Write, text: &str) -> Result<(), Error> {
    let writing = |source| Error::Write {
        path: "standard output".into(),
        source,
    };
    out.write_all(text.as_bytes()).map_err(writing)
}
