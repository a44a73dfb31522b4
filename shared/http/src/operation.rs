//! The OpenAPI operation of one route, built from its handler's arguments and reply.

use axum::http::StatusCode;
use daybook_domain::Record;
use std::collections::BTreeMap;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{
    AdditionalProperties, AllOfBuilder, AnyOfBuilder, ArrayBuilder, ObjectBuilder, Schema, Type,
};
use utoipa::openapi::{Content, Ref, RefOr, Required};
use utoipa::{PartialSchema, ToSchema};

/// An OpenAPI operation that the handler's arguments and reply add their parts to.
#[derive(Default)]
pub struct Operation {
    pub(crate) schemas: BTreeMap<String, RefOr<Schema>>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<RequestBody>,
    pub(crate) success: Vec<(StatusCode, RefOr<Schema>)>,
    pub(crate) pages: Vec<(StatusCode, &'static str)>,
}

impl Operation {
    /// Adds a type's schema to the components, and returns a reference to it.
    pub fn schema_of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut nested = Vec::new();
        T::schemas(&mut nested);
        self.schemas.extend(nested);
        // All lists share one name, so they are inlined.
        if T::name() == "Vec" {
            return T::schema();
        }
        self.schemas.insert(T::name().into_owned(), T::schema());
        RefOr::Ref(Ref::from_schema_name(T::name()))
    }

    /// As [`Operation::schema_of`], open to additional fields.
    pub fn open_schema_of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let before: Vec<String> = self.schemas.keys().cloned().collect();
        let whole = self.schema_of::<T>();
        for (_, schema) in self.schemas.iter_mut().filter(|(name, _)| !before.contains(name)) {
            if let RefOr::T(Schema::Object(object)) = schema {
                object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(true)));
            }
        }
        whole
    }

    /// The schema of a create request: fields that aren't required may be missing, `null` or an empty string.
    pub fn new_schema_of<T: Record>(&mut self) -> RefOr<Schema> {
        self.given_schema_of::<T>(true, |field, _| match T::REQUIRED.contains(&field) {
            true => &[],
            false => &[Type::Null, Type::String],
        })
    }

    /// The schema of a merge patch: `null` or an empty string clears a nullable field.
    pub fn patch_schema_of<T: Record>(&mut self) -> RefOr<Schema> {
        self.given_schema_of::<T>(false, |_, schema| match schema.to_string() {
            text if schema["type"] == "array" || text.contains("\"null\"") => &[Type::Null, Type::String],
            _ => &[],
        })
    }

    /// The schema of a record in a request; `besides` returns the types a field may also have: `null`, an empty string.
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
                or_empty(schema, also);
            }
            if !T::MOMENTS.is_empty() {
                let zone = ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null]));
                let text = format!(
                    "The time zone of {} without an offset; the organisation's by default.",
                    T::MOMENTS.join(", ")
                );
                object.properties.insert("timezone".to_owned(), zone.description(Some(text)).into());
            }
            self.schemas.insert(name.clone(), RefOr::T(Schema::Object(object)));
        }
        RefOr::Ref(Ref::from_schema_name(name))
    }

    /// The schema of a `NewJson` body: optional fields may also be `null` or an empty string.
    pub fn new_json_schema_of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let whole = self.schema_of::<T>();
        if let RefOr::T(Schema::Object(mut object)) = T::schema() {
            let required = &object.required;
            let optional = object.properties.iter_mut().filter(|(field, _)| !required.contains(field));
            for (_, schema) in optional {
                // `null` becomes one of the alternatives below, not nested in one of them.
                if let RefOr::T(Schema::OneOf(kinds)) = &*schema
                    && let Some(named) = kinds.items.first().cloned()
                {
                    *schema = named;
                }
                or_empty(schema, &[Type::Null, Type::String]);
            }
            self.schemas.insert(T::name().into_owned(), RefOr::T(Schema::Object(object)));
        }
        whole
    }

    /// The schema of a list item, which may omit every field except the id.
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

    /// The combination of schemas (all of), open to additional fields. Inlined, as the types themselves allow none
    /// elsewhere.
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

    /// Returns a type's schema inline, and adds the types it refers to to the components.
    pub fn inline<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut nested = Vec::new();
        T::schemas(&mut nested);
        self.schemas.extend(nested);
        T::schema()
    }

    /// Sets the request body, in one of these media types.
    pub fn body(&mut self, kinds: &[&str], schema: RefOr<Schema>) {
        let mut body = RequestBodyBuilder::new().required(Some(Required::True));
        for kind in kinds {
            body = body.content(*kind, Content::new(Some(schema.clone())));
        }
        self.body = Some(body.build());
    }

    /// Marks the request body as one that may be left out.
    pub fn body_is_optional(&mut self) {
        if let Some(body) = &mut self.body {
            body.required = Some(Required::False);
        }
    }

    /// Adds the next path parameter, in the order of the path.
    pub fn path_parameter<T: PartialSchema>(&mut self) {
        self.parameter("id", ParameterIn::Path, Required::True, "", Some(T::schema()));
    }

    /// Adds a query parameter.
    pub fn query_parameter(&mut self, name: &str, description: &str) {
        self.parameter(name, ParameterIn::Query, Required::False, description, None);
    }

    /// Adds a query parameter that is a whole number between these.
    pub fn number_parameter(&mut self, name: &str, description: &str, (min, max): (usize, usize)) {
        let number =
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(min as f64)).maximum(Some(max as f64));
        self.parameter(name, ParameterIn::Query, Required::False, description, Some(number.into()));
    }

    /// Adds a query parameter that has one of these values.
    pub fn choice_parameter(&mut self, name: &str, description: &str, values: impl IntoIterator<Item = String>) {
        let choice = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values));
        self.parameter(name, ParameterIn::Query, Required::False, description, Some(choice.into()));
    }

    /// Adds the parameter for filters on these fields.
    pub fn filter_parameter(&mut self, fields: &[String]) {
        let text = format!(
            "Conditions: `filter[field]=v` or `filter[field][op]=v`, op one of eq, ne, lt, lte, gt, gte, in, contains, \
             starts, exists, between; `field=v` for short. Days, and times without an offset, are in the \
             organisation's time zone. Fields: {}.",
            fields.join(", ")
        );
        let object = ObjectBuilder::new().schema_type(Type::Object);
        self.parameter("filter", ParameterIn::Query, Required::False, &text, Some(object.into()));
        if let Some(filter) = self.parameters.last_mut() {
            (filter.style, filter.explode) = (Some(ParameterStyle::DeepObject), Some(true));
        }
    }

    /// Adds a header parameter.
    pub fn header_parameter(&mut self, name: &str, description: &str) {
        self.parameter(name, ParameterIn::Header, Required::False, description, None);
    }

    /// Adds a success response.
    pub fn success(&mut self, status: StatusCode, schema: RefOr<Schema>) {
        self.success.push((status, schema));
    }

    /// Adds the response 202: a job does the work.
    pub fn or_accepted(&mut self, schema: RefOr<Schema>) {
        self.success.push((StatusCode::ACCEPTED, schema));
    }

    /// Adds the answers to a plain HTML form: a page, or a redirect.
    pub fn pages(&mut self) {
        self.pages = vec![(StatusCode::OK, "A page"), (StatusCode::SEE_OTHER, "A redirect to another page")];
    }

    /// Adds the response with a file.
    pub fn file(&mut self) {
        self.pages = vec![(StatusCode::OK, "The file")];
    }

    /// Adds the response in the shape of another system's API.
    pub fn foreign(&mut self) {
        self.pages
            .push((StatusCode::OK, "JSON or server-sent events, as the API that this is compatible with has them"));
    }

    /// Adds the response without content.
    pub fn or_nothing(&mut self) {
        self.pages.push((StatusCode::NO_CONTENT, "Nothing"));
    }

    /// Adds the response with server-sent events.
    pub fn events(&mut self) {
        self.pages.push((StatusCode::OK, "Server-sent events"));
    }

    /// Wraps a schema in the envelope.
    pub fn envelope(&mut self, data: RefOr<Schema>) -> RefOr<Schema> {
        enveloped(data).into()
    }

    /// Returns a schema without the envelope.
    pub fn bare(&mut self, data: RefOr<Schema>) -> RefOr<Schema> {
        data
    }

    /// Wraps a list of a schema in the envelope, with `meta`.
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

/// Extends a schema by empty values: `null`, an empty string.
fn or_empty(schema: &mut RefOr<Schema>, besides: &[Type]) {
    let mut any = AnyOfBuilder::new().item(schema.clone());
    for kind in besides {
        let empty = ObjectBuilder::new().schema_type(kind.clone());
        any = any.item(if *kind == Type::String { empty.max_length(Some(0)) } else { empty });
    }
    *schema = any.into();
}
