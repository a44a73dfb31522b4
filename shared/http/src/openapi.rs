//! The OpenAPI document, generated from the route tables and the types of handlers.

use crate::code::Code;
use crate::naming;
use crate::operation::Operation;
use crate::problem::{Members, OpenAiError};
use crate::routes::Route;
use axum::http::Method;
use daybook_domain::permission::{Action, Resource};
use daybook_domain::{Record, for_each_record_type};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::path::{OperationBuilder, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, Schema};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Content, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, RefOr,
    ResponseBuilder, SecurityRequirement,
};

/// Generates the document of these routes; `described` says what each of them does.
pub fn document<'r>(
    routes: impl IntoIterator<Item = &'r Route>,
    described: impl Fn(&Route) -> Option<String>,
) -> OpenApi {
    let mut paths = Paths::new();
    let mut components = Components::new();
    let mut asked = BTreeSet::new();
    let mut problem = Operation::default();
    let _ = problem.schema_of::<ProblemDocument>();
    let _ = problem.schema_of::<OpenAiError>();
    components.schemas.extend(problem.schemas);
    for route in routes {
        let mut operation = Operation::default();
        (route.describe)(&mut operation);
        components.schemas.extend(std::mem::take(&mut operation.schemas));
        asked.extend(operation.body.iter().flat_map(named));
        let built = built(route, operation, described(route));
        let path = paths.paths.entry(route.path.to_owned()).or_default();
        path.merge_operations(PathItem::new(http_method(&route.method), built));
    }
    close(&mut components.schemas, asked);
    for_each_record_type!(T => marked::<T>(&mut components.schemas));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.security_schemes.insert(BEARER.to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    let key =
        ApiKeyValue::with_description("X-API-Key", "An API key, for programs. It may also be sent as a bearer token.");
    components.security_schemes.insert(API_KEY.to_owned(), RefOr::T(SecurityScheme::ApiKey(ApiKey::Header(key))));
    let tags = naming::tags().map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build());
    let info = InfoBuilder::new()
        .title("Daybook")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("The CRM backend: customers, sales, web forms and mail, with an audit log of every change."))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).tags(Some(tags)).build()
}

/// The security scheme of access tokens.
const BEARER: &str = "bearer";

/// The security scheme of API keys.
const API_KEY: &str = "apiKey";

/// The names of the schemas that a value refers to.
fn named(of: &impl serde::Serialize) -> BTreeSet<String> {
    fn collect(value: &serde_json::Value, names: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(map) => {
                let name = map.get("$ref").and_then(|path| path.as_str()?.rsplit('/').next());
                names.extend(name.map(str::to_owned));
                map.values().for_each(|value| collect(value, names));
            }
            serde_json::Value::Array(list) => list.iter().for_each(|value| collect(value, names)),
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    collect(&serde_json::to_value(of).unwrap_or_default(), &mut names);
    names
}

/// Marks the read-only fields of a record type in all of its schemas.
fn marked<T: Record>(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    let name = T::name();
    let forms = [format!("{name}"), format!("{name}Patch"), format!("{name}Listed")];
    for form in forms {
        let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(&form) else { continue };
        for (_, schema) in object.properties.iter_mut().filter(|(field, _)| T::READ_ONLY.contains(&field.as_str())) {
            match schema {
                RefOr::Ref(field) => field.read_only = Some(true),
                RefOr::T(Schema::Object(field)) => field.read_only = Some(true),
                RefOr::T(Schema::OneOf(field)) => field.read_only = Some(true),
                RefOr::T(_) => {}
            }
        }
    }
}

/// Closes request schemas, and those nested in them, to unknown fields. Responses may gain fields in later versions.
fn close(schemas: &mut BTreeMap<String, RefOr<Schema>>, asked: BTreeSet<String>) {
    let (mut open, mut seen): (Vec<String>, BTreeSet<String>) = (asked.into_iter().collect(), BTreeSet::new());
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(schema) = schemas.get_mut(&name) else { continue };
        open.extend(named(schema));
        if let RefOr::T(Schema::Object(object)) = schema
            && object.additional_properties.is_none()
            && !object.properties.is_empty()
        {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

/// A problem document (RFC 9457).
#[derive(serde::Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
struct ProblemDocument {
    /// The kind of problem, as a URL.
    r#type: String,
    /// The kind of problem, in words.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What to do.
    detail: String,
    #[serde(flatten)]
    members: Members,
}

fn built(route: &Route, mut operation: Operation, described: Option<String>) -> utoipa::openapi::path::Operation {
    if route.method != Method::GET {
        operation.header_parameter(
            "Idempotency-Key",
            "At most 255 characters. A repeat with the same key within 24 hours gets the first answer again.",
        );
    }
    let access = format!("Access: {}.", route.access.describe());
    let id = naming::id_of(route);
    let mut build = OperationBuilder::new()
        .tag(naming::tag_of(route))
        .summary(Some(naming::summary_of(&id)))
        .operation_id(Some(id))
        .description(Some(described.into_iter().chain([access]).collect::<Vec<_>>().join("\n\n")))
        .request_body(operation.body);
    // Path parameters are in the order of the path.
    let mut in_path = route.path.split(['{', '}']).skip(1).step_by(2);
    for mut parameter in operation.parameters {
        if parameter.parameter_in == ParameterIn::Path
            && let Some(name) = in_path.next()
        {
            parameter.name = name.to_owned();
        }
        build = build.parameter(parameter);
    }
    for (status, schema) in operation.success {
        let response =
            ResponseBuilder::new().description("Done").content("application/json", Content::new(Some(schema))).build();
        build = build.response(status.as_str(), response);
    }
    for (status, description) in operation.pages {
        build = build.response(status.as_str(), ResponseBuilder::new().description(description).build());
    }
    for code in Code::ALL.into_iter().filter(|code| applies(*code, route)) {
        let (status, schema, kind) = match OpenAiError::is_at(route.path) {
            true => (OpenAiError::status(code), "OpenAiError", "application/json"),
            false => (code.status(), "Problem", "application/problem+json"),
        };
        let content = Content::new(Some(RefOr::Ref(Ref::from_schema_name(schema))));
        let response = ResponseBuilder::new().description(status.canonical_reason().unwrap_or_default());
        let mut response = response.content(kind, content);
        if takes_forms(route) {
            response = response.content("text/html", Content::new(None::<RefOr<Schema>>));
        }
        build = build.response(status.as_str(), response.build());
    }
    let scheme = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
    // Where nothing is needed, that is said, too.
    build = match route.access {
        crate::Access::Public(_) => build.security(SecurityRequirement::default()),
        crate::Access::PublicOr(..) => {
            build.security(SecurityRequirement::default()).security(scheme(BEARER)).security(scheme(API_KEY))
        }
        crate::Access::SignedIn => build.security(scheme(BEARER)),
        crate::Access::Can(..) | crate::Access::CanAny(..) => build.security(scheme(BEARER)).security(scheme(API_KEY)),
    };
    build.build()
}

/// Whether a route may answer with a code.
fn applies(code: Code, route: &Route) -> bool {
    let writes = route.method != Method::GET;
    match code {
        Code::Unauthenticated | Code::Forbidden => {
            !matches!(route.access, crate::Access::Public(crate::RateClass::Free))
        }
        // A form may also be named by a header or a field, a conversation and the records of a batch in the body.
        Code::NotFound => {
            route.path.contains('{') || takes_forms(route) || asks_a_model(route) || route.path.ends_with("/batch")
        }
        Code::MethodNotAllowed | Code::Misdirected => false,
        Code::UnsupportedMediaType
        | Code::RequestTimeout
        | Code::ValidationError
        | Code::Duplicate
        | Code::Conflict
        | Code::IdempotencyKeyReused
        | Code::PreconditionFailed => writes,
        Code::BudgetExceeded | Code::UnknownModel | Code::UseStreamUrl | Code::UpstreamError => asks_a_model(route),
        Code::TooLarge
        | Code::UriTooLong
        | Code::Malformed
        | Code::InvalidQuery
        // Keys, visitors and what costs money have limits; a gateway may have one for any route.
        | Code::RateLimited
        | Code::Unavailable
        | Code::Internal => true,
    }
}

/// Whether a route asks a language model.
fn asks_a_model(route: &Route) -> bool {
    route.method != Method::GET && route.access == crate::can(Resource::Ai, Action::Use)
}

/// Whether a route takes posted forms, which are answered with HTML pages for browsers.
fn takes_forms(route: &Route) -> bool {
    route.access.class() == Some(crate::RateClass::Form)
}

fn http_method(method: &Method) -> HttpMethod {
    match method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}
