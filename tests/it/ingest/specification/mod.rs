//! The OTLP specification, clause by clause: `docs/otlp.md` numbers them and says what was decided.
//!
//! One module per subject in the order of the specification, one test per clause, named by its number. What another test holds
//! already stands there only.

mod compression;
mod encoding;
mod failures;
mod keys;
mod lifecycle;
mod responses;
mod throttling;
mod transport;

use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::{Stopped, files};

/// Every row that a gate has left in the lake, as text: without what is its own in each export.
fn rows(stopped: &Stopped) -> Vec<String> {
    let mut rows = Vec::new();
    for file in files(&stopped.config.lake_folder()) {
        let reader = SerializedFileReader::new(std::fs::File::open(&file).expect("a file")).expect("Parquet");
        for row in reader.get_row_iter(None).expect("rows") {
            let row = row.expect("a row");
            let columns =
                row.get_column_iter().filter(|(name, _)| !["record_id", "arrival_time"].contains(&name.as_str()));
            rows.push(columns.map(|(name, field)| format!("{name}={field}")).collect::<Vec<_>>().join("\n"));
        }
    }
    rows
}
