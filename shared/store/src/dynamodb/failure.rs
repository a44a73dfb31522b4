//! Classification of the SDK's errors: refused, contended, busy, invalid, or of unknown outcome.

use crate::Error;
use crate::engine::Failure;
use crate::item::Item;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;

/// An SDK error that may report a failed condition, with the current item.
pub(super) trait Refusal: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static {
    /// The current item (empty where there is none), if the condition failed.
    fn refused(&self) -> Option<Item>;
}

macro_rules! refusals {
    ($($error:ty)*) => {$(
        impl Refusal for $error {
            fn refused(&self) -> Option<Item> {
                match self {
                    Self::ConditionalCheckFailedException(failed) => Some(failed.item.clone().unwrap_or_default()),
                    _ => None,
                }
            }
        }
    )*};
}

refusals!(PutItemError UpdateItemError DeleteItemError);

/// Why a single write failed.
pub(super) fn of_write<E: Refusal, R: std::fmt::Debug + Send + Sync + 'static>(error: SdkError<E, R>) -> Failure {
    match error.as_service_error() {
        Some(service) => match (service.refused(), service.code()) {
            (Some(item), _) => Failure::Refused(vec![Some(item)]),
            (None, Some("TransactionConflictException")) => Failure::Contended(error.into()),
            (None, Some(code)) if !is_passing(code) => Failure::Invalid(error.into()),
            _ => Failure::OutcomeUnknown(error.into()),
        },
        None => Failure::OutcomeUnknown(error.into()),
    }
}

/// Why a transaction failed.
pub(super) fn of_transaction(error: SdkError<TransactWriteItemsError>) -> Failure {
    let failed_inside = error.raw_response().is_some_and(|answer| answer.status().is_server_error());
    let service = match &error {
        SdkError::ServiceError(service) => service.err(),
        SdkError::ConstructionFailure(_) => return Failure::Invalid(error.into()),
        _ => return Failure::OutcomeUnknown(error.into()),
    };
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = service else {
        return match service.code() {
            Some(code) if is_passing(code) && code != "InternalServerError" => Failure::Busy(error.into()),
            _ if failed_inside => Failure::OutcomeUnknown(error.into()),
            Some("TransactionInProgressException") | None => Failure::OutcomeUnknown(error.into()),
            Some(code) => Failure::Invalid(format!("{code}: {}", service.message().unwrap_or("")).into()),
        };
    };
    let reasons = cancelled.cancellation_reasons();
    let refused = reasons.iter().map(|reason| match reason.code() {
        Some("ConditionalCheckFailed") => Some(reason.item().cloned().unwrap_or_default()),
        _ => None,
    });
    let refused: Vec<Option<Item>> = refused.collect();
    if refused.iter().any(Option::is_some) {
        return Failure::Refused(refused);
    }
    match reasons.iter().filter_map(|reason| reason.code()).find(|code| *code != "None") {
        Some("ValidationError" | "ItemCollectionSizeLimitExceeded") => {
            let why: Vec<&str> = reasons.iter().filter_map(|reason| reason.message()).collect();
            Failure::Invalid(why.join(", ").into())
        }
        Some("TransactionConflict") => Failure::Contended(error.into()),
        _ => Failure::Busy(error.into()),
    }
}

/// Why a read failed.
pub(super) fn from_sdk<E, R>(operation: &'static str, error: SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let passing = match error.as_service_error().and_then(|service| service.code()) {
        Some(code) => is_passing(code),
        None => true,
    };
    if passing { Error::unavailable(operation, error) } else { Error::internal(operation, error) }
}

/// Whether an error code of DynamoDB is transient, so that a retry may succeed.
fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "InternalServerError"
            | "InternalServerErrorException"
            | "ServiceUnavailable"
            | "TransactionConflictException"
            | "LimitExceededException"
            | "ReplicatedWriteConflictException"
    )
}
