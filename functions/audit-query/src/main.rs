//! Entry point of the Lambda function `audit-query`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run_with_anchors(daybook_audit_query::routes())
}
