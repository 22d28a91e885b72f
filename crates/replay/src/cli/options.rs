//! Options that both commands have, and how their values are written.

use crate::format::{Columns, Format, Layout, Reading, SIZE_BYTES_MAX, size};
use crate::policy::PolicyKind;
use crate::replay::Mode;
use crate::size::costs::Range;
use clap::Args;

/// How to read files.
#[derive(Debug, Args)]
pub(super) struct ReadingArgs {
    /// The format of the traces
    #[arg(long, default_value = "auto", value_parser = format_option, value_name = "FORMAT")]
    format: FormatOption,
    /// What packed records hold, where the file's name doesn't say: k, kt, ks or kst
    #[arg(long, value_parser = layout, value_name = "LAYOUT")]
    layout: Option<Layout>,
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

fn layout(name: &str) -> Result<Layout, String> {
    Layout::named(name).ok_or_else(|| "it is k, kt, ks or kst".to_owned())
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
    pub(super) fn reading(&self, keep_names: bool) -> Reading {
        Reading {
            format: self.format.0,
            layout: self.layout,
            columns: self.columns.clone().unwrap_or_default(),
            skip_bad_lines: self.skip_bad_lines,
            keep_names,
        }
    }
}

pub(super) fn mode(name: &str) -> Result<Mode, String> {
    let modes = [Mode::Object, Mode::Byte];
    let found = modes.into_iter().find(|mode| mode.name() == name);
    found.ok_or_else(|| "it is object or byte".to_owned())
}

/// Bytes of a value: no more than a trace may speak of.
pub(super) fn value_size(text: &str) -> Result<u64, String> {
    let found = size(text.as_bytes());
    found.ok_or_else(|| format!("it is a number of bytes, up to {SIZE_BYTES_MAX}"))
}

pub(super) fn policy(name: &str) -> Result<PolicyKind, String> {
    let found = PolicyKind::ALL.into_iter().find(|kind| kind.name() == name);
    found.ok_or_else(|| {
        format!(
            "the policies are {}",
            PolicyKind::ALL.map(PolicyKind::name).join(", ")
        )
    })
}

/// A price, or two with a comma between them: from, to.
pub(super) fn range(text: &str) -> Result<Range, String> {
    let mut ends = text.split(',').map(price);
    match (ends.next(), ends.next(), ends.next()) {
        (Some(one), None, _) => one.map(|one| Range(one, one)),
        (Some(from), Some(to), None) => {
            let range = Range(from?, to?);
            if range.0 > range.1 {
                return Err("the first price is the lower one".to_owned());
            }
            Ok(range)
        }
        _ => Err("it is PRICE or FROM,TO".to_owned()),
    }
}

/// An amount of money.
pub(super) fn price(text: &str) -> Result<f64, String> {
    let found = text.parse::<f64>().ok();
    found
        .filter(|price| price.is_finite() && *price >= 0.0)
        .ok_or_else(|| format!("{text:?} is no price"))
}

/// A hit ratio to be reached.
pub(super) fn target(text: &str) -> Result<f64, String> {
    let found = text.parse::<f64>().ok();
    let found = found.filter(|ratio| *ratio > 0.0 && *ratio < 1.0);
    found.ok_or_else(|| "it is a hit ratio between 0 and 1".to_owned())
}
