//! The benchmark's cases: the requests of each, and the expected status.

use crate::known::Known;
use crate::load::Random;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The address of the user who sends the requests.
pub const USER: &str = "owner@example.com";

/// Their password.
pub const PASSWORD: &str = "a password of the benchmark";

/// A word that no lead contains.
pub const NO_HIT: &str = "qxzvkjw";

/// A case to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// A signed-in user reads a lead.
    Read,
    /// A signed-in user lists the newest 20.
    List,
    /// A signed-in user searches for a word that some leads contain.
    SearchHit,
    /// A signed-in user searches for a word that no lead contains.
    SearchMiss,
    /// A user signs in.
    Login,
    /// A signed-in user reads a customer.
    ReadCustomer,
    /// A signed-in user lists the newest 20 customers.
    ListCustomers,
    /// A signed-in user lists 20 customers in a state.
    FilterCustomers,
    /// A signed-in user searches for the customers of a company.
    SearchCustomers,
    /// A signed-in user reads a contact.
    ReadContact,
    /// A signed-in user lists the newest 20 contacts.
    ListContacts,
    /// A signed-in user reads an interaction.
    ReadInteraction,
    /// A signed-in user lists 20 calls.
    FilterInteractions,
    /// A signed-in user reads an opportunity.
    ReadOpportunity,
    /// A signed-in user lists 20 opportunities in a stage.
    FilterOpportunities,
    /// A signed-in user reads a task.
    ReadTask,
    /// A signed-in user lists the 20 open tasks that are due first.
    FilterTasks,
    /// A signed-in user lists 20 messages of a conversation.
    ListMessages,
    /// A signed-in user asks the offline model, without a conversation.
    Ask,
    /// A visitor posts a lead.
    Create,
    /// A signed-in user makes a customer.
    CreateCustomer,
    /// A signed-in user makes a contact of a customer.
    CreateContact,
    /// A signed-in user makes an interaction with a customer.
    CreateInteraction,
    /// A signed-in user makes an opportunity of a customer.
    CreateOpportunity,
    /// A signed-in user makes a task about a customer.
    CreateTask,
}

/// The CRM's record types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Customers.
    Customer,
    /// Contacts of customers.
    Contact,
    /// Interactions with customers.
    Interaction,
    /// Opportunities of customers.
    Opportunity,
    /// Tasks about customers.
    Task,
}

impl Kind {
    /// Every type, customers first.
    pub const ALL: [Kind; 5] = [Kind::Customer, Kind::Contact, Kind::Interaction, Kind::Opportunity, Kind::Task];

    /// The path of its records.
    pub fn path(self) -> &'static str {
        match self {
            Kind::Customer => "/api/customers",
            Kind::Contact => "/api/contacts",
            Kind::Interaction => "/api/interactions",
            Kind::Opportunity => "/api/opportunities",
            Kind::Task => "/api/tasks",
        }
    }

    /// The body of the record with a number.
    pub fn body(self, local_part: &str, number: usize, customer: &str) -> Value {
        let day = format!("2027-01-{:02}", number % 28 + 1);
        let one = |names: [&'static str; 4]| names[number % 4];
        match self {
            Kind::Customer => json!({
                "name": format!("张三{number}"), "company": company(number),
                "email": format!("{local_part}@customer.example"), "phone": "+86-138-0013-8000",
                "status": one(["active", "prospect", "inactive", "churned"]),
            }),
            Kind::Contact => json!({
                "name": format!("李四{number}"), "email": format!("{local_part}@contact.example"),
                "phone": "+86-138-0013-8000", "customer_id": customer,
            }),
            Kind::Interaction => json!({
                "customer_id": customer, "interaction_type": one(["call", "email", "meeting", "other"]),
                "notes": "了解客户需求",
            }),
            Kind::Opportunity => json!({
                "customer_id": customer, "title": format!("ERP系统{number}"), "value": 500_000, "close_date": day,
                "stage": one(["lead", "proposal", "negotiation", "closed"]),
            }),
            Kind::Task => json!({
                "title": format!("Call back {number}"), "due_date": day,
                "related_to": {"type": "customer", "id": customer},
            }),
        }
    }
}

impl Case {
    /// Every case. Creates come last, since they change the results of the others and cause work in the background.
    pub const ALL: [Case; 25] = [
        Case::Read,
        Case::List,
        Case::SearchHit,
        Case::SearchMiss,
        Case::Login,
        Case::ReadCustomer,
        Case::ListCustomers,
        Case::FilterCustomers,
        Case::SearchCustomers,
        Case::ReadContact,
        Case::ListContacts,
        Case::ReadInteraction,
        Case::FilterInteractions,
        Case::ReadOpportunity,
        Case::FilterOpportunities,
        Case::ReadTask,
        Case::FilterTasks,
        Case::ListMessages,
        Case::Ask,
        Case::Create,
        Case::CreateCustomer,
        Case::CreateContact,
        Case::CreateInteraction,
        Case::CreateOpportunity,
        Case::CreateTask,
    ];

    /// Its record type; none for leads.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Case::Read
            | Case::List
            | Case::SearchHit
            | Case::SearchMiss
            | Case::Login
            | Case::ListMessages
            | Case::Ask
            | Case::Create => None,
            Case::ReadCustomer
            | Case::ListCustomers
            | Case::FilterCustomers
            | Case::SearchCustomers
            | Case::CreateCustomer => Some(Kind::Customer),
            Case::ReadContact | Case::ListContacts | Case::CreateContact => Some(Kind::Contact),
            Case::ReadInteraction | Case::FilterInteractions | Case::CreateInteraction => Some(Kind::Interaction),
            Case::ReadOpportunity | Case::FilterOpportunities | Case::CreateOpportunity => Some(Kind::Opportunity),
            Case::ReadTask | Case::FilterTasks | Case::CreateTask => Some(Kind::Task),
        }
    }

    /// Its name in tables.
    pub fn title(self) -> &'static str {
        match self {
            Case::Read => "Read a lead",
            Case::List => "List 20 leads",
            Case::SearchHit => "Search, hit",
            Case::SearchMiss => "Search, miss",
            Case::Login => "Log in",
            Case::ReadCustomer => "Read a customer",
            Case::ListCustomers => "List 20 customers",
            Case::FilterCustomers => "List 20 customers in a state",
            Case::SearchCustomers => "Search customers, 20 hits",
            Case::ReadContact => "Read a contact",
            Case::ListContacts => "List 20 contacts",
            Case::ReadInteraction => "Read an interaction",
            Case::FilterInteractions => "List 20 calls",
            Case::ReadOpportunity => "Read an opportunity",
            Case::FilterOpportunities => "List 20 opportunities in a stage",
            Case::ReadTask => "Read a task",
            Case::FilterTasks => "List 20 open tasks, by due date",
            Case::ListMessages => "List 20 messages",
            Case::Ask => "Ask the offline model",
            Case::Create => "Create a lead",
            Case::CreateCustomer => "Create a customer",
            Case::CreateContact => "Create a contact",
            Case::CreateInteraction => "Create an interaction",
            Case::CreateOpportunity => "Create an opportunity",
            Case::CreateTask => "Create a task",
        }
    }
}

/// The requests of a case.
#[derive(Clone, Debug)]
pub struct Script {
    /// The status that every answer must have.
    pub expected: u16,
    requests: Requests,
}

#[derive(Clone, Debug)]
enum Requests {
    /// One of these.
    OneOf(Arc<[String]>),
    /// Reading one of the known leads.
    Read(Arc<Known>),
    /// Reading one of the known records of a type.
    ReadOf(Kind, Arc<Known>),
    /// Searching for the customers of one of the companies.
    SearchCustomers(Arc<Known>),
    /// A lead with a fresh address.
    Create,
    /// A record of a type, of one of the known customers, with a fresh address.
    CreateOf(Kind, Arc<Known>),
}

impl Script {
    /// The requests of a case for a server.
    pub fn of(case: Case, known: &Arc<Known>) -> Script {
        let list = |query: String| get(&format!("/api/leads?{query}limit=20"), Some(&known.token));
        let of = |kind: Kind, query: &str| {
            Requests::OneOf([get(&format!("{}?{query}limit=20", kind.path()), Some(&known.token))].into())
        };
        let requests = match case {
            Case::Read => Requests::Read(known.clone()),
            Case::List => Requests::OneOf([list(String::new())].into()),
            Case::SearchHit => {
                Requests::OneOf(known.words.iter().map(|(word, _)| list(format!("search={}&", escape(word)))).collect())
            }
            Case::SearchMiss => Requests::OneOf([list(format!("search={NO_HIT}&"))].into()),
            Case::Login => {
                let body = json!({"email": USER, "password": PASSWORD}).to_string();
                Requests::OneOf([post("/api/auth/login", &body)].into())
            }
            Case::ReadCustomer => Requests::ReadOf(Kind::Customer, known.clone()),
            Case::ListCustomers => of(Kind::Customer, ""),
            Case::FilterCustomers => of(Kind::Customer, "status=prospect&"),
            Case::SearchCustomers => Requests::SearchCustomers(known.clone()),
            Case::ReadContact => Requests::ReadOf(Kind::Contact, known.clone()),
            Case::ListContacts => of(Kind::Contact, ""),
            Case::ReadInteraction => Requests::ReadOf(Kind::Interaction, known.clone()),
            Case::FilterInteractions => of(Kind::Interaction, "interaction_type=call&"),
            Case::ReadOpportunity => Requests::ReadOf(Kind::Opportunity, known.clone()),
            Case::FilterOpportunities => of(Kind::Opportunity, "stage=proposal&"),
            Case::ReadTask => Requests::ReadOf(Kind::Task, known.clone()),
            Case::FilterTasks => of(Kind::Task, "status=todo&sort=due_date&"),
            Case::ListMessages => {
                let path = format!("/api/conversations/{}/messages?limit=20", known.conversation);
                Requests::OneOf([get(&path, Some(&known.token))].into())
            }
            Case::Ask => Requests::OneOf([post_as("/api/chat", &question(None), Some(&known.token))].into()),
            Case::Create => Requests::Create,
            Case::CreateCustomer => Requests::CreateOf(Kind::Customer, known.clone()),
            Case::CreateContact => Requests::CreateOf(Kind::Contact, known.clone()),
            Case::CreateInteraction => Requests::CreateOf(Kind::Interaction, known.clone()),
            Case::CreateOpportunity => Requests::CreateOf(Kind::Opportunity, known.clone()),
            Case::CreateTask => Requests::CreateOf(Kind::Task, known.clone()),
        };
        let makes = matches!(requests, Requests::Create | Requests::CreateOf(..));
        Script { expected: if makes { 201 } else { 200 }, requests }
    }

    /// The next request.
    pub fn next(&self, random: &mut Random) -> String {
        match &self.requests {
            Requests::OneOf(requests) => requests[random.below(requests.len())].clone(),
            Requests::Read(known) => {
                get(&format!("/api/leads/{}", known.ids[random.below(known.ids.len())]), Some(&known.token))
            }
            Requests::ReadOf(kind, known) => {
                let ids = known.of(*kind);
                get(&format!("{}/{}", kind.path(), ids[random.below(ids.len())]), Some(&known.token))
            }
            Requests::SearchCustomers(known) => {
                let company = company(random.below(known.of(Kind::Customer).len()));
                get(&format!("/api/customers?search={company}&limit=20"), Some(&known.token))
            }
            Requests::Create => post("/api/leads", &lead(&fresh_local_part())),
            Requests::CreateOf(kind, known) => {
                let customers = known.of(Kind::Customer);
                let customer = &customers[random.below(customers.len())];
                let body = kind.body(&format!("new{}", fresh_local_part()), 0, customer).to_string();
                post_as(kind.path(), &body, Some(&known.token))
            }
        }
    }
}

/// The body of a new lead: the README's example with another address.
pub fn lead(local_part: &str) -> String {
    json!({
        "first_name": "张", "last_name": "三", "email": format!("{local_part}@example.com"),
        "phone": "+86-138-0013-8000", "company": "示例科技有限公司", "requirements": "需要自动化巡检解决方案"
    })
    .to_string()
}

/// The body of a question to the offline model.
pub fn question(conversation: Option<&str>) -> String {
    json!({
        "messages": [{"id": "msg1", "content": "你好", "role": "user", "timestamp": 1_697_467_200_000_u64}],
        "model": "gpt-3.5-turbo", "conversation_id": conversation,
    })
    .to_string()
}

/// The name of the company of the customer with a number; 20 customers each have one.
pub fn company(number: usize) -> String {
    format!("Works{:06}", number / 20)
}

/// A unique local part of an address: 13 characters.
pub fn fresh_local_part() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("b{:012x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A request without a body.
pub fn get(path: &str, token: Option<&str>) -> String {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}\r\n")
}

/// A request with a body of JSON.
pub fn post(path: &str, body: &str) -> String {
    post_as(path, body, None)
}

/// A signed-in request with a body of JSON.
pub fn post_as(path: &str, body: &str, token: Option<&str>) -> String {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A text escaped as a value in a query.
pub fn escape(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}
