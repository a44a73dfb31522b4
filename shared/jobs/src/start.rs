//! Starting a worker in Lambda.

use crate::config::{self, sender_of};
use crate::trigger::{SqsEvent, StreamEvent, on_queue, on_stream};
use crate::worker::{Services, Worker};
use daybook_connectors::hubspot::HubSpot;
use daybook_connectors::queues::{Queue, Sqs};
use daybook_domain::Line;
use daybook_mail::{Sender, Ses};
use daybook_store::config::{Variables, environment, start};
use daybook_store::{Env, Fact, Result};
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
    let needs = Needs { works_on: Some(worker.queue), queues: vec![worker.queue] };
    run(needs, move |services, event: LambdaEvent<SqsEvent>| {
        let worker = worker.clone();
        async move { Ok(on_queue(&worker, &services, event.payload, deadline(&event.context)).await) }
    })
}

/// Runs a function on the table's stream: this is all of its `main`.
pub fn run_stream<F, Fut>(queues: &'static [Queue], handle: F) -> ExitCode
where
    F: Fn(Arc<Services>, Fact) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    run(Needs { works_on: None, queues: queues.to_vec() }, move |services, event: LambdaEvent<StreamEvent>| {
        let handle = handle.clone();
        async move { Ok(on_stream(&services, event.payload, handle).await) }
    })
}

/// Runs a function on a schedule: this is all of its `main`.
pub fn run_schedule<F, Fut>(queues: &'static [Queue], handle: F) -> ExitCode
where
    F: Fn(Arc<Services>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<usize>> + Send,
{
    run(Needs { works_on: None, queues: queues.to_vec() }, move |services, _event: LambdaEvent<Value>| {
        let handle = handle.clone();
        async move {
            let count = handle(services).await.map_err(|error| error.chain())?;
            tracing::info!(count, "swept");
            Ok(Value::Null)
        }
    })
}

/// What a worker needs besides the table.
struct Needs {
    works_on: Option<Queue>,
    queues: Vec<Queue>,
}

fn run<E, F, Fut>(needs: Needs, handle: F) -> ExitCode
where
    E: serde::de::DeserializeOwned + Send + 'static,
    F: Fn(Arc<Services>, LambdaEvent<E>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, lambda_runtime::Error>> + Send,
{
    start(async {
        let services = Arc::new(services(&needs).await?);
        lambda_runtime::run(service_fn(move |event| handle(services.clone(), event))).await
    })
}

async fn services(needs: &Needs) -> Result<Services, lambda_runtime::Error> {
    let get = |name: &str| std::env::var(name).ok();
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
    let configuration_set = get("SES_CONFIGURATION_SET").filter(|name| !name.is_empty());
    let env: Env = environment(variables).await?;
    // Without `MAIL_FROM` nothing is sent; the address is only a placeholder then.
    let sender = sender.unwrap_or(Sender { name: Line::parse("Daybook")?, address: env.settings.team_address.clone() });
    let (queues, mailer) = tokio::join!(Sqs::connect(addresses), Ses::connect(configuration_set));
    let hubspot = hubspot.map(HubSpot::new).transpose()?;
    Ok(Services {
        env: Arc::new(env),
        queues: Arc::new(queues),
        mailer: Arc::new(mailer),
        sender,
        hubspot,
        lease: LEASE,
    })
}

fn deadline(context: &lambda_runtime::Context) -> Instant {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Instant::now() + Duration::from_millis(context.deadline).saturating_sub(now)
}
