//! The whole engine in chosen schedules: shuttle decides before every atomic operation and every lock
//! which thread goes on (`npm run test:shuttle`; without `--cfg shuttle` there is nothing here).
//!
//! Every scenario is run many times, in random schedules and in ones with few switches at random places
//! (PCT, Burckhardt et al. 2010). Choices are seeded, so a run can be repeated: a schedule that fails is
//! written to a file whose path is printed; `NEARCACHE_SCHEDULE=<path> npm run test:shuttle -- <test>`
//! replays it. `NEARCACHE_SHUTTLE_SCALE` multiplies the number of schedules, `NEARCACHE_SHUTTLE_SEED`
//! picks others.
//!
//! All memory is sequentially consistent here, and readers pay the plain fence; weak orders are loom's
//! part. Limits are small (`cfg!(shuttle)` in `limbo` and `changes`), so that few operations fill them.
#![cfg(shuttle)]

#[path = "../linearizability/checker.rs"]
mod checker;
mod coherence;
mod contests;
mod explore;
mod histories;
#[path = "../linearizability/history.rs"]
mod history;
mod loads;
mod memory;
#[path = "../support/rng.rs"]
mod rng;
mod scans;
#[path = "../support/value.rs"]
mod self_proving;
#[path = "../linearizability/worker.rs"]
mod worker;
