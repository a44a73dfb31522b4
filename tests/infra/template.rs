//! Template tests: `infra/template.yaml` matches the code it deploys, and grants no right that the code doesn't need.

use crate::{folders, read};
use daybook_consumers::CONSUMERS;
use daybook_jobs::{Line, Queue};
use daybook_local::functions;
use daybook_store::schema::{EXPIRES_AT, Index, Kind, PK, SK};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use yaml_serde::Value as Yaml;

/// The template with loops and mappings expanded; intrinsic functions are objects such as `{"Ref": …}`.
pub struct Template {
    whole: Value,
    resources: Map<String, Value>,
}

/// The dimensions of each metric (AWS's guides to Lambda, SQS, HTTP APIs and DynamoDB; ours from `telemetry`).
/// An alarm with other dimensions never fires.
const DIMENSIONS: [(&str, &[&[&str]]); 13] = [
    ("Errors", &[&["FunctionName"]]),
    ("Throttles", &[&["FunctionName"]]),
    ("IteratorAge", &[&["FunctionName"]]),
    ("ApproximateNumberOfMessagesVisible", &[&["QueueName"]]),
    ("ApproximateAgeOfOldestMessage", &[&["QueueName"]]),
    ("5xx", &[&["ApiId"]]),
    ("ReadThrottleEvents", &[&["TableName"]]),
    ("WriteThrottleEvents", &[&["TableName"], &["TableName", "GlobalSecondaryIndexName"]]),
    ("JobsGivenUp", &[&["Function"]]),
    ("ServerErrors", &[&["Function"]]),
    ("Invocations", &[&["FunctionName"]]),
    ("Reputation.BounceRate", &[&["ses:configuration-set"]]),
    ("Reputation.ComplaintRate", &[&["ses:configuration-set"]]),
];

fn listed_names(dimensions: &Value) -> Vec<&str> {
    dimensions.as_array().expect("dimensions").iter().map(|one| one["Name"].as_str().expect("a name")).collect()
}

impl Template {
    pub fn read() -> Template {
        let yaml: Yaml = yaml_serde::from_str(&read("infra/template.yaml")).expect("YAML");
        let whole = json_of(yaml);
        let mut resources = Map::new();
        for (name, resource) in whole["Resources"].as_object().expect("resources") {
            if name.starts_with("Fn::ForEach::") {
                resources.extend(looped(resource));
            } else {
                resources.insert(name.clone(), resource.clone());
            }
        }
        let look = |resource: Value| looked_up(resource, &whole["Mappings"]);
        let resources = resources.into_iter().map(|(name, resource)| (name, look(resource))).collect();
        Template { resources, whole }
    }

    /// The resources of a type, by name.
    fn of(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let of_kind = self.resources.iter().filter(|(_, resource)| resource["Type"] == kind);
        of_kind.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
    }

    /// The functions' names in the template, by the names of their folders.
    pub fn functions(&self) -> BTreeMap<String, String> {
        let mapped = self.whole["Mappings"]["Functions"].as_object().expect("functions");
        mapped.iter().map(|(name, of)| (of["Name"].as_str().expect("a name").to_owned(), name.clone())).collect()
    }

    /// The routes, each with its function's folder.
    fn routes(&self) -> Vec<(String, String)> {
        let mut routes = Vec::new();
        for (folder, name) in self.functions() {
            let events = self.resources[&format!("{name}Function")]["Properties"]["Events"].as_object().cloned();
            for event in events.unwrap_or_default().values().filter(|event| event["Type"] == "HttpApi") {
                let of = &event["Properties"];
                let key = match of["Path"].as_str() {
                    Some(path) => format!("{} {path}", of["Method"].as_str().expect("a method")),
                    None => "$default".to_owned(),
                };
                routes.push((key, folder.clone()));
            }
        }
        routes
    }

    /// The queue of this variable: a reference to its ARN.
    pub fn queue_of(&self, function: &str, queue: Queue) -> Value {
        let properties = &self.resources[&format!("{}Function", self.functions()[function])]["Properties"];
        let name = properties["Environment"]["Variables"][&queue.variable()]["Ref"].as_str();
        let name = name.unwrap_or_else(|| panic!("infra/template.yaml: {function} doesn't know queue {}", queue.name));
        json!({"Fn::GetAtt": format!("{name}.Arn")})
    }

    /// The properties of the event that connects a function to a queue.
    fn trigger(&self, function: &str, queue: Queue) -> &Value {
        let arn = self.queue_of(function, queue);
        let events = &self.resources[&format!("{}Function", self.functions()[function])]["Properties"]["Events"];
        let of_queue = |event: &&Value| event["Type"] == "SQS" && event["Properties"]["Queue"] == arn;
        let trigger = events.as_object().into_iter().flat_map(Map::values).find(of_queue);
        &trigger.unwrap_or_else(|| panic!("infra/template.yaml: {function} doesn't consume {}", queue.name))["Properties"]
    }

    /// The number of queues that a function consumes.
    fn consumed(&self, function: &str) -> usize {
        let events = &self.resources[&format!("{}Function", self.functions()[function])]["Properties"]["Events"];
        events.as_object().into_iter().flat_map(Map::values).filter(|event| event["Type"] == "SQS").count()
    }

    /// The names of a function's environment variables for queues.
    fn queue_variables(&self, function: &str) -> BTreeSet<String> {
        let properties = &self.resources[&format!("{}Function", self.functions()[function])]["Properties"];
        let variables = properties["Environment"]["Variables"].as_object().into_iter().flat_map(Map::keys);
        let dead_letters = daybook_jobs::DEAD_LETTERS.variable();
        variables.filter(|name| name.ends_with("_QUEUE_URL") && **name != dead_letters).cloned().collect()
    }

    /// Every statement of a function's role.
    pub fn statements(&self, function: &str) -> Vec<Value> {
        let role = format!("{}Role", self.functions()[function]);
        let mut found: Vec<Value> = Vec::new();
        for policy in self.resources[&role]["Properties"]["Policies"].as_array().expect("policies") {
            found.extend(statements_of(&policy["PolicyDocument"]));
        }
        for policy in self.of("AWS::IAM::Policy").values() {
            let roles = policy["Roles"].as_array().expect("roles");
            if roles.contains(&json!({"Ref": role})) {
                found.extend(statements_of(&policy["PolicyDocument"]));
            }
        }
        found
    }
}

fn statements_of(document: &Value) -> Vec<Value> {
    let list = document["Statement"].as_array().expect("statements").iter();
    // The second argument of `If` is the statement; the third is ignored.
    list.map(|statement| statement.get("Fn::If").map_or(statement, |of| &of[1]).clone()).collect()
}

pub fn listed(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

/// YAML as JSON: `!Ref x` becomes `{"Ref": "x"}`, `!Sub x` becomes `{"Fn::Sub": "x"}`.
fn json_of(yaml: Yaml) -> Value {
    match yaml {
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!');
            let name = if name == "Ref" || name == "Condition" { name.to_owned() } else { format!("Fn::{name}") };
            json!({name: json_of(tagged.value)})
        }
        Yaml::Sequence(list) => Value::Array(list.into_iter().map(json_of).collect()),
        Yaml::Mapping(map) => {
            let name = |key: Yaml| key.as_str().expect("names are texts").to_owned();
            Value::Object(map.into_iter().map(|(key, value)| (name(key), json_of(value))).collect())
        }
        plain => serde_json::to_value(plain).expect("a plain value"),
    }
}

/// The expansion of a loop: its body once for each of its names.
fn looped(each: &Value) -> Map<String, Value> {
    let (variable, names, body) = (each[0].as_str().expect("a variable"), &each[1], each[2].to_string());
    let mut made = Map::new();
    for name in names.as_array().expect("names") {
        let name = name.as_str().expect("a name");
        let text = body
            .replace(&format!("${{{variable}}}"), name)
            .replace(&json!({"Ref": variable}).to_string(), &json!(name).to_string());
        let body: Map<String, Value> = serde_json::from_str(&text).expect("JSON");
        made.extend(body);
    }
    made
}

fn looked_up(value: Value, mappings: &Value) -> Value {
    match value {
        Value::Object(map) => {
            if let Some([map, first, second]) = map.get("Fn::FindInMap").and_then(|of| of.as_array()).map(Vec::as_slice)
            {
                let text = |value: &Value| value.as_str().expect("a name").to_owned();
                return mappings[text(map)][text(first)][text(second)].clone();
            }
            Value::Object(map.into_iter().map(|(name, value)| (name, looked_up(value, mappings))).collect())
        }
        Value::Array(list) => list.into_iter().map(|value| looked_up(value, mappings)).collect(),
        plain => plain,
    }
}

/// The route that an HTTP API chooses: a route for the method before one for any method, then the most specific path:
/// literal parts before parameters, and these before `{proxy+}`.
fn taken<'a>(routes: &'a [(String, String)], method: &str, path: &str) -> Option<&'a (String, String)> {
    let fit = |key: &str| {
        let (of, pattern) = key.split_once(' ')?;
        if of != method && of != "ANY" {
            return None;
        }
        let mut given = path.split('/');
        let mut said = Vec::new();
        for part in pattern.split('/') {
            if part.ends_with("+}") {
                return given.next().map(|_| (said.clone(), 0, of == method));
            }
            let is_parameter = part.starts_with('{');
            match given.next() {
                Some(here) if here == part || is_parameter => said.push(!is_parameter),
                _ => return None,
            }
        }
        given.next().is_none().then_some((said, 1, of == method))
    };
    let fitting = routes.iter().filter_map(|route| Some((fit(&route.0)?, route)));
    fitting.max_by(|(a, _), (b, _)| (a.1, &a.0, a.2).cmp(&(b.1, &b.0, b.2))).map(|(_, route)| route)
}

#[test]
fn every_function_is_deployed_with_a_role_and_a_log_of_its_own() {
    let template = Template::read();
    let functions = template.functions();
    assert_eq!(functions.keys().cloned().collect::<Vec<_>>(), folders("functions"));
    for (folder, name) in &functions {
        let function = &template.resources[&format!("{name}Function")];
        let properties = &function["Properties"];
        assert_eq!(properties["CodeUri"], json!(format!("../functions/{folder}")));
        assert_eq!(properties["FunctionName"], json!({"Fn::Sub": format!("${{AWS::StackName}}-{folder}")}));
        assert_eq!(properties["Role"], json!({"Fn::GetAtt": format!("{name}Role.Arn")}), "{folder} has its own role");
        for own in ["Logs", "Errors", "Throttles"] {
            assert!(template.resources.contains_key(&format!("{name}{own}")), "{folder} has no {own}");
        }
    }
    assert_eq!(template.of("AWS::IAM::Role").len(), functions.len(), "one role for each function, and no others");
    assert_eq!(template.of("AWS::Serverless::Function").len(), functions.len());
}

#[test]
fn the_gateway_sends_every_route_to_its_function_and_has_no_other() {
    let template = Template::read();
    let routes = template.routes();
    let mut used = BTreeSet::from(["$default".to_owned()]);
    // A function with a URL of its own gets every path there.
    let named: BTreeMap<String, String> = template.functions();
    let has_url = |folder: &str| {
        let function = &template.resources[&format!("{}Function", named[folder])];
        function["Properties"]["FunctionUrlConfig"].is_object()
    };
    for function in functions().into_iter().filter(|function| !has_url(function.function)) {
        for route in function.list {
            let path = route.path.replace('{', "x").replace('}', "");
            let found = taken(&routes, route.method.as_str(), &path);
            let (key, of) = found.unwrap_or_else(|| panic!("infra/template.yaml: no route for {route:?}"));
            assert_eq!(of, function.function, "{key} takes {} {}", route.method, route.path);
            used.insert(key.clone());
        }
    }
    let all: BTreeSet<String> = routes.iter().map(|(key, _)| key.clone()).collect();
    // Routes with `{proxy+}` are for later endpoints, and answer a problem document in place of the gateway's own 404.
    let spare: Vec<&String> = all.difference(&used).filter(|key| !key.ends_with("{proxy+}")).collect();
    assert!(spare.is_empty(), "routes without a function: {spare:?}");
    assert!(all.contains("$default"));
}

#[test]
fn nobody_changes_facts_of_the_journal() {
    let template = Template::read();
    let deny = &template.of("AWS::IAM::ManagedPolicy")["JournalIsAppendOnly"]["PolicyDocument"]["Statement"][0];
    assert_eq!(deny["Effect"], "Deny");
    for action in ["dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"] {
        assert!(listed(&deny["Action"]).contains(&json!(action)), "{action} is not denied");
    }
    let keys = &deny["Condition"]["ForAnyValue:StringLike"]["dynamodb:LeadingKeys"];
    assert_eq!(keys, &json!(["*#journal#*", "*#detail#*", "*#chain", "*#chain#*"]));
    let entry = daybook_domain::EntryId::new(uuid::Uuid::nil());
    let fact = daybook_store::schema::Place::Fact(daybook_local::DEFAULT_ORG, entry).key();
    assert!(fact.pk.contains("#journal#"), "the pattern doesn't match the keys of facts any more: {}", fact.pk);
    for (name, role) in template.of("AWS::IAM::Role") {
        assert_eq!(role["ManagedPolicyArns"], json!([{"Ref": "JournalIsAppendOnly"}]), "{name}");
    }
    // Heads of chains can be replaced: by dispatch alone, which writes them.
    let head = daybook_store::schema::Place::ChainHead(daybook_local::DEFAULT_ORG).key();
    assert!(head.pk.ends_with("#chain"), "the pattern doesn't match the keys of heads any more: {}", head.pk);
    for (folder, name) in template.functions() {
        let denied = template.statements(&folder).into_iter().any(|statement| {
            statement["Effect"] == "Deny"
                && listed(&statement["Action"]).contains(&json!("dynamodb:PutItem"))
                && statement["Condition"]["ForAnyValue:StringLike"]["dynamodb:LeadingKeys"]
                    == json!(["*#chain", "*#chain#*"])
        });
        assert_eq!(denied, name != "Dispatch", "{folder}");
    }
}

/// What no alarm watches fails in silence.
#[test]
fn given_up_jobs_form_errors_and_a_stopped_sweep_ring() {
    let template = Template::read();
    let alarms = template.of("AWS::CloudWatch::Alarm");
    let of_function = |metric: &str, dimension: &str, function: &str| {
        let name = json!({"Fn::Sub": ["${AWS::StackName}-${Name}", {"Name": function}]});
        alarms.values().find(|alarm| {
            alarm["MetricName"] == metric
                && alarm["Dimensions"][0]["Name"] == dimension
                && (alarm["Dimensions"][0]["Value"] == name)
        })
    };
    for consumer in CONSUMERS {
        let function = consumer.function();
        let alarm = of_function("JobsGivenUp", "Function", function);
        assert_eq!(alarm.unwrap_or_else(|| panic!("no alarm for given-up jobs of {function}"))["Threshold"], 0);
    }
    let is_form = |route: &daybook_http::Route| {
        use daybook_http::{Access, RateClass::Form};
        matches!(route.access, Access::Public(Form) | Access::PublicOr(Form, ..))
    };
    for function in functions().into_iter().filter(|function| function.list.iter().any(is_form)) {
        let alarm = of_function("ServerErrors", "Function", function.function);
        assert_eq!(alarm.unwrap_or_else(|| panic!("no alarm for errors of {}", function.function))["Threshold"], 0);
    }
    let stopped = alarms["SweepStopped"];
    assert_eq!((&stopped["MetricName"], &stopped["TreatMissingData"]), (&json!("Invocations"), &json!("breaching")));
    assert_eq!(stopped["Dimensions"][0]["Value"], json!({"Ref": "SweepFunction"}));
    // One error within five minutes is enough: functions that run for minutes don't have two.
    for (folder, name) in template.functions() {
        let errors = &alarms[format!("{name}Errors").as_str()];
        let rings = errors["DatapointsToAlarm"].as_u64().or(errors["EvaluationPeriods"].as_u64());
        assert_eq!((&errors["Threshold"], rings), (&json!(0), Some(1)), "{folder}");
    }
}

/// Each custom metric costs US$ 0.30 a month, for each function that writes it.
#[test]
fn every_metric_is_read_by_an_alarm_or_the_dashboard() {
    let template = read("infra/template.yaml");
    let mut found = 0;
    let mut files = Vec::new();
    for folder in ["shared", "functions", "infra/local"] {
        crate::collect(&crate::root().join(folder), &mut files);
    }
    for file in files {
        let source = std::fs::read_to_string(&file).expect("a source file");
        for (_, rest) in source.split("metrics::").skip(1).map(|rest| rest.split_at(rest.find('!').unwrap_or(0))) {
            let Some(name) = rest.strip_prefix("!(\"").and_then(|rest| rest.split_once('"')).map(|(name, _)| name)
            else {
                continue;
            };
            assert!(template.contains(name), "no alarm and no widget reads the metric {name}");
            found += 1;
        }
    }
    assert!(found >= 4, "{found} metrics");
    assert!(template.contains("DetailedMetricsEnabled: false"));
}

/// Public pages can't use up the share of sales work.
#[test]
fn every_free_route_has_a_throttle_of_its_own() {
    let template = Template::read();
    let api = &template.resources["Api"]["Properties"];
    let throttled = api["RouteSettings"].as_object().expect("settings of routes");
    let routes = template.routes();
    for key in throttled.keys() {
        assert!(routes.iter().any(|(route, _)| route == key), "{key} is no route");
    }
    let is_free = |route: &daybook_http::Route| {
        matches!(route.access, daybook_http::Access::Public(daybook_http::RateClass::Free))
    };
    for route in functions().into_iter().flat_map(|function| function.list).filter(is_free) {
        let path = route.path.replace('{', "x").replace('}', "");
        let Some((key, of)) = taken(&routes, route.method.as_str(), &path) else { continue };
        if ["health", "docs"].contains(&of.as_str()) {
            assert!(throttled.contains_key(key), "{key} has no throttle of its own");
        }
    }
    assert!(throttled.contains_key("$default"));
}

#[test]
fn the_table_is_the_one_that_the_store_knows() {
    let template = Template::read();
    let table = template.of("AWS::DynamoDB::Table")["Table"].clone();
    let keys = |pk: &str, sk: &str| json!([{"AttributeName": pk, "KeyType": "HASH"}, {"AttributeName": sk, "KeyType": "RANGE"}]);
    assert_eq!(table["KeySchema"], keys(PK, SK));
    let indexes: Vec<Value> = Index::ALL
        .iter()
        .map(|index| json!({"IndexName": index.name(), "KeySchema": keys(index.pk(), index.sk()), "Projection": {"ProjectionType": "ALL"}}))
        .collect();
    assert_eq!(table["GlobalSecondaryIndexes"], Value::Array(indexes));
    assert_eq!(table["TimeToLiveSpecification"], json!({"AttributeName": EXPIRES_AT, "Enabled": true}));
    assert_eq!(table["StreamSpecification"]["StreamViewType"], "NEW_AND_OLD_IMAGES");
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    let filter = template.resources["DispatchFunction"]["Properties"]["Events"]["Journal"]["Properties"]
        ["FilterCriteria"]["Filters"][0]["Pattern"]
        .as_str()
        .expect("a filter")
        .to_owned();
    let filter: Value = serde_json::from_str(&filter).expect("JSON");
    assert_eq!(filter["dynamodb"]["NewImage"]["kind"]["S"], json!([Kind::Fact.name()]));
}

#[test]
fn every_queue_has_its_dead_letters_and_alarms_and_every_alarm_advice() {
    let template = Template::read();
    let alarms = template.of("AWS::CloudWatch::Alarm");
    let watched = |metric: &str, queue: &Value| {
        alarms.values().any(|alarm| alarm["MetricName"] == metric && alarm["Dimensions"][0]["Value"] == *queue)
    };
    let queues = template.of("AWS::SQS::Queue");
    let mut redriven = BTreeSet::from(["DispatchDeadLetters".to_owned()]);
    for (name, queue) in queues.iter().filter(|(name, _)| !name.ends_with("DeadLetters")) {
        let dead = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"].as_str();
        redriven.insert(dead.unwrap_or_else(|| panic!("{name} has no dead letters")).replace(".Arn", ""));
        assert!(watched("ApproximateAgeOfOldestMessage", &queue["QueueName"]), "no alarm watches the age of {name}");
    }
    let dead: BTreeSet<String> =
        queues.keys().filter(|name| name.ends_with("DeadLetters")).map(|n| n.to_string()).collect();
    assert_eq!(dead, redriven);
    for name in &dead {
        assert!(
            watched("ApproximateNumberOfMessagesVisible", &queues[name.as_str()]["QueueName"]),
            "no alarm watches {name}"
        );
    }
    let readme = read("README.md");
    for (name, alarm) in alarms {
        let metric =
            alarm["MetricName"].as_str().unwrap_or_else(|| alarm["MetricName"]["Fn::Sub"].as_str().expect("a metric"));
        let of: Vec<&str> = listed_names(&alarm["Dimensions"]);
        let (_, wanted) = DIMENSIONS.iter().find(|(known, _)| *known == metric).expect("a metric that is known here");
        assert!(wanted.contains(&of.as_slice()), "{name}: {metric} has no dimensions {of:?}, so it would never ring");
        assert_eq!(alarm["AlarmActions"], json!([{"Ref": "Alarms"}]), "{name}");
        let says = alarm["AlarmDescription"].as_str().expect("a description");
        let topic = says.split_once("README, \"When an alarm rings\", ").map(|(_, topic)| topic.trim_end_matches('.'));
        let topic = topic.unwrap_or_else(|| panic!("{name} doesn't name its row in the README"));
        assert!(
            readme.contains(&format!("| {topic} |")),
            "README.md doesn't say what to do when {name} fires: | {topic} |"
        );
    }
}

#[test]
fn variables_of_functions_are_in_the_readme() {
    let template = Template::read();
    let mut variables: BTreeSet<String> = BTreeSet::new();
    let mut take = |of: &Value| variables.extend(of.as_object().into_iter().flat_map(|of| of.keys().cloned()));
    take(&template.whole["Globals"]["Function"]["Environment"]["Variables"]);
    for function in template.of("AWS::Serverless::Function").values() {
        take(&function["Environment"]["Variables"]);
    }
    let readme = read("README.md");
    for variable in variables.iter().filter(|name| !name.starts_with("AWS_")) {
        let plain = variable.trim_end_matches("_ARN");
        assert!(readme.contains(&format!("`{plain}`")), "README.md doesn't name the setting {plain}");
    }
}

#[test]
fn a_gateway_takes_the_route_that_says_most() {
    let routes: Vec<(String, String)> =
        ["ANY /api/leads", "POST /api/leads", "ANY /api/leads/{proxy+}", "POST /api/leads/{id}/demo", "ANY /"]
            .iter()
            .map(|key| (key.to_string(), String::new()))
            .collect();
    for (method, path, key) in [
        ("POST", "/api/leads", Some("POST /api/leads")),
        ("GET", "/api/leads", Some("ANY /api/leads")),
        ("POST", "/api/leads/1/demo", Some("POST /api/leads/{id}/demo")),
        ("GET", "/api/leads/1/demo", Some("ANY /api/leads/{proxy+}")),
        ("GET", "/api/leads/1", Some("ANY /api/leads/{proxy+}")),
        ("GET", "/", Some("ANY /")),
        ("GET", "/api", None),
    ] {
        assert_eq!(taken(&routes, method, path).map(|route| route.0.as_str()), key, "{method} {path}");
    }
}

/// AWS checks the rights of an event source when it is created, and a function reads its public address when it starts.
#[test]
fn workers_are_made_after_what_their_start_needs() {
    let template = Template::read();
    for (folder, name) in template.functions() {
        let function = &template.resources[&format!("{name}Function")];
        let Some(needs) = function["DependsOn"].as_array() else { continue };
        let role = json!({"Ref": format!("{name}Role")});
        let mut expected = vec!["PublicUrl"];
        for (policy, of) in template.of("AWS::IAM::Policy") {
            let reaches = of["PolicyDocument"].to_string();
            let counts = ["\"sqs:", "\"s3:", "/stream/"].iter().any(|part| reaches.contains(part));
            let optional = template.resources[policy].get("Condition").is_some();
            if counts && !optional && listed(&of["Roles"]).contains(&role) {
                expected.push(policy);
            }
        }
        expected.sort_unstable();
        let mut needs: Vec<&str> = needs.iter().filter_map(Value::as_str).collect();
        needs.sort_unstable();
        assert_eq!(needs, expected, "{folder}: DependsOn");
    }
}

/// The template deploys every consumer as the table of consumers defines it.
#[test]
fn every_consumer_has_its_queue_function_and_alarm() {
    let template = Template::read();
    let alarms = template.of("AWS::CloudWatch::Alarm");
    let dashboard = template.of("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"].to_string();
    for consumer in CONSUMERS {
        let function = consumer.function();
        let name = template.functions()[function].clone();
        let properties = &template.resources[&format!("{name}Function")]["Properties"];
        let timeout = consumer.limits().timeout.as_secs();
        assert_eq!(properties["Timeout"], timeout, "{function}: Timeout");
        let lines = consumer.lines();
        let variables = lines.iter().map(|line| line.queue.variable()).collect();
        assert_eq!(template.queue_variables(function), variables, "{function}");
        assert_eq!(template.consumed(function), lines.len(), "{function}");
        for queue in lines.iter().map(|line| line.queue) {
            let trigger = template.trigger(function, queue);
            assert_eq!(trigger["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{}", queue.name);
            // A long job holds up no message of its batch.
            let batch = trigger["BatchSize"].as_u64();
            assert!(timeout <= 60 || batch == Some(1), "{}: BatchSize {batch:?}", queue.name);
            let name = template.queue_of(function, queue)["Fn::GetAtt"].as_str().expect("a queue").replace(".Arn", "");
            let properties = &template.resources[&name]["Properties"];
            assert!(properties["VisibilityTimeout"].as_u64() > Some(timeout), "{name}: VisibilityTimeout");
            // Fair queues are standard ones; a message's group is its organisation.
            assert!(properties.get("FifoQueue").is_none(), "{name} isn't a standard queue");
            let age = alarms.values().find(|alarm| {
                alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
                    && alarm["Dimensions"][0]["Value"] == properties["QueueName"]
            });
            let age = age.unwrap_or_else(|| panic!("{name}: no alarm watches the age of its messages"));
            assert_eq!(age["Threshold"], (4 * timeout).max(900), "{name}: a quarter of an hour, or four time-outs");
            let dead_letters = name.replace("Queue", "DeadLetters");
            for shown in [format!("${{{name}.QueueName}}"), format!("${{{dead_letters}.QueueName}}")] {
                assert!(dashboard.contains(&shown), "the dashboard doesn't show {shown}");
            }
        }
    }
    let variables =
        |queues: &mut dyn Iterator<Item = Queue>| -> BTreeSet<String> { queues.map(Queue::variable).collect() };
    let dispatched = daybook_dispatch::consumers().flat_map(|consumer| consumer.queues());
    let dispatched = variables(&mut dispatched.map(|(queue, _)| queue));
    assert_eq!(template.queue_variables("dispatch"), dispatched);
    let lines: Vec<Line> = CONSUMERS.iter().flat_map(|consumer| consumer.lines()).collect();
    assert_eq!(template.queue_variables("sweep"), variables(&mut lines.iter().map(|line| line.queue)));
    let names: BTreeSet<&str> = lines.iter().map(|line| line.queue.name).collect();
    assert_eq!(names.len(), lines.len(), "two consumers share a queue");
}

#[test]
fn searches_of_the_dashboard_match_parts_of_names() {
    let template = Template::read();
    let body = template.of("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]["Fn::Sub"].clone();
    let body = body.as_str().expect("a text");
    let parsed: Value = serde_json::from_str(body).expect("the dashboard is JSON");
    assert_eq!(parsed["widgets"].as_array().map(Vec::len), Some(9));
    // A quoted term must match the whole name (CloudWatch, "Search expression syntax").
    assert!(!body.contains("=\\\"${AWS::StackName}"), "the search matches whole function names only");
}
