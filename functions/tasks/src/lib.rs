//! The tasks API: work for a user to do by a due date, about a customer, an opportunity or another record.
//!
//! The assignee is notified by e-mail, and reminded if the task has reminders. A cascade delete of a customer or an
//! opportunity includes the tasks about it.

use daybook_domain::TaskId;
use daybook_domain::permission::Action::{Create, Delete, Read, Update};
use daybook_domain::permission::Resource::Tasks;
use daybook_domain::task::{Task, TaskStatus};
use daybook_handlers::{batch, create, delete, list, read, restore, search, timeline, update};
use daybook_http::{Cx, Data, IfMatch, Path, Result, Routes, can, can_any};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("tasks")
        .get("/api/tasks", can(Tasks, Read), list::<Task>)
        .post("/api/tasks", can(Tasks, Create), create::<Task>)
        .post("/api/tasks/search", can(Tasks, Read), search::<Task>)
        .post("/api/tasks/batch", can_any(Tasks, &[Create, Update, Delete]), batch::<Task>)
        .get("/api/tasks/{id}", can(Tasks, Read), read::<Task>)
        .put("/api/tasks/{id}", can(Tasks, Update), update::<Task>)
        .patch("/api/tasks/{id}", can(Tasks, Update), update::<Task>)
        .delete("/api/tasks/{id}", can(Tasks, Delete), delete::<Task>)
        .post("/api/tasks/{id}/restore", can(Tasks, Update), restore::<Task>)
        .post("/api/tasks/{id}/complete", can(Tasks, Update), complete)
        .get("/api/tasks/{id}/timeline", can(Tasks, Read), timeline::<Task>)
}

/// Marks a task as done; idempotent.
async fn complete(cx: Cx, Path(id): Path<TaskId>, IfMatch(version): IfMatch) -> Result<Data<Task>> {
    let done = [("status".to_owned(), TaskStatus::Done.name().into())];
    daybook_records::amend(&cx, id, version, done.into_iter().collect(), Data).await
}
