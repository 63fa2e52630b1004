//! How many planted secrets redaction takes out, by rule and depth, and what it takes out of sessions
//! that it is given.
//!
//! `cargo run --release -p brigade-core --example redaction -- [files or folders of sessions]`

#![allow(clippy::print_stdout, reason = "a program of its own, for people")]

#[allow(clippy::unwrap_used, reason = "a room of the tests")]
#[path = "../tests/core/redaction/plant.rs"]
mod plant;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fs, io};

use brigade_core::transcript::redact::{Redactor, Report};
use plant::{Dice, plants, record, recovered};

/// Each form is planted so often, each time with another value and in another place.
const SEEDS: u64 = 200;
/// In a string of JSON, and in JSON in JSON so many times more.
const DEPTHS: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let redactor = Redactor::builder(b"a key of the example").build()?;
    caught(&redactor);
    let mut paths = Vec::new();
    std::env::args_os().skip(1).try_for_each(|path| find(Path::new(&path), &mut paths))?;
    if !paths.is_empty() {
        taken_out(&redactor, &paths)?;
    }
    Ok(())
}

/// For each rule: how many of its secrets are gone at each depth, and nothing else with them.
fn caught(redactor: &Redactor) {
    let mut rules: BTreeMap<&str, (u64, [u64; DEPTHS])> = BTreeMap::new();
    for plant in (0..SEEDS).flat_map(|seed| plants(&mut Dice(seed))) {
        let (planted, caught) = rules.entry(plant.rule).or_default();
        *planted += 1;
        for (depth, count) in caught.iter_mut().enumerate() {
            let line = record(&plant.text(), depth);
            let after = recovered(&redactor.record(line.as_bytes()).bytes, depth);
            let is_right = after.is_some_and(|text| {
                !text.contains(&plant.secret)
                    && text.starts_with(&plant.before)
                    && text.ends_with(&plant.after)
            });
            *count += u64::from(is_right);
        }
    }
    println!("| Rule | Planted | Depth 0 | 1 | 2 | 3 |\n|---|---:|---:|---:|---:|---:|");
    let mut all = (0, [0; DEPTHS]);
    for (rule, (planted, caught)) in &rules {
        row(&format!("`{rule}`"), *planted, caught);
        all.0 += planted;
        all.1.iter_mut().zip(caught).for_each(|(sum, count)| *sum += count);
    }
    row("all", all.0, &all.1);
}

fn row(rule: &str, planted: u64, caught: &[u64; DEPTHS]) {
    // Cut, not rounded: 100 % is every one of them.
    let rate =
        |count: &u64| format!("{}.{:02} %", count * 100 / planted, count * 10_000 / planted % 100);
    let rates: Vec<String> = caught.iter().map(rate).collect();
    println!("| {rule} | {planted} | {} |", rates.join(" | "));
}

/// Each place, without its value, and how many there are.
fn taken_out(redactor: &Redactor, paths: &[PathBuf]) -> io::Result<()> {
    let mut all = Report::default();
    for path in paths {
        let bytes = fs::read(path)?;
        let report = redactor.report(&bytes);
        for one in &report.findings {
            let place = format!("{}:{}:{}", path.display(), one.record + 1, one.start + 1);
            println!("{place} {} {}", one.rule, one.preview);
        }
        all.records += report.records;
        all.counts.merge(&report.counts);
    }
    println!("{} sessions, {} records, {} places:", paths.len(), all.records, all.counts.total());
    all.counts.iter().for_each(|(rule, count)| println!("  {rule} {count}"));
    Ok(())
}

fn find(path: &Path, all: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        all.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    let is_session = |path: &PathBuf| {
        path.is_dir() || path.extension().is_some_and(|end| end == "jsonl" || end == "json")
    };
    entries.iter().filter(|path| is_session(path)).try_for_each(|path| find(path, all))
}
