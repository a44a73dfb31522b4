//! The context of what an admitted caller asks for.

use crate::access::Admitted;
use crate::audit;
use daybook_store::{Cx, Env, RequestInfo, Result};
use std::sync::Arc;

impl Admitted {
    /// The context of what the caller asks for; fails if it is refused, which goes on record.
    pub async fn context(self, env: &Arc<Env>, info: RequestInfo) -> Result<Cx> {
        let Admitted { org, actor, grants, reach, refused, .. } = self;
        let (request, mates) = (Arc::new(info), Arc::default());
        let cx = Cx { env: env.clone(), org, actor, reach, grants, request, once: None, mates };
        match refused {
            Some(refused) => {
                audit::denied(&cx).await?;
                Err(refused.into())
            }
            None => Ok(cx),
        }
    }
}
