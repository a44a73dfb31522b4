//! Links outside a window of days: they lie between links of the window where the clock was ahead for a time, as entries
//! then aren't dated in order.

use super::link::{Found, LinkWindow, Predecessor, has_expired};
use crate::schema::{Place, Question};
use crate::{Cx, Result};
use daybook_domain::{EntryId, Timestamp};
use std::collections::{HashMap, HashSet};

/// Links of days outside a window that lie between links of the window, as after the clock was set back.
#[derive(Default)]
pub(super) struct Distant {
    links: HashMap<EntryId, Found>,
    /// The starts of the days that were read.
    days: HashSet<Timestamp>,
}

impl Cx {
    /// Whether the links before one lead back to `before`, the one with the next lower number in the window, or to the
    /// days before those that were read, which are verified by themselves.
    ///
    /// Links of other days lie between the two if the clock was ahead for a time. All of them are checked, however many
    /// days there are: each day is read at most once in a verification.
    pub(super) async fn reaches_back(
        &self,
        from: Predecessor<'_>,
        before: Option<&Found>,
        window: &LinkWindow,
        distant: &mut Distant,
    ) -> Result<bool> {
        let Predecessor { mut seq, mut entry, hash } = from;
        let mut hash = hash.to_owned();
        loop {
            let Some(place) = entry else { return Ok(seq == 0 && hash.is_empty() && before.is_none()) };
            let is_older = place.time() < window.since;
            // An expired link may be deleted at any moment, and the first one that was read follows an older one.
            if has_expired(place, self.now()) || (is_older && before.is_none()) {
                return Ok(true);
            }
            let Some(found) = self.link_of(place, seq, window, distant).await? else { return Ok(false) };
            if !found.genuine || found.seq != seq || found.hash != hash {
                return Ok(false);
            }
            if let Some(before) = before.filter(|before| found.seq <= before.seq) {
                return Ok(found.seq == before.seq && found.hash == before.hash);
            }
            if is_older {
                return Ok(true);
            }
            seq = found.seq.saturating_sub(1);
            entry = found.previous_entry;
            hash = found.link.previous;
        }
    }

    /// The link of an entry, which has this number.
    async fn link_of(
        &self,
        entry: EntryId,
        seq: u64,
        window: &LinkWindow,
        distant: &mut Distant,
    ) -> Result<Option<Found>> {
        let day = entry.time().start_of_day();
        if window.days.contains(&day) {
            return Ok(window.links.get(&seq).filter(|link| link.entry == entry).cloned());
        }
        if day < window.since {
            let item = self.env.table.get(&Place::ChainLink(self.org, entry).key()).await?;
            return item.map(|item| Found::of(&self.env, self.org, item)).transpose();
        }
        if distant.days.insert(day) {
            for item in self.env.table.query_all(&Question::Links(self.org, day).range()).await? {
                let link = Found::of(&self.env, self.org, item)?;
                distant.links.insert(link.entry, link);
            }
        }
        Ok(distant.links.get(&entry).cloned())
    }
}
