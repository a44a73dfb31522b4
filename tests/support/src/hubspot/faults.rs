//! What goes wrong, and when.

use super::limits::Policy;
use super::problem::Problem;
use super::reply::Reply;
use crate::faults::xorshift;
use std::collections::VecDeque;
use std::time::Duration;

/// What may go wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This is the answer, and nothing is done. A content length is added to the headers.
    Answer {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// The connection ends instead of an answer, and nothing is done.
    DropBefore,
    /// All is done, and the connection ends instead of an answer.
    CommitThenDrop,
    /// All is done, and the connection ends after the head of the answer and so many bytes of its body; at least one
    /// byte is missing.
    CutAfter(usize),
    /// All is done at once, and answered so much later by the machine's clock.
    Delay(Duration),
    /// A limit is reached, and nothing is done.
    TooMany(Policy),
}

impl Fault {
    /// HubSpot's usual answer with this status. Nothing is done.
    pub fn status(status: u16) -> Fault {
        let problem = match status {
            401 => Problem::unauthorized(),
            403 => Problem::missing_scope("crm.objects.contacts.write"),
            404 => Problem::not_found("1", None),
            423 => Problem::new(status, "The resource is locked"),
            477 => Problem::new(status, "The account is being moved"),
            500 => Problem::new(status, "internal error"),
            502 => Problem::new(status, "bad gateway"),
            503 => Problem::new(status, "service unavailable"),
            504 | 524 => Problem::new(status, "gateway timeout"),
            _ => Problem::new(status, "The request failed"),
        };
        let Reply { status, mut headers, body } = problem.reply(0);
        if status == 477 {
            headers.push(("retry-after".to_owned(), "60".to_owned()));
        }
        Fault::Answer { status, headers, body }
    }

    /// The page of whatever stands in front of HubSpot: 502, and HTML where JSON should be. Nothing is done.
    pub fn html() -> Fault {
        Fault::Answer {
            status: 502,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>".to_owned(),
        }
    }

    fn drawn(dice: &mut u64) -> Fault {
        match xorshift(dice) % 10 {
            0 => Fault::status(500),
            1 => Fault::status(502),
            2 => Fault::status(503),
            3 => Fault::status(504),
            4 => Fault::status(423),
            5 => Fault::TooMany(Policy::TenSecondlyRolling),
            6 => Fault::DropBefore,
            7 => Fault::CommitThenDrop,
            8 => Fault::CutAfter((xorshift(dice) % 200) as usize),
            _ => Fault::html(),
        }
    }
}

/// The faults to come.
#[derive(Debug, Default)]
pub(super) struct Script {
    planned: VecDeque<Fault>,
    random: Option<(u64, f64)>,
}

impl Script {
    pub(super) fn plan(&mut self, fault: Fault) {
        self.planned.push_back(fault);
    }

    pub(super) fn randomly(&mut self, seed: u64, rate: f64) {
        self.random = Some((seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, rate));
    }

    /// What goes wrong with the next request; no limit is reached by chance where none holds.
    pub(super) fn next(&mut self, limited: bool) -> Option<Fault> {
        self.planned.pop_front().or_else(|| {
            let (dice, rate) = self.random.as_mut()?;
            let hit = (xorshift(dice) >> 11) as f64 / ((1_u64 << 53) as f64) < *rate;
            let fault = hit.then(|| Fault::drawn(dice))?;
            Some(if matches!(fault, Fault::TooMany(_)) && !limited { Fault::status(503) } else { fault })
        })
    }
}
