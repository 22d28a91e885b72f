//! What ts/ asks for at `open`, converted to the engine's configuration, and compared between attachers.

use napi::bindgen_prelude::ArrayBuffer;
use napi_derive::napi;
use nearcache_engine::{Config, Limit, Objective, Ttl};

use crate::errors::Failure;
use crate::ttl;

/// Whole numbers above it are no longer exact in JavaScript.
const SAFE_INTEGER_MAX: f64 = 9_007_199_254_740_991.0;

/// The argument of `open`. ts/ has validated it; what would still be nonsense is refused here.
#[napi(object, object_to_js = false)]
pub struct NativeOptions<'env> {
    /// Handles of one name share one store; without a name the store is the handle's own.
    pub name: Option<String>,
    /// The budget in bytes.
    pub max_memory: f64,
    /// The largest value in bytes.
    pub max_value_size: Option<f64>,
    /// A limit on entries beside the budget.
    pub max_entries: Option<f64>,
    /// "balanced" (the default), "objects" or "bytes".
    pub objective: Option<String>,
    /// Milliseconds; `Infinity` is forever.
    pub default_ttl_ms: f64,
    /// Lock shards, a power of two.
    pub shards: Option<f64>,
    /// Seed of hashing and random choices, for tests that must come out the same; random by default.
    pub seed: Option<f64>,
    /// A JSON object of what else must agree between the handles of one name.
    pub fingerprint: String,
    /// See scratch.rs.
    pub scratch: ArrayBuffer<'env>,
    /// Whether this handle has an L0: reads then mark hot entries as watched.
    pub watch: bool,
}

/// What all handles of one store agree on.
#[derive(Debug)]
pub struct Settings {
    pub name: Option<String>,
    max_memory: u64,
    max_value_size: Option<u64>,
    max_entries: Option<u64>,
    objective: Objective,
    default_ttl: Ttl,
    shards: Option<u32>,
    seed: Option<u64>,
    fingerprint: String,
}

impl Settings {
    pub fn new(options: &NativeOptions<'_>) -> Result<Settings, Failure> {
        Ok(Settings {
            name: options.name.clone(),
            max_memory: whole("maxMemory", options.max_memory)?,
            max_value_size: options
                .max_value_size
                .map(|bytes| whole("maxValueSize", bytes))
                .transpose()?,
            max_entries: options
                .max_entries
                .map(|entries| whole("maxEntries", entries))
                .transpose()?,
            objective: objective(options.objective.as_deref())?,
            default_ttl: ttl::from_ms(options.default_ttl_ms)?,
            shards: options
                .shards
                .map(|shards| whole("shards", shards))
                .transpose()?
                .map(saturate),
            seed: options.seed.map(|seed| whole("seed", seed)).transpose()?,
            fingerprint: options.fingerprint.clone(),
        })
    }

    pub fn to_config(&self) -> Config {
        let mut config = Config::new(self.max_memory);
        config.max_value_size = self.max_value_size;
        config.limit = self.max_entries.map(Limit::Entries);
        config.objective = self.objective;
        config.default_ttl = self.default_ttl;
        config.shards = self.shards;
        config.seed = self.seed;
        config
    }

    /// Fails at the first option in which `self`, which exists, differs from `given`.
    pub fn expect_equal(&self, given: &Settings) -> Result<(), Failure> {
        let differing = self
            .listed()
            .into_iter()
            .zip(given.listed())
            .find(|(existing, given)| existing != given)
            .map(|((option, existing), (_, given))| (option.to_owned(), existing, given))
            .or_else(|| fingerprint_difference(&self.fingerprint, &given.fingerprint));
        match differing {
            None => Ok(()),
            Some((option, existing, given)) => Err(Failure::ConfigMismatch {
                name: self.name.clone().unwrap_or_default(),
                option,
                existing,
                given,
            }),
        }
    }

    fn listed(&self) -> [(&'static str, String); 6] {
        let or_default = |value: Option<String>| value.unwrap_or_else(|| "by default".to_owned());
        [
            ("maxMemory", self.max_memory.to_string()),
            (
                "maxValueSize",
                or_default(self.max_value_size.map(|bytes| bytes.to_string())),
            ),
            (
                "maxEntries",
                or_default(self.max_entries.map(|entries| entries.to_string())),
            ),
            ("objective", objective_text(self.objective).to_owned()),
            ("ttl", ttl_text(self.default_ttl)),
            (
                "shards",
                or_default(self.shards.map(|shards| shards.to_string())),
            ),
        ]
    }
}

fn ttl_text(ttl: Ttl) -> String {
    match ttl {
        Ttl::Millis(ms) => format!("{ms} ms"),
        Ttl::Default | Ttl::Forever => "Infinity".to_owned(),
    }
}

fn objective(name: Option<&str>) -> Result<Objective, Failure> {
    let Some(name) = name else {
        return Ok(Objective::default());
    };
    let known = [Objective::Balanced, Objective::Objects, Objective::Bytes];
    let found = known
        .into_iter()
        .find(|known| objective_text(*known) == name);
    found.ok_or_else(|| {
        Failure::InvalidOption(format!(
            "objective is {name:?}: it must be \"balanced\", \"objects\" or \"bytes\""
        ))
    })
}

fn objective_text(objective: Objective) -> &'static str {
    match objective {
        Objective::Balanced => "balanced",
        Objective::Objects => "objects",
        Objective::Bytes => "bytes",
    }
}

fn whole(option: &str, value: f64) -> Result<u64, Failure> {
    if value.fract() == 0.0 && (0.0..=SAFE_INTEGER_MAX).contains(&value) {
        return Ok(value as u64);
    }
    Err(Failure::InvalidOption(format!(
        "{option} is {value}: it must be a whole number, not negative"
    )))
}

/// The engine refuses what is too many.
fn saturate(shards: u64) -> u32 {
    u32::try_from(shards).unwrap_or(u32::MAX)
}

/// The first member in which two flat JSON objects differ: its name, and both values as JSON.
fn fingerprint_difference(existing: &str, given: &str) -> Option<(String, String, String)> {
    if existing == given {
        return None;
    }
    let (existing, given) = (members(existing), members(given));
    let names = existing.iter().chain(&given).map(|(name, _)| *name);
    names.into_iter().find_map(|name| {
        let (left, right) = (member(&existing, name), member(&given, name));
        (left != right).then(|| (name.to_owned(), left.to_owned(), right.to_owned()))
    })
}

fn member<'a>(members: &[(&str, &'a str)], name: &str) -> &'a str {
    members
        .iter()
        .find(|(member, _)| *member == name)
        .map_or("undefined", |(_, value)| value)
}

/// The members of a JSON object whose names need no escapes, values as they are written.
fn members(json: &str) -> Vec<(&str, &str)> {
    let json = json.trim();
    let body = json
        .strip_prefix('{')
        .and_then(|json| json.strip_suffix('}'));
    split_top_level(body.unwrap_or_default())
        .into_iter()
        .filter_map(|member| member.split_once(':'))
        .map(|(name, value)| (name.trim().trim_matches('"'), value.trim()))
        .collect()
}

/// Splits at the commas that lie in no string, array or object.
fn split_top_level(json: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    let (mut in_string, mut escaped) = (false, false);
    for (index, byte) in json.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&json[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&json[start..]);
    parts
}
