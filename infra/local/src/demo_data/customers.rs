//! Demo customers: each with a contact, an opportunity, two interactions and a task, made by the same rules as by the API.

use super::{DAY, FAMILY, FIRST, GIVEN, INDUSTRIES, LAST, company, pick};
use daybook_domain::contact::Contact;
use daybook_domain::customer::Customer;
use daybook_domain::enquiry::DEMO_DATA;
use daybook_domain::interaction::Interaction;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::task::Task;
use daybook_domain::{AnyId, Record};
use daybook_records::{Model, created, deleted, draft, family};
use daybook_store::filter::{Filter, Op};
use daybook_store::{Cx, Error, PageAsk, Tx, object_of};
use serde_json::{Value, json};

/// What an opportunity is about, in Chinese and English, with the words of its calls.
const DEALS: [[[&str; 4]; 2]; 4] = [
    [
        ["变电站巡检机器人试点", "初次沟通", "客户希望先在两座变电站试点，预算已列入明年计划。", "发送试点方案"],
        [
            "Inspection pilot for two substations",
            "First call",
            "They want to start with two sites; the budget is planned for next year.",
            "Send the outline of the pilot",
        ],
    ],
    [
        ["仓储搬运自动化一期", "现场调研", "已看过仓库，夜班人手不足是主要原因。", "准备现场勘察报告"],
        [
            "Warehouse automation, phase one",
            "Site visit",
            "We walked the warehouse; the night shift is what they can't staff.",
            "Write up the site visit",
        ],
    ],
    [
        ["年度维保合同续签", "续约讨论", "对响应时间满意，希望价格与去年持平。", "与法务确认续约条款"],
        [
            "Renewal of the service contract",
            "Renewal talk",
            "Happy with response times; they ask for last year's price.",
            "Agree the terms with legal",
        ],
    ],
    [
        ["矿区巡检数据平台", "需求澄清", "需要与现有调度系统对接，技术负责人下周参加会议。", "安排技术交流会"],
        [
            "Inspection data platform for a mine",
            "Requirements",
            "It must connect to their dispatch system; their lead engineer joins next week.",
            "Set up the technical meeting",
        ],
    ],
];

/// The stages of the default pipeline that opportunities are in.
const STAGES: [&str; 5] = ["lead", "proposal", "negotiation", "closed", "lead"];

/// Creates the customer of this number, with what belongs to them.
pub async fn create_one(cx: &impl Fn(&'static str) -> Cx, n: usize) -> Result<(), Error> {
    let chinese = n.is_multiple_of(2);
    let cx = || cx("demo-data create");
    let stamp = cx().stamp();
    let tail = &stamp.id.simple().to_string()[20..];
    let (spread, [title, subject, notes, next]) = (n * 7 + 3, DEALS[n / 2 % DEALS.len()][usize::from(!chinese)]);
    let (first, last) =
        if chinese { (pick(&GIVEN, spread), pick(&FAMILY, n)) } else { (pick(&FIRST, spread), pick(&LAST, n)) };
    let phone = match chinese {
        true => format!("+86 139 {:04} {:04}", n / 10_000 % 10_000, n % 10_000),
        false => format!("+44 20 7946 {:04}", n % 10_000),
    };
    let customer: Customer = made(
        &cx(),
        json!({
            "name": company(spread, chinese), "type": "company", "industry": pick(&INDUSTRIES, n),
            "email": format!("office{n}.{tail}@demo.example"), "phone": phone, "source": DEMO_DATA,
            "tags": [if chinese { "演示" } else { "demo" }],
        }),
    )
    .await?;
    let contact: Contact = made(
        &cx(),
        json!({
            "customer_id": customer.id, "first_name": first, "last_name": last, "phone": phone,
            "email": format!("person{n}.{tail}@demo.example"), "source": DEMO_DATA,
            "job_title": if chinese { "采购经理" } else { "Head of procurement" },
        }),
    )
    .await?;
    let close = stamp.at.plus(DAY * 60).to_string();
    let opportunity: Opportunity = made(
        &cx(),
        json!({
            "customer_id": customer.id, "contact_id": contact.id, "title": title, "source": DEMO_DATA,
            "value": 80_000 + 35_000 * (n % 9), "currency": if chinese { "CNY" } else { "GBP" },
            "stage": pick(&STAGES, n / 2), "close_date": close.get(..10),
        }),
    )
    .await?;
    for (kind, before) in [("call", DAY / 2), ("meeting", DAY / 4)] {
        let interaction = json!({
            "customer_id": customer.id, "opportunity_id": opportunity.id, "contact_id": contact.id, "subject": subject,
            "interaction_type": kind, "notes": notes, "duration_minutes": 20 + n % 5 * 10,
            "occurred_at": stamp.at.minus(before),
        });
        made::<Interaction>(&cx(), interaction).await?;
    }
    let task = json!({
        "title": next, "related_to": {"type": "opportunity", "id": opportunity.id},
        "priority": if n.is_multiple_of(3) { "high" } else { "medium" }, "due_date": stamp.at.plus(DAY * 14),
    });
    made::<Task>(&cx(), task).await.map(drop)
}

/// Creates a record with these fields.
async fn made<T: Model>(cx: &Cx, fields: Value) -> Result<T, Error> {
    let (made, tx) = created(cx, Tx::default(), draft::<T>(cx, object_of(&fields)?).await?).await?;
    cx.commit(tx, ()).await?;
    Ok(made)
}

/// Moves the demo customers to the trash with what belongs to them, and the demo contacts.
pub async fn remove_all(cx: &impl Fn(&'static str) -> Cx) -> Result<(), Error> {
    let cx = || cx("demo-data remove");
    let (mut customers, mut contacts) = (0, 0);
    while let Some(some) = demo::<Customer>(&cx()).await? {
        for customer in some {
            let (cx, id) = (cx(), AnyId::from(customer.id));
            let Some(customer) = cx.find::<Customer>(customer.id).await? else { continue };
            let members = family::members(&cx, id).await?;
            let tx = family::cascade_delete(&cx, Tx::default(), &members, id).await?;
            cx.commit(deleted(&cx, tx, &customer).await?, ()).await?;
            customers += 1;
        }
    }
    while let Some(some) = demo::<Contact>(&cx()).await? {
        for contact in some {
            daybook_records::remove(&cx(), contact.id, None, |_: Contact| ()).await?;
            contacts += 1;
        }
    }
    eprintln!("{customers} customers moved to the trash with what belongs to them, and {contacts} contacts.");
    Ok(())
}

/// Some of the demo records of a type; `None` if there are none left.
async fn demo<T: Record>(cx: &Cx) -> Result<Option<Vec<T>>, Error> {
    let mut cursor = None::<String>;
    loop {
        let filters = vec![Filter::new("source", Op::Eq, Value::from(DEMO_DATA))];
        let ask = PageAsk { filters, ascending: true, limit: 100, cursor: cursor.as_deref(), ..PageAsk::default() };
        let page = cx.list::<T>(&ask).await?;
        // A page may be short, as the records of many others were read for it.
        if !page.items.is_empty() {
            return Ok(Some(page.items));
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(None);
        }
    }
}
