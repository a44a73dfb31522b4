//! Tests of the website in a real browser: headless Chromium, driven by chromedriver (Debian: `chromium`,
//! `chromium-driver`). Without chromedriver the tests report that and pass, unless `BROWSER=required`.

use crate::running::{Server, folder, get};
use daybook_store::Clock;
use daybook_testing::clients;
use daybook_testing::hubspot::{HubSpot, TOKEN};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A browser and its driver.
pub struct Browser {
    driver: Child,
    /// The client of its driver.
    pub client: Client,
    profile: PathBuf,
}

/// Whether the browser runs scripts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Script {
    /// It does.
    On,
    /// It doesn't.
    Off,
}

/// The colours that a user prefers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scheme {
    Light,
    Dark,
}

impl Browser {
    /// A browser of this width; none if the machine has no chromedriver.
    pub async fn open(width: u32, script: Script) -> Option<Browser> {
        Browser::open_in(Scheme::Light, width, script).await
    }

    /// A browser whose user prefers these colours.
    pub async fn open_in(scheme: Scheme, width: u32, script: Script) -> Option<Browser> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(driver) = driver else {
            assert_ne!(std::env::var("BROWSER").as_deref(), Ok("required"), "chromedriver is missing");
            eprintln!("no chromedriver: install chromium and chromium-driver to run this test");
            return None;
        };
        let profile = folder(&format!("browser-{port}"));
        let mut capabilities = Capabilities::new();
        capabilities.insert("goog:chromeOptions".to_owned(), json!({
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--hide-scrollbars",
                format!("--blink-settings=preferredColorScheme={}", i32::from(scheme == Scheme::Light)),
                format!("--window-size={width},900"), format!("--user-data-dir={}", profile.display()),
            ],
            "prefs": {"profile.managed_default_content_settings.javascript": if script == Script::On { 1 } else { 2 }},
        }));
        let deadline = Instant::now() + Duration::from_secs(30);
        let client = loop {
            let mut connecting = ClientBuilder::new(HttpConnector::new());
            connecting.capabilities(capabilities.clone());
            match connecting.connect(&format!("http://127.0.0.1:{port}")).await {
                Ok(client) => break client,
                Err(error) if Instant::now() > deadline => panic!("no browser: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        Some(Browser { driver, client, profile })
    }

    async fn fill(&self, fields: &[(&str, &str)]) {
        for (name, value) in fields {
            let field = self.client.find(Locator::Css(&format!("form [name={name}]"))).await.expect(name);
            match field.tag_name().await.expect("a tag").as_str() {
                "select" => field.select_by_value(value).await.expect(name),
                _ => {
                    field.clear().await.expect(name);
                    field.send_keys(value).await.expect(name);
                }
            }
        }
    }

    async fn send(&self) {
        self.client.find(Locator::Css("form button")).await.expect("a button").click().await.expect("a click");
    }

    /// Waits until the page contains the given words; returns its text.
    pub async fn reads(&self, words: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            // Between two pages there is no text.
            let text = match self.client.find(Locator::Css("body")).await {
                Ok(body) => body.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if text.contains(words) {
                return text;
            }
            assert!(Instant::now() < deadline, "{words:?} doesn't show: {text}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Saves a screenshot of the page if `SCREENSHOTS` names a folder.
    pub async fn picture(&self, name: &str) {
        if let Ok(folder) = std::env::var("SCREENSHOTS") {
            let png = self.client.screenshot().await.expect("a picture");
            std::fs::write(format!("{folder}/{name}.png"), png).expect("a file");
        }
    }

    /// Checks the page with axe, if it is installed.
    pub async fn is_accessible(&self, axe: Option<&str>, what: &str) {
        let Some(axe) = axe else { return };
        self.client.execute(axe, vec![]).await.expect("a script");
        let run = "const done = arguments[0]; axe.run().then(found => done(found.violations.map(one => one.id + ' ' + \
                   one.nodes.map(node => node.html).join(' '))))";
        let found = self.client.execute_async(run, vec![]).await.expect("a script");
        assert_eq!(found, json!([]), "{what}");
    }

    pub async fn close(self) {
        let _ = self.client.clone().close().await;
    }
}

impl Drop for Browser {
    /// Ends the browser when a test fails, too.
    fn drop(&mut self) {
        // The driver ends its browsers on SIGTERM, not when it is killed.
        let _ = Command::new("kill").arg(self.driver.id().to_string()).status();
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// The script of axe, if npm can install it here.
pub fn axe() -> Option<String> {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/page");
    let environment = clients::node("chat-page", &lock)?;
    Some(std::fs::read_to_string(environment.join("node_modules/axe-core/axe.min.js")).expect("axe"))
}

/// A form with the values that a visitor enters.
struct Sample {
    /// The path of its page.
    path: &'static str,
    fields: &'static [(&'static str, &'static str)],
    /// The text that the mail to the team contains.
    said: &'static str,
}

const FORMS: [Sample; 3] = [
    Sample {
        path: "/enquiry",
        fields: &[("last_name", "张"), ("first_name", "三"), ("company", "示例科技"), ("industry", "energy")],
        said: "能源",
    },
    Sample {
        path: "/book-demo",
        fields: &[("last_name", "Hopper"), ("attendees_count", "5"), ("interested_products", "x30,x20")],
        said: "x30、x20",
    },
    Sample {
        path: "/contact",
        fields: &[("name", "Ada Lovelace"), ("subject", "Prices"), ("message", "How much?")],
        said: "How much?",
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_works_with_and_without_a_script_down_to_mail_and_contact() {
    let hubspot = HubSpot::serve(Clock::System, 0).await.expect("a port");
    let address = hubspot.base_url();
    let data = folder("browser");
    let server = Server::start_with(&data, &[("HUBSPOT_ACCESS_TOKEN", TOKEN), ("HUBSPOT_BASE_URL", &address)]);
    let mut sent = Vec::new();
    for (script, width, language) in [(Script::On, 1100, "zh-CN"), (Script::Off, 390, "en")] {
        let Some(browser) = Browser::open(width, script).await else { return };
        for Sample { path, fields, said } in FORMS {
            let name = format!("{}-{language}-{script:?}", path.trim_matches('/'));
            let email = format!("visitor-{name}@example.com").to_lowercase();
            browser.client.goto(&format!("{}{path}?lang={language}", server.url)).await.expect("a page");
            browser.picture(&name).await;
            if script == Script::On {
                // An input that the browser itself would refuse, so that the server's validation is tested.
                browser
                    .client
                    .execute("document.querySelector('form').noValidate = true", vec![])
                    .await
                    .expect("a script");
                browser.fill(&[("email", "nobody@nowhere@example")]).await;
                browser.send().await;
                let error = browser.client.wait().at_most(Duration::from_secs(10));
                let error = error.for_element(Locator::Css(".daybook-error")).await.expect("an error beside the field");
                assert!(error.text().await.expect("a text").contains("name@example.com"), "{name}");
                browser.picture(&format!("{name}-error")).await;
                // A person takes longer than two seconds to fill in a form.
                tokio::time::sleep(Duration::from_millis(2100)).await;
            }
            browser.fill(&[("email", &email)]).await;
            browser.fill(fields).await;
            browser.send().await;
            browser.reads(if language == "en" { "Thank you" } else { "谢谢" }).await;
            browser.picture(&format!("{name}-thanks")).await;
            assert!(browser.client.current_url().await.expect("an address").path().starts_with("/thanks"), "{name}");
            sent.push((email, said));
        }
        browser.close().await;
    }
    let client = reqwest::Client::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while hubspot.contacts().len() < sent.len() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mails = get(&client, &format!("{}/_local/mail", server.url), None).await;
    let Some(browser) = Browser::open(1100, Script::On).await else { return };
    browser.client.goto(&format!("{}/_local/sync", server.url)).await.expect("a page");
    let ledger = browser.reads("synced").await;
    browser.picture("sync").await;
    browser.client.goto(&format!("{}/_local/", server.url)).await.expect("a page");
    let mailbox = browser.reads("visitor-").await;
    browser.picture("mailbox").await;
    browser.client.goto(&format!("{}/snippets?lang=en", server.url)).await.expect("a page");
    browser.reads("daybook-form.js").await;
    browser.picture("snippets").await;
    browser.close().await;
    for (email, said) in &sent {
        let contact = hubspot.contacts().into_iter().find(|contact| contact.properties.get("email") == Some(email));
        let contact = contact.unwrap_or_else(|| panic!("no contact {email}"));
        assert!(ledger.contains(&contact.id) && mailbox.contains(email.as_str()), "{email}");
        let told = mails.as_array().expect("a list").iter().any(|mail: &Value| {
            mail["to"] == "team@example.com"
                && mail["text"].as_str().is_some_and(|text| text.contains(email.as_str()) && text.contains(said))
        });
        assert!(told, "the team got no mail about {email} with {said:?}");
    }
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_reference_shows_without_asking_another_host() {
    let data = folder("docs");
    let server = Server::start(&data);
    let Some(browser) = Browser::open(1100, Script::On).await else { return };
    for (path, words) in [("/docs?lang=en", "Submissions"), ("/redoc?lang=zh-CN", "Opportunities")] {
        browser.client.goto(&format!("{}{path}", server.url)).await.expect("a page");
        browser.reads(words).await;
        browser.picture(path.trim_matches('/')).await;
        let asked = "return performance.getEntriesByType('resource').map(entry => entry.name)";
        let asked = browser.client.execute(asked, vec![]).await.expect("a script");
        let asked: Vec<&str> = asked.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        assert!(asked.len() >= 2, "{path}: {asked:?}");
        let foreign: Vec<_> =
            asked.iter().filter(|url| !url.starts_with(&server.url) && !url.starts_with("data:")).collect();
        assert!(foreign.is_empty(), "{path} asked {foreign:?}");
    }
    browser.close().await;
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}
