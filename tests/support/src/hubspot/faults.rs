//! Injected faults of the fake HubSpot: planned ones and random ones.

use super::limits::Policy;
use super::problem::Problem;
use super::reply::Reply;
use crate::faults::xorshift;
use std::collections::VecDeque;
use std::time::Duration;

/// A fault of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answers this, and does nothing. A content length is added to the headers.
    Answer {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// Closes the connection without an answer, and does nothing.
    DropBefore,
    /// Carries out the request, and closes the connection without an answer.
    CommitThenDrop,
    /// Carries out the request, and closes the connection after the head of the answer and this number of bytes of its
    /// body; at least one byte is missing.
    CutAfter(usize),
    /// Carries out the request at once, and answers after this delay by the machine's clock.
    Delay(Duration),
    /// Answers that a limit is reached, and does nothing.
    TooMany(Policy),
}

impl Fault {
    /// HubSpot's standard answer with this status. Nothing is done.
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

    /// The answer of a gateway in front of HubSpot: 502 with HTML instead of JSON. Nothing is done.
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

/// The planned and random faults.
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

    /// The fault of the next request. Random faults include a reached limit only if limits are on.
    pub(super) fn next(&mut self, limited: bool) -> Option<Fault> {
        self.planned.pop_front().or_else(|| {
            let (dice, rate) = self.random.as_mut()?;
            let hit = (xorshift(dice) >> 11) as f64 / ((1_u64 << 53) as f64) < *rate;
            let fault = hit.then(|| Fault::drawn(dice))?;
            Some(if matches!(fault, Fault::TooMany(_)) && !limited { Fault::status(503) } else { fault })
        })
    }
}
