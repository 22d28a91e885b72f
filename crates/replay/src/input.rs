//! Where bytes come from: a file or standard input, unpacked on the way.

use crate::error::Error;
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name that stands for standard input.
pub const STDIN: &str = "-";

const BUFFER_BYTES: usize = 256 * 1024;
/// What is looked at to tell a format.
const BEGINNING_BYTES: u64 = 64 * 1024;
/// What some programs put before text, to say that it is UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An open trace, unpacked.
pub struct Input {
    /// Its name, for messages.
    pub path: PathBuf,
    /// The name without the ending of a packer.
    pub name: PathBuf,
    /// The bytes.
    pub reader: Box<dyn BufRead>,
    /// How far the packed file has been read.
    pub position: Arc<AtomicU64>,
    /// The length of the packed file, if it is one.
    pub total: Option<u64>,
}

/// Whether a path means standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == STDIN
}

/// Whether what a path names is gone once it was read, as standard input and pipes are.
pub fn is_stream(path: &Path) -> bool {
    is_stdin(path)
        || path
            .metadata()
            .is_ok_and(|of| !of.is_file() && !of.is_dir())
}

impl Input {
    /// Opens a path; `-` is standard input. Files that end in `.gz` or `.zst` are unpacked, and standard
    /// input that begins as such a file does.
    ///
    /// # Errors
    /// [`Error::Open`], or [`Error::Read`] if it begins as no packed file does.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let position = Arc::new(AtomicU64::new(0));
        let (raw, total): (Box<dyn Read>, _) = if is_stdin(path) {
            (Box::new(io::stdin()), None)
        } else {
            let open = |source| Error::Open {
                path: path.to_owned(),
                source,
            };
            let file = File::open(path).map_err(open)?;
            let length = file.metadata().ok().map(|of| of.len());
            (Box::new(file), length)
        };
        let counted = Counted {
            inner: raw,
            position: Arc::clone(&position),
        };
        let mut packed = BufReader::with_capacity(BUFFER_BYTES, counted);
        let (packer, name) = if is_stdin(path) {
            let start = packed.fill_buf().map_err(Error::reading(path))?;
            (Packer::by_content(start), path.to_owned())
        } else {
            match Packer::by_name(path) {
                Some(packer) => (Some(packer), path.with_extension("")),
                None => (None, path.to_owned()),
            }
        };
        let reader: Box<dyn Read> = match packer {
            Some(Packer::Gzip) => Box::new(MultiGzDecoder::new(packed)),
            Some(Packer::Zstd) => Box::new(Zstd::new(packed)),
            None => Box::new(packed),
        };
        Ok(Self {
            path: path.to_owned(),
            name,
            reader: Box::new(BufReader::with_capacity(BUFFER_BYTES, reader)),
            position,
            total,
        })
    }

    /// Bytes given instead of a file, for tests.
    pub fn of_bytes(name: &str, bytes: &[u8]) -> Self {
        Self {
            path: name.into(),
            name: name.into(),
            reader: Box::new(io::Cursor::new(bytes.to_vec())),
            position: Arc::default(),
            total: Some(bytes.len() as u64),
        }
    }

    /// What the unpacked bytes begin with, without taking them: 64 KiB, or all that there are. A pipe may give its first
    /// line long before the second.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn beginning(&mut self) -> Result<Vec<u8>, Error> {
        self.first(BEGINNING_BYTES)
    }

    /// As many of the unpacked bytes, without taking them, or all that there are.
    fn first(&mut self, bytes: u64) -> Result<Vec<u8>, Error> {
        let mut start = Vec::new();
        let mut limited = (&mut self.reader).take(bytes);
        let read = limited.read_to_end(&mut start);
        read.map_err(Error::reading(&self.path))?;
        let rest = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        self.reader = Box::new(io::Cursor::new(start.clone()).chain(rest));
        Ok(start)
    }

    /// Passes over a mark before text. Reads no more than that of a pipe, which may be slow to give more.
    pub(crate) fn pass_over_mark(&mut self) -> Result<(), Error> {
        if self.first(BYTE_ORDER_MARK.len() as u64)? == BYTE_ORDER_MARK {
            self.reader.consume(BYTE_ORDER_MARK.len());
        }
        Ok(())
    }

    /// Some unpacked bytes, without taking them; none at the end.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn peek(&mut self) -> Result<&[u8], Error> {
        self.reader.fill_buf().map_err(Error::reading(&self.path))
    }
}

/// How a file is packed.
enum Packer {
    Gzip,
    Zstd,
}

impl Packer {
    fn by_name(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "gz" | "gzip" => Some(Self::Gzip),
            "zst" | "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn by_content(start: &[u8]) -> Option<Self> {
        if start.starts_with(&[0x1f, 0x8b]) {
            Some(Self::Gzip)
        } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
            || start.first_chunk().is_some_and(is_skipped_frame)
        {
            Some(Self::Zstd)
        } else {
            None
        }
    }
}

struct Counted {
    inner: Box<dyn Read>,
    position: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// One frame after the other: packers that work in parallel write several.
struct Zstd<R: BufRead> {
    state: State<R>,
}

enum State<R: BufRead> {
    Between(R),
    Within(Box<StreamingDecoder<Begun<R>, ruzstd::decoding::FrameDecoder>>),
    Ended,
}

/// A frame of which the first bytes have been read already.
type Begun<R> = io::Chain<io::Cursor<[u8; 4]>, R>;

/// What a frame begins with that holds no data of the file, but for instance where the others begin; less its last
/// four bits.
const SKIPPED_FRAME: u32 = 0x184d_2a50;

impl<R: BufRead> Zstd<R> {
    fn new(inner: R) -> Self {
        Self {
            state: State::Between(inner),
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Between(mut inner) => {
                    if inner.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let mut magic = [0; 4];
                    inner.read_exact(&mut magic)?;
                    self.state = if is_skipped_frame(&magic) {
                        pass_over_frame(&mut inner)?;
                        State::Between(inner)
                    } else {
                        let begun = io::Cursor::new(magic).chain(inner);
                        let decoder = StreamingDecoder::new(begun).map_err(broken)?;
                        State::Within(Box::new(decoder))
                    };
                }
                State::Within(mut decoder) => {
                    let read = decoder.read(out)?;
                    self.state = if read > 0 || out.is_empty() {
                        State::Within(decoder)
                    } else {
                        State::Between(decoder.into_inner().into_inner().1)
                    };
                    if read > 0 || out.is_empty() {
                        return Ok(read);
                    }
                }
            }
        }
    }
}

fn is_skipped_frame(magic: &[u8; 4]) -> bool {
    u32::from_le_bytes(*magic) & !15 == SKIPPED_FRAME
}

fn pass_over_frame(inner: &mut impl Read) -> io::Result<()> {
    let mut length = [0; 4];
    inner.read_exact(&mut length)?;
    let length = u64::from(u32::from_le_bytes(length));
    if io::copy(&mut inner.take(length), &mut io::sink())? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Format, Reading, reader};

    /// A pipe whose other end has written no more than this yet.
    struct Slow(&'static [u8]);

    impl Read for Slow {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.0.read(out)
        }
    }

    #[test]
    fn a_named_format_is_read_from_the_first_line_that_a_pipe_gives() {
        for text in ["first\nsec", "\u{feff}first\nsec"] {
            let slow = Box::new(BufReader::new(Slow(text.as_bytes())));
            let input = Input {
                reader: slow,
                ..Input::of_bytes("pipe", b"")
            };
            let reading = Reading {
                format: Some(Format::Keys),
                keep_names: true,
                ..Reading::default()
            };
            let first = reader(input, &reading).unwrap().next().unwrap().unwrap();
            assert_eq!(first.name.as_deref(), Some("first".as_bytes()));
        }
    }
}
