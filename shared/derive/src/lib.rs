//! What a record's fields are, from their declarations.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Data, DeriveInput, Field, Fields, LitStr, parse_macro_input};

/// What `#[field(…)]` may say of a field, and the list of names it joins.
const FACTS: [(&str, &str); 5] = [
    ("read_only", "READ_ONLY"),
    ("fixed", "FIXED"),
    ("required", "REQUIRED"),
    ("moment", "MOMENTS"),
    ("deadline", "DEADLINES"),
];

/// Implements `daybook_domain::Fields` for a type of record of that crate: each field with what it holds, by its type, and
/// the names of those that `#[field(read_only)]` and the like say more of.
///
/// - `read_only`: a client can't change it.
/// - `fixed`: a client sets it with a new record, and not again.
/// - `required`: a new record must have it.
/// - `moment`: it may come without an offset (a list: each entry's `at`).
/// - `deadline`: a moment whose day alone means the end of that day.
/// - `default = …`: what a new record has there unless whoever makes it says otherwise; `by` is their stamp.
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

/// What `#[field(…)]` says of a field.
#[derive(Default)]
struct FieldAttributes {
    /// The lists that it joins.
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
