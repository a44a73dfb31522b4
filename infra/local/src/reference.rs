//! The reference of the API: its OpenAPI document, in which each operation is described by the documentation of its handler.

use crate::functions;
use daybook_http::Route;
use std::fs;
use std::path::{Path, PathBuf};
use utoipa::openapi::OpenApi;

/// The document of all routes. It reads the handlers' documentation from the sources that the program was built from.
pub fn reference() -> OpenApi {
    let routes: Vec<Route> = functions().into_iter().flat_map(|function| function.list).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    daybook_http::document(&routes, |route| documentation(&root, &manifest, route.handler()))
}

/// The documentation of a function by its path, such as `daybook_auth::sessions::list`.
fn documentation(root: &Path, manifest: &str, function: &str) -> Option<String> {
    let mut parts: Vec<&str> = function.split("::").collect();
    let (name, module) = (parts.pop()?, parts);
    let package = module.first()?.replace('_', "-");
    let folder = manifest.lines().find_map(|line| {
        let rest = line.strip_prefix(&package)?.trim_start().strip_prefix('=')?;
        rest.split('"').nth(1)
    })?;
    let source = fs::read_to_string(file_of(&root.join(folder).join("src"), &module[1..])).ok()?;
    let lines: Vec<&str> = source.lines().collect();
    let begins = [format!("async fn {name}("), format!("async fn {name}<")];
    let at = lines.iter().position(|line| {
        let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        begins.iter().any(|begin| line.starts_with(begin.as_str()))
    })?;
    let above = lines[..at].iter().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
    let mut text: Vec<&str> = above.filter_map(|line| line.strip_prefix("///")).map(str::trim).collect();
    text.reverse();
    (!text.is_empty()).then(|| text.join(" "))
}

/// The file of a module.
fn file_of(sources: &Path, module: &[&str]) -> PathBuf {
    match module {
        [] => sources.join("lib.rs"),
        path => path.iter().fold(sources.to_owned(), |folder, part| folder.join(part)).with_extension("rs"),
    }
}
