//! The offline provider: answers that say that no provider is configured, made without a network.
//!
//! The same request always has the same answer. It serves demonstrations, and tests of what surrounds a provider.

use super::{Ask, Failure, Finish, Part, Speaker, TokenUsage};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use std::time::Duration;

/// The name of the model that answers at once.
pub const MODEL: &str = "offline";

/// The name of the model whose answers are long and come slowly, so that they can be stopped and resumed by hand.
pub const SLOW_MODEL: &str = "offline-slow";

/// The pause before each piece of a slow answer.
const PAUSE: Duration = Duration::from_millis(50);

/// The minimum length of a slow answer, in characters.
const SLOW_LENGTH: usize = 2000;

/// The maximum length of a piece, in characters.
const PIECE: usize = 8;

/// The maximum length of the quote of the user's message, in characters.
const QUOTE: usize = 80;

/// The maximum length of a greeting, in characters; longer messages have a subject.
const GREETING: usize = 20;

/// How fast an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// All pieces at once.
    AtOnce,
    /// A piece each 50 ms, and some 2,000 characters in all.
    Slow,
}

impl Pace {
    /// The pace of a model.
    pub fn of_model(model: &str) -> Pace {
        if model == SLOW_MODEL { Pace::Slow } else { Pace::AtOnce }
    }
}

/// Streams the answer to a request.
pub(super) fn answer(ask: &Ask) -> BoxStream<'static, Result<Part, Failure>> {
    let last = ask.turns.iter().rev().find(|turn| turn.speaker == Speaker::User);
    let reply = reply_to(last.map_or("", |turn| turn.text.trim()));
    let pace = Pace::of_model(&ask.model);
    let (text, finish) = shortened(paced(reply, pace), ask.max_tokens);
    let spoken = ask.turns.iter().map(|turn| turn.text.len());
    let input: usize = spoken.chain(ask.instructions.iter().map(String::len)).sum();
    let usage = TokenUsage { input: tokens(input), output: tokens(text.len()), ..TokenUsage::default() };
    let texts = pieces(&text).into_iter().map(Part::Text);
    let parts: Vec<Part> = texts.chain([Part::Usage(usage), Part::End(finish)]).collect();
    let parts = stream::iter(parts).then(move |part| async move {
        if pace == Pace::Slow && matches!(part, Part::Text(_)) {
            tokio::time::sleep(PAUSE).await;
        }
        Ok::<_, Failure>(part)
    });
    parts.boxed()
}

/// The answer to a message: in Chinese to a message with Chinese characters, else in English.
fn reply_to(message: &str) -> String {
    let length = message.chars().count();
    if message.contains("你好") && length <= GREETING {
        // The greeting has ASCII punctuation, which texts in Chinese have nowhere else.
        let greeting = "你好\u{21} 我是AI助手，很高兴为你服务\u{21}";
        return format!("{greeting} \u{28}离线演示：未配置 AI 服务，此回答由 Daybook 内置程序生成。\u{29}");
    }
    let beginning: String = message.chars().take(QUOTE).collect();
    let quote = if length > QUOTE { format!("{beginning}…") } else { beginning };
    if message.chars().any(is_chinese) {
        format!(
            "离线演示：未配置 AI 服务，此回答由 Daybook 内置程序生成。你的消息共 {length} 个字符，内容为“{quote}”。"
        )
    } else {
        format!(
            "This is Daybook's offline assistant: no AI provider is configured. \
             Characters in your message: {length}. It reads: “{quote}”"
        )
    }
}

/// Whether it is a Chinese character: of the basic block, extension A, the compatibility block or a higher plane.
fn is_chinese(letter: char) -> bool {
    let basic = '\u{4e00}'..='\u{9fff}';
    let others = ['\u{3400}'..='\u{4dbf}', '\u{f900}'..='\u{faff}', '\u{20000}'..='\u{3ffff}'];
    basic.contains(&letter) || others.iter().any(|block| block.contains(&letter))
}

/// The answer as long as its pace asks for: a slow one is repeated.
fn paced(reply: String, pace: Pace) -> String {
    match pace {
        Pace::AtOnce => reply,
        Pace::Slow => {
            let times = SLOW_LENGTH.div_ceil(reply.chars().count() + 1);
            vec![reply; times].join("\n")
        }
    }
}

/// The text cut to a number of tokens, and how it therefore ends.
fn shortened(mut text: String, max_tokens: u32) -> (String, Finish) {
    let most = usize::try_from(max_tokens).unwrap_or(usize::MAX).saturating_mul(4);
    if text.len() <= most {
        return (text, Finish::Complete);
    }
    text.truncate(text.floor_char_boundary(most));
    (text, Finish::Length)
}

/// An estimate: a token for 4 bytes, and at least one.
fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX).max(1)
}

/// The text in words of at most 8 characters; a space stays with the word before it.
fn pieces(text: &str) -> Vec<String> {
    let (mut pieces, mut piece, mut length) = (Vec::new(), String::new(), 0);
    for letter in text.chars() {
        piece.push(letter);
        length += 1;
        if length == PIECE || letter.is_whitespace() {
            pieces.push(std::mem::take(&mut piece));
            length = 0;
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}
