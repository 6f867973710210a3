//! The integration tests: one binary, one module per subject.

// `cfg(test)` tells Clippy that helpers are tests too, in which `expect` is allowed.
#[cfg(test)]
mod admin;
#[cfg(test)]
mod catalog;
#[cfg(test)]
mod certificates;
#[cfg(test)]
#[path = "../../fuzz/checks/lib.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets have it as a library")]
mod checks;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod console;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod ingest;
#[cfg(test)]
mod lake;
#[cfg(test)]
mod otlp;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod webhooks;
