//! Error texts in English and Chinese: titles and details of problem documents, and messages of broken rules.

mod ai;

use crate::code::{Code, Refusal};
use axum::http::Method;
use daybook_domain::error::Unit;
use daybook_domain::{Conflict, Error, Locale, Malformed, Rule, Unauthenticated};

/// The title of a problem document: the kind of error.
pub(crate) fn title(code: Code, locale: Locale) -> &'static str {
    let (english, chinese) = match code {
        Code::Malformed => ("The request can't be read", "请求无法解析"),
        Code::UnsupportedMediaType => ("The body's media type isn't supported", "不支持该内容类型"),
        Code::ValidationError => ("Some fields need to be corrected", "部分字段需要修改"),
        Code::InvalidQuery => ("Some query parameters need to be corrected", "部分查询参数需要修改"),
        Code::Unauthenticated => ("Sign in first", "请先登录"),
        Code::Forbidden => ("Access denied", "没有权限"),
        Code::NotFound => ("No such endpoint or record", "接口或记录不存在"),
        Code::MethodNotAllowed => ("This path doesn't support this method", "该路径不支持此方法"),
        Code::Misdirected => ("The server isn't the host that the request names", "请求的主机名不属于此服务器"),
        Code::Duplicate => ("The record already exists", "记录已存在"),
        Code::Conflict => ("The request conflicts with the current state", "请求与当前状态冲突"),
        Code::IdempotencyKeyReused => ("The idempotency key was used for another request", "幂等键已用于其他请求"),
        Code::PreconditionFailed => ("The record has changed since you read it", "记录在您读取后已被修改"),
        Code::RequestTimeout => ("The request took too long to arrive", "请求传输超时"),
        Code::TooLarge => ("The content is too large", "内容过大"),
        Code::UriTooLong => ("The URL is too long", "网址过长"),
        Code::RateLimited => ("Too many requests", "请求过于频繁"),
        Code::BudgetExceeded => ("The budget for AI is exhausted", "AI 预算已用完"),
        Code::UnknownModel => ("There is no such model", "模型不存在"),
        Code::UseStreamUrl => ("Answers are streamed at another URL", "流式回答需使用其他地址"),
        Code::UpstreamError => ("The AI provider failed", "AI 服务商出错"),
        Code::Unavailable => ("Temporarily unavailable; send the same request again", "服务暂时不可用，请稍后重试"),
        Code::Internal => ("Internal server error; report the request id", "服务器内部错误，请反馈请求编号"),
    };
    locale.pick(english, chinese)
}

/// The detail for a path without a route.
pub(crate) fn no_route(method: &Method, path: &str, locale: Locale) -> String {
    locale.pick(format!("No such endpoint: {method} {path}"), format!("没有该接口：{method} {path}"))
}

/// The detail for a method that the path doesn't support; `allowed` lists those that it does, separated by commas.
pub(crate) fn no_method(method: &Method, path: &str, allowed: &str, locale: Locale) -> String {
    locale.pick(
        format!("{path} doesn't support {method}; use one of {allowed}."),
        format!("{path} 不支持 {method}，可用的方法：{}。", allowed.replace(", ", "、")),
    )
}

/// The detail for a request that is refused before it reaches a route.
pub(crate) fn refusal(why: Refusal, locale: Locale) -> &'static str {
    let (english, chinese) = match why {
        Refusal::UnknownHost => (
            "The request's Host isn't a name of this server; start the server with --host NAME to allow it.",
            "请求的 Host 不是此服务器的名称；如需允许，请以 --host 指定该名称并重新启动服务器。",
        ),
        Refusal::OtherMachine => (
            "This page is only for the server's own machine, at localhost, as mails have links that set passwords.",
            "此页面仅限在服务器所在的机器上通过 localhost 访问，因为邮件中含有可设置密码的链接。",
        ),
        Refusal::OtherOrigin => (
            "Pages of other origins can't call, embed or link to this page; enter its address in the browser.",
            "其他来源的页面不能调用、嵌入或链接到此页面，请在浏览器中直接输入其地址。",
        ),
        Refusal::NoHandshake => (
            "This address is for WebSockets; connect with a client of those, to ws:// or wss://.",
            "此地址仅供 WebSocket 使用；请使用 WebSocket 客户端连接 ws:// 或 wss:// 地址。",
        ),
        Refusal::OriginNotAllowed => (
            "Pages of this origin may not open a WebSocket; add the origin to ALLOWED_ORIGINS to allow it.",
            "该来源的页面不能打开 WebSocket；如需允许，请将其加入 ALLOWED_ORIGINS。",
        ),
        Refusal::TooManyConnections => (
            "The server has as many connections as it may, in all or from your address; close some, or try again soon.",
            "服务器的连接数或来自您地址的连接数已达上限；请关闭部分连接，或稍后重试。",
        ),
    };
    locale.pick(english, chinese)
}

/// The detail of a problem document: what happened, and what to do about it.
pub(crate) fn detail(error: &Error, locale: Locale) -> String {
    let chinese = locale == Locale::Chinese;
    let fixed = |english: &'static str, chinese: &'static str| locale.pick(english, chinese).to_owned();
    match error {
        Error::Malformed(why) if chinese => malformed_in_chinese(why),
        Error::Malformed(why) => capitalised(&why.to_string()),
        Error::MediaType { expected } if chinese => {
            format!("请将 Content-Type 设为以下之一：{}。", expected.join("、"))
        }
        Error::MediaType { expected } => format!("Set Content-Type to one of {}.", expected.join(", ")),
        Error::Invalid(violations) | Error::Query(violations) => match violations.0.as_slice() {
            [only] if only.pointer.is_empty() => rule(&only.rule, locale),
            [only] if chinese => format!("{}：{}", only.pointer.trim_start_matches('/'), rule(&only.rule, locale)),
            [only] => format!("{}: {}", only.pointer.trim_start_matches('/'), rule(&only.rule, locale)),
            many if chinese => format!("共有 {} 处需要修改，详见 errors。", many.len()),
            many => format!("{} fields need to be corrected; see errors.", many.len()),
        },
        Error::Unauthenticated(why) => unauthenticated(*why, locale).to_owned(),
        Error::Origin(origin) if chinese => format!("该表单不接受来自 {origin} 的提交，请将其加入表单的允许来源。"),
        Error::Origin(origin) => {
            format!("This form doesn't accept posts from {origin}; add that origin to the form's allowed origins.")
        }
        Error::Forbidden(permission) if chinese => format!("需要权限 {permission}，请联系管理员。"),
        Error::Forbidden(permission) => format!("This requires the permission {permission}; ask an administrator."),
        Error::Network => fixed(
            "Your organisation doesn't allow requests from this network; ask an administrator.",
            "您的组织不允许来自该网络的请求，请联系管理员。",
        ),
        Error::NotAPerson => fixed(
            "This is only for users, not for API keys; sign in as a user.",
            "此操作仅限登录用户，不支持 API 密钥，请以用户身份登录。",
        ),
        Error::NotFound(thing) if chinese => format!("{}不存在。", thing.name_in(locale)),
        Error::NotFound(thing) => format!("There is no such {thing}."),
        Error::Duplicate { field: "lead_id", .. } => fixed(
            "This lead is already converted; existing_id is its customer.",
            "该线索已转化，existing_id 为对应的客户。",
        ),
        Error::Duplicate { field: "contact", .. } => fixed(
            "Another user's contact uses this address; set contact.email to another one, or ask that user.",
            "该邮箱属于他人名下的联系人，请在 contact.email 中提供其他邮箱，或联系其负责人。",
        ),
        Error::Duplicate { field, existing_id } => {
            let kind = existing_id.map_or(locale.pick("record", "记录"), |id| id.kind.name_in(locale));
            match chinese {
                true => format!("其他{kind}已使用该{}，请更换。", field_name(field, locale)),
                false => format!("Another {kind} uses this {}; use a different one.", field_name(field, locale)),
            }
        }
        Error::Stale { version, .. } if chinese => format!("记录当前版本为 v{version}，请重新读取后再修改。"),
        Error::Stale { version, .. } => {
            format!("The record is now at version v{version}; read it again and repeat the change.")
        }
        Error::Conflict(why) => conflict(*why, locale).to_owned(),
        Error::TooLarge { what, limit } if chinese => {
            format!("{}超过上限 {limit} 字节，请减小后重试。", what.name_in(locale))
        }
        Error::TooLarge { what, limit } => {
            format!("{} exceeds the limit of {limit} bytes; make it smaller.", capitalised(what.name_in(locale)))
        }
        Error::Unfit { actions, limit } if chinese => {
            format!("该更改需要写入 {actions} 项，一个事务最多 {limit} 项，请分批提交。")
        }
        Error::Unfit { actions, limit } => {
            format!("This change writes {actions} items, and a transaction takes {limit}; send it in smaller parts.")
        }
        Error::Budget(exceeded) => ai::budget(*exceeded, locale),
        Error::UnknownModel { model, allowed } => ai::unknown_model(model, allowed, locale),
        Error::RunInProgress(run) => ai::run_in_progress(*run, locale),
        Error::StreamElsewhere { url } => ai::stream_elsewhere(url.as_deref(), locale),
        Error::Upstream { .. } => ai::upstream(locale),
        Error::Limited { retry_after } if chinese => format!("请在 {retry_after} 秒后重试。"),
        Error::Limited { retry_after } => format!("Try again in {retry_after} seconds."),
    }
}

fn malformed_in_chinese(why: &Malformed) -> String {
    let reason = match why {
        Malformed::Json { line, column, .. } => {
            return format!("请求正文不是有效的 JSON，错误位于第 {line} 行第 {column} 列。");
        }
        Malformed::Incomplete => "请求正文不完整。",
        Malformed::Slow { seconds } => return format!("请求正文未在 {seconds} 秒内传完；请使用更快的连接重新发送。"),
        Malformed::Charset => "正文既不是 UTF-8，也不符合 Content-Type 声明的字符集。",
        Malformed::Encoding => "正文的 Content-Encoding 只能是 gzip，或不设置。",
        Malformed::Gzip => "正文不是有效的 gzip 数据。",
        Malformed::Form => "表单无法解析。",
        Malformed::Boundary => "multipart 表单的 Content-Type 缺少 boundary。",
        Malformed::Path => "路径不是有效的 UTF-8 文本。",
        Malformed::Query => "查询字符串无法解析。",
        Malformed::IdempotencyKey => "Idempotency-Key 只能发送一次，且必须是 1 至 255 个可打印的 ASCII 字符。",
        Malformed::IfMatch => "If-Match 必须是该记录的一个 ETag，例如 \"v7\"。",
        Malformed::Record => "该记录不是 JSON 对象。",
    };
    reason.to_owned()
}

fn unauthenticated(why: Unauthenticated, locale: Locale) -> &'static str {
    let (english, chinese) = match why {
        Unauthenticated::Missing => (
            "Send the header Authorization: Bearer <access_token>.",
            "请在请求头中提供 Authorization: Bearer <access_token>。",
        ),
        Unauthenticated::Invalid => {
            ("The token is invalid or has expired; sign in again.", "令牌无效或已过期，请重新登录。")
        }
        Unauthenticated::Password => ("Wrong user name or password.", "用户名或密码错误。"),
        Unauthenticated::CodeNeeded => (
            "Send the code from your authenticator app, or a recovery code, as `code` with the password.",
            "请在提交密码的同时，在 code 字段中提供验证器应用的验证码或恢复码。",
        ),
        Unauthenticated::Code => (
            "The code is wrong or was already used; wait for the next one.",
            "验证码错误或已被使用，请等待下一个验证码。",
        ),
    };
    locale.pick(english, chinese)
}

fn conflict(why: Conflict, locale: Locale) -> &'static str {
    let (english, chinese) = match why {
        Conflict::KeyReused => (
            "This Idempotency-Key was used with different input; use a new key.",
            "该幂等键已用于不同的内容，请使用新的键。",
        ),
        Conflict::AnswerNotKept => (
            "This request was already carried out. Its answer held a secret and isn't stored; use a new key.",
            "该请求已执行，其响应包含机密，未被保存；如需重新执行，请使用新的幂等键。",
        ),
        Conflict::Contended => (
            "Other requests are changing this record; send the same request again.",
            "该记录正被其他请求修改，请重试。",
        ),
        Conflict::SpamLead => {
            ("This lead is marked as spam; change its status first.", "该线索被标记为垃圾信息，请先修改其状态。")
        }
        Conflict::Conversion => (
            "Only POST /api/leads/{id}/convert converts a lead, and the status of a converted lead can't be changed; undo the conversion first.",
            "线索只能通过 POST /api/leads/{id}/convert 转化，且转化后状态不能手动修改；如需继续跟进，请撤销转化。",
        ),
        Conflict::HasFamily => (
            "Other records belong to this record; delete this record, and they are deleted with it.",
            "仍有其他记录属于它；请删除该记录，所属记录会随之删除。",
        ),
        Conflict::CascadePending => (
            "The records that belong to it are still being moved to the trash; try again in a minute.",
            "所属记录仍在移入回收站，请一分钟后重试。",
        ),
        Conflict::StageGone => (
            "The stage it was in was removed; add the stage to the pipeline again first.",
            "原来的阶段已被移除，请先在管道中重新添加该阶段。",
        ),
        Conflict::NewerVersion => (
            "A newer version of Daybook wrote this in a format that this version can't write; try again when the \
             upgrade is complete.",
            "该数据由更新版本的 Daybook 写入，当前版本无法修改，请在升级完成后重试。",
        ),
        Conflict::StageInUse => (
            "It holds opportunities, or some may be restored to it from the trash within 30 days, or it is the default \
             pipeline; move the opportunities to other stages first.",
            "仍有销售机会处于其中，或 30 天内可能从回收站恢复到其中，或它是默认管道；请先将销售机会移到其他阶段。",
        ),
        Conflict::NotFailed => (
            "Only mails that failed can be sent again; this one didn't, or is being sent.",
            "只有发送失败的邮件可以重新发送；该邮件未失败，或正在发送。",
        ),
        Conflict::NotInTrash => {
            ("The record isn't in the trash, so it can't be restored.", "该记录不在回收站中，无法恢复。")
        }
        Conflict::ParentGone => {
            ("The record this belongs to was deleted; restore that first.", "所属记录已被删除，请先恢复所属记录。")
        }
        Conflict::SubmissionAccepted => (
            "This submission was accepted and belongs to a lead; change the lead's status instead.",
            "该提交已被接受并归入线索，请改为修改线索的状态。",
        ),
        Conflict::NotConnected => {
            ("Your organisation isn't connected to this external system.", "您的组织未连接此外部系统。")
        }
        Conflict::BeyondOwnRole => (
            "You can't grant or revoke permissions you don't have, and only owners can change owners.",
            "不能授予或收回超出自身权限的权限；所有者只能由所有者修改。",
        ),
        Conflict::LastOwner => (
            "An organisation needs an owner who can sign in; make another user an owner first.",
            "组织必须至少有一位可登录的所有者，请先指定其他所有者。",
        ),
        Conflict::RoleInUse => (
            "Users or invitations have this role; give them another role first.",
            "仍有用户或邀请使用该角色，请先更换其角色。",
        ),
        Conflict::NothingToUndo => ("This entry has no changes that can be undone.", "该操作没有可以撤销的更改。"),
        Conflict::Erased => {
            ("The earlier values were erased, so this can't be undone.", "之前的内容已被清除，无法撤销。")
        }
        Conflict::SecondFactor => (
            "Two-factor sign-in is already on, or isn't set up; turn it off first, or set it up before you confirm it.",
            "两步验证已启用或尚未设置，请先停用现有设置，或先完成设置再确认。",
        ),
        Conflict::DefaultForm => (
            "The default form receives posts without a form key, so it can't be deleted; change it instead.",
            "默认表单接收未指定表单的提交，不能删除，请改为修改。",
        ),
        Conflict::DefaultOrganization => (
            "The default organisation receives posts without a form key, so it can't be deleted.",
            "默认组织接收未指定表单的提交，不能删除。",
        ),
        Conflict::HasOwner => (
            "This organisation already has an owner; ask the owner to invite other users.",
            "该组织已有所有者，请由所有者邀请其他成员。",
        ),
        Conflict::InvitationUsed => (
            "This invitation was used, revoked or replaced, has expired, or is for another address; ask for a new one.",
            "该邀请已被使用、撤回或替换，或已过期，或与邮箱不符，请重新申请。",
        ),
        Conflict::AddressUnconfirmed => (
            "Confirm your own e-mail address first, by the link in the mail that you got. POST \
             /api/auth/verify-email/resend sends it again.",
            "请先通过邮件中的链接确认您自己的邮箱。可通过 POST /api/auth/verify-email/resend 重新发送确认邮件。",
        ),
        Conflict::TicketUsed => (
            "This link was used, was replaced by a newer one, or has expired; ask for a new one.",
            "该链接已被使用、已被新链接替换或已过期，请重新申请。",
        ),
        Conflict::RegistrationClosed => {
            ("Registration requires an invitation; ask an administrator.", "注册需要邀请，请联系管理员。")
        }
    };
    locale.pick(english, chinese)
}

/// The message of a broken rule: what to correct.
pub(crate) fn rule(rule: &Rule, locale: Locale) -> String {
    let chinese = locale == Locale::Chinese;
    let unit = |unit: Unit| match unit {
        Unit::Characters => locale.pick("characters", "个字符"),
        Unit::Bytes => locale.pick("bytes", "个字节"),
        Unit::Entries => locale.pick("entries", "项"),
    };
    let fixed = |english: &'static str, chinese: &'static str| locale.pick(english, chinese).to_owned();
    match rule {
        Rule::Required => fixed("is required", "必填"),
        Rule::Unknown { nearest: Some(nearest) } if chinese => format!("未知字段，是否指 {nearest}？"),
        Rule::Unknown { nearest: Some(nearest) } => format!("is unknown; did you mean {nearest}?"),
        Rule::Unknown { nearest: None } => fixed("is unknown", "未知字段"),
        Rule::Type { expected } if chinese => format!("类型错误，应为{}", expected.chinese),
        Rule::TooShort { min: 1 } => fixed("must not be empty", "不能为空"),
        Rule::TooShort { min } if chinese => format!("至少 {min} 个字符"),
        Rule::TooShort { min } => format!("must have at least {min} characters"),
        Rule::TooLong { max, unit: counted } if chinese => format!("最多 {max} {}", unit(*counted)),
        Rule::TooLong { max, unit: counted } => format!("must have at most {max} {}", unit(*counted)),
        Rule::ControlCharacter => {
            fixed("must not contain line breaks or other control characters", "不能包含换行符或其他控制字符")
        }
        Rule::Email => {
            fixed("must be an e-mail address such as name@example.com", "请输入有效的邮箱地址，例如 name@example.com")
        }
        Rule::OneOf { allowed } if chinese => format!("必须是以下值之一：{}", allowed.join("、")),
        Rule::OneOf { allowed } => format!("must be one of {}", allowed.join(", ")),
        Rule::Id { prefix } if prefix.is_empty() => {
            fixed("must be the id of an existing record", "必须是现有记录的标识")
        }
        Rule::Id { prefix } if chinese => format!("必须是现有记录的标识，以 {prefix}_ 开头"),
        Rule::Id { prefix } => format!("must be the id of an existing record, beginning with {prefix}_"),
        Rule::ReadOnly => fixed("is read-only; leave it out or send it unchanged", "不可修改，请省略或原样发送"),
        Rule::Time => fixed("must be a time such as 2026-11-20T09:30:00Z", "必须是时间，例如 2026-11-20T09:30:00Z"),
        Rule::Zone => fixed("must be a time zone such as Asia/Shanghai", "必须是时区，例如 Asia/Shanghai"),
        Rule::Username => fixed(
            "must have 3 to 64 letters, digits, dots, dashes or underscores",
            "须为 3 至 64 个字母、数字、点、短横线或下划线",
        ),
        Rule::CommonPassword => {
            fixed("is one of the most common passwords; choose another one", "该密码过于常见，请更换")
        }
        Rule::WrongCode => fixed("is wrong or was already used", "验证码错误或已被使用"),
        Rule::WrongPassword => fixed("isn't your current password", "当前密码错误"),
        Rule::Cursor => {
            fixed("was altered or belongs to another list; start again without it", "游标无效，请从第一页重新开始")
        }
        Rule::Range { min, max } if chinese => format!("必须是 {min} 至 {max} 之间的整数"),
        Rule::Range { min, max } => format!("must be a whole number from {min} to {max}"),
        Rule::Format { expected } if chinese => format!("必须{}", expected.chinese),
        Rule::Type { expected } | Rule::Format { expected } => format!("must be {}", expected.english),
    }
}

/// The name of a field in texts: common ones as people call them, others as the API does.
fn field_name(field: &str, locale: Locale) -> String {
    match field {
        "email" => locale.pick("e-mail address", "邮箱").to_owned(),
        "name" => locale.pick("name", "名称").to_owned(),
        "username" => locale.pick("user name", "用户名").to_owned(),
        "id" => locale.pick("id", "标识").to_owned(),
        other if locale == Locale::Chinese => format!(" {other}"),
        other => other.replace('_', " "),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use daybook_domain::error::{Oversized, Requirement, Thing};
    use daybook_domain::permission::Permission;
    use daybook_domain::{RecordType, Violations};

    /// All variants of an enumeration, each with a sample value. A variant that isn't listed doesn't compile.
    macro_rules! every {
        ($kind:ident: $($variant:ident $(($value:expr))? $({$($fields:tt)*})?),* $(,)?) => {{
            let all = vec![$($kind::$variant $(($value))? $({$($fields)*})?),*];
            for one in &all {
                match one {
                    $($kind::$variant { .. } => {})*
                }
            }
            all
        }};
    }

    fn rules() -> Vec<Rule> {
        let mut all = every!(Rule:
            Required,
            Unknown { nearest: None },
            Type { expected: Requirement::new("a number", "数字") },
            TooShort { min: 8 },
            TooLong { max: 10, unit: Unit::Characters },
            ControlCharacter,
            Email,
            OneOf { allowed: vec!["new".to_owned(), "contacted".to_owned()] },
            Id { prefix: "lead".to_owned() },
            ReadOnly,
            Time,
            Zone,
            Username,
            CommonPassword,
            WrongPassword,
            WrongCode,
            Cursor,
            Range { min: 1, max: 200 },
            Format { expected: Requirement::new("a day, such as 2026-11-20", "是日期，例如 2026-11-20") },
        );
        let units = every!(Unit: Characters, Bytes, Entries);
        all.extend(units.into_iter().map(|unit| Rule::TooLong { max: 10, unit }));
        all.push(Rule::Unknown { nearest: Some("first_name".to_owned()) });
        all.push(Rule::TooShort { min: 1 });
        all.push(Rule::Id { prefix: String::new() });
        all
    }

    fn malformed() -> Vec<Malformed> {
        every!(Malformed:
            Json { reason: "expected value at line 1 column 2".to_owned(), line: 1, column: 2 },
            Charset,
            Encoding,
            Gzip,
            Incomplete,
            Slow { seconds: 15 },
            Form,
            Boundary,
            Path,
            Query,
            IdempotencyKey,
            IfMatch,
            Record,
        )
    }

    fn conflicts() -> Vec<Conflict> {
        every!(Conflict:
            KeyReused,
            AnswerNotKept,
            Contended,
            NotInTrash,
            NotFailed,
            ParentGone,
            SpamLead,
            Conversion,
            HasFamily,
            CascadePending,
            StageGone,
            StageInUse,
            SubmissionAccepted,
            NotConnected,
            BeyondOwnRole,
            LastOwner,
            RoleInUse,
            NothingToUndo,
            Erased,
            SecondFactor,
            DefaultForm,
            DefaultOrganization,
            HasOwner,
            InvitationUsed,
            TicketUsed,
            NewerVersion,
            AddressUnconfirmed,
            RegistrationClosed,
        )
    }

    fn errors() -> Vec<Error> {
        let permission = Permission::catalogue().next().expect("a permission");
        let mut all = every!(Error:
            Malformed(Malformed::Form),
            MediaType { expected: &["application/json", "multipart/form-data"] },
            Invalid(Violations::default()),
            Query(Violations::of("/sort", Rule::Cursor)),
            Unauthenticated(Unauthenticated::Missing),
            Forbidden(permission),
            Network,
            NotAPerson,
            Origin("https://www.example.com".to_owned()),
            NotFound(Thing::Session),
            Duplicate { field: "email", existing_id: None },
            Stale { version: 2, current: serde_json::Map::new() },
            Conflict(Conflict::Contended),
            TooLarge { what: Oversized::Body, limit: 1024 },
            Unfit { actions: 101, limit: 100 },
            Limited { retry_after: 30 },
            Budget(ai::some_exceeded()),
            UnknownModel { model: "x".to_owned(), allowed: vec!["offline".to_owned()] },
            RunInProgress(ai::some_run()),
            StreamElsewhere { url: Some("https://stream.example.com".to_owned()) },
            Upstream { run: ai::some_run() },
        );
        all.push(Error::StreamElsewhere { url: None });
        let reasons = every!(Unauthenticated: Missing, Invalid, CodeNeeded, Code, Password);
        let things = every!(Thing: Record(RecordType::Lead), Session, Entry, Run);
        let records = RecordType::ALL.iter().copied().map(Thing::Record);
        let oversized = every!(Oversized: Body, Url, Batch, Record, Conversation);
        all.extend(malformed().into_iter().map(Error::Malformed));
        all.extend(conflicts().into_iter().map(Error::Conflict));
        all.extend(rules().into_iter().map(|rule| Error::invalid("/first_name", rule)));
        all.extend(reasons.into_iter().map(Error::Unauthenticated));
        all.extend(things.into_iter().chain(records).map(Error::NotFound));
        all.extend(oversized.into_iter().map(|what| Error::TooLarge { what, limit: 1024 }));
        all.extend(["lead_id", "contact"].map(|field| Error::Duplicate { field, existing_id: None }));
        all
    }

    fn refusals() -> Vec<Refusal> {
        every!(Refusal: UnknownHost, OtherMachine, OtherOrigin, NoHandshake, OriginNotAllowed, TooManyConnections)
    }

    fn is_chinese(letter: char) -> bool {
        ('\u{4e00}'..='\u{9fff}').contains(&letter)
    }

    /// A part of a Chinese text that isn't Chinese: two English words side by side, or half-width punctuation after a
    /// Chinese character. Names of fields, paths and examples are single words.
    fn fragment(text: &str) -> Option<String> {
        let letters: Vec<char> = text.chars().collect();
        let english = letters
            .windows(3)
            .find(|three| three[0].is_ascii_alphabetic() && three[1] == ' ' && three[2].is_ascii_alphabetic());
        let half_width = letters.windows(2).find(|two| is_chinese(two[0]) && ",:;!?()".contains(two[1]));
        english.or(half_width).map(|found| found.iter().collect())
    }

    #[test]
    fn chinese_texts_are_chinese() {
        assert_eq!(fragment(&["必须是", "a day"].concat()).as_deref(), Some("a d"));
        assert!(fragment(&["错误", ":", "未知"].concat()).is_some());
        let mut texts: Vec<String> = Code::ALL.iter().map(|code| title(*code, Locale::Chinese).to_owned()).collect();
        texts.extend(errors().iter().map(|error| detail(error, Locale::Chinese)));
        texts.extend(rules().iter().map(|broken| rule(broken, Locale::Chinese)));
        texts.extend(refusals().iter().map(|why| refusal(*why, Locale::Chinese).to_owned()));
        texts.push(no_route(&Method::GET, "/api/x", Locale::Chinese));
        texts.push(no_method(&Method::PUT, "/api/leads", "GET, POST", Locale::Chinese));
        for text in texts {
            assert!(text.chars().any(is_chinese), "{text}");
            assert_eq!(fragment(&text), None, "{text}");
        }
    }

    #[test]
    fn english_texts_have_no_chinese_letter() {
        let mut texts: Vec<String> = errors().iter().map(|error| detail(error, Locale::English)).collect();
        texts.extend(rules().iter().map(|broken| rule(broken, Locale::English)));
        texts.extend(refusals().iter().map(|why| refusal(*why, Locale::English).to_owned()));
        for text in texts {
            assert!(!text.chars().any(is_chinese), "{text}");
        }
    }
}
