//! Compatibility tests: the cases of the simple CRM that Daybook replaces, as its clients see them.

use daybook_testing::{Person, World};
use serde_json::{Value, json};

async fn world() -> (World, Person) {
    let world = World::new().await;
    let owner = world.owner().await;
    (world, owner)
}

async fn customer(owner: &Person) -> String {
    let body = json!({"name": "张三", "company": "ABC科技", "email": "zhangsan@abc.com", "phone": "13800138000"});
    owner.post("/api/customers", body).await.expect(201).id()
}

async fn names(owner: &Person, search: &str) -> Vec<String> {
    let query = serde_urlencoded::to_string([("search", search)]).expect("a query");
    let found = owner.get(&format!("/api/customers?{query}")).await.expect(200).data();
    found.as_array().expect("a list").iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
}

async fn children(owner: &Person, kind: &str, customer: &str) -> usize {
    owner.get(&format!("/api/{kind}?customer_id={customer}")).await.expect(200).data().as_array().expect("a list").len()
}

#[tokio::test]
async fn health_and_root_say_what_this_is() {
    let (world, _owner) = world().await;
    let health = world.visitor().get("/api/health").await.expect(200).json();
    assert_eq!((&health["status"], &health["message"]), (&json!("healthy"), &json!("CRM API is running")));
    let root = world.visitor().get("/").await.expect(200).data();
    assert_eq!((&root["name"], &root["docs"]), (&json!("Daybook"), &json!("/docs")));
    // Every endpoint it lists exists.
    for path in root["endpoints"].as_object().expect("endpoints").values() {
        world.visitor().get(path.as_str().expect("a path")).await.expect_problem(401, "unauthenticated");
    }
    for path in ["health", "docs", "openapi"] {
        world.visitor().get(root[path].as_str().expect("a path")).await.expect(200);
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found_whatever_is_asked_of_it() {
    let (_world, owner) = world().await;
    for kind in ["customers/cus", "interactions/int", "opportunities/opp"] {
        for id in ["01jd2h6q8e5k9v4m3n7p1r0stw", "1"] {
            let path = format!("/api/{kind}_{id}");
            owner.get(&path).await.expect_problem(404, "not_found");
            owner.put(&path, json!({})).await.expect_problem(404, "not_found");
            owner.delete(&path).await.expect_problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn a_customer_is_made_with_its_defaults() {
    let (_world, owner) = world().await;
    let made = owner.post("/api/customers", json!({"name": "张三"})).await.expect(201).json();
    assert_eq!(made["success"], json!(true));
    let data = &made["data"];
    assert_eq!((&data["name"], &data["status"], &data["company"]), (&json!("张三"), &json!("active"), &Value::Null));
    assert!(data["id"].is_string() && data["created_at"].is_string() && data["updated_at"].is_string());
}

#[tokio::test]
async fn a_customer_without_a_name_is_refused() {
    let (_world, owner) = world().await;
    for body in [json!({}), json!({"name": ""}), json!({"name": null}), json!({"company": "ABC"})] {
        let problem = owner.post("/api/customers", body).await.expect_problem(422, "validation_error").json();
        assert_eq!((&problem["success"], &problem["errors"][0]["field"]), (&json!(false), &json!("name")));
    }
}

#[tokio::test]
async fn empty_texts_are_nothing() {
    let (_world, owner) = world().await;
    let body = json!({"name": "张三", "company": "", "email": "", "phone": ""});
    let made = owner.post("/api/customers", body).await.expect(201).data();
    assert_eq!((&made["company"], &made["email"], &made["phone"]), (&Value::Null, &Value::Null, &Value::Null));
}

#[tokio::test]
async fn customers_are_listed() {
    let (_world, owner) = world().await;
    customer(&owner).await;
    owner.post("/api/customers", json!({"name": "李四"})).await.expect(201);
    let list = owner.get("/api/customers").await.expect(200).json();
    assert_eq!((list["success"].clone(), list["data"].as_array().map(Vec::len)), (json!(true), Some(2)));
}

#[tokio::test]
async fn customers_are_found_by_name_company_and_address_as_soon_as_they_are_made() {
    let (_world, owner) = world().await;
    customer(&owner).await;
    owner.post("/api/customers", json!({"name": "李四", "company": "XYZ", "email": "li@xyz.com"})).await.expect(201);
    for word in ["张三", "ABC", "abc", "科技", "zhangsan@abc.com", "13800138000"] {
        assert_eq!(names(&owner, word).await, ["张三"], "{word}");
    }
    assert_eq!(names(&owner, "没有").await, Vec::<String>::new());
    assert_eq!(names(&owner, "").await.len(), 2);
}

#[tokio::test]
async fn a_customer_is_read_and_an_unknown_one_is_not_found() {
    let (_world, owner) = world().await;
    let id = customer(&owner).await;
    assert_eq!(owner.get(&format!("/api/customers/{id}")).await.expect(200).data()["company"], json!("ABC科技"));
    owner.get("/api/customers/999").await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn a_put_changes_only_what_it_names() {
    let (_world, owner) = world().await;
    let path = format!("/api/customers/{}", customer(&owner).await);
    let changed = owner.put(&path, json!({"name": "新名称", "email": "newemail@example.com"})).await.expect(200).data();
    assert_eq!((&changed["name"], &changed["company"]), (&json!("新名称"), &json!("ABC科技")));
    assert_eq!(names(&owner, "newemail@example.com").await, ["新名称"]);
    assert_eq!(names(&owner, "张三").await, Vec::<String>::new());
    owner.put("/api/customers/999", json!({"name": "x"})).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn a_deleted_customer_is_gone() {
    let (_world, owner) = world().await;
    let path = format!("/api/customers/{}", customer(&owner).await);
    assert_eq!(owner.delete(&path).await.expect(200).json()["success"], json!(true));
    owner.get(&path).await.expect_problem(404, "not_found");
    owner.delete(&path).await.expect_problem(404, "not_found");
    assert_eq!(names(&owner, "张三").await, Vec::<String>::new());
}

#[tokio::test]
async fn interactions_are_made_listed_read_changed_and_deleted() {
    let (_world, owner) = world().await;
    let customer = customer(&owner).await;
    for kind in ["call", "email", "meeting", "other"] {
        let body = json!({"customer_id": customer, "interaction_type": kind, "notes": "初次沟通"});
        assert_eq!(owner.post("/api/interactions", body).await.expect(201).data()["interaction_type"], json!(kind));
    }
    assert_eq!(children(&owner, "interactions", &customer).await, 4);
    let list = owner.get("/api/interactions").await.expect(200).data();
    let path = format!("/api/interactions/{}", list[0]["id"].as_str().expect("an id"));
    let changed = owner.put(&path, json!({"notes": "更新的备注"})).await.expect(200).data();
    assert_eq!((&changed["notes"], &changed["customer_id"]), (&json!("更新的备注"), &json!(customer)));
    owner.delete(&path).await.expect(200);
    owner.get(&path).await.expect_problem(404, "not_found");
    assert_eq!(children(&owner, "interactions", &customer).await, 3);
}

#[tokio::test]
async fn an_interaction_needs_a_customer_and_a_type() {
    let (_world, owner) = world().await;
    let customer = customer(&owner).await;
    let missing = "cus_01jd2h6q8e5k9v4m3n7p1r0stw";
    for (body, field) in [
        (json!({"interaction_type": "call"}), "customer_id"),
        (json!({"customer_id": customer}), "interaction_type"),
        (json!({"customer_id": customer, "interaction_type": "letter"}), "interaction_type"),
        (json!({"customer_id": missing, "interaction_type": "call"}), "customer_id"),
        (json!({"customer_id": 1, "interaction_type": "call"}), "customer_id"),
    ] {
        let problem =
            owner.post("/api/interactions", body.clone()).await.expect_problem(422, "validation_error").json();
        assert_eq!(problem["errors"][0]["field"], json!(field), "{body}");
    }
}

#[tokio::test]
async fn an_opportunity_begins_as_a_lead_with_its_stages_probability() {
    let (_world, owner) = world().await;
    let customer = customer(&owner).await;
    let made = owner.post("/api/opportunities", json!({"customer_id": customer, "title": "企业软件采购"})).await;
    let made = made.expect(201).data();
    assert_eq!((&made["stage"], &made["probability"], &made["status"]), (&json!("lead"), &json!(20), &json!("open")));
    let body = json!({
        "customer_id": customer, "title": "ERP系统", "value": 100000.00, "stage": "proposal", "probability": 35
    });
    let made = owner.post("/api/opportunities", body).await.expect(201).data();
    assert_eq!((&made["value"], &made["probability"]), (&json!(100000), &json!(35)));
}

#[tokio::test]
async fn every_stage_has_its_probability_and_may_be_put() {
    let (_world, owner) = world().await;
    let customer = customer(&owner).await;
    let body = json!({"customer_id": customer, "title": "ERP系统", "value": 500000});
    let path = format!("/api/opportunities/{}", owner.post("/api/opportunities", body).await.expect(201).id());
    for (stage, probability, status) in [
        ("negotiation", 80, "open"),
        ("proposal", 60, "open"),
        ("lost", 0, "lost"),
        ("closed", 100, "won"),
        ("lead", 20, "open"),
    ] {
        let now = owner.put(&path, json!({"stage": stage})).await.expect(200).data();
        assert_eq!((&now["probability"], &now["status"]), (&json!(probability), &json!(status)), "{stage}");
    }
    let now = owner.put(&path, json!({"stage": "closed", "probability": 100})).await.expect(200).data();
    assert_eq!((&now["stage"], &now["title"]), (&json!("closed"), &json!("ERP系统")));
}

#[tokio::test]
async fn an_opportunity_is_refused_with_bad_fields() {
    let (_world, owner) = world().await;
    let customer = customer(&owner).await;
    for (more, field) in [
        (json!({"probability": 101}), "probability"),
        (json!({"probability": -1}), "probability"),
        (json!({"stage": "dreaming"}), "stage"),
        (json!({"value": "much"}), "value"),
        (json!({"title": null}), "title"),
        (json!({"currency": "XXX"}), "currency"),
    ] {
        let mut body = json!({"customer_id": customer, "title": "ERP"});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        let problem = owner.post("/api/opportunities", body).await.expect_problem(422, "validation_error").json();
        assert_eq!(problem["errors"][0]["field"], json!(field), "{more}");
    }
}

#[tokio::test]
async fn opportunities_are_listed_by_customer_read_and_deleted() {
    let (_world, owner) = world().await;
    let (one, other) =
        (customer(&owner).await, owner.post("/api/customers", json!({"name": "李四"})).await.expect(201).id());
    for (customer, title) in [(&one, "A"), (&one, "B"), (&other, "C")] {
        owner.post("/api/opportunities", json!({"customer_id": customer, "title": title})).await.expect(201);
    }
    assert_eq!(
        (children(&owner, "opportunities", &one).await, children(&owner, "opportunities", &other).await),
        (2, 1)
    );
    assert_eq!(owner.get("/api/opportunities").await.expect(200).data().as_array().map(Vec::len), Some(3));
    let list = owner.get(&format!("/api/opportunities?customer_id={other}")).await.expect(200).data();
    let path = format!("/api/opportunities/{}", list[0]["id"].as_str().expect("an id"));
    assert_eq!(owner.get(&path).await.expect(200).data()["title"], json!("C"));
    owner.delete(&path).await.expect(200);
    owner.get(&path).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn deleting_a_customer_deletes_its_interactions_and_opportunities_at_once() {
    let (_world, owner) = world().await;
    let (gone, stays) =
        (customer(&owner).await, owner.post("/api/customers", json!({"name": "李四"})).await.expect(201).id());
    let mut paths = Vec::new();
    for customer in [&gone, &stays] {
        let body = json!({"customer_id": customer, "interaction_type": "call"});
        paths.push(format!("/api/interactions/{}", owner.post("/api/interactions", body).await.expect(201).id()));
        let body = json!({"customer_id": customer, "title": "ERP"});
        paths.push(format!("/api/opportunities/{}", owner.post("/api/opportunities", body).await.expect(201).id()));
    }
    owner.delete(&format!("/api/customers/{gone}")).await.expect(200);
    for (path, status) in paths.iter().zip([404, 404, 200, 200]) {
        owner.get(path).await.expect(status);
    }
    assert_eq!((children(&owner, "interactions", &gone).await, children(&owner, "opportunities", &gone).await), (0, 0));
    assert_eq!(owner.get("/api/interactions").await.expect(200).data().as_array().map(Vec::len), Some(1));
    assert_eq!(owner.get("/api/opportunities").await.expect(200).data().as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_sales_process_of_its_description_runs_as_it_is_written() {
    let (_world, owner) = world().await;
    let first = r#"{"name":"张三","company":"ABC科技","email":"zhangsan@abc.com"}"#;
    let post = async |path: &str, body: String| {
        owner.call(axum::http::Method::POST, path).body("application/json", body).await.expect(201).id()
    };
    let customer = post("/api/customers", first.to_owned()).await;
    let body = format!(r#"{{"customer_id":"{customer}","title":"ERP系统","value":500000,"stage":"lead"}}"#);
    let opportunity = post("/api/opportunities", body).await;
    let body = format!(r#"{{"customer_id":"{customer}","interaction_type":"call","notes":"了解客户需求"}}"#);
    post("/api/interactions", body).await;
    let change = json!({"stage": "proposal", "probability": 60});
    let now = owner.put(&format!("/api/opportunities/{opportunity}"), change).await.expect(200).data();
    assert_eq!((&now["stage"], &now["probability"], &now["value"]), (&json!("proposal"), &json!(60), &json!(500000)));
    for word in ["张三", "ABC", "zhangsan@abc.com"] {
        assert_eq!(names(&owner, word).await, ["张三"]);
    }
}
