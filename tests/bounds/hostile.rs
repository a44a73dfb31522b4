//! Requests of every route with bodies and queries at their limits, made to cost as much as they can.

use crate::data::Filled;
use crate::{MOST_HANDLED, MOST_MB, check, cost_of};
use axum::http::Method;
use daybook_local::functions;
use daybook_testing::{HostileBody, hostile_bodies, hostile_query, hostile_search, is_full};

/// The quick set takes one in so many routes, another one for each body.
const SAMPLE: usize = 8;

/// Every route takes every body, and every query, with a clear answer.
pub async fn bodies(filled: &Filled) {
    let Filled { owner, customer, lead, conversation, .. } = filled;
    let bodies = hostile_bodies();
    let mut worst = (0.0_f32, String::new());
    // The quick set sends one of the bodies to each route, the full set all of them.
    let share = if is_full() { 1 } else { bodies.len() };
    for (nth, route) in functions().into_iter().flat_map(|function| function.list).enumerate() {
        let id = match route.path {
            path if path.starts_with("/api/leads/") => lead,
            path if path.starts_with("/api/customers/") => customer,
            path if path.starts_with("/api/conversations/") => conversation,
            _ => "id",
        };
        let path = route.path.replace("{id}", id).replace(['{', '}'], "");
        if !is_full() && nth % SAMPLE != 0 {
            continue;
        }
        // What ends the session, or a record that others need, would end this test.
        if path.contains("logout") || path.contains("sessions") || route.method == Method::DELETE {
            continue;
        }
        let sent: Vec<_> = match route.method {
            Method::GET => vec![("a long query", owner.get(&format!("{path}?{}", hostile_query())))],
            _ => {
                let some = bodies.iter().skip(nth % share).step_by(share);
                let call = |HostileBody { what, kind, body }: &HostileBody| {
                    (*what, owner.call(route.method.clone(), &path).body(kind, body.clone()))
                };
                some.map(call).collect()
            }
        };
        for (what, call) in sent {
            let what = format!("{} {path}, {what}", route.method);
            let cost = cost_of(call).await;
            assert!(cost.answer.status.as_u16() < 500, "{what}: {} {}", cost.answer.status, cost.answer.text);
            assert!(cost.megabytes <= MOST_MB, "{what} needs {:.1} MB", cost.megabytes);
            assert!(cost.handled <= MOST_HANDLED, "{what} handles {} bytes at once", cost.handled);
            if cost.megabytes > worst.0 {
                worst = (cost.megabytes, what);
            }
        }
    }
    eprintln!("{:6.1} MB at most for any route: {}", worst.0, worst.1);
    check("a search for 99 values", 200, owner.post("/api/leads/search", hostile_search())).await;
}
