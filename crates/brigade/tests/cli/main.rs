//! The binary as its users meet it: real processes, real folders, and real servers where they are.

#![allow(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests say what they skip, are told of servers by the environment, and wait for processes"
)]

mod support;

mod answers;
mod archive;
mod bad_input;
mod drain;
mod files;
mod help;
mod house;
mod hub;
mod issues;
mod mirrors;
mod races;
mod replay;
mod replica;
mod security;
mod serve;
mod sessions;
mod signing;
mod store;
mod transcripts;
mod transfer;
mod walkthrough;
