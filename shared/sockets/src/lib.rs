//! The chat over WebSockets: handshakes, the frames of clients, and what is sent to them. Whatever carries the frames, a
//! socket of one machine or a gateway, gives each one to [`Socket::react`], sends the frame that this returns, and then sends
//! the answer that it names.

mod courier;
mod frame;
mod handshake;
mod reading;

pub use courier::{Courier, chat_behind_the_api, streaming_chat};
pub use daybook_connectors::connections::{ConnectionError, Connections, Reached};
pub use daybook_http::{Access, Admission, admission_of};
pub use handshake::Handshake;
pub use reading::{Reading, delta, end_of, notification};

use daybook_domain::chat::Conversation;
use daybook_domain::permission::Action::Create;
use daybook_domain::permission::Resource::Conversations;
use daybook_domain::{ConversationId, Error as Domain, Malformed, Rule, RunId};
use daybook_http::{Created, Cx, Error, Message, Problem, Result, admit_message};
use daybook_records::reaching;
use daybook_runs::{Chat, ChatRequest, READERS, Started, Watch, ask, own_run};
use daybook_store::Env;
use daybook_store::rows::bucket::Rate;
use daybook_store::rows::run::Run;
use daybook_store::rows::socket::{LONGEST as LONGEST_OPEN, OpenSocket};
use frame::{ChatFrame, Frame, KINDS, LONGEST, ResumeFrame, StopFrame, question_of};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The scope of clients' ids of their questions, by which a question that is sent again is asked once.
const ONCE: &str = "socket chat";

/// How long those ids are kept.
const KEPT: Duration = Duration::from_secs(86_400);

/// The rate at which a socket may send frames.
pub const FRAMES: Rate = Rate { burst: 50, per: Duration::from_millis(2_500) };

/// A socket of a user.
#[derive(Clone, Debug)]
pub struct Socket {
    /// The chat.
    pub chat: Chat,
    /// The environment.
    pub env: Arc<Env>,
    /// The socket: its user, the conversation that questions without one go on in, and its newest answer, which a `stop`
    /// without a run stops.
    pub open: OpenSocket,
}

/// What follows from a frame.
#[derive(Debug)]
pub struct Reaction {
    /// What the client is sent at once.
    pub frame: Value,
    /// The answer that the client reads from now on.
    pub reading: Option<Reading>,
    /// Whether the socket is closed after that, as its user isn't signed in any more.
    pub is_last: bool,
}

impl From<Value> for Reaction {
    fn from(frame: Value) -> Reaction {
        Reaction { frame, reading: None, is_last: false }
    }
}

impl Socket {
    /// The open socket of a connection.
    pub async fn find(chat: &Chat, env: &Arc<Env>, connection: &str) -> Result<Option<Socket>> {
        let open = OpenSocket::read(env, connection).await?;
        Ok(open.map(|open| Socket { chat: chat.clone(), env: env.clone(), open }))
    }

    /// Does what a frame asks for; an error becomes a frame, too.
    pub async fn react(&mut self, text: &str) -> Reaction {
        let frame: Result<Value> = match text.len() > LONGEST {
            true => Err(frame::too_large().into()),
            false => serde_json::from_str(text).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                Domain::Malformed(Malformed::Json { reason: error.to_string(), line, column }).into()
            }),
        };
        let id = frame.as_ref().ok().and_then(|frame| frame.get("id")).cloned().unwrap_or_default();
        let before = (self.open.conversation, self.open.run);
        let reaction = match frame {
            Ok(frame) => self.reacted(frame).await,
            Err(error) => Err(error),
        };
        if before != (self.open.conversation, self.open.run)
            && let Err(error) = self.open.remember(&self.env).await
        {
            // What the frame asked for is done; the client names the conversation or the run, or asks again.
            tracing::warn!(error = %error.chain(), "what a socket goes on with isn't stored");
        }
        let mut reaction = reaction.unwrap_or_else(|error| Reaction {
            is_last: matches!(error, Error::Domain(Domain::Unauthenticated(_))),
            ..self.refusal(&error).into()
        });
        if !id.is_null() {
            reaction.frame["id"] = id;
        }
        reaction
    }

    /// The frame of an error.
    pub fn refusal(&self, error: &Error) -> Value {
        let id = format!("req_{}", self.env.ids.next().simple());
        let mut frame = Problem::frame(error, &id, self.open.caller.locale);
        frame["type"] = Value::from("error");
        frame
    }

    async fn reacted(&mut self, frame: Value) -> Result<Reaction> {
        let Value::Object(mut fields) = frame else { return Err(Domain::invalid("", Rule::object()).into()) };
        let named = fields.remove("type");
        let named = named.as_ref().and_then(Value::as_str).unwrap_or_default();
        let Some(kind) = KINDS.iter().find(|kind| kind.name == named) else {
            let allowed = KINDS.iter().map(|kind| kind.name.to_owned()).collect();
            return Err(Domain::invalid("/type", Rule::OneOf { allowed }).into());
        };
        let frame = (kind.read)(Value::Object(fields))?;
        let message = admit_message(&self.env, &self.open.caller, kind.name, kind.access).await?;
        let cx = message.cx.clone();
        let outcome = match frame {
            Frame::Chat(frame) => self.asked(&cx, *frame).await,
            Frame::Stop(frame) => self.stopped(&cx, frame).await,
            Frame::Resume(frame) => self.resumed(&message, frame).await,
            Frame::Ping => Ok(json!({"type": "pong", "timestamp": cx.now()}).into()),
        };
        if let Err(error) = &outcome
            && Problem::is_denial(error)
        {
            daybook_http::denied(&cx).await?;
        }
        outcome
    }

    async fn asked(&mut self, cx: &Cx, frame: ChatFrame) -> Result<Reaction> {
        let key = frame.id.as_ref().map(|id| format!("{} {id}", self.open.caller.user));
        let mut question = question_of(frame);
        let cx = match key {
            Some(key) => {
                let content = serde_json::to_string(&question);
                let content = content.map_err(|error| Error::internal("fingerprint a question", error))?;
                cx.next_step().once_for(ONCE, &key, &content, KEPT)
            }
            None => cx.next_step(),
        };
        let id = match cx.earlier_reply::<Started>().await? {
            Some(Started { run }) => run,
            None => {
                question.conversation_id = match question.conversation_id {
                    Some(conversation) => Some(conversation),
                    None => Some(self.own_conversation(&cx, &question).await?),
                };
                ask(&self.chat, &cx, question).await?.run
            }
        };
        let run = self.run_of(&cx, id).await?;
        self.open.conversation = self.open.conversation.or(run.conversation);
        Ok(Reaction { reading: Some(Reading { cx, id, after: 0 }), ..ack_of(id, &run).into() })
    }

    /// The socket's own conversation, which its first question creates.
    async fn own_conversation(&mut self, cx: &Cx, question: &ChatRequest) -> Result<ConversationId> {
        if let Some(conversation) = self.open.conversation {
            return Ok(conversation);
        }
        question.check()?;
        let own = reaching(cx, Conversations, Create).await?;
        // A gateway may hand over two first questions at once.
        let own = own.next_step().once_by("socket conversation", &self.open.connection, LONGEST_OPEN);
        let made = daybook_records::create(&own, Map::new(), Created::<Conversation>).await?;
        Ok(*self.open.conversation.insert(made.0.id))
    }

    /// A run of the caller, which is the socket's newest from now on.
    async fn run_of(&mut self, cx: &Cx, id: RunId) -> Result<Run> {
        let run = own_run(cx, id).await?;
        self.open.run = Some(id);
        Ok(run)
    }

    async fn stopped(&mut self, cx: &Cx, frame: StopFrame) -> Result<Reaction> {
        let id = frame.run_id.or(self.open.run).ok_or_else(|| Domain::invalid("/run_id", Rule::Required))?;
        let run = own_run(cx, id).await?;
        daybook_runs::stop(&self.chat, cx, id, &run).await?;
        Ok(json!({"type": "ack", "run_id": id}).into())
    }

    async fn resumed(&mut self, message: &Message, frame: ResumeFrame) -> Result<Reaction> {
        let cx = &message.cx;
        cx.limited("chat events", &self.open.caller.user.to_string(), READERS).await?;
        let (id, after) = (frame.run_id, frame.after_seq.unwrap_or_default());
        let run = self.run_of(cx, id).await?;
        // Refuses a position that the answer doesn't have.
        Watch::of(&self.chat, cx, id, after).await?;
        message.record_read().await?;
        Ok(Reaction { reading: Some(Reading { cx: cx.clone(), id, after }), ..ack_of(id, &run).into() })
    }
}

/// The frame that names the run of a question.
fn ack_of(id: RunId, run: &Run) -> Value {
    json!({
        "type": "ack", "run_id": id, "conversation_id": run.conversation, "message_id": run.message,
        "parent_message_id": run.parent, "model": run.model,
    })
}
