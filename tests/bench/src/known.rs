//! Preparation of a measurement: signs in, makes and lists records, and chooses the words to search for.

use crate::Result;
use crate::cases::{Case, Kind, NO_HIT, PASSWORD, USER, escape, fresh_local_part, get, lead, post, post_as, question};
use crate::load::Connection;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// The number of leads that a search word should find: a page.
const PAGE: usize = 20;

/// The number of words tried, and the number used.
const TRIED: usize = 40;
const USED: usize = 8;

/// The maximum number of changes in a batch.
const BATCH: usize = 100;

/// The number of customers for each contact, interaction, opportunity and task.
const TENTH: usize = 10;

/// The maximum number of records on a page.
const MOST: usize = 200;

/// The data needed to measure a server.
#[derive(Debug)]
pub struct Known {
    /// An access token of the leads' owner.
    pub token: String,
    /// The ids of all leads.
    pub ids: Vec<String>,
    /// Search words with their numbers of hits; empty unless a search is measured.
    pub words: Vec<(String, usize)>,
    /// A conversation of 40 messages; empty unless its case is measured.
    pub conversation: String,
    /// The ids of the records made, by type; empty unless their cases are measured.
    records: [Vec<String>; 5],
}

/// Makes a conversation of 20 turns; returns its id.
async fn conversation(connection: &mut Connection, token: &str) -> Result<String> {
    let made = ask(connection, &post_as("/api/conversations", "{}", Some(token)), 201).await?;
    let id = made["data"]["id"].as_str().ok_or("a conversation without an id")?.to_owned();
    for _ in 0..20 {
        ask(connection, &post_as("/api/chat", &question(Some(&id)), Some(token)), 200).await?;
    }
    Ok(id)
}

/// Registers a user; returns their access token.
pub async fn register(connection: &mut Connection, email: &str) -> Result<String> {
    let user = json!({"email": email, "password": PASSWORD}).to_string();
    let registered = ask(connection, &post("/api/auth/register", &user), 201).await?;
    Ok(registered["access_token"].as_str().ok_or("registering gave no token")?.to_owned())
}

impl Known {
    /// Registers the first user and collects this data.
    pub async fn learn(address: SocketAddr, leads: usize, cases: &[Case]) -> Result<Arc<Known>> {
        let mut connection = Connection::open(address).await?;
        let token = register(&mut connection, USER).await?;
        let (ids, counts) = walk(&mut connection, &token).await?;
        if ids.len() < leads.max(1) {
            return Err(format!("the first user sees {} of {leads} leads", ids.len()).into());
        }
        let words = match cases.contains(&Case::SearchHit) {
            true => words(&mut connection, &token, counts).await?,
            false => Vec::new(),
        };
        if cases.contains(&Case::SearchMiss) && hits(&mut connection, &token, NO_HIT).await? > 0 {
            return Err("the search for a word that no lead contains finds some".into());
        }
        let mut records: [Vec<String>; 5] = Default::default();
        for kind in Kind::ALL {
            // All other records belong to a customer.
            if cases.iter().any(|case| case.kind().is_some_and(|asked| asked == kind || kind == Kind::Customer)) {
                let count = if kind == Kind::Customer { leads } else { leads.div_ceil(TENTH) };
                records[kind as usize] =
                    make(&mut connection, &token, kind, count, &records[Kind::Customer as usize]).await?;
            }
        }
        if cases.contains(&Case::Create) {
            check_intake(&mut connection, &token).await?;
        }
        let conversation = match cases.contains(&Case::ListMessages) {
            true => conversation(&mut connection, &token).await?,
            false => String::new(),
        };
        Ok(Arc::new(Known { token, ids, words, conversation, records }))
    }

    /// The ids of the records of a type.
    pub fn of(&self, kind: Kind) -> &[String] {
        &self.records[kind as usize]
    }

    /// The minimum and the maximum number of leads found by one of the words.
    pub fn hits(&self) -> Option<(usize, usize)> {
        let hits = || self.words.iter().map(|(_, hits)| *hits);
        hits().min().zip(hits().max())
    }
}

async fn ask(connection: &mut Connection, request: &str, expected: u16) -> Result<Value> {
    let line = request.lines().next().unwrap_or_default().to_owned();
    let body = connection.ask(request).await?.expect(expected).map_err(|error| format!("{line}: {error}"))?;
    Ok(serde_json::from_slice(body)?)
}

/// Lists all leads: their ids, and the number of leads by word.
async fn walk(connection: &mut Connection, token: &str) -> Result<(Vec<String>, HashMap<String, usize>)> {
    let mut ids = Vec::new();
    let mut counts = HashMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/leads?limit={MOST}{cursor}");
        let page = ask(connection, &get(&path, Some(token)), 200).await?;
        for lead in page["data"].as_array().ok_or("a list without data")? {
            ids.push(lead["id"].as_str().ok_or("a lead without an id")?.to_owned());
            for field in ["company", "last_name", "first_name"] {
                if let Some(word) = lead[field].as_str().and_then(first_word) {
                    *counts.entry(word.to_owned()).or_default() += 1;
                }
            }
        }
        match page["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", escape(next)),
            None => return Ok((ids, counts)),
        }
    }
}

fn first_word(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_alphanumeric()).find(|word| word.chars().count() >= 2)
}

/// Words that find about a page of leads.
async fn words(
    connection: &mut Connection,
    token: &str,
    counts: HashMap<String, usize>,
) -> Result<Vec<(String, usize)>> {
    let mut likely: Vec<(String, usize)> = counts.into_iter().collect();
    likely.sort_by(|(a, some), (b, others)| (some.abs_diff(PAGE), a).cmp(&(others.abs_diff(PAGE), b)));
    likely.truncate(TRIED);
    let mut found = Vec::new();
    for (word, _) in likely {
        let hits = hits(connection, token, &word).await?;
        if hits > 0 {
            found.push((word, hits));
        }
    }
    found.sort_by_key(|(_, hits)| hits.abs_diff(PAGE));
    found.truncate(USED);
    if found.is_empty() {
        return Err("no lead is found by a word of its own".into());
    }
    Ok(found)
}

/// The number of leads on the first page of a search.
async fn hits(connection: &mut Connection, token: &str, word: &str) -> Result<usize> {
    let path = format!("/api/leads?search={}&limit={MOST}", escape(word));
    let page = ask(connection, &get(&path, Some(token)), 200).await?;
    Ok(page["data"].as_array().ok_or("a search without data")?.len())
}

/// Makes records of a type in batches, each of a different customer.
async fn make(
    connection: &mut Connection,
    token: &str,
    kind: Kind,
    count: usize,
    customers: &[String],
) -> Result<Vec<String>> {
    eprintln!("  making {count} records at {}", kind.path());
    let mut ids = Vec::with_capacity(count);
    for first in (0..count).step_by(BATCH) {
        let one = |n: usize| {
            let customer = customers.get(n).map_or("", String::as_str);
            json!({"action": "create", "data": kind.body(&format!("c{n}"), n, customer)})
        };
        let items: Vec<Value> = (first..count.min(first + BATCH)).map(one).collect();
        let body = json!({"items": items}).to_string();
        let path = format!("{}/batch", kind.path());
        let made = ask(connection, &post_as(&path, &body, Some(token)), 200).await?;
        for one in made["data"].as_array().ok_or("a batch without results")? {
            let id = one["data"]["id"].as_str().ok_or_else(|| format!("a record was not made: {one}"))?;
            ids.push(id.to_owned());
        }
    }
    Ok(ids)
}

/// Whether posted forms become leads instead of being held.
async fn check_intake(connection: &mut Connection, token: &str) -> Result<()> {
    let local_part = fresh_local_part();
    ask(connection, &post("/api/leads", &lead(&local_part)), 201).await?;
    let newest = ask(connection, &get("/api/leads?limit=1", Some(token)), 200).await?;
    match newest["data"][0]["email"].as_str() {
        Some(email) if email.starts_with(&local_part) => Ok(()),
        _ => Err("a posted lead isn't the newest of the list".into()),
    }
}
