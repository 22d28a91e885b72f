//! UTF-16 to bytes where every unit is ASCII: nearly all keys, and most string values. Eight units at a time, because a
//! loop over single ones costs as much as the look-up that follows.

use std::mem::MaybeUninit;

/// Units that one step narrows.
const LANES: usize = 8;

/// Writes each unit as one byte, which is right if all are ASCII: whether they are.
///
/// # Panics
/// If `bytes` is shorter than `units`.
#[inline(always)]
pub fn narrow(units: &[u16], bytes: &mut [MaybeUninit<u8>]) -> bool {
    let bytes = &mut bytes[..units.len()];
    let Some(last) = units.len().checked_sub(LANES) else {
        let mut seen = 0;
        for (unit, byte) in units.iter().zip(bytes) {
            byte.write(*unit as u8);
            seen |= unit;
        }
        return seen < 0x80;
    };
    let mut seen = lanes::NONE;
    let mut at = 0;
    while at < last {
        // SAFETY: `at + LANES` is below `units.len()`, which is also the length of `bytes`.
        seen = unsafe { lanes::step(units.as_ptr().add(at), bytes.as_mut_ptr().add(at), seen) };
        at += LANES;
    }
    // The last eight, some of them for the second time.
    // SAFETY: `last + LANES` is `units.len()`.
    seen = unsafe { lanes::step(units.as_ptr().add(last), bytes.as_mut_ptr().add(last), seen) };
    lanes::is_ascii(seen)
}

#[cfg(target_arch = "x86_64")]
mod lanes {
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cmpeq_epi16, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
        _mm_packus_epi16, _mm_set1_epi16, _mm_setzero_si128, _mm_storel_epi64,
    };
    use std::mem::MaybeUninit;

    pub type Seen = __m128i;
    // SAFETY: a vector of zeros.
    pub const NONE: Seen = unsafe { std::mem::zeroed() };

    /// # Safety
    /// Eight units are readable and eight bytes writable.
    #[inline(always)]
    pub unsafe fn step(units: *const u16, bytes: *mut MaybeUninit<u8>, seen: Seen) -> Seen {
        // SAFETY: as the caller promises; SSE2 is part of x86-64, and neither access needs alignment.
        unsafe {
            let lanes = _mm_loadu_si128(units.cast());
            _mm_storel_epi64(bytes.cast(), _mm_packus_epi16(lanes, lanes));
            _mm_or_si128(seen, lanes)
        }
    }

    #[inline(always)]
    pub fn is_ascii(seen: Seen) -> bool {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let high = _mm_and_si128(seen, _mm_set1_epi16(!0x7F));
            _mm_movemask_epi8(_mm_cmpeq_epi16(high, _mm_setzero_si128())) == 0xFFFF
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod lanes {
    use std::arch::aarch64::{uint16x8_t, vld1q_u16, vmaxvq_u16, vmovn_u16, vorrq_u16, vst1_u8};
    use std::mem::MaybeUninit;

    pub type Seen = uint16x8_t;
    // SAFETY: a vector of zeros.
    pub const NONE: Seen = unsafe { std::mem::zeroed() };

    /// # Safety
    /// Eight units are readable and eight bytes writable.
    #[inline(always)]
    pub unsafe fn step(units: *const u16, bytes: *mut MaybeUninit<u8>, seen: Seen) -> Seen {
        // SAFETY: as the caller promises; NEON is part of the targets that we build for.
        unsafe {
            let lanes = vld1q_u16(units);
            vst1_u8(bytes.cast(), vmovn_u16(lanes));
            vorrq_u16(seen, lanes)
        }
    }

    #[inline(always)]
    pub fn is_ascii(seen: Seen) -> bool {
        // SAFETY: NEON is part of the targets that we build for.
        unsafe { vmaxvq_u16(seen) < 0x80 }
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod lanes {
    use super::LANES;
    use std::mem::MaybeUninit;

    pub type Seen = u16;
    pub const NONE: Seen = 0;

    /// # Safety
    /// Eight units are readable and eight bytes writable.
    #[inline(always)]
    pub unsafe fn step(units: *const u16, bytes: *mut MaybeUninit<u8>, mut seen: Seen) -> Seen {
        for lane in 0..LANES {
            // SAFETY: as the caller promises.
            unsafe {
                let unit = *units.add(lane);
                bytes.add(lane).write(MaybeUninit::new(unit as u8));
                seen |= unit;
            }
        }
        seen
    }

    #[inline(always)]
    pub fn is_ascii(seen: Seen) -> bool {
        seen < 0x80
    }
}
