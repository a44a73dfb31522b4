//! The mail transport of Amazon SES v2.

use crate::{Mail, Mailer, SendError};
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use futures::future::BoxFuture;

/// The tag that carries a mail's id into SES's events.
pub const TAG: &str = "mail_id";

/// SES, in the account and region of the environment.
#[derive(Clone, Debug)]
pub struct Ses {
    client: Client,
    configuration_set: Option<String>,
}

impl Ses {
    /// SES, reached by this SDK configuration, with the configuration set whose events are read, if there is one.
    ///
    /// The SDK doesn't retry calls: SES has no idempotency keys, so a retry of a call whose answer was lost could
    /// send a second mail. The worker decides.
    pub fn new(config: &aws_config::SdkConfig, configuration_set: Option<String>) -> Ses {
        let once = aws_sdk_sesv2::config::retry::RetryConfig::disabled();
        let config = aws_sdk_sesv2::config::Builder::from(config).retry_config(once).build();
        Ses { client: Client::from_conf(config), configuration_set }
    }
}

impl Mailer for Ses {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<String, SendError>> {
        Box::pin(async move {
            let unbuilt = |error: &dyn std::fmt::Display| SendError::Refused(error.to_string());
            let text = |data: &str| Content::builder().data(data).charset("UTF-8").build().map_err(|e| unbuilt(&e));
            let body = Body::builder().text(text(&mail.content.text)?).html(text(&mail.content.html)?).build();
            let message = Message::builder().subject(text(mail.content.subject.as_str())?).body(body).build();
            let tag = MessageTag::builder().name(TAG).value(&mail.id).build().map_err(|e| unbuilt(&e))?;
            let sent = self
                .client
                .send_email()
                .from_email_address(mail.from.header())
                .destination(Destination::builder().to_addresses(mail.to.normalized()).build())
                .set_reply_to_addresses(mail.reply_to.as_ref().map(|address| vec![address.normalized()]))
                .content(EmailContent::builder().simple(message).build())
                .email_tags(tag)
                .set_configuration_set_name(self.configuration_set.clone())
                .send()
                .await;
            sent.map(|reply| reply.message_id.unwrap_or_default()).map_err(|error| classify(&error))
        })
    }

    /// SES can't be queried; its events report what was sent.
    fn was_sent<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Option<bool>> {
        Box::pin(async { None })
    }
}

/// Classifies an error of SES: limits are temporary, refusals are permanent, and without an answer the outcome is unknown.
fn classify<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E>) -> SendError {
    let reason = DisplayErrorContext(error).to_string();
    match error {
        SdkError::ConstructionFailure(_) => SendError::Refused(reason),
        SdkError::DispatchFailure(failure) if failure.is_user() || never_connected(failure) => {
            SendError::Temporary(reason)
        }
        SdkError::ServiceError(service) => match service.err().code() {
            Some(
                "MessageRejected" | "BadRequestException" | "MailFromDomainNotVerifiedException" | "NotFoundException",
            ) => SendError::Refused(reason),
            Some("TooManyRequestsException" | "LimitExceededException" | "Throttling" | "ThrottlingException") => {
                SendError::Temporary(reason)
            }
            // SES answered that it did nothing, for a reason an administrator can fix: permissions, a paused account.
            _ if service.raw().status().is_client_error() => SendError::Blocked(reason),
            _ => SendError::OutcomeUnknown(reason),
        },
        _ => SendError::OutcomeUnknown(reason),
    }
}

fn never_connected(failure: &aws_smithy_runtime_api::client::result::DispatchFailure) -> bool {
    use aws_smithy_runtime_api::client::result::ConnectorError;
    failure
        .as_connector_error()
        .is_some_and(|error: &ConnectorError| error.connection_metadata().is_none() && error.is_io())
}
