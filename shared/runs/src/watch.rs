//! Readers of an answer: from the process that generates it, else from the table.

use crate::Chat;
use crate::live::Listening;
use daybook_domain::{Error as Domain, Rule, RunId};
use daybook_store::rows::run::{Run, State};
use daybook_store::{Cx, Error, Result};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often an answer that another process generates is read.
const POLL: Duration = Duration::from_millis(400);

/// How long a position that isn't stored yet is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// A reader of an answer, from a number of characters on.
#[derive(Debug)]
pub struct Watch {
    cx: Cx,
    id: RunId,
    /// The number of characters so far.
    seq: u64,
    /// The number of characters still to skip.
    skip: u64,
    live: Option<Listening>,
}

impl Watch {
    /// A reader from a number of characters on. Refused if the answer has fewer.
    pub async fn of(chat: &Chat, cx: &Cx, id: RunId, after: u64) -> Result<Watch> {
        let mut watch = Watch { cx: cx.clone(), id, seq: after, skip: 0, live: chat.live.listen(id) };
        if after == 0 {
            return Ok(watch);
        }
        let mut known = watch.known().await?;
        // Another process stores text a moment after its readers have it.
        let patience = Instant::now() + PATIENCE;
        while after > known.0 && !known.1 && watch.live.is_none() && Instant::now() < patience {
            sleep(POLL).await;
            known = watch.known().await?;
        }
        let known = known.0;
        if after > known {
            let max = i64::try_from(known).unwrap_or(i64::MAX);
            return Err(Domain::query("after_seq", Rule::Range { min: 0, max }).into());
        }
        watch.skip = if watch.live.is_some() { after } else { 0 };
        Ok(watch)
    }

    /// The number of characters so far, and whether there are no more.
    async fn known(&self) -> Result<(u64, bool)> {
        match &self.live {
            Some(live) => Ok((live.length(), false)),
            None => {
                let run = Run::read(&self.cx.env, self.cx.org, self.id).await?;
                Ok(run.map_or((0, true), |run| (run.seq(), run.is_over())))
            }
        }
    }

    /// The next text, with the number of characters up to and with it; waits for it. `None` at the end.
    pub async fn next(&mut self) -> Result<Option<(u64, String)>> {
        let text = loop {
            let Some(live) = &mut self.live else { break self.polled().await? };
            match live.next().await {
                None => return Ok(None),
                Some(text) => {
                    let skipped = self.skip.min(text.chars().count() as u64);
                    self.skip -= skipped;
                    let rest: String = text.chars().skip(skipped as usize).collect();
                    if !rest.is_empty() {
                        break Some(rest);
                    }
                }
            }
        };
        Ok(text.map(|text| {
            self.seq += text.chars().count() as u64;
            (self.seq, text)
        }))
    }

    /// The run as it is stored by now.
    pub async fn run(&self) -> Result<Run> {
        let run = Run::read(&self.cx.env, self.cx.org, self.id).await?;
        Ok(run.ok_or_else(|| Domain::not_found(daybook_domain::error::Thing::Run))?)
    }

    /// The run once it has ended, after its last text. Fails if the model failed, or if the process that generates it
    /// couldn't store its end yet.
    pub async fn end(&self) -> Result<Run> {
        let run = self.run().await?;
        match run.state {
            State::Error => Err(Domain::Upstream { run: self.id }.into()),
            _ if run.is_over() => Ok(run),
            _ => Err(Error::unavailable("read the end of an answer", "it isn't stored")),
        }
    }

    /// The whole text as it is stored by now.
    pub async fn text(&self) -> Result<String> {
        self.run().await?.text_after(&self.cx.env, self.cx.org, self.id, 0).await
    }

    async fn polled(&self) -> Result<Option<String>> {
        loop {
            let run = self.run().await?;
            let text = run.text_after(&self.cx.env, self.cx.org, self.id, self.seq).await?;
            if !text.is_empty() {
                return Ok(Some(text));
            }
            if run.is_over() {
                return Ok(None);
            }
            sleep(POLL).await;
        }
    }
}
