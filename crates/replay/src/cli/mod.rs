//! The command line: options and their meaning, and the two commands.

mod options;
mod size;

use crate::error::Error;
use crate::format::{self, Notes, Reader, Reading};
use crate::input::{Input, is_stream};
use crate::policy::PolicyKind;
use crate::policy::nearcache::SEED;
use crate::progress::Progress;
use crate::replay::{Mode, Plan, Row, Sizes};
use crate::report;
use crate::survey::{Survey, survey};
use clap::{Args, Parser};
use options::ReadingArgs;
use size::SizeArgs;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A command line that has been understood.
#[derive(Debug)]
pub struct Cli(Command);

#[derive(Debug)]
enum Command {
    Replay(ReplayArgs),
    Size(SizeArgs),
}

impl Cli {
    /// Understands a command line, of which the first word is the program's name.
    ///
    /// # Errors
    /// What is wrong with it, or the help that was asked for.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        // By hand: a name of a file is where the name of a command could be.
        let command = match words.get(1) {
            Some(word) if word == "size" => {
                SizeArgs::try_parse_from(&words[1..]).map(Command::Size)
            }
            _ => ReplayArgs::try_parse_from(&words).map(Command::Replay),
        };
        command.map(Self)
    }
}

/// Replays traces of requests through the cache engine and through reference policies.
#[derive(Debug, Parser)]
#[command(
    name = "nearcache-replay",
    version,
    after_help = "`nearcache-replay size FILE` tells what size a cache needs; `nearcache-replay size --help` says more."
)]
struct ReplayArgs {
    /// Traces; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    capacities: CapacityArgs,
    /// What a capacity counts: entries of one size, or bytes of the trace's sizes
    #[arg(long, default_value = "object", value_parser = options::mode)]
    mode: Mode,
    /// Bytes of a value where the trace says no size, and of all values with `--mode object`
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = options::value_size)]
    value_size: u64,
    /// Which caches
    #[arg(long, value_name = "POLICY", value_delimiter = ',', default_value = "nearcache", value_parser = options::policy)]
    policy: Vec<PolicyKind>,
    /// Another seed for nearcache's random choices: results with several say how much is chance
    #[arg(long, value_name = "N", default_value_t = SEED, hide_default_value = true)]
    seed: u64,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

/// A cache of so many times the trace's keys is as good as one of any size.
const FRACTION_MAX: f64 = 1_000.0;

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct CapacityArgs {
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

impl CapacityArgs {
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
            .find(|part| !(part.is_finite() && **part > 0.0 && **part <= FRACTION_MAX))
        {
            Some(part) => Err(Error::usage(format!(
                "--fraction {part:e}: it is more than 0 and at most {FRACTION_MAX}"
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
    match &cli.0 {
        Command::Size(size) => size.run(out),
        Command::Replay(replay) => replay.run(out),
    }
}

impl ReplayArgs {
    fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let plan = Plan {
            policies: self.policy.clone(),
            sizes: self.capacities.sizes(self.mode)?,
            mode: self.mode,
            value_bytes: self.value_size,
            seed: self.seed,
        };
        let mut rows = Vec::new();
        let mut outcome = Ok(());
        for file in &self.files {
            let of_file = match self.replay(file, &plan) {
                Ok(of_file) => of_file,
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            };
            if self.json {
                for row in &of_file {
                    print(out, &format!("{}\n", report::json_line(row)))?;
                }
            }
            rows.extend(of_file);
        }
        if !self.json && !rows.is_empty() {
            print(out, &report::table(&rows))?;
        }
        outcome
    }

    fn replay(&self, file: &Path, plan: &Plan) -> Result<Vec<Row>, Error> {
        let reading = self.reading.reading(false);
        let mut known = Survey::default();
        if plan.needs_survey() {
            if is_stream(file) {
                let path = file.to_owned();
                let what = "--fraction";
                return Err(Error::ReadTwice { path, what });
            }
            let mut reader = open(file, &reading, "(counting keys)")?;
            known = survey(reader.as_mut(), plan.survey_sizes())?;
        }
        let mut reader = open(file, &reading, "")?;
        let rows = plan.run(file, reader.as_mut(), known)?;
        tell(file, reader.notes());
        Ok(rows)
    }
}

/// A reader that shows how far it is.
fn open(file: &Path, reading: &Reading, what: &'static str) -> Result<Box<dyn Reader>, Error> {
    let input = Input::open(file)?;
    let progress = Progress::of(&input, what);
    Ok(progress.watch(format::reader(input, reading)?))
}

/// Says what was not taken as it was.
fn tell(file: &Path, notes: Notes) {
    let file = file.display();
    if notes.bad_lines > 0 {
        eprintln!("{file}: {} malformed lines were skipped", notes.bad_lines);
    }
    if notes.times_backwards > 0 {
        eprintln!(
            "{file}: {} times ran backwards and were taken for the latest before them",
            notes.times_backwards
        );
    }
}

fn print(out: &mut dyn Write, text: &str) -> Result<(), Error> {
    let writing = |source| Error::Write {
        path: "standard output".into(),
        source,
    };
    out.write_all(text.as_bytes()).map_err(writing)
}
