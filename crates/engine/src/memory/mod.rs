//! Where entries live: one region of memory, cut into pages, cut into slots of size classes.

pub(crate) mod allocator;
mod asan;
pub(crate) mod classes;
pub(crate) mod record;
pub(crate) mod region;
