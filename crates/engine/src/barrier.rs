//! Order between a store and a later load of another place, at the expense of whoever needs it seldom.
//!
//! Two threads each store to their own place and then load the other's. That at least one of them sees the other's
//! store takes a full fence between store and load on both sides, about 8 ns each time. Where one side comes by
//! millions of times for each time of the other, that one shall pay: it makes every running thread of the process execute a
//! barrier, by `membarrier(2)` on Linux and `FlushProcessWriteBuffers` on Windows, and the frequent side only keeps the
//! compiler from reordering. Where neither exists (macOS, old kernels, model checks) both sides execute the fence.
//!
//! For readers and the reclaimer ([`crate::epoch`]), and for who lets a lock go and who waits for it ([`crate::lock`]).

use crate::sync::{Ordering, compiler_fence, fence};

/// Which side pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// The rare side issues a process-wide barrier, the frequent side a compiler fence.
    Asymmetric,
    /// Both sides issue a sequentially consistent fence.
    Plain,
}

impl Barrier {
    /// The best that this system has.
    pub(crate) fn of_system() -> Self {
        if process_barrier::register() {
            Self::Asymmetric
        } else {
            Self::Plain
        }
    }

    /// The frequent side's, between its store and its load. Pairs with [`Self::heavy`].
    #[inline(always)]
    pub(crate) fn light(self) {
        match self {
            Self::Asymmetric => compiler_fence(),
            Self::Plain => fence(Ordering::SeqCst),
        }
    }

    /// The rare side's, between its store and its load. Pairs with [`Self::light`].
    pub(crate) fn heavy(self) {
        match self {
            Self::Asymmetric => process_barrier::issue(),
            Self::Plain => fence(Ordering::SeqCst),
        }
    }
}

/// The process-wide barrier of the platform.
#[cfg(all(target_os = "linux", not(loom), not(nearcache_plain_fence), not(miri)))]
mod process_barrier {
    use std::sync::OnceLock;

    // From <linux/membarrier.h>; libc has no constants for them on every target we build for.
    const PRIVATE_EXPEDITED: libc::c_long = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_long = 1 << 4;

    fn membarrier(command: libc::c_long) -> libc::c_long {
        // SAFETY: membarrier takes three integers and touches no memory of ours.
        unsafe {
            libc::syscall(
                libc::SYS_membarrier,
                command,
                0 as libc::c_long,
                0 as libc::c_long,
            )
        }
    }

    /// Whether this process may issue the barrier. Registration is once per process.
    pub(super) fn register() -> bool {
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        *REGISTERED.get_or_init(|| membarrier(REGISTER_PRIVATE_EXPEDITED) == 0)
    }

    pub(super) fn issue() {
        let result = membarrier(PRIVATE_EXPEDITED);
        // A registered process is never refused; going on without the barrier would be unsound.
        assert_eq!(result, 0, "membarrier was refused after its registration");
    }
}

#[cfg(all(windows, not(loom), not(nearcache_plain_fence), not(miri)))]
mod process_barrier {
    pub(super) fn register() -> bool {
        true
    }

    pub(super) fn issue() {
        // SAFETY: takes no argument and touches no memory of ours.
        unsafe { windows_sys::Win32::System::Threading::FlushProcessWriteBuffers() }
    }
}

#[cfg(any(
    loom,
    nearcache_plain_fence,
    miri,
    not(any(target_os = "linux", windows))
))]
mod process_barrier {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn issue() {
        unreachable!("the plain barrier never asks for a process-wide one")
    }
}
