//! Tasks: to-dos assigned to users, with due dates, reminders, checklists and related records.

use crate::choices;
use crate::field::Fields;
use crate::permission::Resource;
use crate::record::{OnTimelines, Personal, Record, Reference};
use crate::words::Words;
use crate::{
    AnyId, Change, CustomerId, Edit, Error, Event, Line, Percent, Prose, RecordType, Rule, Several, TaskId, Timestamp,
    UserId, record_head,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

choices! {
    /// The status of a task.
    #[derive(Default)]
    TaskStatus {
        /// Not started.
        #[default] Todo = "todo",
        /// In progress.
        InProgress = "in_progress",
        /// Completed.
        Done = "done",
        /// Cancelled.
        Cancelled = "cancelled",
    }

    /// The priority of a task.
    #[derive(Default)]
    Priority {
        /// Low.
        Low = "low",
        /// Medium.
        #[default] Medium = "medium",
        /// High.
        High = "high",
        /// Urgent.
        Urgent = "urgent",
    }

    /// The channel of a reminder.
    #[derive(Default)]
    Channel {
        /// By mail.
        #[default] Email = "email",
        /// In the front end, by the event `task.due`.
        InApp = "in_app",
    }

    /// The types of record that a task or conversation can be about.
    RelatedType {
        /// A lead.
        Lead = "lead",
        /// A customer.
        Customer = "customer",
        /// A contact.
        Contact = "contact",
        /// An opportunity.
        Opportunity = "opportunity",
    }
}

impl RelatedType {
    /// The record type, if known.
    fn record_type(self) -> Option<RecordType> {
        match self {
            RelatedType::Lead => Some(RecordType::Lead),
            RelatedType::Customer => Some(RecordType::Customer),
            RelatedType::Contact => Some(RecordType::Contact),
            RelatedType::Opportunity => Some(RecordType::Opportunity),
            RelatedType::Unknown(_) => None,
        }
    }
}

/// The record that a task or conversation is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Related {
    /// The type of the record.
    #[serde(rename = "type")]
    pub kind: RelatedType,
    /// The id of the record.
    #[schema(value_type = String)]
    pub id: AnyId,
}

impl Related {
    /// Refuses an id of another type than the given one; `pointer` is the place of the id.
    pub(crate) fn check(&self, pointer: &str) -> Result<(), Error> {
        match self.kind.record_type().filter(|kind| self.id.kind != *kind) {
            Some(kind) => Err(Error::invalid(pointer, Rule::Id { prefix: kind.prefix().to_owned() })),
            None => Ok(()),
        }
    }
}

/// A reminder of a task: at a given time, or a number of minutes before it is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reminder {
    /// The time of the reminder.
    pub at: Option<Timestamp>,
    /// The number of minutes before the due date, at most a year.
    #[schema(maximum = 527040)]
    pub offset_minutes: Option<u32>,
    /// The channel.
    #[serde(default)]
    pub channel: Channel,
}

/// A checklist item of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Step {
    /// What to do.
    pub text: Line<200>,
    /// Whether the item is done.
    #[serde(default)]
    pub done: bool,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Task {
    /// The id.
    #[field(read_only)]
    pub id: TaskId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// What to do.
    #[field(required)]
    pub title: Line<200>,
    /// A description in free text.
    pub description: Option<Prose<10000>>,
    /// The status; `todo` unless given.
    #[field(default = TaskStatus::Todo)]
    pub status: TaskStatus,
    /// The priority; `medium` unless given.
    #[field(default = Priority::Medium)]
    pub priority: Priority,
    /// The progress in percent; 100 when the status is `done`.
    #[field(default = Percent::NONE)]
    pub progress: Percent,
    /// The due date. Without an offset: in `timezone` if given with it, else in the organisation's time zone.
    #[field(moment, deadline)]
    pub due_date: Option<Timestamp>,
    /// The start date. Without an offset as `due_date`.
    #[field(moment)]
    pub start_date: Option<Timestamp>,
    /// The assignee; the creator unless given.
    #[field(default = by.actor.owner())]
    pub assignee_id: Option<UserId>,
    /// The record it is about.
    pub related_to: Option<Related>,
    /// The customer it is about, directly or through an opportunity.
    #[field(read_only)]
    pub customer_id: Option<CustomerId>,
    /// Reminders of the assignee, at most ten.
    #[schema(value_type = Vec<Reminder>, max_items = 10)]
    #[field(moment, default = Several::default())]
    pub reminders: Several<Reminder, 10>,
    /// The checklist, at most 50 items.
    #[schema(value_type = Vec<Step>, max_items = 50)]
    #[field(default = Several::default())]
    pub checklist: Several<Step, 50>,
    /// Tags to find it by.
    #[schema(value_type = Vec<Line<50>>, max_items = 50)]
    #[field(default = Several::default())]
    pub tags: Several<Line<50>, 50>,
    /// When it was completed.
    #[field(read_only)]
    pub completed_at: Option<Timestamp>,
}

impl Reminder {
    /// The time of the reminder for a task due at this time; none if it depends on a due date and there is none.
    pub fn moment(&self, due: Option<Timestamp>) -> Option<Timestamp> {
        let before = |due: Timestamp| Some(due.minus(Duration::from_secs(60 * u64::from(self.offset_minutes?))));
        self.at.or_else(|| due.and_then(before))
    }
}

impl Task {
    /// Whether it is neither completed nor cancelled.
    pub fn is_open(&self) -> bool {
        matches!(self.status, TaskStatus::Todo | TaskStatus::InProgress)
    }

    /// The task with its derived fields. `progressed`: whether the progress was given; `customer`: the one it is about.
    fn settled(
        mut self,
        before: Option<&Task>,
        progressed: bool,
        customer: Option<CustomerId>,
        at: Timestamp,
    ) -> Result<Task, Error> {
        self.customer_id = customer;
        if let Some(related) = &self.related_to {
            related.check("/related_to/id")?;
        }
        for (n, reminder) in self.reminders.as_slice().iter().enumerate() {
            let wrong = |name: &str, rule| Err(Error::invalid(format!("/reminders/{n}{name}"), rule));
            match (reminder.at, reminder.offset_minutes) {
                (Some(_), None) => {}
                (None, Some(minutes)) if minutes > 527_040 => {
                    return wrong("/offset_minutes", Rule::Range { min: 0, max: 527_040 });
                }
                (None, Some(_)) if self.due_date.is_some() => {}
                (None, Some(_)) => return Err(Error::invalid("/due_date", Rule::Required)),
                _ => {
                    let rule = Rule::format("either at or offset_minutes", "提供 at 和 offset_minutes 之一");
                    return wrong("", rule);
                }
            }
        }
        if let (Some(start), Some(due)) = (self.start_date, self.due_date)
            && start > due
        {
            let rule = Rule::format("a time that isn't after due_date", "是不晚于 due_date 的时间");
            return Err(Error::invalid("/start_date", rule));
        }
        let was_done = before.is_some_and(|before| before.status == TaskStatus::Done);
        match (self.status == TaskStatus::Done, was_done) {
            (true, _) => {
                self.progress = Percent::ALL;
                self.completed_at = before.and_then(|before| before.completed_at).or(Some(at));
            }
            (false, true) => {
                self.completed_at = None;
                if !progressed {
                    self.progress = Percent::NONE;
                }
            }
            (false, false) => {}
        }
        Ok(self)
    }
}

impl Record for Task {
    const TYPE: RecordType = RecordType::Task;
    type Id = TaskId;
    type Context = Option<Option<CustomerId>>;
    const RESOURCE: Resource = Resource::Tasks;
    const PERSONAL: Personal = Personal::Yes;
    const ON_TIMELINES: OnTimelines = OnTimelines::Yes("A task was created.");
    const CASCADES_FROM: &'static [RecordType] = &[RecordType::Customer, RecordType::Opportunity];
    const IN_SCOPE_OF: &'static [RecordType] =
        &[RecordType::Customer, RecordType::Contact, RecordType::Opportunity, RecordType::Lead];
    const SAMPLE: &'static str = r#"{"title": "Call", "status": "todo", "priority": "medium", "progress": 0, "related_to": {"type": "opportunity", "id": "opp_{id}"}, "customer_id": "cus_{id}", "reminders": [], "checklist": [{"text": "Dial"}], "tags": []}"#;
    const SEARCHED: bool = true;
    const STATE: Option<(&'static str, &'static [&'static str])> = Some(("status", TaskStatus::NAMES));
    const OWNER: Option<&'static str> = Some("assignee_id");
    const PARENTS: &'static [&'static str] = &["customer_id", "related_to"];
    const DATE: Option<&'static str> = Some("due_date");

    record_head!(undated);

    fn settle(edit: Edit<'_, Task>, customer: &Option<Option<CustomerId>>) -> Result<Task, Error> {
        let progressed = edit.again || edit.gives("progress");
        let customer = match edit.again {
            true => edit.wanted.customer_id,
            false => customer.unwrap_or_else(|| edit.before.and_then(|before| before.customer_id)),
        };
        let completed_at = edit.wanted.completed_at;
        let settled = edit.wanted.settled(edit.before, progressed, customer, edit.at)?;
        Ok(if edit.again { Task { completed_at, ..settled } } else { settled })
    }

    fn event(change: Change<'_, Task>) -> Event {
        match change {
            Change::Create(_) => Event::TaskCreated,
            Change::Update(before, after) if before.assignee_id != after.assignee_id => Event::TaskAssigned,
            Change::Update(..) => Event::TaskUpdated,
            Change::Delete(_) => Event::TaskDeleted,
            Change::Restore(_) => Event::TaskRestored,
        }
    }

    fn also(change: Change<'_, Task>) -> Vec<Event> {
        let done = match change {
            Change::Create(after) => after.status == TaskStatus::Done,
            Change::Update(before, after) => before.status != after.status && after.status == TaskStatus::Done,
            _ => false,
        };
        if done { vec![Event::TaskCompleted] } else { Vec::new() }
    }

    fn date(&self) -> Timestamp {
        self.due_date.unwrap_or(Timestamp::END)
    }

    fn words(&self) -> Words {
        Words::default().with(Some(self.title.as_str()))
    }

    fn parents(&self) -> Vec<AnyId> {
        let related = self.related_to.iter().map(|related| related.id);
        let customer = self.customer_id.map(AnyId::from).filter(|id| related.clone().all(|other| other != *id));
        related.clone().chain(customer).collect()
    }

    fn references(&self) -> Vec<Reference> {
        Reference::list(&[
            (self.related_to.as_ref().map(|related| related.id), "/related_to/id"),
            (self.assignee_id.map(Into::into), "/assignee_id"),
        ])
    }

    fn owner(&self) -> Option<UserId> {
        self.assignee_id
    }

    fn state(&self) -> Option<&str> {
        Some(self.status.name())
    }

    fn alarms(&self) -> Vec<Timestamp> {
        if !self.is_open() {
            return Vec::new();
        }
        let reminders = self.reminders.as_slice().iter().filter_map(|reminder| reminder.moment(self.due_date));
        let mut moments: Vec<Timestamp> = reminders.chain(self.due_date).collect();
        moments.sort();
        moments.dedup();
        moments
    }
}

crate::as_text!(Reminder, Step);

impl crate::field::FieldType for Related {
    const KIND: crate::field::FieldKind = crate::field::FieldKind::Named;
}
