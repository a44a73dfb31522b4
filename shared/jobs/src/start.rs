//! Entry points of Lambda functions that are triggered by a queue, the table's stream, or a schedule.

use crate::config::{self, sender_of};
use crate::consumer::{AnyConsumer, Presence};
use crate::provider::{NotSet, Provided, Provider};
use crate::trigger::{DEAD_LETTERS, SocketEvent, SqsEvent, StreamEvent, ended, on_queue, on_stream};
use crate::worker::Worker;
use daybook_connectors::ai::AiProviders;
use daybook_connectors::connections::{Connections, Gateway};
use daybook_connectors::files::{Archive, Bucket, Files};
use daybook_connectors::hubspot::HubSpot;
use daybook_connectors::llm::Timeouts;
use daybook_connectors::queues::{Queue, Queues, Sqs};
use daybook_domain::Secret;
use daybook_mail::{Mailer, Sender, Ses};
use daybook_store::config::{ConfigError, Surroundings, Variables, start};
use daybook_store::telemetry::Invocation;
use daybook_store::{Env, LEASE, Result, SignedFact};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;
use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// What is left of an invocation's time for the last step of a request that an operator made.
const LAST_STEP: Duration = Duration::from_secs(10);

/// Runs a worker on its queue. A function's `main` calls nothing else.
pub fn run_queue<B>(worker: B) -> ExitCode
where
    B: FnOnce(&mut FunctionEnvironment) -> Provided<Worker>,
{
    run(worker, |env, worker: Worker, event: LambdaEvent<SqsEvent>, invocation| async move {
        Ok(on_queue(&worker, &env, event.payload, deadline(&event.context), &invocation).await)
    })
}

/// Runs a function on the table's stream; its `main` calls nothing else. `needs` builds its dependencies, and `asked`
/// answers an operator's request, an event `{"redrive": …}`.
pub fn run_stream<B, N, F, Fut, A, Asked, R, T>(needs: B, handle: F, asked: A) -> ExitCode
where
    B: FnOnce(&mut FunctionEnvironment) -> Provided<N>,
    N: Clone + Send + Sync + 'static,
    F: Fn(Arc<Env>, N, SignedFact) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send,
    A: Fn(Arc<Env>, N, R, Instant) -> Asked + Copy + Send + Sync + 'static,
    Asked: Future<Output = Result<T>> + Send,
    R: DeserializeOwned + Send + 'static,
    T: Serialize,
{
    let needs = |from: &mut FunctionEnvironment| {
        let (needs, aside) = (needs(from), from.dead_letters());
        Ok((needs?, aside?))
    };
    run(needs, move |env, (needs, aside): (N, Arc<dyn Queues>), event: LambdaEvent<Value>, invocation| async move {
        let LambdaEvent { payload, context } = event;
        if let Some(ask) = payload.get("redrive") {
            let ask = R::deserialize(ask).map_err(|error| format!("redrive: {error}"))?;
            let until = deadline(&context).checked_sub(LAST_STEP).unwrap_or_else(Instant::now);
            let done = asked(env, needs, ask, until).await.map_err(|error| error.chain())?;
            return Ok(serde_json::to_value(done)?);
        }
        let event: StreamEvent = serde_json::from_value(payload)?;
        let handle = |fact| handle(env.clone(), needs.clone(), fact);
        Ok(on_stream(event, handle, aside.as_ref(), &invocation).await)
    })
}

/// Runs a function on a schedule; its `main` calls nothing else. `needs` builds its dependencies.
pub fn run_schedule<B, N, F, Fut>(function: &'static str, needs: B, handle: F) -> ExitCode
where
    B: FnOnce(&mut FunctionEnvironment) -> Provided<N>,
    N: Clone + Send + Sync + 'static,
    F: Fn(Arc<Env>, N) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Result<usize>> + Send,
{
    run(needs, move |env, needs: N, _: LambdaEvent<Value>, invocation| async move {
        let done = handle(env, needs).await;
        ended(function, *done.as_ref().unwrap_or(&0), usize::from(done.is_err()), &invocation);
        done.map(|_| Value::Null).map_err(|error| error.chain().into())
    })
}

/// Runs a function on the events of a gateway's WebSockets; its `main` calls nothing else. `needs` builds its dependencies.
pub fn run_sockets<B, N, F, Fut>(needs: B, handle: F) -> ExitCode
where
    B: FnOnce(&mut FunctionEnvironment) -> Provided<N>,
    N: Clone + Send + Sync + 'static,
    F: Fn(Arc<Env>, N, SocketEvent) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Value> + Send,
{
    run(needs, move |env, needs: N, event: LambdaEvent<SocketEvent>, _| async move {
        Ok(handle(env, needs, event.payload).await)
    })
}

fn run<B, N, E, F, Fut>(needs: B, handle: F) -> ExitCode
where
    B: FnOnce(&mut FunctionEnvironment) -> Provided<N>,
    N: Clone + Send + Sync + 'static,
    E: serde::de::DeserializeOwned + Send + 'static,
    F: Fn(Arc<Env>, N, LambdaEvent<E>, Invocation) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = std::result::Result<Value, lambda_runtime::Error>> + Send,
{
    start(async {
        let mut from = FunctionEnvironment { surroundings: Surroundings::read().await?, wrong: Vec::new() };
        let needs = needs(&mut from);
        let env = Arc::new(from.env()?);
        let needs = needs?;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<E>| {
            let (env, needs) = (env.clone(), needs.clone());
            async move {
                let invocation = Invocation::begin(&event.context.request_id, event.context.xray_trace_id.as_deref());
                env.secrets.refresh().await;
                let answer = handle(env, needs, event, invocation.clone()).await;
                invocation.end();
                answer
            }
        }))
        .await
    })
}

/// The environment variables of a Lambda function as a provider. All mistakes are reported at once.
pub struct FunctionEnvironment {
    surroundings: Surroundings,
    wrong: Vec<String>,
}

impl FunctionEnvironment {
    fn variables<T>(&mut self, read: impl FnOnce(&mut Variables<'_>) -> Option<T>) -> Provided<T> {
        let get = |name: &str| self.surroundings.get(name);
        let mut variables = Variables::new(&get);
        let value = read(&mut variables);
        self.wrong.append(&mut variables.wrong);
        value.ok_or(NotSet)
    }

    /// The dead-letter queue of the table's stream.
    fn dead_letters(&mut self) -> Provided<Arc<dyn Queues>> {
        let address = self.text(&DEAD_LETTERS.variable())?;
        Ok(Arc::new(Sqs::new(&self.surroundings.sdk, HashMap::from([(DEAD_LETTERS, address)]))))
    }

    fn text(&mut self, variable: &str) -> Provided<String> {
        self.variables(|from| from.required(variable, |text| Ok::<_, String>(text.to_owned())))
    }

    fn bucket(&mut self, variable: &str) -> Provided<Arc<Bucket>> {
        let name = self.text(variable)?;
        Ok(Bucket::shared(&self.surroundings.sdk, &name))
    }

    fn env(self) -> std::result::Result<Env, ConfigError> {
        let get = |name: &str| self.surroundings.get(name);
        let mut variables = Variables::new(&get);
        variables.wrong = self.wrong;
        self.surroundings.env(variables)
    }
}

impl Provider for FunctionEnvironment {
    fn own_queues(&mut self, of: &dyn AnyConsumer) -> Provided<Arc<dyn Queues>> {
        self.queues(of.lines().into_iter().map(|line| (line.queue, Presence::Always)))
    }

    fn queues(&mut self, of: impl Iterator<Item = (Queue, Presence)>) -> Provided<Arc<dyn Queues>> {
        let addresses = self.variables(|from| {
            let text = |text: &str| Ok::<_, String>(text.to_owned());
            let address = |(queue, presence): (Queue, Presence)| {
                let address = match presence {
                    Presence::Always => from.required(&queue.variable(), text),
                    Presence::Optional => from.optional(&queue.variable(), text),
                };
                Some((queue, address?))
            };
            Some(of.filter_map(address).collect::<HashMap<_, _>>())
        })?;
        Ok(Arc::new(Sqs::new(&self.surroundings.sdk, addresses)))
    }

    fn mailer(&mut self) -> Provided<Arc<dyn Mailer>> {
        let configuration_set = self.surroundings.get("SES_CONFIGURATION_SET").filter(|name| !name.is_empty());
        Ok(Arc::new(Ses::new(&self.surroundings.sdk, configuration_set)))
    }

    fn sender(&mut self) -> Provided<Sender> {
        self.variables(|from| from.required("MAIL_FROM", sender_of))
    }

    fn hubspot(&mut self) -> Provided<Option<HubSpot>> {
        let settings = self.variables(|from| {
            let settings = config::hubspot(from);
            if settings.is_none() && from.wrong.is_empty() {
                from.wrong.push("HUBSPOT_ACCESS_TOKEN: is missing".to_owned());
            }
            settings
        })?;
        let hubspot = HubSpot::new(settings).map_err(|error| {
            self.wrong.push(format!("HUBSPOT_BASE_URL: {error}"));
            NotSet
        })?;
        let renewed = hubspot.clone();
        let renew = move |token: &str| renewed.renew(Secret::new(token.to_owned()));
        self.surroundings.secrets.watch("HUBSPOT_ACCESS_TOKEN", renew);
        Ok(Some(hubspot))
    }

    fn ai(&mut self) -> Provided<Arc<AiProviders>> {
        let surroundings = &self.surroundings;
        let providers = AiProviders::read(&|name| surroundings.get(name), Timeouts::default());
        providers.map(Arc::new).map_err(|wrong| {
            self.wrong.extend(wrong);
            NotSet
        })
    }

    fn connections(&mut self) -> Provided<Arc<dyn Connections>> {
        let url = self.text("CONNECTIONS_URL")?;
        Ok(Arc::new(Gateway::new(&self.surroundings.sdk, &url)))
    }

    fn files(&mut self) -> Provided<Arc<dyn Files>> {
        Ok(self.bucket("FILES_BUCKET")?)
    }

    fn archive(&mut self) -> Provided<Arc<dyn Archive>> {
        Ok(self.bucket("ANCHORS_BUCKET")?)
    }
}

/// The deadline of the invocation. A local stand-in for Lambda may give no usable one; then a lease's length is used.
fn deadline(context: &lambda_runtime::Context) -> Instant {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(context.deadline).saturating_sub(now);
    Instant::now() + if left.is_zero() { LEASE } else { left }
}
