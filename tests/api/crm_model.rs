//! The CRM against a plain one in memory: what people do, at random, and after each step the same outcome.
//!
//! The plain one knows who holds an address, what goes with what, and what comes back; nothing of how that is kept. A
//! sequence that tells the two apart is shrunk to a short one.

use daybook_testing::{Answer, Person, World, is_full};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::cell::Cell;

const EMAILS: &[&str] = &["ada@example.com", "ADA@example.com", "eva@example.com"];
const NAMES: &[&str] = &["Ada", "张三", "Analytical Engines", "示例科技"];
const SEARCHES: &[&str] = &["ada", "三", "engines", "科技", "eva@example.com", "nobody"];
const STAGES: &[&str] = &["lead", "proposal", "closed", "lost"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Customer,
    Contact,
    Interaction,
    Opportunity,
    Task,
}

use Kind::{Contact, Customer, Interaction, Opportunity, Task};

const KINDS: &[Kind] = &[Customer, Contact, Interaction, Opportunity, Task];

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Customer => "/api/customers",
            Contact => "/api/contacts",
            Interaction => "/api/interactions",
            Opportunity => "/api/opportunities",
            Task => "/api/tasks",
        }
    }
}

/// What somebody does. Numbers stand for one of the records made so far.
#[derive(Clone, Debug)]
enum Op {
    Create { kind: Kind, name: usize, email: Option<usize>, of: usize },
    Rename { which: usize, name: usize },
    Address { which: usize, email: Option<usize> },
    Move { which: usize, stage: usize },
    Delete { which: usize },
    Restore { which: usize },
    Read { which: usize },
    Children { of: usize, kind: Kind },
    List { kind: Kind },
    Stage { stage: usize },
    Search { words: usize },
}

fn op() -> impl Strategy<Value = Op> {
    let which = || 0..64_usize;
    let name = || 0..NAMES.len();
    let email = || prop::option::of(0..EMAILS.len());
    let kind = || prop::sample::select(KINDS);
    prop_oneof![
        12 => (kind(), name(), email(), which()).prop_map(|(kind, name, email, of)| Op::Create { kind, name, email, of }),
        3 => (which(), name()).prop_map(|(which, name)| Op::Rename { which, name }),
        4 => (which(), email()).prop_map(|(which, email)| Op::Address { which, email }),
        4 => (which(), 0..STAGES.len()).prop_map(|(which, stage)| Op::Move { which, stage }),
        5 => which().prop_map(|which| Op::Delete { which }),
        5 => which().prop_map(|which| Op::Restore { which }),
        3 => which().prop_map(|which| Op::Read { which }),
        3 => (which(), kind()).prop_map(|(of, kind)| Op::Children { of, kind }),
        2 => kind().prop_map(|kind| Op::List { kind }),
        2 => (0..STAGES.len()).prop_map(|stage| Op::Stage { stage }),
        2 => (0..SEARCHES.len()).prop_map(|words| Op::Search { words }),
    ]
}

/// A record as the plain CRM knows it.
#[derive(Clone, Debug)]
struct Thing {
    kind: Kind,
    id: String,
    name: String,
    email: Option<String>,
    stage: &'static str,
    version: u64,
    live: bool,
    /// The customer it is of; goes with it, unless it is a contact.
    customer: Option<usize>,
    /// The opportunity a task is about; goes with it.
    deal: Option<usize>,
    /// With whom it went to the trash.
    fell_with: Option<usize>,
}

#[derive(Default)]
struct Plain(Vec<Thing>);

impl Plain {
    fn live(&self, kind: Kind) -> impl DoubleEndedIterator<Item = (usize, &Thing)> {
        self.0.iter().enumerate().filter(move |(_, thing)| thing.live && thing.kind == kind)
    }

    /// Who holds an address among the records of a type.
    fn holder(&self, kind: Kind, email: &str) -> Option<usize> {
        self.live(kind)
            .find(|(_, one)| one.email.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(email)))
            .map(|(n, _)| n)
    }

    fn stands(&self, which: Option<usize>) -> bool {
        which.is_none_or(|which| self.0[which].live)
    }

    /// What goes with a record.
    fn family(&self, of: usize) -> Vec<usize> {
        let goes = |thing: &Thing| thing.kind != Contact && (thing.customer == Some(of) || thing.deal == Some(of));
        (0..self.0.len()).filter(|n| self.0[*n].live && goes(&self.0[*n])).collect()
    }
}

type Checked = Result<(), String>;

struct Case {
    _world: World,
    owner: Person,
    plain: Plain,
    /// Whether indexes lag behind.
    lags: bool,
    /// How often an index told what was.
    behind: usize,
}

fn expect(answer: &Answer, status: u16) -> Checked {
    match answer.status.as_u16() {
        found if found == status => Ok(()),
        found => Err(format!("{found} rather than {status}: {}", answer.text)),
    }
}

impl Case {
    /// A live or trashed record of some kinds that a number stands for.
    fn pick(&self, which: usize, kinds: &[Kind]) -> Option<usize> {
        let all: Vec<usize> = (0..self.plain.0.len()).filter(|n| kinds.contains(&self.plain.0[*n].kind)).collect();
        (!all.is_empty()).then(|| all[which % all.len()])
    }

    fn path(&self, which: usize) -> String {
        let thing = &self.plain.0[which];
        format!("{}/{}", thing.kind.path(), thing.id)
    }

    async fn step(&mut self, op: &Op) -> Checked {
        match *op {
            Op::Create { kind, name, email, of } => self.create(kind, NAMES[name], email.map(|n| EMAILS[n]), of).await,
            Op::Rename { which, name } => match self.pick(which, KINDS) {
                Some(which) => self.rename(which, NAMES[name]).await,
                None => Ok(()),
            },
            Op::Address { which, email } => match self.pick(which, &[Customer, Contact]) {
                Some(which) => self.address(which, email.map(|n| EMAILS[n])).await,
                None => Ok(()),
            },
            Op::Move { which, stage } => match self.pick(which, &[Opportunity]) {
                Some(which) => self.enter(which, STAGES[stage]).await,
                None => Ok(()),
            },
            Op::Delete { which } => match self.pick(which, KINDS) {
                Some(which) => self.delete(which).await,
                None => Ok(()),
            },
            Op::Restore { which } => match self.pick(which, KINDS) {
                Some(which) => self.restore(which).await,
                None => Ok(()),
            },
            Op::Read { which } => match self.pick(which, KINDS) {
                Some(which) => self.read(which).await,
                None => Ok(()),
            },
            Op::Children { of, kind } => match self.pick(of, &[Customer]) {
                Some(of) if kind != Customer => {
                    let query = format!("{}?limit=200&customer_id={}", kind.path(), self.plain.0[of].id);
                    let expected = self
                        .plain
                        .live(kind)
                        .filter(|(_, one)| one.customer == Some(of))
                        .map(|(_, one)| one.id.clone());
                    let expected = expected.rev().collect();
                    self.same(&query, expected).await
                }
                _ => Ok(()),
            },
            Op::List { kind } => {
                let expected = self.plain.live(kind).map(|(_, one)| one.id.clone()).rev().collect();
                self.same(&format!("{}?limit=200", kind.path()), expected).await
            }
            // An index may tell what was.
            Op::Stage { stage } => {
                let in_stage = self.plain.live(Opportunity).filter(|(_, one)| one.stage == STAGES[stage]);
                let expected = in_stage.map(|(_, one)| one.id.clone()).rev().collect();
                let same = self.same(&format!("/api/opportunities?limit=200&stage={}", STAGES[stage]), expected).await;
                match self.lags {
                    true => {
                        self.behind += usize::from(same.is_err());
                        Ok(())
                    }
                    false => same,
                }
            }
            Op::Search { words } => self.search(SEARCHES[words]).await,
        }
    }

    async fn create(&mut self, kind: Kind, name: &str, email: Option<&str>, of: usize) -> Checked {
        let customer = self.pick(of, &[Customer]).filter(|_| kind != Customer);
        let deal = self.pick(of, &[Opportunity]).filter(|_| kind == Task && of.is_multiple_of(2));
        let id = |which: usize| self.plain.0[which].id.clone();
        let body = match (kind, customer, deal) {
            (Customer, ..) => json!({"name": name, "email": email}),
            (Contact, customer, _) => json!({"name": name, "email": email, "customer_id": customer.map(id)}),
            (Interaction, Some(customer), _) => {
                json!({"customer_id": id(customer), "interaction_type": "call", "subject": name})
            }
            (Opportunity, Some(customer), _) => json!({"customer_id": id(customer), "title": name}),
            (Task, _, Some(deal)) => json!({"title": name, "related_to": {"type": "opportunity", "id": id(deal)}}),
            (Task, Some(customer), None) => {
                json!({"title": name, "related_to": {"type": "customer", "id": id(customer)}})
            }
            _ => return Ok(()),
        };
        let customer = deal.map_or(customer, |deal| self.plain.0[deal].customer);
        let taken =
            email.filter(|_| matches!(kind, Customer | Contact)).and_then(|email| self.plain.holder(kind, email));
        let there = self.plain.stands(customer) && self.plain.stands(deal);
        let answer = self.owner.post(kind.path(), body).await;
        if taken.is_some() || !there {
            let status = answer.status.as_u16();
            return match status {
                409 if taken.is_some() || kind == Contact => Ok(()),
                422 if !there => Ok(()),
                _ => Err(format!("{status}, though it can't be made: {}", answer.text)),
            };
        }
        expect(&answer, 201)?;
        let data = answer.data();
        self.plain.0.push(Thing {
            kind,
            id: data["id"].as_str().unwrap_or_default().to_owned(),
            name: name.to_owned(),
            email: email.filter(|_| matches!(kind, Customer | Contact)).map(str::to_owned),
            stage: "lead",
            version: 1,
            live: true,
            customer,
            deal,
            fell_with: None,
        });
        Ok(())
    }

    /// Sends a patch, and tells whether it found the record and changed it.
    async fn patch(&mut self, which: usize, body: Value, changes: bool) -> Result<bool, String> {
        let answer = self.owner.patch(&self.path(which), body).await;
        if !self.plain.0[which].live {
            expect(&answer, 404)?;
            return Ok(false);
        }
        expect(&answer, 200)?;
        self.plain.0[which].version += u64::from(changes);
        Ok(true)
    }

    async fn rename(&mut self, which: usize, name: &str) -> Checked {
        let thing = &self.plain.0[which];
        let field = match thing.kind {
            Customer | Contact => "name",
            Interaction => "subject",
            Opportunity | Task => "title",
        };
        let changes = thing.name != name;
        if self.patch(which, json!({field: name}), changes).await? {
            name.clone_into(&mut self.plain.0[which].name);
        }
        Ok(())
    }

    async fn address(&mut self, which: usize, email: Option<&str>) -> Checked {
        let thing = &self.plain.0[which];
        let holder = email.and_then(|email| self.plain.holder(thing.kind, email)).filter(|holder| *holder != which);
        if let (true, Some(holder)) = (thing.live, holder) {
            let answer = self.owner.patch(&self.path(which), json!({"email": email})).await;
            expect(&answer, 409)?;
            return match answer.json()["existing_id"] == json!(self.plain.0[holder].id) {
                true => Ok(()),
                false => Err(format!("another holder: {}", answer.text)),
            };
        }
        let changes = thing.email.as_deref() != email;
        if self.patch(which, json!({"email": email}), changes).await? {
            self.plain.0[which].email = email.map(str::to_owned);
        }
        Ok(())
    }

    async fn enter(&mut self, which: usize, stage: &'static str) -> Checked {
        let changes = self.plain.0[which].stage != stage;
        if self.patch(which, json!({"stage": stage}), changes).await? {
            self.plain.0[which].stage = stage;
        }
        Ok(())
    }

    async fn delete(&mut self, which: usize) -> Checked {
        let answer = self.owner.delete(&self.path(which)).await;
        if !self.plain.0[which].live {
            return expect(&answer, 404);
        }
        expect(&answer, 200)?;
        for member in self.plain.family(which) {
            self.plain.0[member].live = false;
            self.plain.0[member].fell_with = Some(which);
        }
        self.plain.0[which].live = false;
        self.plain.0[which].fell_with = None;
        Ok(())
    }

    async fn restore(&mut self, which: usize) -> Checked {
        let answer = self.owner.post(&format!("{}/restore", self.path(which)), json!({})).await;
        let thing = &self.plain.0[which];
        if thing.live {
            return expect(&answer, 409);
        }
        let came_with = self.plain.0.iter().any(|other| !other.live && other.fell_with == Some(which));
        if self.lags && came_with && answer.status.as_u16() == 409 {
            return Ok(());
        }
        let rests = thing.kind == Contact || (self.plain.stands(thing.customer) && self.plain.stands(thing.deal));
        let taken = thing.email.as_ref().is_some_and(|email| self.plain.holder(thing.kind, email).is_some());
        if !rests || taken {
            let status = answer.status.as_u16();
            return match status {
                409 | 422 => Ok(()),
                _ => Err(format!("{status}, though it can't come back: {}", answer.text)),
            };
        }
        expect(&answer, 200)?;
        for thing in &mut self.plain.0 {
            if !thing.live && thing.fell_with == Some(which) {
                thing.live = true;
                thing.version += 1;
            }
        }
        self.plain.0[which].live = true;
        self.plain.0[which].version += 1;
        Ok(())
    }

    async fn read(&self, which: usize) -> Checked {
        let answer = self.owner.get(&self.path(which)).await;
        let thing = &self.plain.0[which];
        if !thing.live {
            return expect(&answer, 404);
        }
        expect(&answer, 200)?;
        let data = answer.data();
        let name = ["name", "title", "subject"].iter().find_map(|field| data[*field].as_str());
        let stage = data["stage"].as_str().unwrap_or("lead");
        let found = (data["version"].as_u64(), name, data["email"].as_str(), stage);
        let expected = (Some(thing.version), Some(thing.name.as_str()), thing.email.as_deref(), thing.stage);
        if found == expected { Ok(()) } else { Err(format!("{found:?} rather than {expected:?}")) }
    }

    async fn same(&self, path: &str, expected: Vec<String>) -> Checked {
        let answer = self.owner.get(path).await;
        expect(&answer, 200)?;
        let data = answer.data();
        let found: Vec<String> =
            data.as_array().into_iter().flatten().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect();
        if found == expected { Ok(()) } else { Err(format!("{path}: {found:?} rather than {expected:?}")) }
    }

    async fn search(&self, words: &str) -> Checked {
        let query = serde_urlencoded::to_string([("search", words)]).unwrap_or_default();
        let answer = self.owner.get(&format!("/api/customers?limit=200&{query}")).await;
        expect(&answer, 200)?;
        let data = answer.data();
        let mut found: Vec<&str> = data.as_array().into_iter().flatten().filter_map(|one| one["id"].as_str()).collect();
        found.sort_unstable();
        let words = words.to_lowercase();
        let hit = |one: &Thing| {
            let name = one.name.to_lowercase();
            let email = one.email.as_deref().unwrap_or_default().to_lowercase();
            name.split(' ').any(|word| word.starts_with(&words))
                || (!words.is_ascii() && name.contains(&words))
                || email.starts_with(&words)
        };
        let mut expected: Vec<&str> =
            self.plain.live(Customer).filter(|(_, one)| hit(one)).map(|(_, one)| one.id.as_str()).collect();
        expected.sort_unstable();
        if found == expected { Ok(()) } else { Err(format!("hits of {words}: {found:?} rather than {expected:?}")) }
    }
}

/// Says how often an index told what was.
async fn play(ops: &[Op], lags: bool) -> Result<usize, String> {
    let world = World::new().await;
    let owner = world.owner().await;
    if lags {
        world.faults.indexes_lag_by(50);
    }
    let mut case = Case { _world: world, owner, plain: Plain::default(), lags, behind: 0 };
    for (n, op) in ops.iter().enumerate() {
        case.step(op).await.map_err(|wrong| format!("step {n}, {op:?}: {wrong}"))?;
    }
    for which in 0..case.plain.0.len() {
        case.read(which).await?;
    }
    for kind in KINDS {
        case.step(&Op::List { kind: *kind }).await?;
    }
    for words in 0..SEARCHES.len() {
        case.step(&Op::Search { words }).await?;
    }
    Ok(case.behind)
}

/// 2,000 operations; 100,000 in the full set.
#[test]
fn the_crm_does_what_a_plain_one_does() {
    if is_full() { check(1300, 70..=90, 100_000, false) } else { check(34, 60..=70, 2_000, false) }
}

/// Lists of all, of a customer's, and searches answer from the table, whatever indexes know. What comes back with a
/// record is told by an index, so nobody who asks too early is told half of it.
#[test]
fn indexes_that_lag_behind_change_no_answer_that_promises_otherwise() {
    if is_full() { check(200, 70..=90, 10_000, true) } else { check(8, 60..=70, 400, true) }
}

fn check(cases: u32, steps: std::ops::RangeInclusive<usize>, least: usize, lags: bool) {
    let config = Config { cases, max_shrink_iters: 500, failure_persistence: None, ..Config::default() };
    let (done, behind) = (Cell::new(0), Cell::new(0));
    let outcome = TestRunner::new(config).run(&prop::collection::vec(op(), steps), |ops| {
        done.set(done.get() + ops.len());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        behind.set(behind.get() + runtime.block_on(play(&ops, lags)).map_err(TestCaseError::fail)?);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    assert!(done.get() >= least, "{} operations", done.get());
    assert_eq!(behind.get() > 0, lags, "indexes were behind {} times", behind.get());
}
