//! Protection of the one-machine server from other machines and from web pages: the check of the `Host` header, which
//! prevents DNS rebinding, the pages for this machine alone, and the addresses to listen on.

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::HOST;
use axum::http::{HeaderName, Version};
use axum::middleware::Next;
use axum::response::Response;
use daybook_domain::origin::Host;
use daybook_http::{Problem, Refusal, request_id};
use daybook_store::Env;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// The hosts that the server answers for: the machine's own names, and those given by `--host`.
#[derive(Clone)]
pub struct KnownHosts {
    env: Arc<Env>,
    given: Arc<[Host]>,
}

impl KnownHosts {
    /// The machine's own names, and the given ones. The addresses that stand for all (0.0.0.0 and `::`) name no host.
    pub fn new(env: Arc<Env>, given: &[Host]) -> KnownHosts {
        let names = |host: &&Host| host.address().is_none_or(|address| !address.is_unspecified());
        KnownHosts { env, given: given.iter().filter(names).cloned().collect() }
    }
}

/// Middleware that answers only requests to a known host. A page of another site, whose name DNS resolves to this
/// machine, sends that name, and so is refused.
pub async fn of_known_host(State(known): State<KnownHosts>, request: Request, next: Next) -> Response {
    match host_of(&request) {
        Some(host) if host.is_loopback() || known.given.contains(&host) => next.run(request).await,
        _ => refuse(&known.env, Refusal::UnknownHost, &request),
    }
}

/// Beginnings of headers that proxies add. A request that a proxy on this machine forwards comes from this machine, too.
const PROXIED: [&str; 14] = [
    "cdn-",
    "cf-",
    "early-data",
    "fly-",
    "ngrok-",
    "tailscale-",
    "via",
    "x-amzn-",
    "x-azure-",
    "x-envoy-",
    "x-host",
    "x-original-",
    "x-real-ip",
    "x-scheme",
];

/// Parts of such headers.
const PROXIED_PARTS: [&str; 3] = ["client-ip", "connecting-ip", "forwarded"];

/// Middleware that answers only requests from this machine, to one of its own names, neither forwarded by a proxy nor
/// made by pages of other origins.
pub async fn of_this_machine(State(env): State<Arc<Env>>, request: Request, next: Next) -> Response {
    match refusal(&request) {
        None => next.run(request).await,
        Some(why) => refuse(&env, why, &request),
    }
}

fn refusal(request: &Request) -> Option<Refusal> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let is_near = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    let by_proxy = |name: &HeaderName| {
        let name = name.as_str();
        PROXIED.iter().any(|start| name.starts_with(start)) || PROXIED_PARTS.iter().any(|part| name.contains(part))
    };
    let is_forwarded = request.headers().keys().any(by_proxy);
    if !is_near || is_forwarded || !host_of(request).is_some_and(|host| host.is_loopback()) {
        return Some(Refusal::OtherMachine);
    }
    // Programs that aren't browsers, and addresses entered by users, have no page that the request comes from.
    let mut sites = request.headers().get_all("sec-fetch-site").iter();
    let is_own = sites.all(|site| site == "none" || site == "same-origin");
    (!is_own).then_some(Refusal::OtherOrigin)
}

/// The host that a request names: in its `Host` header, which must be the only one, in HTTP/2 in `:authority`. If its
/// target is a whole URL, that must have the same host.
fn host_of(request: &Request) -> Option<Host> {
    let mut headers = request.headers().get_all(HOST).iter();
    let (header, second) = (headers.next(), headers.next());
    let target = request.uri().authority();
    let of_header = header.and_then(|header| Host::of_authority(header.to_str().ok()?));
    let of_target = target.and_then(|target| Host::of_authority(target.as_str()));
    match (header, target) {
        _ if second.is_some() => None,
        (Some(_), None) => of_header,
        (Some(_), Some(_)) => of_header.filter(|host| of_target.as_ref() == Some(host)),
        (None, Some(_)) if request.version() >= Version::HTTP_2 => of_target,
        (None, _) => None,
    }
}

fn refuse(env: &Env, why: Refusal, request: &Request) -> Response {
    let (host, path) = (request.headers().get(HOST), request.uri().path());
    tracing::warn!(?host, path, "a request was refused: {why:?}");
    Problem::refused(why, &request_id(request.headers(), env), request.headers()).answer(path, request.headers())
}

/// The addresses that the server listens on.
pub struct Addresses {
    /// All of them.
    pub all: Vec<IpAddr>,
    /// The one for connections from this machine, which the mailbox and backups need.
    pub loopback: IpAddr,
}

impl Addresses {
    /// 127.0.0.1, and the addresses among the given hosts. 0.0.0.0 and `::` include all others.
    pub fn of(given: &[Host]) -> Addresses {
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        let mut all: Vec<IpAddr> = given.iter().filter_map(Host::address).chain([loopback]).collect();
        all.sort();
        all.dedup();
        // `::` includes the addresses of IPv4, too, except where the system separates them.
        match all.iter().copied().filter(IpAddr::is_unspecified).max() {
            None => Addresses { all, loopback },
            Some(any @ IpAddr::V4(_)) => Addresses { all: vec![any], loopback },
            Some(any @ IpAddr::V6(_)) => Addresses { all: vec![any], loopback: Ipv6Addr::LOCALHOST.into() },
        }
    }
}
