//! Keeps this addon's code mapped until the process ends.
//!
//! Node closes an addon when the last worker that loaded it exits; code that a thread or a thread-local's destructor
//! still needs would be gone (the engine's helper thread, for one). Best effort: without the pin it is as before.

/// Pins the image; repeated calls do no harm.
#[cfg(unix)]
pub fn pin() {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `pin` is an address in this image, and `info` is a valid out-pointer.
    if unsafe { libc::dladdr(pin as *const libc::c_void, info.as_mut_ptr()) } == 0 {
        return;
    }
    // SAFETY: dladdr succeeded and has filled `info`.
    let path = unsafe { info.assume_init() }.dli_fname;
    if !path.is_null() {
        // SAFETY: the loader's own NUL-terminated path. NOLOAD: the image is mapped already; the handle stays open.
        unsafe {
            libc::dlopen(
                path,
                libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE,
            )
        };
    }
}

/// Pins the image; repeated calls do no harm.
#[cfg(windows)]
pub fn pin() {
    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
    };
    let mut module = std::ptr::null_mut();
    let flags = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
    // SAFETY: with FROM_ADDRESS the "name" is an address in the image; `module` is a valid out-pointer.
    unsafe { GetModuleHandleExW(flags, pin as *const u16, &mut module) };
}
