//! Messages of failed HTTP calls.

/// The message of a failed call with its causes, without the URL, which may contain ids.
pub(crate) fn in_words(error: &reqwest::Error) -> String {
    let mut words = if error.is_timeout() { "timed out".to_owned() } else { "the connection failed".to_owned() };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words.chars().take(300).collect()
}
