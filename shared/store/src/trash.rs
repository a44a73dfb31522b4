//! The trash: soft-deleted records, which can be restored for 30 days.

use crate::cx::{is_at, record_of};
use crate::item::expires_after;
use crate::rows::cascade::{Cascades, LAG};
use crate::rows::is_too_far_ahead;
use crate::schema::{Place, Question, SK};
use crate::table::{Item, text};
use crate::{Cx, Result};
use daybook_domain::{AnyId, Conflict, Error as Domain, Record, Stored, Timestamp};

impl Cx {
    /// The trash: deleted records that can be restored.
    pub fn trash(&self) -> Trash<'_> {
        Trash { cx: self }
    }
}

/// The trash of an organisation.
#[derive(Clone, Copy, Debug)]
pub struct Trash<'a> {
    cx: &'a Cx,
}

impl Trash<'_> {
    /// A record in the trash, until it expires.
    pub async fn find<T: Record>(self, id: impl Into<AnyId>) -> Result<Option<Stored<T>>> {
        let item = self.cx.env.table.get(&Place::Trash(self.cx.org, id.into()).key()).await?;
        let kept = item.filter(|item| expires_after(item, self.cx.now().as_second()));
        let record = kept.map(record_of::<T>).transpose()?;
        self.cx.within_reach(record).await
    }

    /// A record in the trash, or the error that it isn't there; with `if_match` it must be at that version.
    pub async fn get<T: Record>(self, id: impl Into<AnyId>, if_match: Option<u64>) -> Result<Stored<T>> {
        let id = id.into();
        let Some(trashed) = self.find::<T>(id).await? else {
            self.cx.get::<T>(id).await?;
            return Err(Domain::Conflict(Conflict::NotInTrash).into());
        };
        is_at(&*trashed, if_match)?;
        Ok(trashed)
    }

    /// The records deleted by cascade with a record, as far as the index has them.
    pub async fn indexed_with(self, parent: AnyId) -> Result<Vec<AnyId>> {
        let items = self.cx.env.table.query_all(&Question::DeletedWith(self.cx.org, parent).range()).await?;
        let id = |item: &Item| text(item, SK)?.parse().ok();
        Ok(items.iter().filter_map(id).collect())
    }

    /// The records deleted by cascade with a record in the trash. Refused while the cascade is in progress, and just
    /// after it, while the index may be incomplete.
    pub async fn deleted_with(self, parent: AnyId) -> Result<Vec<AnyId>> {
        let cascades = Cascades::read(&self.cx.env, self.cx.org).await?;
        if cascades.holds(parent) {
            return Err(Domain::Conflict(Conflict::CascadePending).into());
        }
        let trashed = self.cx.env.table.get(&Place::Trash(self.cx.org, parent).key()).await?;
        let Some(trashed) = trashed.filter(|item| expires_after(item, self.cx.now().as_second())) else {
            return Ok(Vec::new());
        };
        let went = text(&trashed, "deleted_at").and_then(|at| at.parse::<Timestamp>().ok());
        // The job that carried out the cascade recorded their exact number, and when.
        let (count, at) = match cascades.finished(parent).filter(|finished| went.is_none_or(|went| finished.at >= went))
        {
            Some(finished) => (finished.count, Some(finished.at)),
            None => (trashed.get("fell").and_then(|n| n.as_n().ok()?.parse().ok()).unwrap_or_default(), went),
        };
        if count == 0 {
            return Ok(Vec::new());
        }
        let found = self.indexed_with(parent).await?;
        let now = self.cx.now();
        let is_long_ago = |at: Timestamp| at.plus(LAG) < now || is_too_far_ahead(at, now, LAG);
        let settled = found.len() as u64 >= count || at.is_none_or(is_long_ago);
        if settled { Ok(found) } else { Err(Domain::Conflict(Conflict::CascadePending).into()) }
    }
}
