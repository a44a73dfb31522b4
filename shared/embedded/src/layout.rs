//! Key layout of the ordered key-value store: an item at its own key, and a copy of it in each index at its index key.
//!
//! ```text
//! item       i <length of pk: 2 bytes> <pk> <sk>
//! by_owner   o <length of pk: 2 bytes> <owner_pk> <owner_sk, 00 as 00 ff> 00 00 <the item's key, without its first byte>
//! by_state   s the same, of state_pk and state_sk
//! ```
//!
//! Within a partition, items are ordered by the bytes of their sort keys, as in DynamoDB; items with equal index keys
//! are ordered by their own keys.

use daybook_store::engine::Position;
use daybook_store::item::{AttributeValue, Item, text};
use daybook_store::schema::{Index, Key, PK, Range, SK, SortRange};
use std::ops::Bound;

/// The first byte of items' keys.
pub const ITEMS: u8 = b'i';

fn first(index: Index) -> u8 {
    match index {
        Index::ByOwner => b'o',
        Index::ByState => b's',
    }
}

fn partition(first: u8, pk: &str, room: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(3 + pk.len() + room);
    bytes.push(first);
    // Longer keys were refused before, by `size::check_key`.
    bytes.extend(u16::try_from(pk.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(pk.as_bytes());
    bytes
}

/// The stored key of an item.
pub fn item_key(key: &Key) -> Vec<u8> {
    let mut bytes = partition(ITEMS, &key.pk, key.sk.len());
    bytes.extend(key.sk.as_bytes());
    bytes
}

/// The item's key, decoded from its stored key.
pub fn key_at(bytes: &[u8]) -> Option<Key> {
    let (length, rest) = bytes.get(1..)?.split_at_checked(2)?;
    let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
    let (pk, sk) = rest.split_at_checked(length)?;
    Some(Key { pk: str::from_utf8(pk).ok()?.to_owned(), sk: str::from_utf8(sk).ok()?.to_owned() })
}

fn escaped(bytes: &mut Vec<u8>, sk: &str) {
    for byte in sk.bytes() {
        bytes.push(byte);
        if byte == 0 {
            bytes.push(0xff);
        }
    }
}

/// The stored key of an item's copy in an index; it ends with the item's own stored key.
fn index_key(index: Index, indexed: &Key, item: &[u8]) -> Vec<u8> {
    let mut bytes = partition(first(index), &indexed.pk, indexed.sk.len() + 2 + item.len());
    escaped(&mut bytes, &indexed.sk);
    bytes.extend([0, 0]);
    bytes.extend(&item[1..]);
    bytes
}

/// The stored keys of an item's copies in the indexes. An item that lacks an attribute of an index isn't in that index.
pub fn copies(item: &Item, key: &[u8]) -> Vec<Vec<u8>> {
    let place = |index: Index| {
        let indexed = Key { pk: text(item, index.pk())?.clone(), sk: text(item, index.sk())?.clone() };
        Some(index_key(index, &indexed, key))
    };
    Index::ALL.into_iter().filter_map(place).collect()
}

/// The item's key, decoded from the stored key of its copy in an index.
pub fn key_of_copy(bytes: &[u8]) -> Option<Key> {
    let length = usize::from(u16::from_be_bytes(bytes.get(1..3)?.try_into().ok()?));
    let mut at = 3 + length;
    loop {
        match bytes.get(at..at + 2)? {
            [0, 0] => return key_at(&bytes[at + 1..]),
            [0, _] => at += 2,
            _ => at += 1,
        }
    }
}

/// The position in a range of a stored key.
pub fn place_at(bytes: &[u8], range: &Range) -> Option<Position> {
    let Some(_) = range.index else { return Some(Position { key: key_at(bytes)?, indexed: None }) };
    let rest = bytes.get(3 + range.pk.len()..)?;
    let mut sk = Vec::with_capacity(rest.len());
    let mut from = rest.iter();
    while let Some(byte) = from.next() {
        if *byte == 0 && from.next() == Some(&0) {
            break;
        }
        sk.push(*byte);
    }
    Some(range.place(key_of_copy(bytes)?, || String::from_utf8_lossy(&sk).into_owned()))
}

/// The bounds of a range as stored keys; they begin just behind `after`, where that is given.
pub fn bounds(range: &Range, after: Option<&Position>, descending: bool) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let whole = partition(range.index.map_or(ITEMS, first), &range.pk, 64);
    let at = |sk: &str| {
        let mut bytes = whole.clone();
        match range.index {
            Some(_) => escaped(&mut bytes, sk),
            None => bytes.extend(sk.as_bytes()),
        }
        bytes
    };
    // Behind every item with exactly this sort key; in an index, several items may share it.
    let behind = |sk: &str| {
        let mut bytes = at(sk);
        if range.index.is_some() {
            bytes.extend([0, 0]);
            return Bound::Excluded(next_prefix(bytes));
        }
        Bound::Included(bytes)
    };
    let end = || Bound::Excluded(next_prefix(whole.clone()));
    let (from, to) = match &range.sk {
        SortRange::All => (Bound::Included(whole.clone()), end()),
        SortRange::Prefix(prefix) => (Bound::Included(at(prefix)), Bound::Excluded(next_prefix(at(prefix)))),
        SortRange::From(from) => (Bound::Included(at(from)), end()),
        SortRange::UpTo(to) => (Bound::Included(whole.clone()), behind(to)),
        SortRange::Between(from, to) => (Bound::Included(at(from)), behind(to)),
    };
    let Some(after) = after else { return (from, to) };
    let own = item_key(&after.key);
    let place = match (range.index, &after.indexed) {
        (Some(index), Some(indexed)) => index_key(index, indexed, &own),
        _ => own,
    };
    match descending {
        true => (from, least(to, place)),
        false => (greatest(from, place), to),
    }
}

/// The smallest bytes greater than every key with this prefix. A prefix never consists of `ff` alone.
fn next_prefix(mut prefix: Vec<u8>) -> Vec<u8> {
    while let Some(last) = prefix.pop() {
        if last < 0xff {
            prefix.push(last + 1);
            break;
        }
    }
    prefix
}

fn greatest(bound: Bound<Vec<u8>>, place: Vec<u8>) -> Bound<Vec<u8>> {
    match &bound {
        Bound::Included(from) | Bound::Excluded(from) if *from > place => bound,
        _ => Bound::Excluded(place),
    }
}

fn least(bound: Bound<Vec<u8>>, place: Vec<u8>) -> Bound<Vec<u8>> {
    match &bound {
        Bound::Included(to) | Bound::Excluded(to) if *to < place => bound,
        _ => Bound::Excluded(place),
    }
}

/// An item with the attributes of its key.
pub fn with_key(mut item: Item, key: Key) -> Item {
    item.insert(PK.to_owned(), AttributeValue::S(key.pk));
    item.insert(SK.to_owned(), AttributeValue::S(key.sk));
    item
}
