//! Demo data: sample leads and customers, created and deleted by the same transactions as real ones.

mod customers;

use crate::DEFAULT_ORG;
use crate::serve::{Opened, ServeError, opened};
use crate::system::{StartError, System};
use daybook_domain::enquiry::{DEMO_DATA, Enquiry};
use daybook_domain::lead::{Lead, LeadOrigin, Status};
use daybook_domain::organization::Organization;
use daybook_domain::{Error as Domain, LeadId, Line, Locale, Phone};
use daybook_store::filter::{Filter, Op};
use daybook_store::{Clock, Cx, Error, PageAsk, Tx};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// What to do with the demo data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoData {
    /// Create leads and customers.
    Create {
        /// The number of leads.
        leads: usize,
        /// The number of customers, each with what belongs to them.
        customers: usize,
    },
    /// Move all of them to the trash.
    Remove,
}

/// The number of past days that the dates are spread over.
const DAYS: u64 = 90;

const DAY: Duration = Duration::from_secs(86_400);

/// How many leads one transaction creates: each takes some 25 of its 100 items.
const AT_ONCE: usize = 3;

/// The number of leads per company.
const PER_COMPANY: usize = 20;

/// Creates demo data in the default organisation of a data folder, or moves it to the trash. No mail is sent and
/// nothing is synced to other systems.
pub async fn demo_data(what: DemoData, data: &Path) -> Result<(), ServeError> {
    let clock = match what {
        // The leads' dates cover the last months up to now.
        DemoData::Create { .. } => Clock::fake(Clock::System.now().minus(Duration::from_secs(DAYS * 86_400))),
        DemoData::Remove => Clock::System,
    };
    let Opened { _lock, options, .. } = opened(data, clock.clone())?;
    let system = System::start(options).await?;
    let cx = |route| system.env.system(DEFAULT_ORG, route);
    let done = match what {
        DemoData::Create { leads, customers } => create(&cx, &clock, leads, customers).await,
        DemoData::Remove => {
            async {
                customers::remove_all(&cx).await?;
                remove(&cx).await
            }
            .await
        }
    };
    done.map_err(|error| StartError::from(error).into())
}

/// Creates leads and customers, spread over the days up to now, and tells how to see them.
async fn create(cx: &impl Fn(&'static str) -> Cx, clock: &Clock, leads: usize, customers: usize) -> Result<(), Error> {
    let bar = bar(leads + customers, "leads and customers created");
    let companies = leads.div_ceil(PER_COMPANY).max(1);
    let begin = clock.now();
    let (mut lead_count, mut customer_count) = (0, 0);
    for day in 1..=DAYS {
        let until = |all: usize| (all as u64 * day / DAYS) as usize;
        let step = DAY / u32::try_from(until(leads) - lead_count + 1).unwrap_or(u32::MAX);
        while lead_count < until(leads) {
            let cx = cx("demo-data create");
            let mut tx = Tx::default();
            for _ in 0..AT_ONCE.min(until(leads) - lead_count) {
                tx = tx.and_create(&lead(&cx, lead_count, companies)?);
                clock.advance(step);
                lead_count += 1;
                bar.inc(1);
            }
            cx.commit(tx, ()).await?;
        }
        while customer_count < until(customers) {
            customers::create_one(cx, customer_count).await?;
            customer_count += 1;
            bar.inc(1);
        }
        clock.set(begin.plus(DAY * u32::try_from(day).unwrap_or(u32::MAX)));
    }
    bar.finish();
    eprintln!("{leads} leads created.");
    eprintln!("{customers} customers created, each with a contact, an opportunity, two interactions and a task.");
    let organization = cx("demo-data create").find::<Organization>(DEFAULT_ORG).await?;
    let has_owner = organization.is_some_and(|organization| !organization.owner_ids.is_empty());
    eprintln!("\nStart the server, and see them at http://localhost:3000/_local/records (or its other --port).");
    eprintln!(
        "{}",
        match has_owner {
            true =>
                "To work with them, sign in as a user of the default organisation: at /chat, or POST /api/auth/login.",
            false =>
                "To work with them, register at /chat, or with POST /api/auth/register: the first user becomes their owner.",
        }
    );
    Ok(())
}

async fn remove(cx: &impl Fn(&'static str) -> Cx) -> Result<(), Error> {
    let demo = Filter::new("source", Op::Eq, Value::from(DEMO_DATA));
    let bar = bar(0, "leads removed");
    let mut cursor: Option<String> = None;
    loop {
        let cx_of_page = cx("demo-data remove");
        let ask = PageAsk {
            filters: vec![demo.clone()],
            ascending: true,
            limit: 200,
            cursor: cursor.as_deref(),
            ..PageAsk::default()
        };
        let page = cx_of_page.list::<Lead>(&ask).await?;
        bar.inc_length(page.items.len() as u64);
        for lead in page.items {
            daybook_records::remove(&cx("demo-data remove"), lead.id, None, |_: Lead| ()).await?;
            bar.inc(1);
        }
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => {
                bar.finish();
                eprintln!("{} leads moved to the trash.", bar.position());
                return Ok(());
            }
        }
    }
}

fn bar(length: usize, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {elapsed}");
    let bar = ProgressBar::new(length as u64).with_message(what);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

const CITIES: [&str; 20] = [
    "北京", "上海", "广州", "深圳", "杭州", "南京", "苏州", "成都", "重庆", "武汉", "西安", "天津", "青岛", "大连",
    "厦门", "宁波", "长沙", "郑州", "合肥", "济南",
];
const NAMES: [&str; 20] = [
    "华信", "远航", "恒通", "瑞达", "金盾", "明科", "天成", "博远", "鼎新", "创辉", "安泰", "宏图", "凯旋", "联合",
    "新锐", "东方", "中科", "海纳", "星源", "卓越",
];
const TRADES: [&str; 10] = ["电力", "能源", "矿业", "物流", "化工", "建设", "智能", "机器人", "环保", "装备"];
const WORDS: [&str; 24] = [
    "Aurora", "Beacon", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper", "Keystone",
    "Lumen", "Meridian", "Nimbus", "Orchard", "Pinnacle", "Quarry", "Ridge", "Summit", "Tundra", "Umber", "Vertex",
    "Willow", "Zephyr",
];
const ENGLISH_TRADES: [&str; 10] =
    ["Power", "Energy", "Mining", "Logistics", "Chemicals", "Works", "Systems", "Robotics", "Grid", "Marine"];
const FAMILY: [&str; 20] = [
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙", "马", "朱", "胡", "郭", "何", "林", "高",
    "罗",
];
const GIVEN: [&str; 20] = [
    "伟", "芳", "秀英", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "涛", "明", "超", "秀兰", "霞",
    "平", "刚",
];
const FIRST: [&str; 20] = [
    "Ada",
    "Grace",
    "Alan",
    "Edsger",
    "Barbara",
    "Donald",
    "Frances",
    "John",
    "Karen",
    "Leslie",
    "Margaret",
    "Niklaus",
    "Radia",
    "Shafi",
    "Tony",
    "Vint",
    "Whitfield",
    "Adele",
    "Butler",
    "Dana",
];
const LAST: [&str; 20] = [
    "Hopper",
    "Turing",
    "Lovelace",
    "Dijkstra",
    "Liskov",
    "Knuth",
    "Allen",
    "Backus",
    "Jones",
    "Lamport",
    "Hamilton",
    "Wirth",
    "Perlman",
    "Goldwasser",
    "Hoare",
    "Cerf",
    "Diffie",
    "Goldberg",
    "Lampson",
    "Scott",
];
const INDUSTRIES: [&str; 6] = ["manufacturing", "energy", "power_grid", "mining", "logistics", "research"];
const STATUSES: [Status; 8] = [
    Status::New,
    Status::New,
    Status::New,
    Status::Contacted,
    Status::Contacted,
    Status::Qualified,
    Status::DemoScheduled,
    Status::Unqualified,
];

/// An element of a list, by number modulo its length.
fn pick<'l>(list: &[&'l str], n: usize) -> &'l str {
    list[n % list.len()]
}

/// The company of this number. When the names run out, they are reused with a number.
fn company(n: usize, chinese: bool) -> String {
    let (name, round) = if chinese {
        let all = CITIES.len() * NAMES.len() * TRADES.len();
        let name = [pick(&CITIES, n), pick(&NAMES, n / CITIES.len()), pick(&TRADES, n / (CITIES.len() * NAMES.len()))];
        (format!("{}科技有限公司", name.concat()), n / all)
    } else {
        let all = WORDS.len() * WORDS.len() * ENGLISH_TRADES.len();
        let (first, second) = (pick(&WORDS, n), pick(&WORDS, n / WORDS.len()).to_lowercase());
        (format!("{first}{second} {}", pick(&ENGLISH_TRADES, n / (WORDS.len() * WORDS.len()))), n / all)
    };
    if round == 0 { name } else { format!("{name} {round}") }
}

/// The lead of this number.
fn lead(cx: &Cx, n: usize, companies: usize) -> Result<Lead, Error> {
    let chinese = n.is_multiple_of(2);
    let stamp = cx.stamp();
    let tail = &stamp.id.simple().to_string()[20..];
    let spread = n.wrapping_mul(7919);
    let (first, last) = if chinese {
        (pick(&GIVEN, spread / 20), pick(&FAMILY, spread))
    } else {
        (pick(&FIRST, spread / 20), pick(&LAST, spread))
    };
    let enquiry: Enquiry = daybook_domain::read::read(json!({
        "first_name": first,
        "last_name": last,
        "email": format!("lead{n}.{tail}@demo.example"),
        "phone": if chinese { format!("+86 138 {:04} {:04}", n / 10_000 % 10_000, n % 10_000) } else { format!("+44 20 7946 {:04}", n % 10_000) },
        "company": company(spread % companies, chinese),
        "job_title": if chinese { "技术总监" } else { "Head of engineering" },
        "industry": pick(&INDUSTRIES, n / 3),
        "requirements": if chinese { "需要自动化巡检解决方案" } else { "We look for automated inspection." },
        "locale": if chinese { Locale::Chinese.tag() } else { Locale::English.tag() },
    }))?;
    let source = Line::parse(DEMO_DATA).map_err(|rule| Domain::invalid("/source", rule))?;
    let origin =
        LeadOrigin { form: None, default_source: &source, phone_country: Phone::DEFAULT_COUNTRY, previous: None };
    let made = Lead::from_enquiry(&enquiry, origin, LeadId::new(stamp.id), stamp.at);
    Ok(Lead { status: STATUSES[n / 2 % STATUSES.len()], ..made })
}
