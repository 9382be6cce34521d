//! Gives memory that freed models leave in the allocator back to the system.

/// Hands free pages back. ONNX Runtime takes the weights it has packed from the C library in pieces too small for pages of
/// their own, and glibc keeps them for later: without this, nine tenths of an unloaded model were measured to stay.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes no pointer and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
