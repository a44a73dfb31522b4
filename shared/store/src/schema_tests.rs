//! Tests of the schema: keys are distinct, escaped, and within the limits of DynamoDB.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;
use uuid::Uuid;

fn org(n: u128) -> OrgId {
    OrgId::new(Uuid::from_u128(n))
}

fn places(n: u128, text: &str) -> Vec<Key> {
    let (o, id, user) = (org(n), Uuid::from_u128(n), UserId::new(Uuid::from_u128(n)));
    let at = Timestamp::from_millisecond(1_700_000_000_000).expect("a time");
    let entry = EntryId::new(id);
    let claim = |kind| Claim { kind, value: text.to_owned() };
    let mut keys: Vec<Key> = Vec::new();
    for &kind in RecordType::ALL {
        let record = AnyId::new(kind, id);
        keys.push(Place::Record(o, record).key());
        keys.push(Place::Trash(o, record).key());
        keys.push(Place::Claim(o, kind, &claim(ClaimKind::Email)).key());
        keys.push(Place::Token(o, text, record).key());
        for &other in RecordType::ALL {
            keys.push(Place::Link(o, record, AnyId::new(other, id)).key());
        }
    }
    for kind in [ClaimKind::Login, ClaimKind::Form, ClaimKind::Organization] {
        keys.push(Place::Claim(o, RecordType::User, &claim(kind)).key());
    }
    keys.extend([
        Place::Fact(o, entry).key(),
        Place::Detail(o, entry).key(),
        Place::Request(o, text, entry).key(),
        Place::Once(o, "00").key(),
        Place::Session(o, SessionId::new(id)).key(),
        Place::Credential(o, user).key(),
        Place::Bucket(o, "form", text).key(),
        Place::Delivery(o, entry, text).key(),
        Place::Suppression(o, "00").key(),
        Place::Due(3, at, text).key(),
        Place::Power(o).key(),
        Place::Counts(o).key(),
        Place::Socket(text).key(),
        Place::Feed.key(),
    ]);
    keys
}

proptest! {
    #[test]
    fn no_two_items_share_a_key(text in "\\PC{0,40}") {
        let keys = places(1, &text);
        let distinct: HashSet<&Key> = keys.iter().collect();
        prop_assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn no_item_of_one_organisation_lies_in_a_partition_of_another(a in "[#~%a-z_0-9-]{0,40}", b in "[#~%a-z_0-9-]{0,40}") {
        let own = |keys: Vec<Key>| keys.into_iter().map(|key| key.pk).filter(|pk| !pk.starts_with('~')).collect::<HashSet<_>>();
        let (first, second) = (own(places(1, &a)), own(places(2, &b)));
        prop_assert!(first.is_disjoint(&second));
        let prefix = format!("{}#", org(1));
        prop_assert!(first.iter().all(|pk| pk.starts_with(&prefix)));
    }

    #[test]
    fn a_value_from_outside_stays_one_segment(text in "\\PC{0,60}") {
        let claim = Claim { kind: ClaimKind::Email, value: text.clone() };
        prop_assert_eq!(Place::Claim(org(1), RecordType::Lead, &claim).key().sk.matches('#').count(), 1);
        prop_assert_eq!(Place::Token(org(1), &text, AnyId::new(RecordType::Lead, Uuid::nil())).key().sk.matches('#').count(), 1);
        prop_assert_eq!(Place::Bucket(org(1), "form", &text).key().sk.matches('#').count(), 0);
    }

    #[test]
    fn different_values_have_different_keys(a in "\\PC{0,60}", b in "\\PC{0,60}") {
        prop_assume!(a != b && !a.is_empty() && !b.is_empty() && a != "-" && b != "-");
        let key = |value: &str| Place::Claim(org(1), RecordType::Lead, &Claim { kind: ClaimKind::Email, value: value.to_owned() }).key();
        prop_assert_ne!(key(&a), key(&b));
    }

    #[test]
    fn keys_fit_the_limits_of_the_table(text in "\\PC{0,2000}") {
        for key in places(1, &text) {
            prop_assert!(key.pk.len() <= 2048 && key.sk.len() <= 1024, "{key:?}");
        }
    }
}

#[test]
fn a_question_reaches_what_it_asks_for_and_nothing_else() {
    let within = |range: &Range, key: &Key| {
        range.pk == key.pk
            && match &range.sk {
                SortRange::All => true,
                SortRange::Prefix(prefix) => key.sk.starts_with(prefix),
                SortRange::From(from) => key.sk >= *from,
                SortRange::UpTo(to) => key.sk <= *to,
                SortRange::Between(from, to) => (from..=to).contains(&&key.sk),
            }
    };
    let id = Uuid::from_u128(1);
    let lead = AnyId::new(RecordType::Lead, id);
    let check = |question: Question<'_>, place: Place<'_>, expected: usize| {
        let range = question.range();
        assert!(within(&range, &place.key()), "{question:?} misses {place:?}");
        let reached = places(1, "zhang").iter().filter(|key| within(&range, key)).count();
        assert_eq!(reached, expected, "{question:?}");
    };
    check(Question::Records(org(1), RecordType::Lead), Place::Record(org(1), lead), 1);
    check(
        Question::Children(org(1), lead, RecordType::Form),
        Place::Link(org(1), lead, AnyId::new(RecordType::Form, id)),
        1,
    );
    check(Question::Word(org(1), RecordType::Lead, "zh"), Place::Token(org(1), "zhang", lead), 1);
    let at = Timestamp::from_millisecond(1_700_000_000_000).expect("a time");
    check(Question::DueBy(3, at), Place::Due(3, at, "zhang"), 1);
}

#[test]
fn the_owner_is_read_from_the_key_of_their_records() {
    let user = UserId::new(Uuid::from_u128(7));
    for &kind in RecordType::ALL {
        assert_eq!(owner_in(&owned_by(org(1), kind, Some(user))), Some(user));
        assert_eq!(owner_in(&owned_by(org(1), kind, None)), None);
    }
}
