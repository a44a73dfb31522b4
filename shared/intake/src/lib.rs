//! Public intake: what all forms have in common, from the post to the stored submission.
//!
//! Whatever is posted is stored first and answered the same way; the checks only decide whether it makes a
//! lead at once or waits for somebody to look at it.

mod accept;
mod decide;
mod limits;
mod release;
mod thanks;

pub use accept::{Post, Receipt, accept, announced_lead, earlier, find_lead};
pub use decide::zone_of;
pub use release::release;
pub use thanks::Thanks;
