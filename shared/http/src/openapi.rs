//! The OpenAPI document, from the tables of routes and the types of handlers.

use crate::problem::{Code, Members};
use crate::routes::Route;
use axum::http::{Method, StatusCode};
use daybook_domain::{Record, for_each_record_type};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{
    AdditionalProperties, AllOfBuilder, AnyOfBuilder, ArrayBuilder, ObjectBuilder, Schema, Type,
};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, Content, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, RefOr,
    Required, ResponseBuilder, SecurityRequirement,
};
use utoipa::{PartialSchema, ToSchema};

/// The documentation of one route, as its handler's arguments and reply add to it.
#[derive(Default)]
pub struct Operation {
    schemas: BTreeMap<String, RefOr<Schema>>,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    success: Vec<(StatusCode, RefOr<Schema>)>,
    pages: Vec<(StatusCode, &'static str)>,
}

impl Operation {
    /// A reference to a type, which joins the document's components.
    pub fn schema_of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut nested = Vec::new();
        T::schemas(&mut nested);
        self.schemas.extend(nested);
        // All lists have one name, so they are spelled out in place.
        if T::name() == "Vec" {
            return T::schema();
        }
        self.schemas.insert(T::name().into_owned(), T::schema());
        RefOr::Ref(Ref::from_schema_name(T::name()))
    }

    /// A type of record as whoever makes one gives it: what isn't required may be left out, `null` or an empty text.
    pub fn new_schema_of<T: Record>(&mut self) -> RefOr<Schema> {
        self.given_schema_of::<T>(true, |field, _| match T::REQUIRED.contains(&field) {
            true => &[],
            false => &[Type::Null, Type::String],
        })
    }

    /// A type of record as whoever changes one gives it: what may be nothing is cleared by `null` or an empty text.
    pub fn patch_schema_of<T: Record>(&mut self) -> RefOr<Schema> {
        self.given_schema_of::<T>(false, |_, schema| match schema.to_string() {
            text if schema["type"] == "array" || text.contains("\"null\"") => &[Type::Null, Type::String],
            _ => &[],
        })
    }

    /// A type of record as somebody gives it, with what fields may be besides: `null`, an empty text.
    fn given_schema_of<T: Record>(
        &mut self,
        is_new: bool,
        besides: fn(&str, &serde_json::Value) -> &'static [Type],
    ) -> RefOr<Schema> {
        let _ = self.schema_of::<T>();
        let name = if is_new { format!("New{}", T::name()) } else { format!("{}Patch", T::name()) };
        if let RefOr::T(Schema::Object(mut object)) = T::schema() {
            object.required = T::REQUIRED.iter().filter(|_| is_new).map(|&field| field.to_owned()).collect();
            object.properties.retain(|field, _| !is_new || !T::READ_ONLY.contains(&field.as_str()));
            for (field, schema) in &mut object.properties {
                let also = besides(field, &serde_json::to_value(&*schema).unwrap_or_default());
                if T::READ_ONLY.contains(&field.as_str()) || also.is_empty() {
                    continue;
                }
                let mut any = AnyOfBuilder::new().item(schema.clone());
                for kind in also {
                    let empty = ObjectBuilder::new().schema_type(kind.clone());
                    any = any.item(if *kind == Type::String { empty.max_length(Some(0)) } else { empty });
                }
                *schema = any.into();
            }
            if !T::MOMENTS.is_empty() {
                let zone = ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null]));
                let text = format!(
                    "The zone of {} without an offset; the organisation's unless given.",
                    T::MOMENTS.join(", ")
                );
                object.properties.insert("timezone".to_owned(), zone.description(Some(text)).into());
            }
            self.schemas.insert(name.clone(), RefOr::T(Schema::Object(object)));
        }
        RefOr::Ref(Ref::from_schema_name(name))
    }

    /// A type as lists show it, which may leave out every field but the id.
    pub fn listed_schema_of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let whole = self.schema_of::<T>();
        let RefOr::T(Schema::Object(mut object)) = T::schema() else { return whole };
        if !object.properties.contains_key("id") {
            return whole;
        }
        object.required = vec!["id".to_owned()];
        let name = format!("{}Listed", T::name());
        self.schemas.insert(name.clone(), RefOr::T(Schema::Object(object)));
        RefOr::Ref(Ref::from_schema_name(name))
    }

    /// Types laid over each other, with any other field besides. Spelled out in place, as the types themselves
    /// are closed elsewhere.
    pub fn open(&mut self, parts: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        let mut all = AllOfBuilder::new();
        for mut part in parts {
            if let RefOr::T(Schema::Object(object)) = &mut part {
                object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(true)));
            }
            all = all.item(part);
        }
        all.into()
    }

    /// A type spelled out in place; the types it names join the document's components.
    pub fn inline<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut nested = Vec::new();
        T::schemas(&mut nested);
        self.schemas.extend(nested);
        T::schema()
    }

    /// The body it takes, in one of these media types.
    pub fn body(&mut self, kinds: &[&str], schema: RefOr<Schema>) {
        let mut body = RequestBodyBuilder::new().required(Some(Required::True));
        for kind in kinds {
            body = body.content(*kind, Content::new(Some(schema.clone())));
        }
        self.body = Some(body.build());
    }

    /// A parameter in the path, the next one in its order.
    pub fn path_parameter<T: PartialSchema>(&mut self) {
        self.parameter("id", ParameterIn::Path, Required::True, "", Some(T::schema()));
    }

    /// A query parameter.
    pub fn query_parameter(&mut self, name: &str, description: &str) {
        self.parameter(name, ParameterIn::Query, Required::False, description, None);
    }

    /// The filters on these fields.
    pub fn filter_parameter(&mut self, fields: &[String]) {
        let text = format!(
            "Conditions: `filter[field]=v` or `filter[field][op]=v`, op one of eq, ne, lt, lte, gt, gte, in, contains, starts, \
             exists, between; `field=v` for short. A day, and a time without an offset, is one of the organisation's zone. Fields: {}.",
            fields.join(", ")
        );
        let object = ObjectBuilder::new().schema_type(Type::Object);
        self.parameter("filter", ParameterIn::Query, Required::False, &text, Some(object.into()));
    }

    /// A header it reads.
    pub fn header_parameter(&mut self, name: &str, description: &str) {
        self.parameter(name, ParameterIn::Header, Required::False, description, None);
    }

    /// What it answers when all goes well.
    pub fn success(&mut self, status: StatusCode, schema: RefOr<Schema>) {
        self.success.push((status, schema));
    }

    /// It may leave what is asked for to a job.
    pub fn or_accepted(&mut self, schema: RefOr<Schema>) {
        self.success.push((StatusCode::ACCEPTED, schema));
    }

    /// It shows a page, or sends the browser to another, when a plain form was posted.
    pub fn pages(&mut self) {
        self.pages = vec![(StatusCode::OK, "A page"), (StatusCode::SEE_OTHER, "Another page")];
    }

    /// It answers with a file.
    pub fn file(&mut self) {
        self.pages = vec![(StatusCode::OK, "The file")];
    }

    /// A schema in the envelope.
    pub fn envelope(&mut self, data: RefOr<Schema>) -> RefOr<Schema> {
        enveloped(data).into()
    }

    /// A schema as it is.
    pub fn bare(&mut self, data: RefOr<Schema>) -> RefOr<Schema> {
        data
    }

    /// A list of a schema in the envelope, with `meta`.
    pub fn list_envelope(&mut self, item: RefOr<Schema>) -> RefOr<Schema> {
        let number = || ObjectBuilder::new().schema_type(Type::Integer);
        let meta = ObjectBuilder::new()
            .property("count", number())
            .property("limit", number())
            .property("has_more", ObjectBuilder::new().schema_type(Type::Boolean))
            .property(
                "next_cursor",
                ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null])),
            )
            .property(
                "total",
                ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::Integer, Type::String])),
            )
            .required("count")
            .required("limit")
            .required("has_more");
        enveloped(ArrayBuilder::new().items(item).into()).property("meta", meta).required("meta").into()
    }

    fn parameter(
        &mut self,
        name: &str,
        at: ParameterIn,
        required: Required,
        text: &str,
        schema: Option<RefOr<Schema>>,
    ) {
        let schema = schema.unwrap_or_else(|| ObjectBuilder::new().schema_type(Type::String).into());
        let description = (!text.is_empty()).then(|| text.to_owned());
        self.parameters.push(
            ParameterBuilder::new()
                .name(name)
                .parameter_in(at)
                .required(required)
                .description(description)
                .schema(Some(schema))
                .build(),
        );
    }
}

fn enveloped(data: RefOr<Schema>) -> ObjectBuilder {
    let yes = ObjectBuilder::new().schema_type(Type::Boolean);
    ObjectBuilder::new().property("success", yes).property("data", data).required("success").required("data")
}

/// The document of these routes.
pub fn document<'r>(routes: impl IntoIterator<Item = &'r Route>) -> OpenApi {
    let mut paths = Paths::new();
    let mut components = Components::new();
    let mut asked = BTreeSet::new();
    let mut problem = Operation::default();
    let _ = problem.schema_of::<ProblemDocument>();
    components.schemas.extend(problem.schemas);
    for route in routes {
        let mut operation = Operation::default();
        (route.describe)(&mut operation);
        components.schemas.extend(std::mem::take(&mut operation.schemas));
        asked.extend(operation.body.iter().flat_map(named));
        let built = built(route, operation);
        let path = paths.paths.entry(route.path.to_owned()).or_default();
        path.merge_operations(PathItem::new(http_method(&route.method), built));
    }
    close(&mut components.schemas, asked);
    for_each_record_type!(T => marked::<T>(&mut components.schemas));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.security_schemes.insert("bearer".to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    let info = InfoBuilder::new()
        .title("Daybook")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("The CRM backend: leads, mail, and every change on record."))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build()
}

/// The types that something refers to by name.
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

/// Says of a type of record, in every form that it is given and shown in, which fields nobody sets.
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

/// Types that requests give, and those within, take no fields but their own. What is answered may have more in time.
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

fn built(route: &Route, mut operation: Operation) -> utoipa::openapi::path::Operation {
    if route.method != Method::GET {
        operation.header_parameter(
            "Idempotency-Key",
            "At most 255 characters. A repeat within 24 h gets the first answer again.",
        );
    }
    let mut build = OperationBuilder::new()
        .tag(route.function)
        .operation_id(Some(operation_id(route)))
        .summary(Some(route.summary()))
        .description(Some(format!("Access: {}.", route.access.describe())))
        .request_body(operation.body);
    // Those of the path come in its order.
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
        let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
        let content = Content::new(Some(schema));
        let response = ResponseBuilder::new().description(code.status().canonical_reason().unwrap_or_default());
        let mut response = response.content("application/problem+json", content);
        if takes_forms(route) {
            response = response.content("text/html", Content::new(None::<RefOr<Schema>>));
        }
        build = build.response(code.status().as_str(), response.build());
    }
    if !route.access.is_public() {
        build = build.security(SecurityRequirement::new("bearer", Vec::<String>::new()));
    }
    build.build()
}

/// Whether a route may answer with a code.
fn applies(code: Code, route: &Route) -> bool {
    let writes = route.method != Method::GET;
    match code {
        Code::Unauthenticated | Code::Forbidden => {
            !matches!(route.access, crate::Access::Public(crate::RateClass::Free))
        }
        // A form is named by a header or a field as well.
        Code::NotFound => route.path.contains('{') || takes_forms(route),
        Code::RateLimited => route.access.is_public(),
        Code::MethodNotAllowed => false,
        Code::UnsupportedMediaType
        | Code::ValidationError
        | Code::Duplicate
        | Code::Conflict
        | Code::IdempotencyKeyReused
        | Code::PreconditionFailed => writes,
        Code::TooLarge | Code::Malformed | Code::InvalidQuery | Code::Unavailable | Code::Internal => true,
    }
}

/// Whether it takes posted forms, which browsers are shown pages for.
fn takes_forms(route: &Route) -> bool {
    route.access.class() == Some(crate::RateClass::Form)
}

fn operation_id(route: &Route) -> String {
    let path: String = route.path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let path = if path == "_" { "_root" } else { &path };
    format!("{}{path}", route.method.as_str().to_ascii_lowercase()).trim_end_matches('_').replace("__", "_")
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
