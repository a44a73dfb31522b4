//! Store tests: the store over each of its engines, with and without injected faults.

mod commit;
mod costs;
mod engines;
mod faults;
mod future;
mod golden;
mod lists;
mod rows;
mod types;
