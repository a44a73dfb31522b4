//! Binary format of stored items: a header with the item's size and expiry, then its attributes except the key.
//!
//! ```text
//! 01 <size as DynamoDB counts it: 4 bytes> <expires_at: 8 bytes, 0 for never> (<name> <value>)*
//! name    <length> <bytes>
//! value   <type: 1 byte> <what its type has>
//! length  7 bits a byte, least significant first, high bit set in all but the last (LEB128)
//! ```

use crate::evaluate::normal_number;
use crate::size;
use daybook_store::item::{AttributeValue, Blob, Item};
use daybook_store::schema::{EXPIRES_AT, PK, SK};

/// The version of the binary format. Items of any other version can't be read.
const FORM: u8 = 1;

const HEAD: usize = 13;

const TEXT: u8 = b'S';
const NUMBER: u8 = b'N';
const BYTES: u8 = b'B';
const TRUE: u8 = b'T';
const FALSE: u8 = b'F';
const NULL: u8 = b'0';
const LIST: u8 = b'L';
const MAP: u8 = b'M';
const TEXTS: u8 = b's';
const NUMBERS: u8 = b'n';
const MANY_BYTES: u8 = b'b';

/// Encodes an item, or returns why it can't be stored.
pub fn encode(item: &Item) -> Result<Vec<u8>, String> {
    let bytes = size::of(item);
    size::check_item(bytes)?;
    let mut out = Vec::with_capacity(HEAD + bytes + 4 * item.len());
    out.push(FORM);
    out.extend(u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes());
    let expires = item.get(EXPIRES_AT).and_then(|at| at.as_n().ok()).and_then(|at| at.parse::<i64>().ok());
    out.extend(expires.unwrap_or(0).to_le_bytes());
    for (name, value) in item {
        if name != PK && name != SK {
            text(&mut out, name);
            encode_value(&mut out, value)?;
        }
    }
    Ok(out)
}

fn length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, bytes.len());
    out.extend(bytes);
}

fn text(out: &mut Vec<u8>, text: &str) {
    bytes(out, text.as_bytes());
}

fn encode_value(out: &mut Vec<u8>, value: &AttributeValue) -> Result<(), String> {
    match value {
        AttributeValue::S(own) => {
            out.push(TEXT);
            text(out, own);
        }
        AttributeValue::N(number) => {
            out.push(NUMBER);
            text(out, &normal_number(number)?);
        }
        AttributeValue::Bool(flag) => out.push(if *flag { TRUE } else { FALSE }),
        AttributeValue::Null(_) => out.push(NULL),
        AttributeValue::B(own) => {
            out.push(BYTES);
            bytes(out, own.as_ref());
        }
        AttributeValue::L(list) => {
            out.push(LIST);
            length(out, list.len());
            for value in list {
                encode_value(out, value)?;
            }
        }
        AttributeValue::M(map) => {
            out.push(MAP);
            length(out, map.len());
            for (name, value) in map {
                text(out, name);
                encode_value(out, value)?;
            }
        }
        AttributeValue::Ss(all) => {
            out.push(TEXTS);
            length(out, all.len());
            all.iter().for_each(|own| text(out, own));
        }
        AttributeValue::Ns(all) => {
            out.push(NUMBERS);
            length(out, all.len());
            for number in all {
                text(out, &normal_number(number)?);
            }
        }
        AttributeValue::Bs(all) => {
            out.push(MANY_BYTES);
            length(out, all.len());
            all.iter().for_each(|own| bytes(out, own.as_ref()));
        }
        other => return Err(format!("unknown attribute type: {other:?}")),
    }
    Ok(())
}

/// The header of an encoded item.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// The item's size in bytes, as DynamoDB counts it.
    pub size: usize,
    /// When it expires, in seconds since 1970.
    pub expires_at: Option<i64>,
}

/// Decodes an item's header; `None` where the bytes are malformed.
pub fn head(bytes: &[u8]) -> Option<Head> {
    let [FORM, rest @ ..] = bytes else { return None };
    let (size, rest) = rest.split_at_checked(4)?;
    let expires_at = i64::from_le_bytes(rest.get(..8)?.try_into().ok()?);
    let size = u32::from_le_bytes(size.try_into().ok()?) as usize;
    Some(Head { size, expires_at: Some(expires_at).filter(|at| *at != 0) })
}

/// Decodes an item's attributes, except its key; `None` where the bytes are malformed.
pub fn decode(bytes: &[u8]) -> Option<Item> {
    head(bytes)?;
    let mut from = Reader(bytes.get(HEAD..)?);
    let mut item = Item::with_capacity(10);
    while !from.0.is_empty() {
        let name = from.text()?.to_owned();
        item.insert(name, from.value()?);
    }
    Some(item)
}

/// Decodes one attribute of an item, if it has it; skips those stored before it. The outer `None` means malformed
/// bytes.
pub fn decode_only(bytes: &[u8], name: &str) -> Option<Option<AttributeValue>> {
    head(bytes)?;
    let mut from = Reader(bytes.get(HEAD..)?);
    while !from.0.is_empty() {
        if from.text()? == name {
            return from.value().map(Some);
        }
        from.pass()?;
    }
    Some(None)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn length(&mut self) -> Option<usize> {
        let mut length = 0;
        for shift in (0..=28).step_by(7) {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(length);
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        let (own, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(own)
    }

    fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }

    /// Reads a length-prefixed list, each value with `one`. Never allocates for more values than there are bytes left.
    fn many<T>(&mut self, one: impl Fn(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
        let count = self.length()?;
        let mut all = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            all.push(one(self)?);
        }
        Some(all)
    }

    fn value(&mut self) -> Option<AttributeValue> {
        Some(match self.byte()? {
            TEXT => AttributeValue::S(self.text()?.to_owned()),
            NUMBER => AttributeValue::N(self.text()?.to_owned()),
            TRUE => AttributeValue::Bool(true),
            FALSE => AttributeValue::Bool(false),
            NULL => AttributeValue::Null(true),
            BYTES => AttributeValue::B(Blob::new(self.bytes()?)),
            LIST => AttributeValue::L(self.many(Reader::value)?),
            MAP => {
                let pairs = self.many(|from| Some((from.text()?.to_owned(), from.value()?)))?;
                AttributeValue::M(pairs.into_iter().collect())
            }
            TEXTS => AttributeValue::Ss(self.many(|from| from.text().map(str::to_owned))?),
            NUMBERS => AttributeValue::Ns(self.many(|from| from.text().map(str::to_owned))?),
            MANY_BYTES => AttributeValue::Bs(self.many(|from| from.bytes().map(Blob::new))?),
            _ => return None,
        })
    }

    /// Skips a value.
    fn pass(&mut self) -> Option<()> {
        match self.byte()? {
            TEXT | NUMBER | BYTES => self.bytes().map(drop),
            TRUE | FALSE | NULL => Some(()),
            LIST => self.many(Reader::pass).map(drop),
            MAP => self.many(|from| from.text().and_then(|_| from.pass())).map(drop),
            TEXTS | NUMBERS | MANY_BYTES => self.many(Reader::bytes).map(drop),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = AttributeValue> {
        let leaf = prop_oneof![
            ".{0,40}".prop_map(AttributeValue::S),
            any::<i64>().prop_map(|n| AttributeValue::N(n.to_string())),
            any::<bool>().prop_map(AttributeValue::Bool),
            Just(AttributeValue::Null(true)),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| AttributeValue::B(Blob::new(bytes))),
            prop::collection::vec("[a-z]{1,9}", 1..4).prop_map(AttributeValue::Ss),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
                prop::collection::hash_map("[a-z]{0,5}", inner, 0..4).prop_map(AttributeValue::M),
            ]
        })
    }

    proptest! {
        #[test]
        fn items_are_read_as_they_were_written(item in prop::collection::hash_map("[a-z_]{1,200}", value(), 0..12)) {
            let bytes = encode(&item).expect("an item");
            prop_assert_eq!(decode(&bytes), Some(item.clone()));
            prop_assert_eq!(head(&bytes).expect("a head").size, size::of(&item));
            for (name, value) in &item {
                prop_assert_eq!(decode_only(&bytes, name), Some(Some(value.clone())));
            }
            prop_assert_eq!(decode_only(&bytes, "-"), Some(None));
        }

        #[test]
        fn whatever_the_bytes_reading_them_ends_well(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            bytes.insert(0, FORM);
            let _ = decode(&bytes);
            let _ = decode_only(&bytes, "a");
        }
    }
}
