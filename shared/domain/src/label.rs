//! What fields and their values are called on pages and in mails, in English and Chinese.

use crate::{Locale, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A name in the API, and what it is called in English and Chinese.
type Label = (&'static str, &'static str, &'static str);

/// The fields that people see, in the order in which pages show them.
pub const FIELDS: [Label; 62] = [
    ("status", "Status", "状态"),
    ("screening", "Failed checks", "未通过的检查"),
    ("name", "Name", "名称"),
    ("title", "Title", "标题"),
    ("last_name", "Family name", "姓"),
    ("first_name", "Given name", "名"),
    ("email", "E-mail", "邮箱"),
    ("phone", "Phone", "电话"),
    ("phone_extension", "Extension", "分机"),
    ("company", "Company", "公司"),
    ("job_title", "Position", "职位"),
    ("department", "Department", "部门"),
    ("subject", "Subject", "主题"),
    ("message", "Message", "留言"),
    ("requirements", "Requirements", "需求"),
    ("demo_type", "Type of demo", "演示方式"),
    ("preferred_date", "Preferred date", "期望时间"),
    ("attendees_count", "Attendees", "参加人数"),
    ("interested_products", "Products", "感兴趣的产品"),
    ("special_requirements", "Special requirements", "特殊要求"),
    ("type", "Type", "类型"),
    ("industry", "Industry", "行业"),
    ("company_size", "Company size", "公司规模"),
    ("application_area", "Application area", "应用领域"),
    ("project_timeline", "Timeline", "项目时间"),
    ("budget_range", "Budget", "预算"),
    ("value", "Value", "金额"),
    ("currency", "Currency", "币种"),
    ("probability", "Probability (%)", "成交概率（%）"),
    ("stage", "Stage", "阶段"),
    ("close_date", "Close date", "预计成交日期"),
    ("lost_reason", "Reason for losing it", "丢单原因"),
    ("priority", "Priority", "优先级"),
    ("due_date", "Due", "截止时间"),
    ("start_date", "Start", "开始时间"),
    ("progress", "Progress (%)", "进度（%）"),
    ("website", "Website", "网站"),
    ("address", "Address", "地址"),
    ("description", "Description", "说明"),
    ("notes", "Notes", "备注"),
    ("tags", "Tags", "标签"),
    ("differs", "Not on the lead", "未写入线索"),
    ("unreadable", "In no known charset", "字符集无法识别"),
    ("source", "Source", "来源"),
    ("locale", "Language", "语言"),
    ("marketing", "Agreed to advertisements", "同意接收推广信息"),
    ("text_version", "Version of the consent text", "同意书版本"),
    ("utm_source", "Campaign source", "推广来源"),
    ("utm_medium", "Campaign medium", "推广媒介"),
    ("utm_campaign", "Campaign", "推广活动"),
    ("utm_term", "Search words", "搜索词"),
    ("utm_content", "Advertisement", "广告内容"),
    ("referrer", "Came from", "来源页"),
    ("landing_page", "First page", "落地页"),
    ("timezone", "Time zone", "时区"),
    ("owner_id", "Owner", "负责人"),
    ("assignee_id", "Assignee", "执行人"),
    ("completed_at", "Completed", "完成时间"),
    ("converted_at", "Converted", "转化时间"),
    ("closed_at", "Closed", "结束时间"),
    ("created_at", "Created", "创建时间"),
    ("updated_at", "Last changed", "修改时间"),
];

/// Labels of values, by field: one value may be called differently in two fields.
const VALUES: [(&str, &[Label]); 12] = [
    (
        "status",
        &[
            ("new", "New", "新线索"),
            ("contacted", "Contacted", "已联系"),
            ("qualified", "Qualified", "有意向"),
            ("demo_scheduled", "Demo scheduled", "已约演示"),
            ("converted", "Converted", "已转化"),
            ("unqualified", "Unqualified", "无意向"),
            ("spam", "Spam", "垃圾信息"),
            ("accepted", "Accepted", "已接受"),
            ("held", "Held", "被拦截"),
            ("active", "Active", "活跃"),
            ("inactive", "Inactive", "不活跃"),
            ("prospect", "Prospect", "潜在"),
            ("churned", "Churned", "已流失"),
            ("open", "Open", "进行中"),
            ("won", "Won", "赢单"),
            ("lost", "Lost", "丢单"),
            ("todo", "To do", "待办"),
            ("in_progress", "In progress", "进行中"),
            ("done", "Done", "已完成"),
            ("cancelled", "Cancelled", "已取消"),
        ],
    ),
    (
        "check",
        &[
            ("honeypot", "filled in a hidden field", "填写了隐藏字段"),
            ("timing", "sent within two seconds", "打开后两秒内提交"),
            ("address_limit", "many posts from one network address", "同一网络地址提交过多"),
            ("form_limit", "many posts of one form", "同一表单提交过多"),
            ("email_limit", "many posts with one e-mail address or number", "同一邮箱或电话提交过多"),
            ("charset", "in no known charset", "字符集无法识别"),
            ("content", "a link in the name", "姓名中含有网址"),
            ("follows_held", "adds to a held post", "补充被拦截的提交"),
        ],
    ),
    ("demo_type", &[("virtual", "Virtual", "线上"), ("onsite", "On site", "上门"), ("showroom", "Showroom", "展厅")]),
    ("type", &[("person", "Person", "个人"), ("company", "Company", "公司")]),
    ("locale", &[("zh-CN", "Chinese", "中文"), ("en", "English", "英文")]),
    ("marketing", &[("true", "Yes", "是"), ("false", "No", "否")]),
    (
        "industry",
        &[
            ("manufacturing", "Manufacturing", "制造业"),
            ("energy", "Energy", "能源"),
            ("power_grid", "Power grid", "电网"),
            ("petrochemical", "Petrochemical", "石化"),
            ("mining", "Mining", "矿业"),
            ("logistics", "Logistics", "物流"),
            ("construction", "Construction", "建筑"),
            ("public_safety", "Public safety", "公共安全"),
            ("agriculture", "Agriculture", "农业"),
            ("research", "Research", "科研"),
            ("other", "Other", "其他"),
        ],
    ),
    (
        "company_size",
        &[
            ("startup", "Start-up", "初创"),
            ("small", "Small", "小型"),
            ("medium", "Medium", "中型"),
            ("large", "Large", "大型"),
            ("enterprise", "Enterprise", "超大型"),
        ],
    ),
    (
        "application_area",
        &[
            ("inspection", "Inspection", "巡检"),
            ("security", "Security", "安防"),
            ("surveying", "Surveying", "测绘"),
            ("rescue", "Rescue", "救援"),
            ("logistics", "Logistics", "物流"),
            ("research", "Research", "科研"),
            ("education", "Education", "教育"),
            ("other", "Other", "其他"),
        ],
    ),
    (
        "project_timeline",
        &[
            ("immediate", "Immediately", "立即"),
            ("short_term", "Within months", "数月内"),
            ("medium_term", "Within a year", "一年内"),
            ("long_term", "Later than in a year", "一年以后"),
            ("exploring", "Exploring", "尚在了解"),
        ],
    ),
    (
        "budget_range",
        &[
            ("under_100k", "Under 100,000", "10 万以下"),
            ("100k_500k", "100,000 to 500,000", "10 万至 50 万"),
            ("500k_1m", "500,000 to 1 million", "50 万至 100 万"),
            ("1m_5m", "1 to 5 million", "100 万至 500 万"),
            ("over_5m", "Over 5 million", "500 万以上"),
            ("undecided", "Undecided", "未定"),
        ],
    ),
    (
        "priority",
        &[("low", "Low", "低"), ("medium", "Medium", "中"), ("high", "High", "高"), ("urgent", "Urgent", "紧急")],
    ),
];

/// What a field is called; none if people see it under its own name.
pub fn of_field(field: &str, locale: Locale) -> Option<&'static str> {
    called(&FIELDS, field, locale)
}

/// What the value of a field is called. A text, and a value that only a newer version knows, is shown as it is.
pub fn of_value<'v>(field: &str, value: &'v str, locale: Locale) -> &'v str {
    let values = VALUES.iter().find(|(name, _)| *name == field).map(|(_, values)| *values);
    values.and_then(|values| called(values, value, locale)).unwrap_or(value)
}

fn called(labels: &[Label], name: &str, locale: Locale) -> Option<&'static str> {
    let (_, english, chinese) = labels.iter().find(|(known, ..)| *known == name)?;
    Some(locale.pick(english, chinese))
}

/// A field of a record as people read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Labelled {
    /// Its name in the API; that of the innermost object, for a part of one.
    pub name: String,
    /// What it is called.
    pub label: String,
    /// Its value.
    pub value: String,
}

/// The place of a form's own fields: after what the visitor wrote in the known ones.
const OWN_FIELDS: &str = "special_requirements";

/// The fields of a record in JSON that have a value: those that people know in the order of their labels, then what only programs
/// read. Those of inner objects stand beside the others.
pub fn labelled(record: &Value, locale: Locale, written: &dyn Fn(Timestamp) -> String) -> Vec<Labelled> {
    let mut fields = Vec::new();
    add_fields(&mut fields, "", record, locale, written);
    fields.sort_by_key(|(place, _)| *place);
    fields.into_iter().map(|(_, field)| field).collect()
}

fn add_fields(
    fields: &mut Vec<(usize, Labelled)>,
    inside: &str,
    json: &Value,
    locale: Locale,
    written: &dyn Fn(Timestamp) -> String,
) {
    for (name, value) in json.as_object().into_iter().flatten() {
        let wanted = if inside == "extra" { OWN_FIELDS } else { name };
        let place = FIELDS.iter().position(|(known, ..)| *known == wanted).unwrap_or(FIELDS.len());
        let value = match value {
            Value::Null => continue,
            Value::String(text) if text.is_empty() => continue,
            Value::Object(_) => {
                add_fields(fields, name, value, locale, written);
                continue;
            }
            Value::Array(all) if all.is_empty() => continue,
            Value::Array(all) => all.iter().map(|one| in_list(one, locale, written)).collect::<Vec<_>>().join("\n"),
            other => shown(name, other, locale, written),
        };
        let label = of_field(name, locale).map_or_else(|| name.replace('_', " "), str::to_owned);
        fields.push((place, Labelled { name: name.clone(), label, value }));
    }
}

fn shown(name: &str, value: &Value, locale: Locale, written: &dyn Fn(Timestamp) -> String) -> String {
    match value {
        Value::String(text) => match text.parse::<Timestamp>() {
            Ok(at) if text.len() >= 20 => written(at),
            _ => of_value(name, text, locale).to_owned(),
        },
        Value::Bool(is) => of_value(name, if *is { "true" } else { "false" }, locale).to_owned(),
        other => other.to_string(),
    }
}

/// An entry of a list: a text, or the values of an object. Of a failed check its name alone says enough.
fn in_list(value: &Value, locale: Locale, written: &dyn Fn(Timestamp) -> String) -> String {
    match value {
        Value::Object(parts) => match parts.get("check") {
            Some(check) => shown("check", check, locale, written),
            None => parts.iter().map(|(name, part)| shown(name, part, locale, written)).collect::<Vec<_>>().join(", "),
        },
        other => shown("", other, locale, written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customer::{CustomerStatus, CustomerType};
    use crate::demo::DemoType;
    use crate::enquiry::{ApplicationArea, BudgetRange, CompanySize, Industry, ProjectTimeline};
    use crate::opportunity::OpportunityStatus;
    use crate::submission::{Check, Verdict};
    use crate::task::{Priority, TaskStatus};

    #[test]
    fn every_value_of_a_list_is_called_something() {
        let lists: [(&str, &[&str]); 14] = [
            ("status", crate::lead::Status::NAMES),
            ("status", CustomerStatus::NAMES),
            ("status", OpportunityStatus::NAMES),
            ("status", TaskStatus::NAMES),
            ("status", Verdict::NAMES),
            ("check", Check::NAMES),
            ("type", CustomerType::NAMES),
            ("demo_type", DemoType::NAMES),
            ("industry", Industry::NAMES),
            ("company_size", CompanySize::NAMES),
            ("application_area", ApplicationArea::NAMES),
            ("project_timeline", ProjectTimeline::NAMES),
            ("budget_range", BudgetRange::NAMES),
            ("priority", Priority::NAMES),
        ];
        for (field, names) in lists {
            for name in names {
                assert_ne!(of_value(field, name, Locale::Chinese), *name, "{field}");
            }
        }
        for (field, ..) in FIELDS {
            assert!(of_field(field, Locale::English) != of_field(field, Locale::Chinese), "{field}");
        }
    }
}
