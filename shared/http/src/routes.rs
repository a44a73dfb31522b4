//! The route table of a function: method, path, access rule and handler of each endpoint.

use crate::access::Access;
use crate::call::Call;
use crate::handler::Handler;
use crate::operation::Operation;
use crate::reply::Answer;
use axum::http::Method;
use daybook_store::Result;
use futures::future::BoxFuture;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The time-out of a request; the gateway gives up after 30 s. A handler that waits for something has 25 s.
const LONGEST: Duration = Duration::from_secs(28);

type Answering = Arc<dyn Fn(Call) -> BoxFuture<'static, Result<Answer>> + Send + Sync>;

/// One route.
#[derive(Clone)]
pub struct Route {
    /// The function it belongs to.
    pub function: &'static str,
    /// The method.
    pub method: Method,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// Its access rule.
    pub access: Access,
    /// The longest that it may take until its answer begins.
    pub longest: Duration,
    pub(crate) handler: Answering,
    pub(crate) describe: fn(&mut Operation),
    pub(crate) handler_name: &'static str,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.method, self.path, self.access.describe())
    }
}

impl Route {
    /// Whether a path matches this route; each parameter matches one segment.
    pub fn fits(&self, path: &str) -> bool {
        let (mut wanted, mut given) = (self.path.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some(wanted), Some(given)) if wanted == given || (wanted.starts_with('{') && !given.is_empty()) => {}
                _ => return false,
            }
        }
    }

    /// The path of its handler, such as `daybook_auth::sessions::list`.
    pub fn handler(&self) -> &'static str {
        self.handler_name.split('<').next().unwrap_or_default()
    }
}

/// The routes of a function.
#[derive(Clone, Debug)]
pub struct Routes {
    /// The function.
    pub function: &'static str,
    /// Its routes.
    pub list: Vec<Route>,
    longest: Duration,
}

macro_rules! methods {
    ($($name:ident $method:ident),*) => {$(
        #[doc = concat!("Answers ", stringify!($method), ".")]
        #[must_use]
        pub fn $name<A, H: Handler<A>>(self, path: &'static str, access: Access, handler: H) -> Routes {
            self.route(Method::$method, path, access, handler)
        }
    )*};
}

impl Routes {
    /// An empty route table for a function.
    pub fn of(function: &'static str) -> Routes {
        Routes { function, list: Vec::new(), longest: LONGEST }
    }

    /// Gives the routes that follow more time, where no gateway is before them.
    #[must_use]
    pub fn lasting(self, longest: Duration) -> Routes {
        Routes { longest, ..self }
    }

    /// Adds the routes of another table, as this function's.
    #[must_use]
    pub fn with(mut self, other: Routes) -> Routes {
        let function = self.function;
        self.list.extend(other.list.into_iter().map(|route| Route { function, ..route }));
        self
    }

    methods!(get GET, post POST, put PUT, patch PATCH, delete DELETE);

    fn route<A, H: Handler<A>>(mut self, method: Method, path: &'static str, access: Access, handler: H) -> Routes {
        let answering: Answering = Arc::new(move |call| {
            let handler = handler.clone();
            Box::pin(async move { handler.call(call).await })
        });
        let describe = H::describe;
        let handler_name = std::any::type_name::<H>();
        self.list.push(Route {
            function: self.function,
            method,
            path,
            access,
            longest: self.longest,
            handler: answering,
            describe,
            handler_name,
        });
        self
    }
}
