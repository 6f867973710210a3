//! One Parquet file.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::logs::Logs;
use super::metrics::Metrics;
use super::profiles::Profiles;
use super::table::{AnyTable, MAX_PAYLOAD, Table};
use super::traces::Traces;
use super::{LakeError, LakeRecord};
use crate::domain::Signal;

/// A Parquet file under construction, in memory. The same records in the same order give the same bytes.
pub struct LakeFile {
    table: Box<dyn AnyTable>,
    output: Output,
    failed: bool,
}

impl LakeFile {
    /// An empty file for records of `signal`.
    ///
    /// # Errors
    /// Where the Parquet writer refuses the schema, which it does for none of the four.
    pub fn new(signal: Signal) -> Result<Self, LakeError> {
        let table: Box<dyn AnyTable> = match signal {
            Signal::Traces => Box::<Table<Traces>>::default(),
            Signal::Metrics => Box::<Table<Metrics>>::default(),
            Signal::Logs => Box::<Table<Logs>>::default(),
            Signal::Profiles => Box::<Table<Profiles>>::default(),
        };
        let output = Output::new(signal, table.schema()?)?;
        Ok(Self { table, output, failed: false })
    }

    /// Appends the rows of one record.
    ///
    /// # Errors
    /// Where the payload is not what the scan lets through, or expands beyond bounds. The file then holds a part of the
    /// record and refuses everything else: build it anew without that record.
    pub fn append(&mut self, record: &LakeRecord<'_>) -> Result<(), LakeError> {
        if self.failed {
            return Err(LakeError::Abandoned);
        }
        let appended = self.table.append(record, &mut self.output);
        self.failed = appended.is_err();
        appended
    }

    /// The number of rows so far, those not yet encoded included.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.output.rows + self.table.waiting()
    }

    /// The bytes of the finished file.
    ///
    /// # Errors
    /// Where an append failed, or the writer does.
    pub fn finish(mut self) -> Result<Vec<u8>, LakeError> {
        if self.failed {
            return Err(LakeError::Abandoned);
        }
        self.table.flush(&mut self.output)?;
        Ok(self.output.writer.into_inner()?)
    }
}

/// Rows in a row group, the unit that a reader can skip.
const ROW_GROUP_ROWS: usize = 131_072;

/// The encoded size at which a row group ends before it has that many rows.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// The writer and its schema.
pub(super) struct Output {
    schema: SchemaRef,
    writer: ArrowWriter<Vec<u8>>,
    rows: u64,
}

impl Output {
    fn new(signal: Signal, schema: SchemaRef) -> Result<Self, LakeError> {
        let mut properties = WriterProperties::builder()
            .set_created_by("gridgate".to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES));
        for leaf in ArrowSchemaConverter::new().convert(&schema)?.columns() {
            // No reader can skip rows by the least and greatest element of all their lists.
            if leaf.max_rep_level() > 0 {
                properties = properties.set_column_statistics_enabled(leaf.path().clone(), EnabledStatistics::None);
            }
            if is_mostly_distinct(leaf.name()) {
                properties = properties.set_column_dictionary_enabled(leaf.path().clone(), false);
            } else if signal == Signal::Profiles || is_shared(&leaf.path().parts()[0]) {
                properties = properties.set_column_dictionary_page_size_limit(leaf.path().clone(), MAX_PAYLOAD);
            }
        }
        // The schema of Arrow is left out: it would tell of list views and dictionaries, which are only our way to build
        // the columns. Every reader gets plain lists and texts.
        let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options)?;
        Ok(Self { schema, writer, rows: 0 })
    }

    /// Writes the batch that `build` makes for the file's schema.
    pub(super) fn write(
        &mut self,
        build: impl FnOnce(SchemaRef) -> Result<RecordBatch, ArrowError>,
    ) -> Result<(), LakeError> {
        let batch = build(Arc::clone(&self.schema))?;
        self.writer.write(&batch)?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

/// Whether a dictionary of this column would only repeat its values: ids, instants and durations.
fn is_mostly_distinct(name: &str) -> bool {
    matches!(name, "trace_id" | "span_id" | "parent_span_id" | "time" | "duration_nano")
        || name.ends_with("time_unix_nano")
}

/// Whether many rows share this column's values by reference. Their dictionary is never given up: it is no larger than what
/// was sent, while without it a long value would be written once for each of its rows.
fn is_shared(column: &str) -> bool {
    column.starts_with("resource_")
        || column.starts_with("scope_")
        || matches!(column, "service_name" | "name" | "description" | "unit" | "metadata")
}
