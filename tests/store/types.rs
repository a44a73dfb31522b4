//! Record type tests: the metadata of every type in the registry is consistent, and its records can be created, changed,
//! deleted, restored and erased.

use daybook_domain::field::Fields;
use daybook_domain::permission::{Action, Resource};
use daybook_domain::record::{Personal, Record, sample};
use daybook_domain::{Actor, AnyId, RecordType, Stamp, for_each_record_type, with_record_type};
use daybook_local::DEFAULT_ORG;
use daybook_store::{Cx, Kept, Tx};
use daybook_testing::World;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Stores the sample of every type.
async fn sampled(world: &World) -> (Cx, Stamp) {
    world.owner().await;
    let cx = world.cx(DEFAULT_ORG);
    let stamp = Stamp { actor: Actor::System, ..cx.stamp() };
    for_each_record_type!(T => Box::pin(made::<T>(&cx, &stamp)).await);
    (cx, stamp)
}

async fn made<T: Record>(cx: &Cx, stamp: &Stamp) {
    let record: T = sample(stamp).expect("a sample that is a record");
    cx.next_step().commit(Tx::create(&record), ()).await.unwrap_or_else(|error| panic!("{}: {error:?}", T::TYPE));
}

#[test]
fn what_a_type_says_of_its_fields_names_fields_that_it_has() {
    for_each_record_type!(T => {
        let fields: BTreeSet<&str> = T::FIELDS.iter().map(|field| field.name).collect();
        let named = [T::READ_ONLY, T::FIXED, T::REQUIRED, T::MOMENTS, T::DEADLINES, T::UNJOURNALED].concat();
        let states = T::STATE.map(|(field, _)| field).into_iter().chain(T::OWNER).chain(T::DATE);
        for name in named.into_iter().chain(states) {
            assert!(fields.contains(name), "{} has no field {name}", T::TYPE);
        }
        for name in ["id", "version", "created_at", "updated_at"] {
            assert!(T::READ_ONLY.contains(&name), "{}: {name}", T::TYPE);
        }
        assert!(T::DEADLINES.iter().all(|name| T::MOMENTS.contains(name)), "{}", T::TYPE);
        // A type with an owner field needs permissions with scopes.
        assert!(T::OWNER.is_none() || T::RESOURCE.is_owned(), "{}", T::TYPE);
        let stamp = Stamp { at: daybook_domain::Timestamp::UNIX_EPOCH, actor: Actor::System, id: uuid::Uuid::nil() };
        let record: T = sample(&stamp).expect("a sample that is a record");
        let json: Map<String, Value> = daybook_store::object_of(&record).expect("an object");
        assert_eq!(json.keys().map(String::as_str).collect::<BTreeSet<_>>(), fields, "{}", T::TYPE);
        assert_eq!(record.id().kind, T::TYPE);
        assert!(T::PERSONAL != Personal::No || record.person().is_none(), "{}", T::TYPE);
        // Its cascade parents are among the records it belongs to.
        let with = record.cascade_parents();
        assert_eq!(with.is_empty(), T::CASCADES_FROM.is_empty(), "{}: its sample belongs to none of those", T::TYPE);
    });
}

#[test]
fn every_resource_of_permissions_is_about_a_type_or_about_none() {
    let mut about: BTreeSet<Resource> = [Resource::Audit, Resource::Integrations].into();
    for_each_record_type!(T => {
        about.insert(T::RESOURCE);
        let actions = T::RESOURCE.actions();
        let changed = actions.contains(&Action::Update) || actions.contains(&Action::Manage) || !T::UNDONE;
        assert!(changed, "{}: no change of it can be reverted", T::TYPE);
    });
    assert_eq!(about, Resource::ALL.iter().copied().collect());
}

async fn changed<T: Record>(cx: &Cx, id: AnyId) {
    let found = cx.get::<T>(id).await.expect("a record");
    let after = T::clone(&found).following(&found, cx.now());
    cx.next_step().commit(Tx::update(&found, &after), ()).await.expect("an update");
    let listed = cx.list::<T>(&daybook_store::PageAsk { limit: 50, ..Default::default() }).await.expect("a list");
    assert!(listed.items.contains(&after), "{id}");
}

async fn removed<T: Record>(cx: &Cx, id: AnyId) {
    let found = cx.get::<T>(id).await.expect("a record");
    let mut tx = Tx::delete(&found);
    if id.kind.has_family() {
        tx = tx.with_family(daybook_records::family::family_of(cx, id).await.expect("a family"));
    }
    cx.next_step().commit(tx, ()).await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
    assert!(cx.find::<T>(id).await.expect("a read").is_none());
}

async fn restored<T: Record>(cx: &Cx, id: AnyId) {
    let trashed = cx.trash().find::<T>(id).await.expect("a read").expect("in the trash");
    let back = trashed.back().following(&trashed, cx.now());
    let tx = Tx::restore(&trashed, &back);
    cx.next_step().commit(tx, ()).await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
}

async fn erased<T: Record>(cx: &Cx, id: AnyId) {
    let found = cx.get::<T>(id).await.expect("a record");
    cx.erasure().record(&found, Kept::Live).await.expect("an erasure");
    assert!(!cx.erasure().exists(id).await.expect("a read"));
}

#[tokio::test]
async fn a_record_of_every_type_is_made_changed_removed_restored_and_erased() {
    let world = World::new().await;
    let (cx, stamp) = sampled(&world).await;
    let id = |kind| AnyId::new(kind, stamp.id);
    for_each_record_type!(T => Box::pin(changed::<T>(&cx, id(T::TYPE))).await);
    // Parents are deleted after their children.
    for &kind in RecordType::ALL.iter().rev() {
        with_record_type!(kind, T => Box::pin(removed::<T>(&cx, id(kind))).await);
    }
    for_each_record_type!(T => Box::pin(restored::<T>(&cx, id(T::TYPE))).await);
    for &kind in RecordType::ALL.iter().rev() {
        with_record_type!(kind, T => Box::pin(erased::<T>(&cx, id(kind))).await);
    }
}
