//! The store on the engine, through the fault proxy.

mod commit;
mod costs;
mod faults;
mod future;
mod golden;
mod lists;
mod rows;
mod types;
