//! The in-memory model of the CRM, and the random operations on it.

use proptest::prelude::*;

pub const EMAILS: &[&str] = &["ada@example.com", "ADA@example.com", "eva@example.com"];
pub const NAMES: &[&str] = &["Ada", "张三", "Analytical Engines", "示例科技"];
pub const SEARCHES: &[&str] = &["ada", "三", "engines", "科技", "eva@example.com", "unknown"];
pub const STAGES: &[&str] = &["lead", "proposal", "closed", "lost"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Customer,
    Contact,
    Interaction,
    Opportunity,
    Task,
}

use Kind::{Contact, Customer, Interaction, Opportunity, Task};

pub const KINDS: &[Kind] = &[Customer, Contact, Interaction, Opportunity, Task];

impl Kind {
    pub fn path(self) -> &'static str {
        match self {
            Customer => "/api/customers",
            Contact => "/api/contacts",
            Interaction => "/api/interactions",
            Opportunity => "/api/opportunities",
            Task => "/api/tasks",
        }
    }
}

/// An operation. Numbers refer to one of the records made so far.
#[derive(Clone, Debug)]
pub enum Op {
    Create {
        kind: Kind,
        name: usize,
        email: Option<usize>,
        of: usize,
    },
    Rename {
        which: usize,
        name: usize,
    },
    /// Renames it with `If-Match` of its current version or an earlier one.
    Guard {
        which: usize,
        name: usize,
        late: bool,
    },
    Join {
        which: usize,
        of: usize,
    },
    Address {
        which: usize,
        email: Option<usize>,
    },
    Move {
        which: usize,
        stage: usize,
    },
    Delete {
        which: usize,
    },
    Restore {
        which: usize,
    },
    Read {
        which: usize,
    },
    Children {
        of: usize,
        kind: Kind,
    },
    List {
        kind: Kind,
    },
    Stage {
        stage: usize,
    },
    Search {
        words: usize,
    },
}

pub fn op() -> impl Strategy<Value = Op> {
    let which = || 0..64_usize;
    let name = || 0..NAMES.len();
    let email = || prop::option::of(0..EMAILS.len());
    let kind = || prop::sample::select(KINDS);
    prop_oneof![
        12 => (kind(), name(), email(), which()).prop_map(|(kind, name, email, of)| Op::Create { kind, name, email, of }),
        3 => (which(), name()).prop_map(|(which, name)| Op::Rename { which, name }),
        2 => (which(), name(), any::<bool>()).prop_map(|(which, name, late)| Op::Guard { which, name, late }),
        2 => (which(), which()).prop_map(|(which, of)| Op::Join { which, of }),
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

/// A record of the model.
#[derive(Clone, Debug)]
pub struct Thing {
    pub kind: Kind,
    pub id: String,
    pub name: String,
    pub email: Option<String>,
    pub stage: &'static str,
    pub version: u64,
    pub live: bool,
    /// Its customer; deleting the customer deletes it too, unless it is a contact.
    pub customer: Option<usize>,
    /// The other customers of a contact.
    pub others: Vec<usize>,
    /// The opportunity a task is about; deleting the opportunity deletes the task too.
    pub deal: Option<usize>,
    /// The record with which it was moved to the trash.
    pub fell_with: Option<usize>,
    /// Its journal events, in this order.
    pub told: Vec<String>,
}

impl Thing {
    pub fn is_of(&self, customer: usize) -> bool {
        self.customer == Some(customer) || self.others.contains(&customer)
    }

    pub fn tell(&mut self, what: &str) {
        let kind = match self.kind {
            Customer => "customer",
            Contact => "contact",
            Interaction => "interaction",
            Opportunity => "opportunity",
            Task => "task",
        };
        self.told.push(format!("{kind}.{what}"));
    }
}

/// The status of an opportunity in a stage.
pub fn status_in(stage: &str) -> &'static str {
    match stage {
        "closed" => "won",
        "lost" => "lost",
        _ => "open",
    }
}

#[derive(Default)]
pub struct Plain(pub Vec<Thing>);

impl Plain {
    pub fn live(&self, kind: Kind) -> impl DoubleEndedIterator<Item = (usize, &Thing)> {
        self.0.iter().enumerate().filter(move |(_, thing)| thing.live && thing.kind == kind)
    }

    /// The record of a type that holds an address.
    pub fn holder(&self, kind: Kind, email: &str) -> Option<usize> {
        self.live(kind)
            .find(|(_, one)| one.email.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(email)))
            .map(|(n, _)| n)
    }

    pub fn stands(&self, which: Option<usize>) -> bool {
        which.is_none_or(|which| self.0[which].live)
    }

    /// The records that are deleted with a record.
    pub fn family(&self, of: usize) -> Vec<usize> {
        let goes = |thing: &Thing| thing.kind != Contact && (thing.customer == Some(of) || thing.deal == Some(of));
        (0..self.0.len()).filter(|n| self.0[*n].live && goes(&self.0[*n])).collect()
    }
}
