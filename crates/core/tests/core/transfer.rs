//! Work that comes from other tools and goes back to them.

mod bundles;
mod lines;
mod properties;
mod resolving;
mod tools;

use brigade_core::Project;
use brigade_core::transfer::{Options, Outcome};

pub async fn import(project: &Project, text: &str) -> Outcome {
    import_as(project, text, Options::default()).await
}

pub async fn import_as(project: &Project, text: &str, options: Options) -> Outcome {
    let transfer = project.transfer();
    let batch = transfer.lines(&mut text.as_bytes()).unwrap();
    transfer.import(batch, options).await.unwrap()
}

pub async fn export(project: &Project) -> String {
    let exported = project.transfer().export(None).await.unwrap();
    exported.iter().map(|issue| issue.line() + "\n").collect()
}
