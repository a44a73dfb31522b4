//! Error texts about AI.

use daybook_domain::ai::budget::{BudgetOf, Exceeded, Period, Quantity};
use daybook_domain::{Locale, RunId};

/// The detail of an exhausted budget: which one, and when it starts anew.
pub(super) fn budget(exceeded: Exceeded, locale: Locale) -> String {
    let Exceeded { of, period, quantity, resets_at } = exceeded;
    let (whose, owner) = match of {
        BudgetOf::Organization => ("The organisation's", "组织的"),
        BudgetOf::User | BudgetOf::Unknown(_) => ("Your", "您的"),
    };
    let (every, cycle) = match period {
        Period::Day => ("daily", "每日"),
        Period::Month | Period::Unknown(_) => ("monthly", "每月"),
    };
    let (what, counted) = match quantity {
        Quantity::Usd => ("money", "金额"),
        Quantity::Tokens | Quantity::Unknown(_) => ("tokens", "用量"),
    };
    locale.pick(
        format!(
            "{whose} {every} budget of {what} for AI doesn't cover this request; it starts anew at {resets_at}. Send less \
             text, lower max_tokens, or ask an administrator for more."
        ),
        format!("{owner}{cycle} AI {counted}预算不足，将于 {resets_at} 重置。请缩短内容、减小 max_tokens，或联系管理员增加预算。"),
    )
}

/// The detail of a model that doesn't exist, or that the caller may not use.
pub(super) fn unknown_model(model: &str, allowed: &[String], locale: Locale) -> String {
    let shown: String = model.chars().take(100).collect();
    locale.pick(
        format!("There is no model \"{shown}\" for you; use one of {}.", allowed.join(", ")),
        format!("没有可用的模型“{shown}”，可用的模型：{}。", allowed.join("、")),
    )
}

/// The detail of a conversation in which an answer is being generated.
pub(super) fn run_in_progress(run: RunId, locale: Locale) -> String {
    locale.pick(
        format!("An answer is being generated in this conversation ({run}); wait for it, or stop it."),
        format!("此对话正在生成回答（{run}），请等待其完成，或先将其停止。"),
    )
}

/// The detail of a request for a stream where answers aren't streamed.
pub(super) fn stream_elsewhere(url: Option<&str>, locale: Locale) -> String {
    let url = url.unwrap_or("StreamUrl");
    locale.pick(
        format!("This URL doesn't stream; send the request to {url}, or without \"stream\"."),
        format!("此地址不支持流式回答，请改为向 {url} 发送请求，或去掉 stream。"),
    )
}

/// The detail of a failed AI provider.
pub(super) fn upstream(locale: Locale) -> String {
    let text = locale.pick(
        "The AI provider didn't answer, or stopped in the middle; send the message again, or choose another model.",
        "AI 服务商未能回答，或在中途断开，请重新发送，或更换模型。",
    );
    text.to_owned()
}

#[cfg(test)]
pub(super) fn some_exceeded() -> Exceeded {
    let resets_at = "2026-12-01T00:00:00Z".parse().expect("a time");
    Exceeded { of: BudgetOf::User, period: Period::Month, quantity: Quantity::Tokens, resets_at }
}

#[cfg(test)]
pub(super) fn some_run() -> RunId {
    RunId::new(uuid::Uuid::nil())
}
