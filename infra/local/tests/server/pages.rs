//! Every page of one machine in a real browser: in both languages, wide and narrow, light and dark. Each has the header, fits
//! the window, is accessible by axe's rules, and causes no error in the browser. And what a page is for.

use crate::browser::{Browser, Scheme, Script, axe};
use crate::running::{Server, folder, get, register};
use daybook_local::DEFAULT_ORG;
use daybook_records::held_link;
use daybook_store::Keyring;
use daybook_testing::is_full;
use fantoccini::Locator;
use reqwest::Client;
use serde_json::{Value, json};
use std::time::Duration;

/// The paths of the pages, and words that each has in English and Chinese.
const PAGES: [(&str, &str, &str); 14] = [
    ("/", "Daybook is running", "Daybook 已在本机运行"),
    ("/enquiry", "Tell us what you need", "提交需求"),
    ("/book-demo", "Book a demo", "预约演示"),
    ("/contact", "Contact", "联系我们"),
    ("/snippets", "A form on your website", "把表单放到您的网站"),
    ("/thanks", "Thank you", "谢谢"),
    ("/chat", "Sign in", "登录"),
    ("/_local/", "The newest lead", "The newest lead"),
    ("/_local/records", "Lovelace", "Lovelace"),
    ("/_local/records?type=customers", "Analytical Engines", "Analytical Engines"),
    ("/_local/records?type=tasks", "Call back", "Call back"),
    ("/_local/records?type=held", "sent within two seconds", "打开后两秒内提交"),
    ("/_local/sync", "HubSpot is switched off", "HubSpot 未启用"),
    ("/no/such/page", "There is no such page", "没有这个页面"),
];

/// Whether nothing is wider than the window.
const FITS: &str = "return document.documentElement.scrollWidth <= window.innerWidth";

async fn posted(client: &Client, url: String, token: Option<&str>, body: Value) -> Value {
    let mut request = client.post(url).json(&body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.json().await.expect("JSON")
}

/// Data for each page.
async fn fill(client: &Client, url: &str) -> String {
    let token = register(client, url).await;
    let lead = json!({"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace", "message": "Hello"});
    let lead = posted(client, format!("{url}/api/leads"), None, lead).await;
    let held = json!({"email": "quick@example.com", "last_name": "Quick", "_elapsed": 300});
    posted(client, format!("{url}/api/leads"), None, held).await;
    let token = Some(token.as_str());
    let customer = json!({"name": "Analytical Engines", "email": "office@example.com"});
    let customer = posted(client, format!("{url}/api/customers"), token, customer).await["data"]["id"].clone();
    posted(client, format!("{url}/api/opportunities"), token, json!({"title": "An engine", "customer_id": customer}))
        .await;
    posted(client, format!("{url}/api/tasks"), token, json!({"title": "Call back"})).await;
    lead["data"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_readable_in_both_languages_on_any_screen() {
    let axe = tokio::task::spawn_blocking(axe).await.expect("no panic");
    let data = folder("looks");
    let server = Server::start(&data);
    let (client, url) = (Client::new(), server.url.clone());
    let lead = fill(&client, &url).await;
    while !get(&client, &format!("{url}/_local/mail"), None).await.to_string().contains("ada@example.com") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let record = format!("/_local/records/{lead}");
    let looks = [
        (1280, Scheme::Light, "zh-CN"),
        (390, Scheme::Dark, "en"),
        (390, Scheme::Dark, "zh-CN"),
        (1280, Scheme::Dark, "en"),
        (1280, Scheme::Light, "en"),
        (390, Scheme::Light, "zh-CN"),
    ];
    for (width, scheme, language) in looks.into_iter().take(if is_full() { looks.len() } else { 2 }) {
        let Some(browser) = Browser::open_in(scheme, width, Script::On).await else { return };
        for (path, english, chinese) in
            PAGES.into_iter().chain([(record.as_str(), "ada@example.com", "ada@example.com")])
        {
            let name = format!("{path} {width} {scheme:?} {language}");
            let separator = if path.contains('?') { '&' } else { '?' };
            browser.client.goto(&format!("{url}{path}{separator}lang={language}")).await.expect("a page");
            let words = if language == "en" { english } else { chinese };
            if path != "/_local/" {
                browser.reads(words).await;
            }
            browser.picture(&name.replace(['/', '?', ' '], "_")).await;
            browser
                .client
                .find(Locator::Css(".daybook-bar .brand"))
                .await
                .unwrap_or_else(|_| panic!("{name}: no header"));
            let fits = browser.client.execute(FITS, vec![]).await.expect("a script");
            assert_eq!(fits, json!(true), "{name} is wider than the window");
            browser.is_accessible(axe.as_deref(), &name).await;
        }
        browser.close().await;
    }
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}

/// The fields that show on the account page.
const SHOWN: &str =
    "return [...document.querySelectorAll('input')].filter(one => one.checkVisibility()).map(one => one.id)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_page_shows_its_own_fields_and_comes_to_an_end() {
    let axe = tokio::task::spawn_blocking(axe).await.expect("no panic");
    let data = folder("account");
    let server = Server::start(&data);
    let (client, url) = (Client::new(), server.url.clone());
    register(&client, &url).await;
    let token = loop {
        let mails = get(&client, &format!("{url}/_local/mail"), None).await.to_string();
        if let Some((_, rest)) = mails.split_once("/account#verify-email=") {
            break rest
                .split(|letter: char| !letter.is_ascii_alphanumeric() && !"._-".contains(letter))
                .next()
                .map(str::to_owned);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let token = token.expect("a token");
    let Some(browser) = Browser::open_in(Scheme::Dark, 390, Script::On).await else { return };
    for (use_, fields, title) in [
        ("", json!(["email"]), "Forgot your password?"),
        ("verify-email=none", json!([]), "Confirm your address"),
        ("reset-password=none", json!(["password"]), "Choose a new password"),
        ("invite=none", json!(["email", "name", "password"]), "Accept the invitation"),
    ] {
        // A new document, as a change of the fragment alone loads none.
        browser.client.goto("about:blank").await.expect("a page");
        browser.client.goto(&format!("{url}/account?lang=en#{use_}")).await.expect("a page");
        browser.reads(title).await;
        let shown = browser.client.execute(SHOWN, vec![]).await.expect("a script");
        assert_eq!(shown, fields, "{use_}");
        browser.client.find(Locator::Css(".daybook-bar")).await.expect("a header");
        browser.is_accessible(axe.as_deref(), use_).await;
        browser.picture(&format!("account-{}", use_.replace('=', "-"))).await;
    }
    browser.client.goto("about:blank").await.expect("a page");
    browser.client.goto(&format!("{url}/account?lang=en#verify-email={token}")).await.expect("a page");
    browser.client.find(Locator::Css("form button")).await.expect("a button").click().await.expect("a click");
    browser.reads("you can close this page").await;
    browser.picture("account-done").await;
    // A link that opens nothing says so, and no form shows.
    browser.client.goto("about:blank").await.expect("a page");
    browser.client.goto(&format!("{url}/account?lang=en#held=none")).await.expect("a page");
    browser.reads("at most 30 days old").await;
    assert_eq!(browser.client.execute(SHOWN, vec![]).await.expect("a script"), json!([]));
    browser.is_accessible(axe.as_deref(), "a held post").await;
    // Without a link, the page sends one.
    browser.client.goto("about:blank").await.expect("a page");
    browser.client.goto(&format!("{url}/account?lang=en")).await.expect("a page");
    browser.client.find(Locator::Id("email")).await.expect("a field").send_keys("ada@example.com").await.expect("keys");
    browser.client.find(Locator::Css("form button")).await.expect("a button").click().await.expect("a click");
    browser.reads("is on its way").await;
    browser.close().await;
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}

/// Posts a form as a page without scripts does.
const POST: &str = "const form = document.createElement('form'); form.method = 'post'; form.action = arguments[0]; \
                    for (const [name, value] of Object.entries(arguments[1])) { \
                    const field = document.createElement('input'); field.name = name; field.value = value; form.append(field); } \
                    document.body.append(form); form.submit()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_visitor_without_scripts_is_answered_is_a_page_in_their_language() {
    let data = folder("scriptless");
    let server = Server::start(&data);
    let url = server.url.clone();
    let Some(browser) = Browser::open_in(Scheme::Dark, 390, Script::On).await else { return };
    browser.client.goto(&format!("{url}/enquiry?lang=en")).await.expect("a page");
    let form = browser.client.find(Locator::Css("daybook-form form")).await.expect("a form");
    let action = form.attr("action").await.expect("an attribute").expect("an address");
    for (fields, words) in [
        (json!({"email": "wrong", "locale": "zh-CN"}), "请返回上一页"),
        (json!({"email": "wrong", "locale": "en"}), "Go back"),
        (json!({"email": "ada@example.com", "locale": "zh-CN"}), "谢谢"),
        (json!({"email": "eva@example.com", "locale": "en"}), "Thank you"),
    ] {
        browser.client.goto(&format!("{url}/enquiry?lang=en")).await.expect("a page");
        browser.client.execute(POST, vec![json!(action), fields]).await.expect("a script");
        browser.reads(words).await;
        let fits = browser.client.execute(FITS, vec![]).await.expect("a script");
        assert_eq!(fits, json!(true), "{words}");
        let styled = "return getComputedStyle(document.querySelector('main')).maxWidth !== 'none'";
        assert_eq!(browser.client.execute(styled, vec![]).await.expect("a script"), json!(true), "{words}: no styles");
        browser.picture(&format!("answer-{words}")).await;
    }
    browser.close().await;
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_posts_are_released_and_rejected_on_their_pages() {
    let data = folder("held");
    let server = Server::start(&data);
    let (client, url) = (Client::new(), server.url.clone());
    let mut ids = Vec::new();
    for name in ["release", "reject"] {
        let held = json!({"email": format!("{name}@example.com"), "last_name": "Quick", "_elapsed": 300});
        let held = posted(&client, format!("{url}/api/leads"), None, held).await;
        ids.push(held["data"]["submission_id"].as_str().expect("an id").to_owned());
    }
    let shown = async |path: String| {
        client.get(format!("{url}{path}")).send().await.expect("an answer").text().await.expect("a text")
    };
    let Some(browser) = Browser::open_in(Scheme::Light, 1280, Script::On).await else { return };
    // A released one shows its lead, a rejected one the list.
    for (id, (button, then)) in ids.iter().zip([("release", "release@example.com"), ("reject", "Held posts")]) {
        browser.client.goto(&format!("{url}/_local/records/{id}?lang=en")).await.expect("a page");
        browser.picture(&format!("held-{button}")).await;
        let button = format!("button[formaction*={button}]");
        browser.client.find(Locator::Css(&button)).await.expect("a button").click().await.expect("a click");
        browser.reads(then).await;
    }
    assert!(!shown("/_local/records?type=held".to_owned()).await.contains("@example.com"));
    let leads = shown("/_local/records".to_owned()).await;
    assert!(leads.contains("release@example.com") && !leads.contains("reject@example.com"), "{leads}");
    // Another page can't do it, and what is decided stays so.
    let call = client.post(format!("{url}/_local/records/{}/release", ids[1]));
    let answer = call.header("sec-fetch-site", "cross-site").send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 403);
    browser.close().await;
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_of_the_digest_opens_a_page_that_decides() {
    let axe = tokio::task::spawn_blocking(axe).await.expect("no panic");
    let data = folder("digest");
    let server = Server::start(&data);
    let (client, url) = (Client::new(), server.url.clone());
    let keys = std::fs::read_to_string(data.join("secret")).expect("the secret of the data folder");
    let keys = Keyring::parse(keys.trim()).expect("a keyring");
    let (mut links, mut browser) = (Vec::new(), None);
    for name in ["Release", "Reject"] {
        let held = json!({"email": format!("{name}@example.com"), "message": "Hello", "_elapsed": 300});
        let held = posted(&client, format!("{url}/api/contact"), None, held).await;
        let id = held["data"]["submission_id"].as_str().expect("an id").parse().expect("an id");
        links.push((name, held_link::token(&keys, DEFAULT_ORG, id)));
    }
    for (name, token) in &links {
        let Some(page) = Browser::open_in(Scheme::Dark, 390, Script::On).await else { return };
        page.client.goto(&format!("{url}/account?lang=en#held={token}")).await.expect("a page");
        page.reads("sent within two seconds").await;
        page.reads(&format!("{name}@example.com")).await;
        page.is_accessible(axe.as_deref(), "a held post").await;
        page.picture(&format!("account-held-{name}")).await;
        let button = format!("//button[starts-with(., '{name}')]");
        page.client.find(Locator::XPath(&button)).await.expect("a button").click().await.expect("a click");
        page.reads(if *name == "Release" { "It is released" } else { "It is rejected" }).await;
        assert!(page.client.find(Locator::Css("#choices button")).await.is_err(), "there is nothing more to decide");
        if let Some(before) = browser.replace(page) {
            before.close().await;
        }
    }
    if let Some(last) = browser {
        last.close().await;
    }
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}
