//! Where entries live: one region of memory, cut into pages, cut into slots of size classes.

pub(crate) mod allocator;
mod asan;
mod bytes;
pub(crate) mod classes;
#[cfg(debug_assertions)]
pub(crate) mod generation;
mod header;
mod provision;
pub(crate) mod record;
pub(crate) mod region;
mod repair;
