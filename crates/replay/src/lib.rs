//! Replays request traces through nearcache's engine, and through reference policies beside it.
//!
//! The way of data: `input` (bytes) → `format` (requests) → `replay` (batches of them, to any number of
//! caches) → `policy` (the engine, or a simulator) → `report`. `size` measures what size a
//! cache needs. `cli` is the command around it.

pub mod cli;
pub mod error;
pub mod format;
pub mod input;
pub mod policy;
pub mod progress;
pub mod replay;
pub mod report;
pub mod request;
pub mod size;
pub mod survey;
