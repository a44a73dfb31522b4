//! Entry point of the Lambda function `chat`.

use daybook_runs::Site;
use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run_with(daybook_chat::routes(), |variables| daybook_runs::Chat::configured(variables, Site::Api))
}
