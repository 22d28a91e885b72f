//! Numbers: safe integers as decimal text, to a stack buffer and back, without allocation.

use crate::errors::Failure;
use crate::js::{Env, Val};

/// `-9007199254740991` has 17.
pub const DECIMAL_BYTES_MAX: usize = 17;
const SAFE_INTEGER_MAX: f64 = 9_007_199_254_740_991.0;

/// The integer that a JavaScript number is, if decimal text can say it exactly: safe, and not -0.
pub fn as_integer(number: f64) -> Option<i64> {
    let is_safe = number.abs() <= SAFE_INTEGER_MAX && number.fract() == 0.0;
    let is_negative_zero = number == 0.0 && number.is_sign_negative();
    (is_safe && !is_negative_zero).then_some(number as i64)
}

/// Decimal text of a safe integer.
pub fn format(integer: i64, buffer: &mut [u8; DECIMAL_BYTES_MAX]) -> &[u8] {
    let mut start = buffer.len();
    let mut rest = integer.unsigned_abs();
    loop {
        start -= 1;
        buffer[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if integer < 0 {
        start -= 1;
        buffer[start] = b'-';
    }
    &buffer[start..]
}

/// The integer that decimal text says; None where it is no such text.
pub fn parse(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || text.len() > DECIMAL_BYTES_MAX {
        return None;
    }
    let mut integer = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        integer = integer * 10 + i64::from(digit - b'0');
    }
    Some(if is_negative { -integer } else { integer })
}

pub fn to_js(env: Env<'_>, integer: i64) -> Result<Val<'_>, Failure> {
    match i32::try_from(integer) {
        Ok(small) => env.int32(small),
        Err(_) => env.number(integer as f64),
    }
}
