//! What can go wrong, and the exit code that says whose fault it is.

use std::path::{Path, PathBuf};

/// Why a trace could not be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command line asks for something that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// What was asked for takes two passes, and standard input or a pipe has one.
    #[error(
        "{}: {what} needs to read the trace twice, which standard input and pipes can't: write it to a file first", path.display()
    )]
    ReadTwice {
        /// Which file.
        path: PathBuf,
        /// What was asked for.
        what: &'static str,
    },
    /// The drawing library refuses.
    #[error("the curve can't be drawn: {0}")]
    Plot(String),
    /// The engine refuses the size.
    #[error("the engine refuses this size: {0}")]
    Size(#[from] nearcache_engine::ConfigError),
    /// A file can't be opened.
    #[error("{}: can't be opened: {source}", path.display())]
    Open {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file can't be written.
    #[error("{}: can't be written: {source}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Reading failed in the middle; for instance a compressed file is cut short.
    #[error("{}: reading failed{}: {source}", path.display(), hint(source))]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no request in the file.
    #[error("{}: there is no request in it", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// There are requests in the file, and none of them reads: there is no hit ratio.
    #[error(
        "{}: none of its {others} requests reads; where it has a column of operations (--columns op=…), those that read begin with get or read", path.display()
    )]
    NoReads {
        /// Which file.
        path: PathBuf,
        /// Writes and deletions.
        others: u64,
    },
    /// Neither name nor content says what the file is.
    #[error(
        "{}: neither its name nor its content says which format it has; name it with --format", path.display()
    )]
    UnknownFormat {
        /// Which file.
        path: PathBuf,
    },
    /// The name of a file of packed records doesn't say how they are laid out.
    #[error(
        "{}: a file of packed records says its layout in its name (NAME.LAYOUT.bin with k, kt, ks or kst), or --layout does", path.display()
    )]
    Layout {
        /// Which file.
        path: PathBuf,
    },
    /// A line or record is not what the format prescribes.
    #[error("{}:{at}: expected {expected}, found {found}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// The line's or the record's number, from 1.
        at: u64,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A file of packed records ends in the middle of one.
    #[error(
        "{}: ends within record {at}: {found} bytes are left of records of {record_bytes}", path.display()
    )]
    PartialRecord {
        /// Which file.
        path: PathBuf,
        /// The record's number, from 1.
        at: u64,
        /// Bytes that are there.
        found: usize,
        /// Bytes of a whole record.
        record_bytes: usize,
    },
    /// A table doesn't have a column.
    #[error("{}: there is no column {name:?} in the header; it has {columns}", path.display())]
    UnknownColumn {
        /// Which file.
        path: PathBuf,
        /// The column asked for.
        name: String,
        /// Those that are there.
        columns: String,
    },
    /// Byte mode, and a read whose size the trace doesn't say.
    #[error(
        "{}: --mode byte needs sizes, and the trace has none; use --mode object", path.display()
    )]
    NoSizes {
        /// Which file.
        path: PathBuf,
    },
}

impl Error {
    /// 2 for what the user asked for, 1 for what the data is.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::ReadTwice { .. }
            | Self::Size(_)
            | Self::UnknownColumn { .. } => 2,
            _ => 1,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn reading(path: &Path) -> impl Fn(std::io::Error) -> Self + '_ {
        move |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }
}

fn hint(error: &std::io::Error) -> &'static str {
    let is_end = |error: &(dyn std::error::Error + 'static)| {
        let inner = error.downcast_ref::<std::io::Error>();
        inner.is_some_and(|inner| inner.kind() == std::io::ErrorKind::UnexpectedEof)
    };
    // Unpackers tell it in errors of their own.
    let mut causes = std::iter::successors(
        Some(error as &(dyn std::error::Error + 'static)),
        |error| match error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        },
    );
    if causes.any(is_end) {
        " (the file is cut short)"
    } else {
        ""
    }
}
