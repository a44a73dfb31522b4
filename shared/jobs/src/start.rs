//! Starting a worker in Lambda.

use crate::config::{self, sender_of};
use crate::trigger::{SqsEvent, StreamEvent, ended, on_queue, on_stream};
use crate::worker::{Services, Worker};
use aws_config::SdkConfig;
use daybook_connectors::files::{Archive, Bucket, Files};
use daybook_connectors::hubspot::HubSpot;
use daybook_connectors::queues::{Queue, Sqs};
use daybook_domain::{Line, Secret};
use daybook_mail::{Sender, Ses};
use daybook_store::config::{Surroundings, Variables, start};
use daybook_store::telemetry::Invocation;
use daybook_store::{Result, SignedFact};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use std::collections::HashMap;
use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Not less than the functions' time-out.
const LEASE: Duration = Duration::from_secs(60);

/// Runs a worker on its queue: this is all of its `main`.
pub fn run_queue(worker: Worker) -> ExitCode {
    on_its_queue(worker, None)
}

/// Runs a worker that reaches files on its queue: this is all of its `main`.
pub fn run_queue_with_files(worker: Worker) -> ExitCode {
    on_its_queue(worker, Some(|sdk, name| Bucket::shared(sdk, name)))
}

fn on_its_queue(worker: Worker, files: Option<Reaching<dyn Files>>) -> ExitCode {
    let needs = Needs { works_on: Some(worker.queue), queues: vec![worker.queue], files, anchors: None };
    run(needs, move |services, event: LambdaEvent<SqsEvent>, invocation| {
        let worker = worker.clone();
        async move { Ok(on_queue(&worker, &services, event.payload, deadline(&event.context), &invocation).await) }
    })
}

/// Runs a function on the table's stream: this is all of its `main`.
pub fn run_stream<F, Fut>(queues: &'static [Queue], handle: F) -> ExitCode
where
    F: Fn(Arc<Services>, SignedFact) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    run(
        Needs { works_on: None, queues: queues.to_vec(), files: None, anchors: None },
        move |services, event: LambdaEvent<StreamEvent>, invocation| {
            let handle = handle.clone();
            async move { Ok(on_stream(&services, event.payload, handle, &invocation).await) }
        },
    )
}

/// Runs a function on a schedule: this is all of its `main`.
pub fn run_schedule<F, Fut>(function: &'static str, queues: &'static [Queue], handle: F) -> ExitCode
where
    F: Fn(Arc<Services>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<usize>> + Send,
{
    scheduled(function, Needs { works_on: None, queues: queues.to_vec(), files: None, anchors: None }, handle)
}

/// Runs a function that reaches what nobody may change on a schedule: this is all of its `main`.
pub fn run_schedule_with_anchors<F, Fut>(function: &'static str, handle: F) -> ExitCode
where
    F: Fn(Arc<Services>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<usize>> + Send,
{
    let needs =
        Needs { works_on: None, queues: Vec::new(), files: None, anchors: Some(|sdk, name| Bucket::shared(sdk, name)) };
    scheduled(function, needs, handle)
}

fn scheduled<F, Fut>(function: &'static str, needs: Needs, handle: F) -> ExitCode
where
    F: Fn(Arc<Services>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<usize>> + Send,
{
    run(needs, move |services, _event: LambdaEvent<Value>, invocation| {
        let handle = handle.clone();
        async move {
            let done = handle(services).await;
            ended(function, *done.as_ref().unwrap_or(&0), usize::from(done.is_err()), &invocation);
            done.map(|_| Value::Null).map_err(|error| error.chain().into())
        }
    })
}

/// What a worker needs besides the table.
struct Needs {
    works_on: Option<Queue>,
    queues: Vec<Queue>,
    files: Option<Reaching<dyn Files>>,
    anchors: Option<Reaching<dyn Archive>>,
}

/// How a bucket is reached. What a function doesn't name isn't linked into it.
type Reaching<P> = fn(&SdkConfig, &str) -> Arc<P>;

fn run<E, F, Fut>(needs: Needs, handle: F) -> ExitCode
where
    E: serde::de::DeserializeOwned + Send + 'static,
    F: Fn(Arc<Services>, LambdaEvent<E>, Invocation) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, lambda_runtime::Error>> + Send,
{
    start(async {
        let services = Arc::new(services(&needs).await?);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<E>| {
            let (handle, services) = (handle.clone(), services.clone());
            async move {
                let invocation = Invocation::begin(&event.context.request_id, event.context.xray_trace_id.as_deref());
                services.env.secrets.refresh().await;
                let answer = handle(services, event, invocation.clone()).await;
                invocation.end();
                answer
            }
        }))
        .await
    })
}

async fn services(needs: &Needs) -> Result<Services, lambda_runtime::Error> {
    let surroundings = Surroundings::read().await?;
    let get = |name: &str| surroundings.get(name);
    let mut variables = Variables::new(&get);
    let mut addresses = HashMap::new();
    for queue in &needs.queues {
        let text = |text: &str| Ok::<_, String>(text.to_owned());
        let needed = queue.is_required() || needs.works_on == Some(*queue);
        let address = match needed {
            true => variables.required(queue.variable(), text),
            false => variables.optional(queue.variable(), text),
        };
        addresses.extend(address.map(|address| (*queue, address)));
    }
    let sender = if needs.works_on == Some(Queue::Mail) {
        variables.required("MAIL_FROM", sender_of)
    } else {
        variables.optional("MAIL_FROM", sender_of)
    };
    let hubspot = config::hubspot(&mut variables);
    if needs.works_on == Some(Queue::HubSpot) && hubspot.is_none() {
        variables.wrong.push("HUBSPOT_ACCESS_TOKEN: is missing".to_owned());
    }
    let files = reached(needs.files, "FILES_BUCKET", &surroundings.sdk, &mut variables);
    let anchors = reached(needs.anchors, "ANCHORS_BUCKET", &surroundings.sdk, &mut variables);
    let configuration_set = get("SES_CONFIGURATION_SET").filter(|name| !name.is_empty());
    let env = surroundings.env(variables)?;
    // Without `MAIL_FROM` nothing is sent; the address is only a placeholder then.
    let sender = sender.unwrap_or(Sender { name: Line::parse("Daybook")?, address: env.settings.team_address.clone() });
    let hubspot = hubspot.map(HubSpot::new).transpose()?;
    if let Some(hubspot) = hubspot.clone() {
        let renew = move |token: &str| hubspot.renew(Secret::new(token.to_owned()));
        env.secrets.watch("HUBSPOT_ACCESS_TOKEN", renew);
    }
    Ok(Services {
        env: Arc::new(env),
        queues: Arc::new(Sqs::new(&surroundings.sdk, addresses)),
        mailer: Arc::new(Ses::new(&surroundings.sdk, configuration_set)),
        sender,
        hubspot,
        files,
        anchors,
        lease: LEASE,
    })
}

fn reached<P: ?Sized>(
    reaching: Option<Reaching<P>>,
    variable: &str,
    sdk: &SdkConfig,
    variables: &mut Variables<'_>,
) -> Option<Arc<P>> {
    let reach = reaching?;
    let name = variables.required(variable, |name| Ok::<_, String>(name.to_owned()))?;
    Some(reach(sdk, &name))
}

/// When the invocation must be over. What stands for Lambda on a developer's machine may say nothing that can be used.
fn deadline(context: &lambda_runtime::Context) -> Instant {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(context.deadline).saturating_sub(now);
    Instant::now() + if left.is_zero() { LEASE } else { left }
}
