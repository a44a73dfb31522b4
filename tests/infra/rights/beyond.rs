//! The rights that the functions' roles must grant on resources other than the table.

use crate::template::{Template, listed};
use daybook_consumers::CONSUMERS;
use serde_json::json;
use std::collections::BTreeSet;

/// The functions that sign and verify nothing, and can't read the secret.
const KEYLESS: [&str; 4] = ["docs", "health", "sweep", "sync-hubspot"];

/// A function's rights on other resources: actions, each with its resource.
fn beyond_the_table(template: &Template, function: &str) -> BTreeSet<String> {
    let sub = |text: &str| json!({"Fn::Sub": text});
    let arn = |service: &str, rest: &str| {
        sub(&format!("arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}"))
    };
    let get = |name: &str| json!({"Fn::GetAtt": name});
    let secret = |arn_of: &str| {
        let by_reference = arn("ssm", "parameter/aws/reference/secretsmanager/*");
        [
            ("ssm:GetParameter", json!({"Fn::If": ["SecretsAreInSecretsManager", by_reference, {"Ref": arn_of}]})),
            ("secretsmanager:GetSecretValue", json!({"Ref": arn_of})),
        ]
    };
    let log = json!({"Fn::Sub": [
        "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/${AWS::StackName}-${Name}:*",
        {"Name": function}
    ]});
    let mut may = vec![
        ("ssm:GetParameter", arn("ssm", "parameter/${AWS::StackName}/public-url")),
        ("logs:CreateLogStream", log.clone()),
        ("logs:PutLogEvents", log),
        ("xray:PutTraceSegments", json!("*")),
        ("xray:PutTelemetryRecords", json!("*")),
    ];
    may.extend(secret("JwtSecretArn"));
    for consumer in CONSUMERS {
        for line in consumer.lines() {
            let address = template.queue_of(consumer.function(), line.queue);
            if consumer.function() == function {
                let actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage"];
                may.extend(actions.map(|action| (action, address.clone())));
            }
            if function == "sweep" || function == "dispatch" && consumer.wants_entries() {
                may.push(("sqs:SendMessage", address));
            }
        }
    }
    match function {
        "dispatch" => {
            let actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"];
            may.extend(actions.map(|action| (action, get("Table.StreamArn"))));
            may.push(("dynamodb:ListStreams", sub("${Table.Arn}/stream/*")));
            may.push(("sqs:SendMessage", get("DispatchDeadLetters.Arn")));
        }
        "send-mail" => {
            may.push(("ses:SendEmail", arn("ses", "identity/${MailIdentity}")));
            may.push(("ses:SendEmail", arn("ses", "configuration-set/${MailEvents}")));
        }
        "auth" => may.extend(secret("OwnerCodeArn")),
        "sync-hubspot" => may.extend(secret("HubSpotTokenArn")),
        "ai" | "chat" | "chat-stream" | "chat-socket" | "chat-run" => {
            may.extend(["OpenAiKeyArn", "AnthropicKeyArn", "AiServerKeysArn"].into_iter().flat_map(secret));
        }
        "run-jobs" => may.extend(["s3:PutObject", "s3:DeleteObject"].map(|to| (to, sub("${FilesBucket.Arn}/*")))),
        "privacy" => may.push(("s3:GetObject", sub("${FilesBucket.Arn}/*"))),
        "anchor-journal" => may.push(("s3:PutObject", sub("${AnchorsBucket.Arn}/*"))),
        "audit-query" => {
            may.push(("s3:GetObject", sub("${AnchorsBucket.Arn}/*")));
            may.push(("s3:ListBucket", get("AnchorsBucket.Arn")));
        }
        _ => {}
    }
    let connections = |method: &str| {
        let arn = arn("execute-api", &format!("${{SocketApi}}/${{Stage}}/{method}/@connections/*"));
        ("execute-api:ManageConnections", arn)
    };
    match function {
        "chat" | "chat-stream" | "chat-run" => may.push(connections("POST")),
        "chat-socket" | "notify" => may.extend([connections("POST"), connections("DELETE")]),
        _ => {}
    }
    may.into_iter().map(|(action, to)| format!("{action} {to}")).collect()
}

#[test]
fn roles_grant_beyond_the_table_what_is_said_here_and_nothing_else() {
    let template = Template::read();
    for function in template.functions().keys() {
        let (mut granted, mut denied) = (BTreeSet::new(), false);
        for statement in template.statements(function) {
            if statement["Effect"] == "Deny" {
                denied |= statement["Resource"] == json!({"Ref": "JwtSecretArn"});
                continue;
            }
            let of_table = statement["Resource"] == json!({"Fn::GetAtt": "Table.Arn"});
            if of_table || statement["Resource"].to_string().contains("/index/") {
                continue;
            }
            for action in listed(&statement["Action"]) {
                let action = action.as_str().expect("an action").to_owned();
                granted.extend(listed(&statement["Resource"]).iter().map(|resource| format!("{action} {resource}")));
            }
        }
        assert_eq!(granted, beyond_the_table(&template, function), "infra/template.yaml: the role of {function}");
        assert_eq!(denied, KEYLESS.contains(&function.as_str()), "infra/template.yaml: the secret and {function}");
    }
}
