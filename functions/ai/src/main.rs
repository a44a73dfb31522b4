//! Entry point of the Lambda function `ai`.

use daybook_runs::Site;
use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run_with(daybook_ai::routes(), |_, variables| daybook_runs::Chat::configured(variables, Site::Api))
}
