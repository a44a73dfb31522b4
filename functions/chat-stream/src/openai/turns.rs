//! Messages as OpenAI's clients send them, and the turns that they become.

use daybook_domain::ai::MessageRole;
use daybook_domain::{Error, Rule, Violations};
use daybook_runs::ChatTurn;
use serde::{Deserialize, Serialize};

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OpenAiRole {
    /// Instructions.
    System,
    /// Instructions.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// The text of a message: as it is, or in parts.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged, expecting = "a string or a list of text parts")]
pub enum OpenAiContent {
    /// As it is.
    Text(String),
    /// In parts.
    Parts(Vec<OpenAiPart>),
}

/// A part of a message.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OpenAiPart {
    /// What it is.
    r#type: PartKind,
    /// Its text.
    text: Option<String>,
}

/// What a part of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OpenAiPartKind)]
enum PartKind {
    /// Text.
    Text,
    /// Text of the user.
    InputText,
    /// Text of the model.
    OutputText,
    /// Anything else, which is refused.
    #[serde(other)]
    Other,
}

/// The turns of a request, in the order and number that models take: instructions come first and are one, and messages of
/// the model that follow each other are one.
#[derive(Debug, Default)]
pub struct Turns {
    /// Instructions, each with its place in the request.
    instructions: Vec<(String, String)>,
    /// Turns, each with its place in the request.
    turns: Vec<(String, ChatTurn)>,
    violations: Violations,
}

impl Turns {
    /// Adds instructions.
    pub fn instruct(&mut self, place: &str, text: &str) {
        if !text.trim().is_empty() {
            self.instructions.push((place.to_owned(), text.to_owned()));
        }
    }

    /// Adds the message at this place of the request.
    pub fn add(&mut self, place: &str, role: OpenAiRole, content: Option<&OpenAiContent>) {
        let text = match content {
            Some(OpenAiContent::Text(text)) => text.clone(),
            Some(OpenAiContent::Parts(parts)) => self.joined(place, parts),
            None => String::new(),
        };
        let role = match role {
            OpenAiRole::System | OpenAiRole::Developer => return self.instruct(place, &text),
            OpenAiRole::User => MessageRole::User,
            // An answer that was nothing but calls of tools.
            OpenAiRole::Assistant if text.trim().is_empty() => return,
            OpenAiRole::Assistant => MessageRole::Assistant,
        };
        match self.turns.last_mut() {
            Some((_, last)) if last.role == MessageRole::Assistant && role == MessageRole::Assistant => {
                last.content = format!("{}\n\n{text}", last.content);
            }
            _ => self.turns.push((place.to_owned(), ChatTurn { id: None, content: text, role, timestamp: None })),
        }
    }

    /// Refuses something at this place of the request.
    pub fn refuse(&mut self, place: &str, rule: Rule) {
        self.violations.add(place.to_owned(), rule);
    }

    fn joined(&mut self, place: &str, parts: &[OpenAiPart]) -> String {
        let mut texts = Vec::new();
        for (n, part) in parts.iter().enumerate() {
            match &part.text {
                Some(text) if part.r#type != PartKind::Other => texts.push(text.as_str()),
                _ => self.refuse(
                    &format!("{place}/content/{n}"),
                    Rule::format(
                        "text, as no image, sound or file is read here",
                        "是文本，此接口不读取图片、音频或文件",
                    ),
                ),
            }
        }
        texts.join("\n")
    }

    /// The messages for the chat, each with its place in the request; or all violations.
    pub fn finish(self) -> Result<Vec<(String, ChatTurn)>, Error> {
        self.violations.into_result()?;
        let place = self.instructions.first().map(|(place, _)| place.clone());
        let texts: Vec<String> = self.instructions.into_iter().map(|(_, text)| text).collect();
        let content = texts.join("\n\n");
        let system =
            place.map(|place| (place, ChatTurn { id: None, content, role: MessageRole::System, timestamp: None }));
        Ok(system.into_iter().chain(self.turns).collect())
    }
}
