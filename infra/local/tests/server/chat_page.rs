//! The chat's page in a real browser: what a user does, over a connection that breaks and a server that is killed; and its
//! accessibility, checked with axe.

use crate::browser::{Browser, Script as Scripts, axe};
use crate::running::{Server, folder};
use daybook_testing::llm::{FakeLlm, KEY, Script};
use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// The text of each answer, with Markdown.
const PIECES: [&str; 7] =
    ["Some **bold** words,\n\n", "```js\n", "let a = 1;\n", "```\n\n", "and ", "<b>no</b> ", "tags."];

/// AI Chat Studio's snippet, with a ticket in its address: the frames that it gets.
const SNIPPET: &str = r#"
const done = arguments[0];
const authorization = `Bearer ${JSON.parse(sessionStorage.getItem('daybook-chat')).access_token}`;
const send = (path, method) => fetch(path, { method, headers: { authorization } }).then((answer) => answer.json());
Promise.all([send('/api/auth/me', 'GET'), send('/api/ws/ticket', 'POST')]).then(([me, given]) => {
  const ws = new WebSocket(`ws://${location.host}/ws/${me.data.id}?ticket=${given.data.ticket}`)
  const frames = []

  ws.onopen = () => {
    // 发送消息
    ws.send(JSON.stringify({
      type: 'chat',
      content: '你好'
    }))
  }

  ws.onmessage = (event) => {
    const data = JSON.parse(event.data)
    frames.push(data.text ?? data.type)
    if (data.type === 'done') done(frames)
  }
})
"#;

/// A connection between browser and server that can break.
struct Line {
    url: String,
    to: Arc<Mutex<String>>,
    open: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Line {
    async fn to(server: &Server) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://localhost:{}", listener.local_addr().expect("an address").port());
        let to = Arc::new(Mutex::new(address_of(server)));
        let open: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let (target, connections) = (to.clone(), open.clone());
        tokio::spawn(async move {
            while let Ok((mut browser, _)) = listener.accept().await {
                let target = target.lock().expect("a lock").clone();
                let carried = tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(target).await {
                        let _ = copy_bidirectional(&mut browser, &mut server).await;
                    }
                });
                connections.lock().expect("a lock").push(carried.abort_handle());
            }
        });
        Line { url, to, open }
    }

    /// Breaks all connections.
    fn cut(&self) {
        self.open.lock().expect("a lock").drain(..).for_each(|connection| connection.abort());
    }

    /// Leads to another server from now on.
    fn leads_to(&self, server: &Server) {
        *self.to.lock().expect("a lock") = address_of(server);
        self.cut();
    }
}

fn address_of(server: &Server) -> String {
    server.url.trim_start_matches("http://").replace("localhost", "127.0.0.1")
}

impl Browser {
    /// The value of an expression in the page.
    async fn value(&self, expression: &str) -> Value {
        self.client.execute(&format!("return {expression}"), vec![]).await.expect("a script")
    }

    /// Waits until an expression in the page is true.
    async fn until(&self, expression: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.value(expression).await != json!(true) {
            let text = self.value("document.body.innerText").await;
            assert!(Instant::now() < deadline, "{expression} doesn't become true: {text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn write(&self, place: &str, text: &str) {
        let field = self.client.find(Locator::Css(place)).await.expect(place);
        field.clear().await.expect(place);
        field.send_keys(text).await.expect(place);
    }

    async fn click(&self, place: &str) {
        self.client.find(Locator::Css(place)).await.expect(place).click().await.expect(place);
    }

    async fn click_on(&self, text: &str) {
        let place = format!("(//article//button[normalize-space()='{text}'])[last()]");
        self.client.find(Locator::XPath(&place)).await.expect(text).click().await.expect(text);
    }

    /// Asks by the keyboard alone.
    async fn ask(&self, text: &str) {
        self.write("#question", &format!("{text}{}", char::from(Key::Enter))).await;
    }

    /// Waits for the end of the answer.
    async fn ended(&self) {
        self.until("document.getElementById('stop').hidden && document.getElementById('status').textContent !== ''")
            .await;
    }

    /// The texts of the messages that show.
    async fn texts(&self) -> Vec<String> {
        let texts = self.value("[...document.querySelectorAll('article .text')].map(text => text.innerText)").await;
        serde_json::from_value(texts).expect("texts")
    }

    async fn status(&self) -> String {
        self.value("document.getElementById('status').textContent").await.as_str().expect("a text").to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chat_s_page_works_over_a_broken_connection_and_a_server_that_is_killed() {
    let axe = tokio::task::spawn_blocking(axe).await.expect("no panic");
    let axe = axe.as_deref();
    let fake = FakeLlm::start().await;
    fake.always(Script { pause: Duration::from_millis(20), ..Script::saying(&PIECES) });
    let (data, address) = (folder("chat-page"), fake.base_url());
    let environment = [("ANTHROPIC_BASE_URL", address.as_str()), ("ANTHROPIC_API_KEY", KEY)];
    let server = Server::start_with(&data, &environment);
    let line = Line::to(&server).await;
    let Some(browser) = Browser::open(1100, Scripts::On).await else { return };
    browser.client.goto(&format!("{}/chat?lang=en", line.url)).await.expect("a page");
    browser.until("!document.getElementById('sign-in').hidden").await;
    browser.is_accessible(axe, "the sign-in").await;
    browser.write("#name", "ada@example.com").await;
    browser.write("#password", "a long password").await;
    browser.click("button[value=login]").await;
    browser.until("document.getElementById('refused').textContent !== ''").await;
    browser.click("button[value=register]").await;
    browser.until("!document.getElementById('chat').hidden").await;

    // An answer: its Markdown, its cost, and no HTML of its own.
    browser.ask("First").await;
    browser.ended().await;
    let shown = "document.querySelector('article.answer .text')";
    assert_eq!(browser.value(&format!("{shown}.querySelector('strong').innerText")).await, "bold");
    assert_eq!(browser.value(&format!("{shown}.querySelector('pre code').innerText.trim()")).await, "let a = 1;");
    assert_eq!(browser.value(&format!("{shown}.querySelector('b')")).await, Value::Null);
    assert!(browser.texts().await[1].ends_with("and <b>no</b> tags."), "{:?}", browser.texts().await);
    let note = browser.value("document.querySelector('.note').innerText").await;
    assert!(note.as_str().is_some_and(|note| note.starts_with("$0.0") && note.contains("18 tokens")), "{note}");
    browser.is_accessible(axe, "an answer").await;
    browser.picture("chat-answer").await;

    // Another answer, an edited question, and the way back to the first.
    browser.click_on("Answer again").await;
    browser.until("document.querySelector('article.answer').innerText.includes('2/2')").await;
    browser.ended().await;
    browser.click_on("Edit").await;
    browser.write(".editor textarea", "Edited").await;
    browser.click(".editor button[type=submit]").await;
    browser.ended().await;
    browser.until("document.querySelector('article.question').innerText.includes('2/2')").await;
    assert_eq!(browser.texts().await[0], "Edited");
    browser.click("article.question .actions button[aria-label='Previous version']").await;
    assert_eq!(browser.texts().await[0], "First");

    // The connection breaks while an answer streams: that shows, and not a character is lost.
    let words: Vec<String> = (0..60).map(|n| format!("word{n} ")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    fake.always(Script { pause: Duration::from_millis(40), ..Script::saying(&words) });
    browser.ask("Count").await;
    let last = "document.querySelector('article.answer:last-of-type .text').innerText";
    browser.until(&format!("{last}.includes('word9')")).await;
    line.cut();
    browser.until("document.getElementById('status').dataset.kind === 'lost'").await;
    browser.picture("chat-lost").await;
    browser.ended().await;
    assert_eq!(browser.texts().await.last().map(|text| text.trim().to_owned()), Some(words.concat().trim().to_owned()));

    // Esc stops; the text is kept.
    browser.ask("Again").await;
    browser.until(&format!("{last}.includes('word3')")).await;
    browser.write("#question", &char::from(Key::Escape).to_string()).await;
    browser.ended().await;
    assert_eq!(browser.status().await, "Stopped");
    assert!(browser.texts().await.last().is_some_and(|text| text.contains("word3") && !text.contains("word59")));

    // The server is killed while an answer streams: the page says so, goes on with the next server, and has what stands.
    browser.ask("Once more").await;
    browser.until(&format!("{last}.includes('word20')")).await;
    server.kill();
    let server = Server::start_with(&data, &environment);
    line.leads_to(&server);
    browser.until("document.getElementById('status').textContent.includes('interrupted')").await;
    let kept = browser.texts().await.pop().expect("a text");
    assert!(kept.starts_with("word0 word1") && !kept.contains("word59"), "{kept}");
    // And the chat goes on; a page that is loaded anew shows the same.
    fake.always(Script::saying(&["Here I am."]));
    browser.ask("Are you there?").await;
    browser.until(&format!("{last} === 'Here I am.'")).await;
    browser.ended().await;
    let before = browser.texts().await;
    browser.client.refresh().await.expect("a page");
    browser.until("document.querySelectorAll('article').length > 0").await;
    assert_eq!(browser.texts().await, before);
    // A question that is refused stays in its field.
    let budget = |tokens: Value| {
        let body = json!({"organization": {"daily_tokens": tokens}});
        format!(
            "(send => send('/api/ai/budgets', {{method: 'PUT', body: JSON.stringify({body}), headers: {{'content-type': 'application/json', authorization: `Bearer ${{JSON.parse(sessionStorage.getItem('daybook-chat')).access_token}}`}}}}))(fetch)"
        )
    };
    browser.value(&budget(json!(5))).await;
    browser.ask("Too dear").await;
    browser.until("document.getElementById('question').value === 'Too dear'").await;
    assert_eq!(browser.texts().await, before);
    browser.value(&budget(Value::Null)).await;
    // The next user of the tab sees nothing of it.
    browser.click("#leave").await;
    browser.until("!document.getElementById('sign-in').hidden").await;
    assert_eq!(browser.value("document.body.innerText.includes('word0') || location.hash !== ''").await, json!(false));
    assert_eq!(browser.value("document.querySelectorAll('#log > *, #list > *').length").await, 0);
    let hosts = browser.value("performance.getEntriesByType('resource').map(entry => entry.name)").await;
    let foreign =
        |url: &&Value| !url.as_str().is_some_and(|url| url.starts_with(&line.url) || url.starts_with("data:"));
    assert_eq!(hosts.as_array().expect("a list").iter().filter(foreign).count(), 0, "{hosts}");
    browser.close().await;

    // In Chinese, on a phone.
    let Some(browser) = Browser::open(390, Scripts::On).await else { return };
    browser.client.goto(&format!("{}/chat?lang=zh-CN", line.url)).await.expect("a page");
    browser.until("!document.getElementById('sign-in').hidden").await;
    browser.write("#name", "ada@example.com").await;
    browser.write("#password", "a long password").await;
    browser.click("button[value=login]").await;
    browser.until("!document.getElementById('chat').hidden").await;
    browser.click("#menu").await;
    browser.is_accessible(axe, "the list on a phone").await;
    browser.picture("chat-phone-list").await;
    browser.click("#list a").await;
    browser.until("document.querySelectorAll('article').length > 0").await;
    let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
    assert_eq!(browser.value(fits).await, json!(true), "the page is wider than the phone");
    assert!(browser.value("document.body.innerText").await.as_str().is_some_and(|text| text.contains("重新回答")));
    browser.is_accessible(axe, "a conversation on a phone").await;
    browser.picture("chat-phone").await;
    let frames = browser.client.execute_async(SNIPPET, vec![]).await.expect("a script");
    assert_eq!(frames, json!(["ack", "Here I am.", "done"]), "AI Chat Studio's snippet");
    browser.close().await;
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}
