//! Public intake: the common path of all web forms, from the posted form to the stored submission.
//!
//! Every post is stored first and answered the same way. The checks only decide whether it creates a lead at once or is
//! held for review.

mod accept;
mod decide;
mod limits;
mod next;
mod release;
mod thanks;

pub use accept::{Later, Post, Receipt, accept, announced_lead, earlier, find_lead};
pub use decide::zone_of;
pub use next::Next;
pub use release::{Reading, readings, release};
pub use thanks::Thanks;
