//! The derive macro `Fields`: reads a record struct's declaration and implements its field metadata.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Data, DeriveInput, Field, Fields, LitStr, parse_macro_input};

/// The flags of `#[field(…)]`, each with the constant that lists the fields carrying it.
const FACTS: [(&str, &str); 5] = [
    ("read_only", "READ_ONLY"),
    ("fixed", "FIXED"),
    ("required", "REQUIRED"),
    ("moment", "MOMENTS"),
    ("deadline", "DEADLINES"),
];

/// Implements `daybook_domain::Fields` for a record type of that crate: each field's name and kind (derived from its Rust
/// type), and for each attribute such as `#[field(read_only)]` the names of the fields that carry it.
///
/// - `read_only`: a client can't change it.
/// - `fixed`: a client can set it only when it creates the record.
/// - `required`: a new record must have it.
/// - `moment`: a time that may be given without an offset (in a list: each entry's `at`).
/// - `deadline`: a moment for which a date without a time means the end of that day.
/// - `default = …`: the value of a new record unless the caller gives one; `by` is the stamp of the creation.
#[proc_macro_derive(Fields, attributes(field))]
pub fn fields(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derived(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn derived(input: &DeriveInput) -> syn::Result<Tokens> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "a record is a struct"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new_spanned(input, "a record has named fields"));
    };
    let mut all = Vec::new();
    let mut lists: Vec<Vec<LitStr>> = FACTS.iter().map(|_| Vec::new()).collect();
    let mut defaults = Vec::new();
    for field in &fields.named {
        let name = name_of(field)?;
        let ty = &field.ty;
        all.push(quote! { crate::field::Field { name: #name, kind: <#ty as crate::field::FieldType>::KIND } });
        let FieldAttributes { facts, default } = attributes_of(field)?;
        facts.into_iter().for_each(|at| lists[at].push(name.clone()));
        defaults.extend(default.map(|value| {
            quote! {
                let value: #ty = #value;
                fields.insert(#name.to_owned(), serde_json::to_value(value).unwrap_or_default());
            }
        }));
    }
    let consts = FACTS.iter().zip(&lists).map(|((_, list), names)| {
        let list = syn::Ident::new(list, proc_macro2::Span::call_site());
        quote! { const #list: &'static [&'static str] = &[#(#names),*]; }
    });
    let name = &input.ident;
    Ok(quote! {
        impl crate::field::Fields for #name {
            const FIELDS: &'static [crate::field::Field] = &[#(#all),*];
            #(#consts)*

            fn defaults(by: &crate::Stamp) -> serde_json::Map<String, serde_json::Value> {
                let _ = by;
                #[allow(unused_mut, reason = "a type may have no defaults")]
                let mut fields = serde_json::Map::new();
                #(#defaults)*
                fields
            }
        }
    })
}

/// The name of a field in JSON.
fn name_of(field: &Field) -> syn::Result<LitStr> {
    let Some(ident) = &field.ident else { return Err(syn::Error::new_spanned(field, "a field has a name")) };
    let mut name = LitStr::new(&ident.to_string(), ident.span());
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") {
                name = meta.value()?.parse()?;
            } else if meta.input.peek(syn::Token![=]) {
                let _: syn::Expr = meta.value()?.parse()?;
            }
            Ok(())
        })?;
    }
    Ok(name)
}

/// The parsed `#[field(…)]` attributes of a field.
#[derive(Default)]
struct FieldAttributes {
    /// The flags, as indices into [`FACTS`].
    facts: Vec<usize>,
    default: Option<syn::Expr>,
}

fn attributes_of(field: &Field) -> syn::Result<FieldAttributes> {
    let mut attributes = FieldAttributes::default();
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("field")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("default") {
                attributes.default = Some(meta.value()?.parse()?);
                return Ok(());
            }
            let at = FACTS.iter().position(|(fact, _)| meta.path.is_ident(fact));
            attributes
                .facts
                .push(at.ok_or_else(|| meta.error("read_only, fixed, required, moment, deadline or default = …"))?);
            Ok(())
        })?;
    }
    Ok(attributes)
}
