//! What can go wrong at the border, as a closed set with stable codes.
//!
//! Every failure becomes one JavaScript `Error` with `code`, a message that says the way out, and the figures
//! it has (`length`, `max`, `given`, `option`). ts/errors.ts turns these into its classes and adds the key.

use std::fmt;

use nearcache_engine as engine;

use crate::js::{Env, Val};

/// Why a native call failed.
#[derive(Debug)]
pub enum Failure {
    /// The key is a number, an object, `undefined`: anything but a string.
    KeyNotString,
    /// The key's bytes exceed the engine's limit.
    KeyTooLong { length: usize, max: usize },
    /// The value's bytes exceed the cache's limit.
    ValueTooLarge { length: usize, max: u64 },
    /// A TTL that is no number of milliseconds, is negative or absurd.
    InvalidTtl { given: f64, max: u64 },
    /// The budget has no room for this entry.
    NoRoom(String),
    /// The handle was closed.
    Closed,
    /// A panic stopped this call; the engine repaired itself.
    Panicked,
    /// A panic stopped some call, and the engine has no room yet to repair itself.
    Unrepaired(String),
    /// A panic stopped this cache for good.
    Poisoned,
    /// Another handle opened the same name with other options.
    ConfigMismatch {
        name: String,
        option: String,
        existing: String,
        given: String,
    },
    /// An argument that ts/ should never have passed.
    InvalidOption(String),
    /// A configuration that the engine refuses, and the option that it is about.
    Refused {
        option: &'static str,
        reason: String,
    },
    /// An exception is pending already, or the environment is closing: nothing to add.
    Pending,
}

impl Failure {
    /// The stable `code` of the JavaScript error.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::KeyNotString => "ERR_KEY_NOT_STRING",
            Failure::KeyTooLong { .. } => "ERR_KEY_TOO_LONG",
            Failure::ValueTooLarge { .. } => "ERR_VALUE_TOO_LARGE",
            Failure::InvalidTtl { .. } => "ERR_INVALID_TTL",
            Failure::NoRoom(_) => "ERR_NO_ROOM",
            Failure::Closed => "ERR_CACHE_CLOSED",
            Failure::Panicked | Failure::Unrepaired(_) | Failure::Poisoned => "ERR_CACHE_POISONED",
            Failure::ConfigMismatch { .. } => "ERR_CONFIG_MISMATCH",
            Failure::InvalidOption(_) | Failure::Refused { .. } | Failure::Pending => {
                "ERR_INVALID_OPTION"
            }
        }
    }

    fn figures<'c>(&self, env: Env<'c>, error: Val<'c>) -> Result<(), Failure> {
        match self {
            Failure::KeyTooLong { length, max } => {
                env.set(error, c"length", env.number(*length as f64)?)?;
                env.set(error, c"max", env.number(*max as f64)?)
            }
            Failure::ValueTooLarge { length, max } => {
                env.set(error, c"length", env.number(*length as f64)?)?;
                env.set(error, c"max", env.number(*max as f64)?)
            }
            Failure::InvalidTtl { given, max } => {
                env.set(error, c"given", env.number(*given)?)?;
                env.set(error, c"max", env.number(*max as f64)?)
            }
            Failure::ConfigMismatch { option, .. } => {
                env.set(error, c"option", env.utf8(option.as_bytes())?)
            }
            Failure::Refused { option, .. } => {
                env.set(error, c"option", env.utf8(option.as_bytes())?)
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::KeyNotString => f.write_str("the key must be a string"),
            Failure::KeyTooLong { length, max } => {
                write!(f, "the key has {length} bytes, {max} at most: hash long keys before caching")
            }
            Failure::ValueTooLarge { length, max } => {
                write!(f, "the value has {length} bytes, {max} at most: raise maxValueSize or split the value")
            }
            Failure::InvalidTtl { given, max } => {
                write!(f, "ttl is {given}: it must be 0 to {max} milliseconds, or Infinity")
            }
            Failure::NoRoom(reason)
            | Failure::InvalidOption(reason)
            | Failure::Refused { reason, .. }
            | Failure::Unrepaired(reason) => f.write_str(reason),
            Failure::Panicked => {
                f.write_str("a panic in the engine stopped this call: the cache goes on, but has lost some entries")
            }
            Failure::Closed => f.write_str("the cache was closed: create a new one to go on"),
            Failure::Poisoned => {
                f.write_str("a panic in the engine stopped this cache: close all its handles and create it anew")
            }
            Failure::ConfigMismatch { name, option, existing, given } => write!(
                f,
                "cache {name:?} is open with {option} {existing}, not {given}: use the same options or another name"
            ),
            Failure::Pending => f.write_str("a JavaScript exception is pending"),
        }
    }
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Failure {
        match error {
            engine::Error::KeyTooLong { length, max } => Failure::KeyTooLong { length, max },
            engine::Error::ValueTooLarge { length, max } => Failure::ValueTooLarge { length, max },
            engine::Error::TtlTooLong { given_ms, max_ms } => Failure::InvalidTtl {
                given: given_ms as f64,
                max: max_ms,
            },
            engine::Error::Poisoned => Failure::Unrepaired(error.to_string()),
            other => Failure::NoRoom(other.to_string().replace("max_memory", "maxMemory")),
        }
    }
}

impl From<engine::ConfigError> for Failure {
    fn from(error: engine::ConfigError) -> Failure {
        use engine::ConfigError::{Shards, Ttl, ValueSize};
        let option = match &error {
            ValueSize { .. } => "maxValueSize",
            Ttl { .. } => "ttl",
            Shards { .. } => "shards",
            // Budgets out of range, or for which the system has no memory.
            _ => "maxMemory",
        };
        // Options as JavaScript knows them.
        let reason = error.to_string();
        let reason = reason.replace("max_memory", "maxMemory");
        let reason = reason.replace("max_value_size", "maxValueSize");
        Failure::Refused { option, reason }
    }
}

/// Throws `failure` in JavaScript; the native function then returns whatever it likes.
#[cold]
pub fn throw(env: Env<'_>, failure: &Failure) {
    if matches!(failure, Failure::Pending) {
        return;
    }
    if let Ok(error) = env.error(failure.code(), &failure.to_string()) {
        // A figure that can't be attached is no reason to lose the error.
        let _ = failure.figures(env, error);
        env.throw(error);
    }
}
