//! Messages of a conversation: their roles, their status and their order in a request.

use crate::{Rule, choices};

choices! {
    /// The role of a message's author in a conversation.
    MessageRole {
        /// Instructions to the model.
        System = "system",
        /// The user.
        User = "user",
        /// The model.
        Assistant = "assistant",
        /// The result of a tool.
        Tool = "tool",
    }

    /// How far a message has come.
    MessageStatus {
        /// Whole.
        Complete = "complete",
        /// The model is writing it.
        Streaming = "streaming",
        /// Stopped by the user; the text up to then is kept.
        Stopped = "stopped",
        /// The model failed; the text up to then is kept.
        Error = "error",
    }
}

/// Checks the order of a request's messages, or returns the index of the first wrong one with the rule that it breaks.
///
/// A system message may come first. Then turns of the user and the assistant follow, from the user's to the user's: several
/// user messages may follow each other, two assistant messages may not.
pub fn check_order(roles: impl Iterator<Item = MessageRole>) -> Result<(), (usize, Rule)> {
    let mut last = None;
    for (index, role) in roles.enumerate() {
        let previous = last.map(|(_, role)| role);
        check_turn(previous, role).map_err(|rule| (index, rule))?;
        last = Some((index, role));
    }
    match last {
        Some((_, MessageRole::User)) => Ok(()),
        Some((index, _)) => Err((index, user_missing())),
        None => Err((0, user_missing())),
    }
}

/// Checks a role by the one before it; `None` before the first.
fn check_turn(previous: Option<MessageRole>, role: MessageRole) -> Result<(), Rule> {
    match (previous, role) {
        (_, MessageRole::User) | (None, MessageRole::System) | (Some(MessageRole::User), MessageRole::Assistant) => {
            Ok(())
        }
        (Some(_), MessageRole::System) => Err(Rule::format(
            "user or assistant, as only the first message may be a system message",
            "是 user 或 assistant，因为只有第一条消息可以是 system",
        )),
        (Some(MessageRole::Assistant), MessageRole::Assistant) => Err(Rule::format(
            "user, as two assistant messages can't follow each other",
            "是 user，因为两条 assistant 消息不能相连",
        )),
        (_, MessageRole::Assistant) => {
            Err(Rule::format("user, as the user begins the conversation", "是 user，因为对话由用户开始"))
        }
        (_, MessageRole::Tool | MessageRole::Unknown(_)) => {
            Err(Rule::format("system, user or assistant", "是 system、user 或 assistant"))
        }
    }
}

/// The rule for a request without a last message to answer.
fn user_missing() -> Rule {
    Rule::format("followed by a user message, which is the one to answer", "后接一条 user 消息，即需要回答的消息")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unknown;
    use MessageRole::{Assistant, System, Tool, User};

    #[test]
    fn turns_run_from_the_user_to_the_user() {
        let check = |roles: &[MessageRole], wrong: Option<usize>| {
            let found = check_order(roles.iter().copied()).err().map(|(index, _)| index);
            assert_eq!(found, wrong, "{roles:?}");
        };
        check(&[User], None);
        check(&[System, User], None);
        check(&[User, Assistant, User], None);
        check(&[System, User, User, Assistant, User, User], None);
        check(&[], Some(0));
        check(&[System], Some(0));
        check(&[Assistant, User], Some(0));
        check(&[System, Assistant, User], Some(1));
        check(&[System, System, User], Some(1));
        check(&[User, System, User], Some(1));
        check(&[User, Assistant, Assistant, User], Some(2));
        check(&[User, Assistant], Some(1));
        check(&[User, Tool, User], Some(1));
        check(&[User, MessageRole::Unknown(Unknown::of("critic").expect("short")), User], Some(1));
    }

    #[test]
    fn a_wrong_turn_tells_what_to_send_instead() {
        let rule = check_order([User, Assistant, Assistant].into_iter()).expect_err("two in a row").1;
        let Rule::Format { expected } = rule else { panic!("{rule:?}") };
        assert_eq!(expected.english, "user, as two assistant messages can't follow each other");
    }
}
