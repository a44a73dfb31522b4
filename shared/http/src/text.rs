//! Error texts in English and Chinese: titles and details of problem documents, and messages of broken rules.

use crate::code::Code;
use daybook_domain::error::Unit;
use daybook_domain::{Conflict, Error, Locale, Rule, Unauthenticated};

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
        Code::Duplicate => ("The record already exists", "记录已存在"),
        Code::Conflict => ("The request conflicts with the current state", "请求与当前状态冲突"),
        Code::IdempotencyKeyReused => ("The idempotency key was used for another request", "幂等键已用于其他请求"),
        Code::PreconditionFailed => ("The record has changed since you read it", "记录在您读取后已被修改"),
        Code::TooLarge => ("The content is too large", "内容过大"),
        Code::RateLimited => ("Too many requests", "请求过于频繁"),
        Code::Unavailable => ("Temporarily unavailable; send the same request again", "服务暂时不可用，请稍后重试"),
        Code::Internal => ("Internal server error; report the request id", "服务器内部错误，请反馈请求编号"),
    };
    pick(locale, english, chinese)
}

/// The detail of a problem document: what happened, and what to do about it.
pub(crate) fn detail(error: &Error, locale: Locale) -> String {
    let chinese = locale == Locale::Chinese;
    match error {
        Error::Malformed(why) if chinese => format!("请求无法解析：{why}"),
        Error::Malformed(why) => capitalised(why),
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
        Error::Unauthenticated(why) => pick(
            locale,
            match why {
                Unauthenticated::Missing => "Send the header Authorization: Bearer <access_token>.",
                Unauthenticated::Invalid => "The token is invalid or has expired; sign in again.",
                Unauthenticated::Password => "Wrong user name or password.",
                Unauthenticated::CodeNeeded => {
                    "Send the code from your authenticator app, or a recovery code, as `code` with the password."
                }
                Unauthenticated::Code => "The code is wrong or was already used; wait for the next one.",
            },
            match why {
                Unauthenticated::Missing => "请在请求头中提供 Authorization: Bearer <access_token>。",
                Unauthenticated::Invalid => "令牌无效或已过期，请重新登录。",
                Unauthenticated::Password => "用户名或密码错误。",
                Unauthenticated::CodeNeeded => "请在提交密码的同时，在 code 字段中提供验证器应用的验证码或恢复码。",
                Unauthenticated::Code => "验证码错误或已被使用，请等待下一个验证码。",
            },
        )
        .to_owned(),
        Error::Origin(origin) if chinese => format!("该表单不接受来自 {origin} 的提交，请将其加入表单的允许来源。"),
        Error::Origin(origin) => {
            format!("This form doesn't accept posts from {origin}; add that origin to the form's allowed origins.")
        }
        Error::Forbidden(permission) if chinese => format!("需要权限 {permission}，请联系管理员。"),
        Error::Forbidden(permission) => format!("This requires the permission {permission}; ask an administrator."),
        Error::Network => pick(
            locale,
            "Your organisation doesn't allow requests from this network; ask an administrator.",
            "您的组织不允许来自该网络的请求，请联系管理员。",
        )
        .to_owned(),
        Error::NotAPerson => pick(
            locale,
            "This is only for users, not for API keys; sign in as a user.",
            "此操作仅限登录用户，不支持 API 密钥，请以用户身份登录。",
        )
        .to_owned(),
        Error::NotFound(kind) if chinese => format!("没有该记录（{kind}）。"),
        Error::NotFound(kind) => format!("There is no such {kind}."),
        Error::Duplicate { field: "lead_id", .. } => pick(
            locale,
            "This lead is already converted; existing_id is its customer.",
            "该线索已转化，existing_id 为对应的客户。",
        )
        .to_owned(),
        Error::Duplicate { field: "contact", .. } => pick(
            locale,
            "Another user's contact uses this address; set contact.email to another one, or ask that user.",
            "该邮箱属于他人名下的联系人，请在 contact.email 中提供其他邮箱，或联系其负责人。",
        )
        .to_owned(),
        Error::Duplicate { field, .. } if chinese => format!("其他记录已使用该 {field}，请更换。"),
        Error::Duplicate { field, .. } => format!("Another record uses this {field}; use a different one."),
        Error::Stale { version, .. } if chinese => format!("记录当前版本为 v{version}，请重新读取后再修改。"),
        Error::Stale { version, .. } => {
            format!("The record is now at version v{version}; read it again and repeat the change.")
        }
        Error::Conflict(why) => conflict(*why, locale).to_owned(),
        Error::TooLarge { what, limit, unit } if chinese => format!("{what} 超过上限 {limit} {unit}，请减小后重试。"),
        Error::TooLarge { what, limit, unit } => {
            format!("{} exceeds the limit of {limit} {unit}; make it smaller.", capitalised(what))
        }
        Error::Unfit { actions, limit } if chinese => {
            format!("该更改需要写入 {actions} 项，一个事务最多 {limit} 项，请分批提交。")
        }
        Error::Unfit { actions, limit } => {
            format!("This change writes {actions} items, and a transaction takes {limit}; send it in smaller parts.")
        }
        Error::Limited { retry_after } if chinese => format!("请在 {retry_after} 秒后重试。"),
        Error::Limited { retry_after } => format!("Try again in {retry_after} seconds."),
    }
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
            "Only POST /api/leads/{id}/convert converts a lead and fixes its status; undo the conversion to change it.",
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
        Conflict::TicketUsed => (
            "This link was used, was replaced by a newer one, or has expired; ask for a new one.",
            "该链接已被使用、已被新链接替换或已过期，请重新申请。",
        ),
        Conflict::RegistrationClosed => {
            ("Registration requires an invitation; ask an administrator.", "注册需要邀请，请联系管理员。")
        }
    };
    pick(locale, english, chinese)
}

/// The message of a broken rule: what to correct.
pub(crate) fn rule(rule: &Rule, locale: Locale) -> String {
    let chinese = locale == Locale::Chinese;
    let unit = |unit: Unit| match unit {
        Unit::Characters => pick(locale, "characters", "个字符"),
        Unit::Bytes => pick(locale, "bytes", "个字节"),
        Unit::Entries => pick(locale, "entries", "项"),
    };
    let fixed = |english: &'static str, chinese: &'static str| pick(locale, english, chinese).to_owned();
    match rule {
        Rule::Required => fixed("is required", "必填"),
        Rule::Unknown { nearest: Some(nearest) } if chinese => format!("未知字段，是否指 {nearest}？"),
        Rule::Unknown { nearest: Some(nearest) } => format!("is unknown; did you mean {nearest}?"),
        Rule::Unknown { nearest: None } => fixed("is unknown", "未知字段"),
        Rule::Type { expected } if chinese => format!("类型错误，应为{}", in_chinese(expected)),
        Rule::Type { expected } => format!("must be {expected}"),
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
        Rule::Format { expected } if chinese => format!("不符合要求：{expected}"),
        Rule::Format { expected } => format!("must be {expected}"),
    }
}

/// The Chinese name of a JSON type.
fn in_chinese(expected: &str) -> &str {
    match expected {
        "a number" => "数字",
        "a whole number" => "整数",
        "a whole number, 0 or more" => "不小于 0 的整数",
        "a list" => "列表",
        "an object" => "对象",
        "a string" => "文本",
        "a boolean" => "true 或 false",
        "one value" => "单个值",
        other => other,
    }
}

fn pick(locale: Locale, english: &'static str, chinese: &'static str) -> &'static str {
    match locale {
        Locale::English | Locale::Unknown(_) => english,
        Locale::Chinese => chinese,
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
