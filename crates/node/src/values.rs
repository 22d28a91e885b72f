//! Values: JavaScript to bytes with a kind, and back.
//!
//! The kind lies in the record (4 bits), so that strings and numbers have one representation that a Redis client
//! would understand, and come back without a codec. Inside the engine's closure bytes are only copied; JavaScript
//! values are made after it.

use nearcache_engine::Value;

use crate::errors::Failure;
use crate::handle::Live;
use crate::js::{Env, Val};
use crate::numbers::{self, DECIMAL_BYTES_MAX};
use crate::scratch::Field;
use crate::text::{self, Encoding, Refused};

/// A string of ASCII characters.
const ASCII: u8 = 1;
/// A string as UTF-8.
const UTF8: u8 = 2;
/// A string with lone surrogates, as WTF-8.
const WTF8: u8 = 3;
/// A safe integer as decimal text, what Redis would hold.
const INTEGER: u8 = 4;
/// Any other number: 8 bytes, little endian.
const FLOAT: u8 = 5;
/// `null`: no bytes.
const NULL: u8 = 6;
/// 0 (bytes), 7 (boolean), 8 (bigint), 9 (codec), 10 (Buffer), 11 (own codec) and 12 to 15 (free) are ts/'s.
const KIND_MAX: u32 = 15;

/// What a look-up found, copied out of the engine. Two words, which come back in registers: stored and loaded again in
/// other pieces, as the compiler does it with more, they would have to wait for the stores.
pub enum Taken<'c> {
    /// Made already.
    Made(Val<'c>),
    /// Node could not make it, and has an exception pending.
    Refused,
    /// In the handle's text buffer.
    InBuffer(Text),
    /// Too long for the text buffer.
    Long(Box<Long>),
    /// In scratch, with its header.
    InScratch,
    /// Too long for scratch, whose header says how long.
    TooLong,
}

/// Kind and length of what lies in the text buffer.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Text(usize);

/// A value that is too long for the text buffer.
pub struct Long {
    kind: u8,
    bytes: Vec<u8>,
}

const _: () = assert!(size_of::<Option<Taken<'_>>>() == 2 * size_of::<usize>());

impl Text {
    #[inline(always)]
    fn new(kind: u8, length: usize) -> Text {
        Text(length << u8::BITS | usize::from(kind))
    }

    #[inline(always)]
    fn kind(self) -> u8 {
        self.0 as u8
    }

    #[inline(always)]
    fn length(self) -> usize {
        self.0 >> u8::BITS
    }
}

/// Copies a found value out. Runs while the engine is pinned: no JavaScript, and no allocation unless it is long. With
/// `AT_ONCE` a string that needs no conversion is made from where the value lies.
#[inline(always)]
pub fn take<'c, const AT_ONCE: bool>(env: Env<'c>, live: &Live, value: &Value<'_>) -> Taken<'c> {
    if live.watch {
        live.scratch
            .write(Field::Watched, u32::from(value.watched()));
        live.scratch
            .write(Field::ExpiryTick, expiry_field(value.expiry_tick()));
    }
    if AT_ONCE
        && value.kind() == ASCII
        && let Some(text) = value.as_contiguous()
    {
        return match env.latin1(text) {
            Ok(made) => Taken::Made(made),
            Err(_) => Taken::Refused,
        };
    }
    take_copy(live, value)
}

fn take_copy<'c>(live: &Live, value: &Value<'_>) -> Taken<'c> {
    let (kind, length) = (value.kind(), value.len());
    if !(ASCII..=NULL).contains(&kind) {
        return take_to_scratch(live, value);
    }
    // SAFETY: the only use of the text buffer in this call up to here, and it ends with this block.
    match unsafe { live.text_bytes() }.get_mut(..length) {
        Some(text) => {
            value.copy_to(text);
            Taken::InBuffer(Text::new(kind, length))
        }
        None => Taken::Long(Box::new(Long {
            kind,
            bytes: value.to_vec(),
        })),
    }
}

/// The header's word for an expiry: all ones is never, so a tick of all ones becomes the one before it.
#[inline(always)]
fn expiry_field(tick: Option<u32>) -> u32 {
    tick.map_or(u32::MAX, |tick| tick.min(u32::MAX - 1))
}

fn take_to_scratch<'c>(live: &Live, value: &Value<'_>) -> Taken<'c> {
    live.scratch.write(Field::Kind, u32::from(value.kind()));
    live.scratch.write(
        Field::Length,
        u32::try_from(value.len()).unwrap_or(u32::MAX),
    );
    // SAFETY: the only use of scratch's body in this call, and it ends with this block.
    match unsafe { live.scratch.body(value.len()) } {
        Some(body) => {
            value.copy_to(body);
            Taken::InScratch
        }
        None => Taken::TooLong,
    }
}

/// What JavaScript gets: the value itself, `true` where it is in scratch, `false` where scratch is too small.
#[inline(always)]
pub fn to_js<'c>(env: Env<'c>, live: &Live, taken: Taken<'c>) -> Result<Val<'c>, Failure> {
    match taken {
        Taken::Made(made) => Ok(made),
        Taken::InBuffer(text) => {
            // SAFETY: the only use of the text buffer at this time; `take` has let go of it.
            let bytes = unsafe { live.text_bytes() };
            native_to_js(env, text.kind(), &bytes[..text.length()])
        }
        Taken::InScratch => env.boolean(true),
        Taken::TooLong => env.boolean(false),
        Taken::Long(long) => native_to_js(env, long.kind, &long.bytes),
        Taken::Refused => Err(Failure::Pending),
    }
}

#[inline(always)]
fn native_to_js<'c>(env: Env<'c>, kind: u8, bytes: &[u8]) -> Result<Val<'c>, Failure> {
    match kind {
        ASCII => env.latin1(bytes),
        UTF8 => text::to_js(env, bytes, Encoding::Utf8),
        WTF8 => text::to_js(env, bytes, Encoding::Wtf8),
        INTEGER => match numbers::parse(bytes) {
            Some(integer) => numbers::to_js(env, integer),
            None => env.number(f64::NAN),
        },
        FLOAT => env.number(bytes.try_into().map_or(f64::NAN, f64::from_le_bytes)),
        _ => env.null(),
    }
}

/// Hands the bytes and the kind of a string, a number or null to `put`.
#[inline(always)]
pub fn store<R>(
    env: Env<'_>,
    live: &Live,
    value: Val<'_>,
    put: impl FnOnce(&[u8], u8) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let bytes_max = usize::try_from(live.value_bytes_max).unwrap_or(usize::MAX);
    // SAFETY: the only use of the text buffer in this call.
    match text::read(env, value, unsafe { live.text() }, bytes_max) {
        Ok((text, encoding)) => {
            let kind = match encoding {
                Encoding::Ascii => ASCII,
                Encoding::Utf8 => UTF8,
                Encoding::Wtf8 => WTF8,
            };
            put(&text, kind)
        }
        Err(Refused::TooLong { length }) => Err(Failure::ValueTooLarge {
            length,
            max: live.value_bytes_max,
        }),
        Err(Refused::NotString) => store_other(env, value, put),
    }
}

fn store_other<R>(
    env: Env<'_>,
    value: Val<'_>,
    put: impl FnOnce(&[u8], u8) -> Result<R, Failure>,
) -> Result<R, Failure> {
    if let Some(number) = env.as_number(value) {
        return match numbers::as_integer(number) {
            Some(integer) => put(
                numbers::format(integer, &mut [0; DECIMAL_BYTES_MAX]),
                INTEGER,
            ),
            None => put(&number.to_le_bytes(), FLOAT),
        };
    }
    if env.type_of(value) == Some(napi_sys::ValueType::napi_null) {
        return put(&[], NULL);
    }
    Err(Failure::InvalidOption(
        "set takes a string, a number or null; setBytes takes the rest".to_owned(),
    ))
}

/// A kind whose bytes come from ts/: not one that is converted natively, whose bytes this file vouches for.
pub fn foreign_kind(env: Env<'_>, value: Val<'_>) -> Result<u8, Failure> {
    let kind = env.as_number(value).unwrap_or(f64::NAN);
    let is_foreign = kind == 0.0
        || (kind > f64::from(NULL) && kind <= f64::from(KIND_MAX) && kind.fract() == 0.0);
    if is_foreign {
        Ok(kind as u8)
    } else {
        Err(Failure::InvalidOption(format!(
            "{kind} is no kind of bytes"
        )))
    }
}
