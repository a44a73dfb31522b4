//! Contact form tests: `POST /api/contact`.

use daybook_testing::World;
use serde_json::json;

#[tokio::test]
async fn a_message_makes_a_lead_and_is_answered() {
    let world = World::new().await;
    let body = json!({"name": "张三", "email": "zhang.san@example.com", "subject": "报价", "message": "请报价\n谢谢"});
    let answer = world.visitor().post("/api/contact", body).await.expect(201).data();
    let owner = world.owner().await;
    let lead = owner.get(&format!("/api/leads/{}", answer["id"].as_str().expect("an id"))).await.expect(200).data();
    assert_eq!((&lead["last_name"], &lead["first_name"]), (&json!("张"), &json!("三")));
    assert_eq!((&lead["source"], &lead["requirements"]), (&json!("contact_form"), &json!("请报价\n谢谢")));
    world.work().await;
    let mails = world.mails();
    let to = |to: &str| mails.iter().find(|mail| mail.to == to).unwrap_or_else(|| panic!("no mail to {to}"));
    let confirmed = to("zhang.san@example.com");
    assert!(confirmed.subject.contains("我们已收到您的留言"), "{}", confirmed.subject);
    assert!(!confirmed.text.contains("请报价") && !confirmed.text.contains("张三"), "{}", confirmed.text);
    let team = mails.iter().find(|mail| mail.to.ends_with("@staff.example")).expect("a mail to the team");
    assert!(team.subject.contains("张三") && team.subject.contains("报价"), "{}", team.subject);
}

#[tokio::test]
async fn what_is_missing_is_said_at_once() {
    let world = World::new().await;
    let answer = world.visitor().post("/api/contact", json!({"subject": "a\nb"})).await;
    let found = answer.expect_problem(422, "validation_error").violations();
    let pair = |place: &str, code: &str| (place.to_owned(), code.to_owned());
    assert_eq!(
        found,
        [pair("/email", "required"), pair("/message", "required"), pair("/subject", "control_character")]
    );
}

#[tokio::test]
async fn a_plain_form_gets_a_page_or_is_sent_on() {
    let world = World::new().await;
    let form = "email=ada%40example.com&name=Ada+Lovelace&message=Hello&locale=en";
    let kind = "application/x-www-form-urlencoded";
    let post =
        |body: String| world.visitor().post("/api/contact", json!({})).body(kind, body).header("accept", "text/html");
    let page = post(form.to_owned()).await.expect(200);
    assert!(page.text.contains("Thank you") && page.header("content-type").starts_with("text/html"));
    let sent = post(format!("{form}2&_next=/thanks?lang=en")).await.expect(303);
    assert_eq!(sent.header("location"), "/thanks?lang=en");
}
