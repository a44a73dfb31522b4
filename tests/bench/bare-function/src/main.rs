//! The reference function of the benchmark: a minimal Lambda function that answers a request and writes one item, with the
//! same libraries.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use lambda_http::{Error, Request, RequestExt as _, Response, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::v2026_01_12()).await;
    let client = Client::new(&config);
    let table = std::env::var("TABLE_NAME")?;
    lambda_http::run(service_fn(|request: Request| put(&client, &table, request))).await
}

async fn put(client: &Client, table: &str, request: Request) -> Result<Response<String>, Error> {
    let id = request.lambda_context().request_id;
    let call = client.put_item().table_name(table).item("pk", AttributeValue::S("bare".to_owned()));
    call.item("sk", AttributeValue::S(id.clone())).send().await?;
    Ok(Response::builder().status(201).body(id)?)
}
