//! Simulated eventual consistency: indexes answer as if the last writes hadn't been made.

use daybook_store::engine::{Part, QueryAsk, QueryPage};
use daybook_store::item::{Item, key_of, text};
use daybook_store::schema::{Key, Range};
use std::collections::{HashMap, VecDeque};

/// The items changed by the last writes, by key, as they were before.
#[derive(Debug, Default)]
pub(crate) struct Lag {
    /// The number of writes by which the indexes lag behind.
    writes: usize,
    recent: VecDeque<HashMap<Key, Option<Item>>>,
}

impl Lag {
    pub fn of(writes: usize) -> Lag {
        Lag { writes, recent: VecDeque::new() }
    }

    /// Records a write: the keys of the changed items, and the items that existed before.
    pub fn note(&mut self, keys: Vec<Key>, old: Vec<Item>) {
        let mut items: HashMap<Key, Option<Item>> = keys.into_iter().map(|key| (key, None)).collect();
        items.extend(old.into_iter().filter_map(|item| Some((key_of(&item)?, Some(item)))));
        self.recent.push_back(items);
        while self.recent.len() > self.writes {
            self.recent.pop_front();
        }
    }

    /// The lagging index's answer for a current page of whole items; old items come last on their page.
    pub fn stale(&self, range: &Range, ask: &QueryAsk, mut page: QueryPage) -> QueryPage {
        let Some(index) = range.index else { return page };
        // Each item before the oldest of these writes.
        let mut before: HashMap<&Key, Option<&Item>> = HashMap::new();
        for (key, item) in self.recent.iter().flatten() {
            before.entry(key).or_insert(item.as_ref());
        }
        let place =
            |at: &Option<daybook_store::engine::Position>| at.as_ref()?.indexed.as_ref().map(|key| key.sk.clone());
        let (start, end) = (place(&ask.after), place(&page.more));
        let in_page = |item: &Item| {
            let at = text(item, index.sk());
            let after = |one: Option<&String>, other: Option<&String>| {
                if ask.descending { one < other } else { one > other }
            };
            text(item, index.pk()) == Some(&range.pk)
                && (start.is_none() || after(at, start.as_ref()))
                && (end.is_none() || !after(at, end.as_ref()))
        };
        page.items.retain(|item| key_of(item).is_none_or(|key| !before.contains_key(&key)));
        page.items.extend(before.into_values().flatten().filter(|item| in_page(item)).cloned());
        page.count = page.items.len();
        match ask.part {
            Part::Whole => {}
            Part::Count => page.items.clear(),
            Part::Only(name) => page.items.iter_mut().for_each(|item| item.retain(|own, _| own == name)),
        }
        page
    }
}
