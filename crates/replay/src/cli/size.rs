//! The command `size`.

use super::options::{ReadingArgs, price, range, target, value_size};
use super::{open, print, tell};
use crate::error::Error;
use crate::input::is_stream;
use crate::replay::trace_name;
use crate::size::costs::{Prices, Range};
use crate::size::{self, Options, Sizing};
use clap::{Args, Parser};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Keys of a sample: fewer say little.
const SAMPLES_MIN: usize = 100;

/// Tells what size a cache needs: miss-ratio curve, working set, hot and large keys, costs.
#[derive(Debug, Parser)]
#[command(name = "nearcache-replay size")]
pub(super) struct SizeArgs {
    /// The trace
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    reading: ReadingArgs,
    /// The hit ratio to find a size for
    #[arg(long, value_name = "RATIO", default_value = "0.9", value_parser = target)]
    target: f64,
    /// Bytes of a value where the trace says no size
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = value_size)]
    value_size: u64,
    /// Keys of the sample, at most; a trace with fewer is replayed whole
    #[arg(long, value_name = "N", default_value_t = 32_768)]
    samples: usize,
    #[command(flatten)]
    prices: PriceArgs,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Draw the miss-ratio curve
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct PriceArgs {
    /// A GiB of the memory that services run in, a month
    #[arg(long, value_name = "PRICE", default_value = "3", value_parser = price)]
    price_per_gb_month: f64,
    /// Processes that each have such a cache
    #[arg(long, value_name = "N", default_value_t = 1)]
    instances: u64,
    /// All nodes of a network cache that would serve everything, a month; the default is two of 26 GiB
    #[arg(long, value_name = "PRICE", default_value = "480", value_parser = price)]
    network_cache_price: f64,
    /// Their traffic between zones, a month
    #[arg(long, value_name = "FROM,TO", default_value = "50,150", value_parser = range)]
    traffic_price: Range,
    /// A network cache that serves only what misses in the process, a month
    #[arg(long, value_name = "FROM,TO", default_value = "120,180", value_parser = range)]
    cold_cache_price: Range,
}

impl SizeArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        if is_stream(&self.file) {
            return Err(Error::ReadTwice {
                path: self.file.clone(),
                what: "size",
            });
        }
        if self.samples < SAMPLES_MIN {
            return Err(Error::usage(format!(
                "--samples {}: at least {SAMPLES_MIN}",
                self.samples
            )));
        }
        let sizing = self.measure()?;
        let prices = self.prices.prices();
        if let Some(file) = &self.svg {
            draw(&sizing, file)?;
        }
        if self.json {
            print(out, &format!("{}\n", sizing.json(&prices)))
        } else {
            print(out, &sizing.table(&prices))
        }
    }

    fn measure(&self) -> Result<Sizing, Error> {
        let options = Options {
            samples: self.samples,
            value_bytes: self.value_size,
            target: self.target,
        };
        let reading = self.reading.reading(true);
        let passes = ["(counting keys)", "(replaying a sample)"];
        let mut passes = passes.into_iter();
        let read = || open(&self.file, &reading, passes.next().unwrap_or_default());
        let sizing = size::measure(trace_name(&self.file), read, &options)?;
        if sizing.census.requests == 0 {
            let path = self.file.clone();
            return Err(match sizing.census.steps {
                0 => Error::Empty { path },
                others => Error::NoReads { path, others },
            });
        }
        tell(&self.file, sizing.census.notes);
        Ok(sizing)
    }
}

fn draw(sizing: &Sizing, file: &Path) -> Result<(), Error> {
    let text = size::svg(sizing).map_err(|error| Error::Plot(error.to_string()))?;
    let writing = |source| Error::Write {
        path: file.to_owned(),
        source,
    };
    std::fs::write(file, text).map_err(writing)
}

impl PriceArgs {
    fn prices(&self) -> Prices {
        Prices {
            per_gb: self.price_per_gb_month,
            instances: self.instances,
            nodes: self.network_cache_price,
            traffic: self.traffic_price,
            cold: self.cold_cache_price,
        }
    }
}
