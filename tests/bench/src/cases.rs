//! The cases: what is asked of the server, and how it must answer.

use crate::known::Known;
use crate::load::Random;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The address of the user who asks.
pub const USER: &str = "owner@example.com";

/// Their password.
pub const PASSWORD: &str = "a password of the benchmark";

/// A word that nobody has.
pub const NOBODY: &str = "qxzvkjw";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// A signed-in user reads a lead.
    Read,
    /// A signed-in user lists the newest 20.
    List,
    /// A signed-in user searches for a word that some leads have.
    SearchHit,
    /// A signed-in user searches for a word that no lead has.
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
    /// A visitor posts a lead.
    Create,
    /// A signed-in user makes a customer.
    CreateCustomer,
}

impl Case {
    /// Every case. Creating is the last: it changes what the others would find, and leaves work behind.
    pub const ALL: [Case; 11] = [
        Case::Read,
        Case::List,
        Case::SearchHit,
        Case::SearchMiss,
        Case::Login,
        Case::ReadCustomer,
        Case::ListCustomers,
        Case::FilterCustomers,
        Case::SearchCustomers,
        Case::Create,
        Case::CreateCustomer,
    ];

    /// Whether it is about customers.
    pub fn of_customers(self) -> bool {
        use Case::{CreateCustomer, FilterCustomers, ListCustomers, ReadCustomer, SearchCustomers};
        matches!(self, ReadCustomer | ListCustomers | FilterCustomers | SearchCustomers | CreateCustomer)
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
            Case::Create => "Create a lead",
            Case::CreateCustomer => "Create a customer",
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
    /// Reading one of the known customers.
    ReadCustomer(Arc<Known>),
    /// Searching for the customers of one of the companies.
    SearchCustomers(Arc<Known>),
    /// A lead with a fresh address.
    Create,
    /// A customer with a fresh address.
    CreateCustomer(Arc<Known>),
}

impl Script {
    /// The requests of a case, for a server of which so much is known.
    pub fn of(case: Case, known: &Arc<Known>) -> Script {
        let list = |query: String| get(&format!("/api/leads?{query}limit=20"), Some(&known.token));
        let customers = |query: &str| get(&format!("/api/customers?{query}limit=20"), Some(&known.token));
        let requests = match case {
            Case::Read => Requests::Read(known.clone()),
            Case::List => Requests::OneOf([list(String::new())].into()),
            Case::SearchHit => {
                Requests::OneOf(known.words.iter().map(|(word, _)| list(format!("search={}&", escape(word)))).collect())
            }
            Case::SearchMiss => Requests::OneOf([list(format!("search={NOBODY}&"))].into()),
            Case::Login => {
                let body = json!({"email": USER, "password": PASSWORD}).to_string();
                Requests::OneOf([post("/api/auth/login", &body)].into())
            }
            Case::ReadCustomer => Requests::ReadCustomer(known.clone()),
            Case::ListCustomers => Requests::OneOf([customers("")].into()),
            Case::FilterCustomers => Requests::OneOf([customers("status=prospect&")].into()),
            Case::SearchCustomers => Requests::SearchCustomers(known.clone()),
            Case::Create => Requests::Create,
            Case::CreateCustomer => Requests::CreateCustomer(known.clone()),
        };
        let makes = matches!(case, Case::Create | Case::CreateCustomer);
        Script { expected: if makes { 201 } else { 200 }, requests }
    }

    /// The next request.
    pub fn next(&self, random: &mut Random) -> String {
        match &self.requests {
            Requests::OneOf(requests) => requests[random.below(requests.len())].clone(),
            Requests::Read(known) => {
                get(&format!("/api/leads/{}", known.ids[random.below(known.ids.len())]), Some(&known.token))
            }
            Requests::ReadCustomer(known) => {
                let id = &known.customers[random.below(known.customers.len())];
                get(&format!("/api/customers/{id}"), Some(&known.token))
            }
            Requests::SearchCustomers(known) => {
                let company = company(random.below(known.customers.len()));
                get(&format!("/api/customers?search={company}&limit=20"), Some(&known.token))
            }
            Requests::Create => post("/api/leads", &lead(&fresh_local_part())),
            Requests::CreateCustomer(known) => {
                let body = customer(&format!("new{}", fresh_local_part()), 0).to_string();
                post_as("/api/customers", &body, Some(&known.token))
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

/// The name of the company of the customer with a number; 20 customers each have one.
pub fn company(number: usize) -> String {
    format!("Works{:06}", number / 20)
}

/// The body of the customer with a number.
pub fn customer(local_part: &str, number: usize) -> Value {
    let status = ["active", "prospect", "inactive", "churned"][number % 4];
    json!({
        "name": format!("张三{number}"), "company": company(number), "email": format!("{local_part}@customer.example"),
        "phone": "+86-138-0013-8000", "status": status
    })
}

/// The part of an address before the `@`: 13 characters that were not given out before.
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

/// A request with a body of JSON, of somebody.
pub fn post_as(path: &str, body: &str, token: Option<&str>) -> String {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A text as a value in a query.
pub fn escape(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}
