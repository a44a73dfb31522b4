//! The keys of the indexes.

use super::escaped::escape;
use daybook_domain::{AnyId, EntryId, OrgId, RecordType, Timestamp, UserId};

/// The `by_state` key of records in a state.
pub fn in_state(org: OrgId, of: RecordType, state: &str) -> String {
    format!("{org}#{of}#{state}")
}

/// The `by_state` key of records deleted by cascade with another.
pub fn deleted_with(org: OrgId, parent: AnyId) -> String {
    format!("{org}#fell#{parent}")
}

/// The `by_owner` key of records of an owner, or of those without one.
pub fn owned_by(org: OrgId, of: RecordType, owner: Option<UserId>) -> String {
    match owner {
        Some(owner) => format!("{org}#{of}#{owner}"),
        None => format!("{org}#{of}#-"),
    }
}

/// The owner in a `by_owner` key of records.
pub fn owner_in(pk: &str) -> Option<UserId> {
    pk.rsplit_once('#')?.1.parse().ok()
}

/// The `by_state` key of facts of a record.
pub fn facts_of(org: OrgId, id: AnyId) -> String {
    format!("{org}#on#{id}")
}

/// The `by_owner` key of facts of what a user or key did.
pub fn facts_by(org: OrgId, actor: AnyId) -> String {
    format!("{org}#by#{actor}")
}

/// The `by_state` key of deliveries about a record.
pub fn sent_about(org: OrgId, id: AnyId) -> String {
    format!("{org}#sent#{id}")
}

/// The `by_owner` key of mails that failed for good.
pub fn failed_mails(org: OrgId) -> String {
    format!("{org}#failed-mail")
}

/// The sort key of a failed mail there.
pub fn failed_mail_at(at: Timestamp, entry: EntryId, kind: &str) -> String {
    by_date(at, &format!("{entry}#{}", escape(kind)))
}

/// The `by_state` key of ledger rows in a state.
pub fn ledger_in(org: OrgId, system: &str, state: &str) -> String {
    format!("{org}#ledger#{system}#{state}")
}

/// The `by_owner` key of sessions of a user.
pub fn sessions_of(org: OrgId, user: UserId) -> String {
    format!("{org}#session#{user}")
}

/// The `by_owner` key of open sockets of an organisation.
pub fn sockets_of(org: OrgId) -> String {
    format!("{org}#sockets")
}

/// The `by_owner` sort key of an open socket.
pub fn socket_of(user: UserId, connection: &str) -> String {
    format!("{user}#{connection}")
}

/// How many shards the index of all open sockets is spread over.
pub const SOCKET_SHARDS: u8 = 8;

/// The `by_state` key of the open sockets of a shard.
pub fn sockets_in(shard: u8) -> String {
    format!("~sockets#{shard}")
}

/// The sort key of an index: the date, then the id.
pub fn by_date(date: Timestamp, id: &str) -> String {
    format!("{}#{id}", date)
}
