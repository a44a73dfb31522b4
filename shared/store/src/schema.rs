//! Schema of the table: its keys, indexes and access patterns. No other module builds a key.
//!
//! ```text
//! item          pk                              sk                      by_owner              by_state
//! record        <org>#<type>                    <id>                    <org>#<type>#<owner>  <org>#<type>#<state>
//! trashed       <org>#trash#<type>              <id>                                          <org>#fell#<parent>
//! claim         <org>#claim#<type>              <kind>#<value>
//! link          <org>#of#<parent>               <type>#<id>
//! family head   <org>#of#<parent>               -
//! token         <org>#<type>#s#<character>      <token>#<id>
//! fact          <org>#journal#<day>             <entry>                 <org>#by#<actor>      <org>#on#<record>
//! detail        <org>#detail#<day>              <entry>
//! chain link    <org>#chain#<day>               <entry>
//! chain head    <org>#chain                     -
//! request       <org>#request#<request id>      <entry>
//! once          <org>#once#<hash of scope+key>  -
//! session       <org>#session#<session>         -                       <org>#session#<user>
//! credential    <org>#credential#<user>         -
//! second factor <org>#second-factor#<user>      -
//! key secret    <org>#key-secret#<key>          -
//! ticket        <org>#ticket#<user>             <use>
//! socket ticket <org>#socket-ticket             <hash>
//! attempts      <org>#attempts                  <hash of name>
//! tally         <org>#tally                     <minute>#<answer>
//! bucket        <org>#bucket#<class>            <subject>
//! delivery      <org>#delivery#<entry>          <consumer>              <org>#failed-mail     <org>#sent#<record>
//! ledger        <org>#ledger#<system>           <record>                                      <org>#ledger#<system>#<state>
//! suppression   <org>#suppression               <hash of address>
//! data subject  <org>#errand#<job>              -
//! paused file   <org>#paused-file#<job>         -
//! cascades      <org>#falling                   -
//! counts        <org>#counts                    -
//! power lock    <org>#power                     -
//! run           <org>#run#<run>                 -
//! run's text    <org>#run#<run>                 text#<position>
//! run's request <org>#run#<run>                 request
//! run's reader  <org>#run#<run>                 reader#<connection>
//! chat          <org>#chat#<conversation>       -
//! AI spending   <org>#ai-spending#<month>       <user> or -
//! AI usage      <org>#ai-usage#<day>            <user>#<model>
//! AI keys       <org>#ai-keys                   -
//! UI chat       <org>#ui-chat#<user>            <hash of its id>
//! login         ~login#<name>                   -
//! form          ~form#<form>                    -
//! organisations ~orgs                           <org>
//! due item      ~due#<shard>                    <time>#<id>
//! socket        ~socket#<connection>            -                       <org>#sockets         ~sockets#<shard>
//! feed          ~feed                           -
//! ```
//!
//! Access patterns, by the number that [`Question`] gives them:
//!
//! 1. records of a type, newest first: `record`, consistent
//! 2. records of a type and state: `by_state`
//! 3. records of a type and owner, or without an owner: `by_owner`
//! 4. children of a record, by type: `link`, consistent
//! 5. records by word: `token`, consistent
//! 6. journal facts of a day: `fact`, consistent
//! 7. journal facts of a record: `by_state`; of what a user or key did: `by_owner`
//! 8. journal entries of a request: `request`, consistent
//! 9. due items of a shard until a moment: `due item`, consistent
//! 10. all organisations: `organisations`, consistent
//! 11. deliveries about a record: `by_state`
//! 12. ledger rows of a system: `ledger`, consistent; in a state: `by_state`
//! 13. sessions of a user: `by_owner`
//! 14. tallies from a minute on: `tally`, consistent
//! 15. chain links of the facts of a day: `chain link`, consistent
//! 16. records of a type in the trash: `trashed`, consistent
//! 17. journal details of a day: `detail`, consistent
//! 18. deliveries of an entry: `delivery`, consistent
//! 19. records deleted by cascade with another: `by_state`
//! 20. a run's text: `run's text`, consistent
//! 21. AI usage of a day, of all users or one: `AI usage`, consistent
//! 22. a run's readers: `run's reader`, consistent
//! 23. open sockets of an organisation, of all users or one: `by_owner`
//! 24. all open sockets, by when they end: `by_state`
//! 25. mails that failed for good: `by_owner`
//!
//! Every other item is read by its key. Every key begins with its organisation; the exceptions begin with `~`, are
//! looked up before the organisation is known, and hold nothing but ids, due items and the callers of open sockets. One
//! partition takes 1,000 write units a second: about 450 changes a second and organisation, as each writes its fact and its
//! record in one partition each. Texts from clients are escaped, so that no value can produce the key of another item.

mod escaped;
mod indexed;

pub use indexed::{
    SOCKET_SHARDS, by_date, deleted_with, facts_by, facts_of, failed_mail_at, failed_mails, in_state, ledger_in,
    owned_by, owner_in, sent_about, sessions_of, socket_of, sockets_in, sockets_of,
};

use crate::Answer;
use daybook_domain::{
    AnyId, ApiKeyId, Claim, ClaimKind, ConversationId, EntryId, JobId, OrgId, RecordType, RunId, SessionId, Timestamp,
    UserId,
};
use escaped::escape;
use serde::{Deserialize, Serialize};

/// Name of the partition key attribute.
pub const PK: &str = "pk";
/// Name of the sort key attribute.
pub const SK: &str = "sk";
/// Name of the attribute that holds the kind of an item.
pub const KIND: &str = "kind";
/// Name of the attribute that holds a record, as JSON text.
pub const DATA: &str = "data";
/// Name of the TTL attribute: seconds since 1970.
pub const EXPIRES_AT: &str = "expires_at";

/// How many shards the due items are spread over.
pub const DUE_SHARDS: u8 = 16;

/// The key of an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

/// An index of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// Owner or assignee, by the type's date.
    ByOwner,
    /// Status or stage, by the type's date.
    ByState,
}

impl Index {
    /// Both indexes.
    pub const ALL: [Index; 2] = [Index::ByOwner, Index::ByState];

    /// The name of the index.
    pub fn name(self) -> &'static str {
        match self {
            Index::ByOwner => "by_owner",
            Index::ByState => "by_state",
        }
    }

    /// The attribute with its partition key.
    pub fn pk(self) -> &'static str {
        match self {
            Index::ByOwner => "owner_pk",
            Index::ByState => "state_pk",
        }
    }

    /// The attribute with its sort key.
    pub fn sk(self) -> &'static str {
        match self {
            Index::ByOwner => "owner_sk",
            Index::ByState => "state_sk",
        }
    }
}

/// The kind of an item, the value of its `kind` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A record, live or in the trash.
    Record,
    /// A unique value.
    Claim,
    /// A child of a record.
    Link,
    /// A search token.
    Token,
    /// A journal fact. Streams are filtered by this.
    Fact,
    /// A journal detail.
    Detail,
    /// The entries of a request.
    Request,
    /// An idempotency record.
    Once,
    /// An operational row.
    Row,
}

impl Kind {
    /// The value of the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Record => "record",
            Kind::Claim => "claim",
            Kind::Link => "link",
            Kind::Token => "token",
            Kind::Fact => "journal",
            Kind::Detail => "detail",
            Kind::Request => "request",
            Kind::Once => "once",
            Kind::Row => "row",
        }
    }
}

/// The items of the table.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// A record.
    Record(OrgId, AnyId),
    /// A record in the trash.
    Trash(OrgId, AnyId),
    /// A unique value of a type.
    Claim(OrgId, RecordType, &'a Claim),
    /// A child in its parent's list.
    Link(OrgId, AnyId, AnyId),
    /// The head of a record's family, which counts the records that joined.
    Family(OrgId, AnyId),
    /// A search token of a record.
    Token(OrgId, &'a str, AnyId),
    /// A journal fact.
    Fact(OrgId, EntryId),
    /// A journal detail.
    Detail(OrgId, EntryId),
    /// The chain link of a fact.
    ChainLink(OrgId, EntryId),
    /// The last link of a chain.
    ChainHead(OrgId),
    /// A journal entry of a request.
    Request(OrgId, &'a str, EntryId),
    /// An idempotency record.
    Once(OrgId, &'a str),
    /// A session.
    Session(OrgId, SessionId),
    /// A password's hash.
    Credential(OrgId, UserId),
    /// The second factor of a user.
    SecondFactor(OrgId, UserId),
    /// The hash of an API key's secret.
    KeySecret(OrgId, ApiKeyId),
    /// A ticket of a user, by its use.
    Ticket(OrgId, UserId, &'a str),
    /// A ticket for a WebSocket, by the hash of its secret.
    SocketTicket(OrgId, &'a str),
    /// Attempts to sign in, by the hash of what they are counted by: a user, or an unknown name.
    Attempts(OrgId, &'a str),
    /// Refusals of a minute, by what they were answered with.
    Tally(OrgId, Timestamp, Answer),
    /// A token bucket: class and subject.
    Bucket(OrgId, &'a str, &'a str),
    /// The delivery of an entry to one consumer.
    Delivery(OrgId, EntryId, &'a str),
    /// The sync state of a record in another system: the system's name and the record.
    Ledger(OrgId, &'a str, AnyId),
    /// An address that gets no mail, by hash.
    Suppression(OrgId, &'a str),
    /// The person that a job is about, which the job's record doesn't hold.
    DataSubject(OrgId, JobId),
    /// What a paused job needs to go on.
    PausedJob(OrgId, JobId),
    /// A further part of it: the id of the pause, and the number of the part.
    PausedJobPart(OrgId, JobId, &'a str, usize),
    /// The cascade deletes in progress.
    Cascades(OrgId),
    /// The numbers of live records.
    Counts(OrgId),
    /// The lock of grants.
    Power(OrgId),
    /// A run: one answer that is being generated.
    Run(OrgId, RunId),
    /// A piece of a run's text, by the number of characters before it.
    RunText(OrgId, RunId, u64),
    /// What a run without a conversation was asked.
    RunRequest(OrgId, RunId),
    /// A socket that a run's text is sent to, by its connection.
    RunReader(OrgId, RunId, &'a str),
    /// The state of a conversation: its run and its counts.
    Chat(OrgId, ConversationId),
    /// What an organisation, or one of its users, spent on AI in a month.
    AiSpending(OrgId, &'a str, Option<UserId>),
    /// What a user used of a model on a day.
    AiUsage(OrgId, Timestamp, UserId, &'a str),
    /// The keys of AI providers.
    AiKeys(OrgId),
    /// A chat that only its client keeps, by the hash of the client's id.
    UiChat(OrgId, UserId, &'a str),
    /// Scheduled work: shard, time, id.
    Due(u8, Timestamp, &'a str),
    /// An open WebSocket, by its connection.
    Socket(&'a str),
    /// The checkpoint of the local feed.
    Feed,
}

impl Place<'_> {
    /// The key of the item.
    pub fn key(&self) -> Key {
        let key = |pk: String, sk: String| Key { pk, sk };
        let alone = || "-".to_owned();
        match *self {
            Place::Record(org, id) => key(format!("{org}#{}", id.kind), id.to_string()),
            Place::Trash(org, id) => key(format!("{org}#trash#{}", id.kind), id.to_string()),
            Place::Claim(org, of, claim) => match claim.kind {
                ClaimKind::Email => key(format!("{org}#claim#{of}"), format!("email#{}", escape(&claim.value))),
                ClaimKind::Phone => key(format!("{org}#claim#{of}"), format!("phone#{}", escape(&claim.value))),
                ClaimKind::Name => key(format!("{org}#claim#{of}"), format!("name#{}", escape(&claim.value))),
                ClaimKind::Stage => key(format!("{org}#claim#{of}"), format!("stage#{}", escape(&claim.value))),
                ClaimKind::Login => key(format!("~login#{}", escape(&claim.value)), alone()),
                ClaimKind::Form => key(format!("~form#{}", escape(&claim.value)), alone()),
                ClaimKind::Organization => key("~orgs".to_owned(), escape(&claim.value)),
            },
            Place::Link(org, parent, child) => key(format!("{org}#of#{parent}"), format!("{}#{child}", child.kind)),
            Place::Family(org, parent) => key(format!("{org}#of#{parent}"), alone()),
            Place::Cascades(org) => key(format!("{org}#falling"), alone()),
            Place::Counts(org) => key(format!("{org}#counts"), alone()),
            Place::Power(org) => key(format!("{org}#power"), alone()),
            Place::Token(org, token, id) => {
                let token = escape(token);
                let first = token.chars().next().unwrap_or('-');
                key(format!("{org}#{}#s#{first}", id.kind), format!("{token}#{id}"))
            }
            Place::Fact(org, entry) => key(format!("{org}#journal#{}", day_of(entry.time())), entry.to_string()),
            Place::Detail(org, entry) => key(format!("{org}#detail#{}", day_of(entry.time())), entry.to_string()),
            Place::ChainLink(org, entry) => key(format!("{org}#chain#{}", day_of(entry.time())), entry.to_string()),
            Place::ChainHead(org) => key(format!("{org}#chain"), alone()),
            Place::Request(org, id, entry) => key(format!("{org}#request#{}", escape(id)), entry.to_string()),
            Place::Once(org, hash) => key(format!("{org}#once#{hash}"), alone()),
            Place::Session(org, id) => key(format!("{org}#session#{id}"), alone()),
            Place::Credential(org, user) => key(format!("{org}#credential#{user}"), alone()),
            Place::SecondFactor(org, user) => key(format!("{org}#second-factor#{user}"), alone()),
            Place::KeySecret(org, id) => key(format!("{org}#key-secret#{id}"), alone()),
            Place::Ticket(org, user, to) => key(format!("{org}#ticket#{user}"), to.to_owned()),
            Place::SocketTicket(org, hash) => key(format!("{org}#socket-ticket"), hash.to_owned()),
            Place::Attempts(org, hash) => key(format!("{org}#attempts"), hash.to_owned()),
            Place::Tally(org, minute, answer) => key(format!("{org}#tally"), format!("{minute}#{}", answer.name())),
            Place::Bucket(org, class, subject) => key(format!("{org}#bucket#{class}"), escape(subject)),
            Place::Delivery(org, entry, consumer) => key(format!("{org}#delivery#{entry}"), escape(consumer)),
            Place::Ledger(org, system, id) => key(format!("{org}#ledger#{system}"), id.to_string()),
            Place::Suppression(org, hash) => key(format!("{org}#suppression"), hash.to_owned()),
            Place::DataSubject(org, job) => key(format!("{org}#errand#{job}"), alone()),
            Place::PausedJob(org, job) => key(format!("{org}#paused-job#{job}"), alone()),
            Place::PausedJobPart(org, job, pause, number) => {
                key(format!("{org}#paused-job#{job}"), format!("{pause}#{number:05}"))
            }
            Place::Run(org, run) => key(format!("{org}#run#{run}"), alone()),
            Place::RunText(org, run, at) => key(format!("{org}#run#{run}"), format!("text#{at:010}")),
            Place::RunRequest(org, run) => key(format!("{org}#run#{run}"), "request".to_owned()),
            Place::RunReader(org, run, connection) => {
                key(format!("{org}#run#{run}"), format!("reader#{}", escape(connection)))
            }
            Place::Chat(org, id) => key(format!("{org}#chat#{id}"), alone()),
            Place::AiSpending(org, month, user) => {
                key(format!("{org}#ai-spending#{}", escape(month)), user.map_or_else(alone, |user| user.to_string()))
            }
            Place::AiUsage(org, day, user, model) => {
                key(format!("{org}#ai-usage#{}", day_of(day)), format!("{user}#{}", escape(model)))
            }
            Place::AiKeys(org) => key(format!("{org}#ai-keys"), alone()),
            Place::UiChat(org, user, hash) => key(format!("{org}#ui-chat#{user}"), hash.to_owned()),
            Place::Due(shard, at, id) => key(format!("~due#{shard}"), format!("{}#{}", at, escape(id))),
            Place::Socket(connection) => key(format!("~socket#{}", escape(connection)), alone()),
            Place::Feed => key("~feed".to_owned(), alone()),
        }
    }
}

/// The access patterns that return several items. The numbers are those of the list above.
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// 1. Records of a type, by id.
    Records(OrgId, RecordType),
    /// 2. Records of a type in a state, by date.
    InState(OrgId, RecordType, &'a str),
    /// 3. Records of a type and owner, or without an owner, by date.
    OwnedBy(OrgId, RecordType, Option<UserId>),
    /// 4. Children of a record, of one type.
    Children(OrgId, AnyId, RecordType),
    /// 5. Records with a word that has this prefix.
    Word(OrgId, RecordType, &'a str),
    /// 5. Unique values of a type's records.
    Claims(OrgId, RecordType),
    /// 6. Journal facts of a day, from one entry to another, both included.
    Facts(OrgId, Timestamp, EntryId, EntryId),
    /// 7. Journal facts of a record, from one entry to another.
    FactsOf(OrgId, AnyId, EntryId, EntryId),
    /// 7. Journal facts of what a user or key did, from one entry to another.
    FactsBy(OrgId, AnyId, EntryId, EntryId),
    /// 8. Journal entries of a request.
    OfRequest(OrgId, &'a str),
    /// 9. Due items of a shard until a moment.
    DueBy(u8, Timestamp),
    /// 10. All organisations.
    Organizations,
    /// 11. Deliveries about a record, by time.
    SentAbout(OrgId, AnyId),
    /// 12. Ledger rows of a system, by record.
    Ledger(OrgId, &'a str),
    /// 12. Ledger rows of a system in a state, by time.
    LedgerIn(OrgId, &'a str, &'a str),
    /// 13. Sessions of a user, by the moment they began.
    SessionsOf(OrgId, UserId),
    /// 14. Tallies from a moment on.
    Tallies(OrgId, Timestamp),
    /// 15. Chain links of the facts of a day.
    Links(OrgId, Timestamp),
    /// 16. Records of a type in the trash, by id.
    Trashed(OrgId, RecordType),
    /// 17. Journal details of a day.
    Details(OrgId, Timestamp),
    /// 18. Deliveries of an entry, by consumer.
    DeliveriesOf(OrgId, EntryId),
    /// 19. Records deleted by cascade with another, by id.
    DeletedWith(OrgId, AnyId),
    /// 20. The pieces of a run's text, in order.
    RunTexts(OrgId, RunId),
    /// 21. AI usage of a day, of all users or one, by user and model.
    AiUsageOn(OrgId, Timestamp, Option<UserId>),
    /// 22. The sockets that a run's text is sent to.
    RunReaders(OrgId, RunId),
    /// 23. Open sockets of an organisation, of all users or one.
    SocketsOf(OrgId, Option<UserId>),
    /// 24. All open sockets of a shard that end after a moment.
    Sockets(u8, Timestamp),
    /// 25. Mails that failed for good, by time.
    FailedMails(OrgId),
    /// 26. All parts of what a paused job needs to go on.
    PausedJob(OrgId, JobId),
}

/// The range of keys that answers a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The index to ask, or the table itself.
    pub index: Option<Index>,
    /// Partition key.
    pub pk: String,
    /// Bounds of the sort key.
    pub sk: SortRange,
}

/// Bounds of a sort key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortRange {
    /// All of the partition.
    All,
    /// Keys with this prefix.
    Prefix(String),
    /// Keys from here on.
    From(String),
    /// Keys up to here.
    UpTo(String),
    /// Keys from the first to the second, both included.
    Between(String, String),
}

impl Question<'_> {
    /// The range of keys to read.
    pub fn range(&self) -> Range {
        let range = |index, pk, sk| Range { index, pk, sk };
        match *self {
            Question::Records(org, of) => range(None, format!("{org}#{of}"), SortRange::All),
            Question::InState(org, of, state) => range(Some(Index::ByState), in_state(org, of, state), SortRange::All),
            Question::OwnedBy(org, of, owner) => range(Some(Index::ByOwner), owned_by(org, of, owner), SortRange::All),
            Question::Children(org, parent, of) => {
                range(None, format!("{org}#of#{parent}"), SortRange::Prefix(format!("{of}#")))
            }
            Question::Word(org, of, word) => {
                let word = escape(word);
                let first = word.chars().next().unwrap_or('-');
                range(None, format!("{org}#{of}#s#{first}"), SortRange::Prefix(word))
            }
            Question::Claims(org, of) => range(None, format!("{org}#claim#{of}"), SortRange::All),
            Question::Facts(org, day, from, to) => {
                range(None, format!("{org}#journal#{}", day_of(day)), between(from, to))
            }
            Question::FactsOf(org, id, from, to) => range(Some(Index::ByState), facts_of(org, id), between(from, to)),
            Question::FactsBy(org, actor, from, to) => {
                range(Some(Index::ByOwner), facts_by(org, actor), between(from, to))
            }
            Question::OfRequest(org, id) => range(None, format!("{org}#request#{}", escape(id)), SortRange::All),
            Question::DueBy(shard, at) => range(None, format!("~due#{shard}"), SortRange::UpTo(format!("{}$", at))),
            Question::Organizations => range(None, "~orgs".to_owned(), SortRange::All),
            Question::SentAbout(org, id) => range(Some(Index::ByState), sent_about(org, id), SortRange::All),
            Question::FailedMails(org) => range(Some(Index::ByOwner), failed_mails(org), SortRange::All),
            Question::Ledger(org, system) => range(None, format!("{org}#ledger#{system}"), SortRange::All),
            Question::LedgerIn(org, system, state) => {
                range(Some(Index::ByState), ledger_in(org, system, state), SortRange::All)
            }
            Question::Tallies(org, from) => range(None, format!("{org}#tally"), SortRange::From(from.to_string())),
            Question::Links(org, day) => range(None, format!("{org}#chain#{}", day_of(day)), SortRange::All),
            Question::Trashed(org, of) => range(None, format!("{org}#trash#{of}"), SortRange::All),
            Question::Details(org, day) => range(None, format!("{org}#detail#{}", day_of(day)), SortRange::All),
            Question::PausedJob(org, job) => range(None, format!("{org}#paused-job#{job}"), SortRange::All),
            Question::DeliveriesOf(org, entry) => range(None, format!("{org}#delivery#{entry}"), SortRange::All),
            Question::DeletedWith(org, parent) => {
                range(Some(Index::ByState), deleted_with(org, parent), SortRange::All)
            }
            Question::RunTexts(org, run) => {
                range(None, format!("{org}#run#{run}"), SortRange::Prefix("text#".to_owned()))
            }
            Question::AiUsageOn(org, day, user) => range(
                None,
                format!("{org}#ai-usage#{}", day_of(day)),
                user.map_or(SortRange::All, |user| SortRange::Prefix(format!("{user}#"))),
            ),
            Question::RunReaders(org, run) => {
                range(None, format!("{org}#run#{run}"), SortRange::Prefix("reader#".to_owned()))
            }
            Question::SocketsOf(org, user) => range(
                Some(Index::ByOwner),
                sockets_of(org),
                user.map_or(SortRange::All, |user| SortRange::Prefix(format!("{user}#"))),
            ),
            Question::Sockets(shard, until) => {
                range(Some(Index::ByState), sockets_in(shard), SortRange::From(until.to_string()))
            }
            Question::SessionsOf(org, user) => range(Some(Index::ByOwner), sessions_of(org, user), SortRange::All),
        }
    }
}

fn between(from: EntryId, to: EntryId) -> SortRange {
    SortRange::Between(from.to_string(), to.to_string())
}

/// The day of a moment, in UTC.
pub fn day_of(at: Timestamp) -> String {
    let mut day = at.to_string();
    day.truncate(10);
    day
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
