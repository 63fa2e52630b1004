//! The store in a bucket: held to the contract on real servers, and to its meaning by a fake one.

mod answers;
mod archiving;
mod fake;
mod servers;
