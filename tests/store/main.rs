//! The store on its tables, with faults on the way to them.

mod commit;
mod costs;
mod engines;
mod faults;
mod future;
mod golden;
mod lists;
mod rows;
mod types;
