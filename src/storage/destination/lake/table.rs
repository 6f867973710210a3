//! The walk over a request, the same for the four signals: resources hold scopes, scopes hold items.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};

use super::columns::Column;
use super::dictionary::Strings;
use super::envelope::Envelope;
use super::fields::{Merged, bytes, text};
use super::file::Output;
use super::{LakeError, LakeRecord};
use crate::otlp::wire::Reader;

/// The columns of one signal.
pub(super) trait Rows: Default {
    /// Reads what the whole request shares.
    fn request(&mut self, _payload: &[u8]) -> Result<(), LakeError> {
        Ok(())
    }

    /// What is kept of values that references expanded to, beyond the bytes of the payloads.
    fn shared_bytes(&self) -> usize {
        0
    }

    /// The string table that the request's attributes refer to.
    fn strings(&self) -> &Strings;

    /// Appends the rows of one span, metric, log record or profile. `batch` is told of the end of each row.
    fn append(&mut self, item: &[u8], batch: &mut Batch<'_>) -> Result<(), LakeError>;

    /// The columns that follow those of the envelope.
    fn columns(&self) -> Result<Vec<Column>, LakeError>;

    /// Drops the rows; values that rows to come may refer to only where `values` says so.
    fn clear(&mut self, values: bool);
}

/// The rows not yet handed to the writer.
#[derive(Default)]
pub(super) struct Table<R> {
    envelope: Envelope,
    rows: R,
    size: Size,
    /// The payloads of the records whose values may be in the batch.
    payload_bytes: usize,
}

/// How much waits for the writer.
#[derive(Default)]
struct Size {
    rows: usize,
    bytes: usize,
}

/// A batch goes to the writer when it has this many rows, or about this many bytes.
const BATCH_ROWS: usize = 16_384;
const BATCH_BYTES: usize = 16 << 20;

/// The largest payload. The text of its values then stays below the 2 GiB that a column of a batch can hold.
pub(super) const MAX_PAYLOAD: usize = 128 << 20;

/// The largest sum, over the rows of a record, of the bytes they are made of: a resource counts for each of its rows.
/// Without this bound a few megabytes could make a file of terabytes.
const MAX_EXPANDED: u64 = 4 << 30;

/// A table of any signal.
pub(super) trait AnyTable: Send {
    /// The schema of the file.
    fn schema(&self) -> Result<SchemaRef, LakeError>;

    /// Appends the rows of one record.
    fn append(&mut self, record: &LakeRecord<'_>, output: &mut Output) -> Result<(), LakeError>;

    /// The number of rows not yet handed to the writer.
    fn waiting(&self) -> u64;

    /// Hands the remaining rows to the writer.
    fn flush(&mut self, output: &mut Output) -> Result<(), LakeError>;
}

impl<R: Rows + Send> AnyTable for Table<R> {
    fn schema(&self) -> Result<SchemaRef, LakeError> {
        let fields: Vec<_> = columns(&self.envelope, &self.rows)?.into_iter().map(|column| column.field).collect();
        Ok(Arc::new(Schema::new(fields)))
    }

    fn append(&mut self, record: &LakeRecord<'_>, output: &mut Output) -> Result<(), LakeError> {
        if record.payload.len() > MAX_PAYLOAD {
            return Err(LakeError::TooLarge);
        }
        if self.payload_bytes + self.rows.shared_bytes() + record.payload.len() > BATCH_BYTES {
            self.flush(output)?;
        }
        if self.size.rows == 0 {
            self.envelope.clear(true);
            self.rows.clear(true);
            self.payload_bytes = 0;
        }
        self.payload_bytes += record.payload.len();
        self.envelope.record(record)?;
        self.rows.request(record.payload)?;
        let mut batch =
            Batch { envelope: &mut self.envelope, size: &mut self.size, output, shared_bytes: 0, expanded: 0 };
        let mut reader = Reader::new(record.payload);
        while let Some((number, value)) = reader.field()? {
            if number == 1 {
                append_resource(bytes(value)?, &mut self.rows, &mut batch)?;
            }
        }
        Ok(())
    }

    fn waiting(&self) -> u64 {
        self.size.rows as u64
    }

    fn flush(&mut self, output: &mut Output) -> Result<(), LakeError> {
        write(&mut self.envelope, &mut self.rows, &mut self.size, output)
    }
}

/// `ResourceSpans` and its like: a resource, groups by scope and a schema URL, in any order.
fn append_resource<R: Rows>(message: &[u8], rows: &mut R, batch: &mut Batch<'_>) -> Result<(), LakeError> {
    let (resource, schema_url) = read_owner(message)?;
    batch.envelope.resource(resource.get(), schema_url, rows.strings())?;
    let resource_bytes = resource.len() + schema_url.len();
    let mut reader = Reader::new(message);
    while let Some((number, value)) = reader.field()? {
        if number == 2 {
            append_scope(bytes(value)?, resource_bytes, rows, batch)?;
        }
    }
    Ok(())
}

/// `ScopeSpans` and its like: a scope, items and a schema URL, in any order.
fn append_scope<R: Rows>(
    message: &[u8],
    resource_bytes: usize,
    rows: &mut R,
    batch: &mut Batch<'_>,
) -> Result<(), LakeError> {
    let (scope, schema_url) = read_owner(message)?;
    batch.envelope.scope(scope.get(), schema_url, rows.strings())?;
    batch.shared_bytes = resource_bytes + scope.len() + schema_url.len();
    let mut reader = Reader::new(message);
    while let Some((number, value)) = reader.field()? {
        if number == 2 {
            rows.append(bytes(value)?, batch)?;
        }
    }
    Ok(())
}

/// Field 1, the resource or scope, and field 3, the schema URL.
fn read_owner(message: &[u8]) -> Result<(Merged<'_>, &str), LakeError> {
    let mut owner = Merged::default();
    let mut schema_url = "";
    let mut reader = Reader::new(message);
    while let Some((number, value)) = reader.field()? {
        match number {
            1 => owner.add(value)?,
            3 => schema_url = text(value)?,
            _ => {}
        }
    }
    Ok((owner, schema_url))
}

/// What a signal's rows need of their table.
pub(super) struct Batch<'t> {
    envelope: &'t mut Envelope,
    size: &'t mut Size,
    output: &'t mut Output,
    /// What the resource and the scope add to each row.
    shared_bytes: usize,
    /// What the record's rows were made of so far.
    expanded: u64,
}

impl Batch<'_> {
    /// Ends a row of `rows` that was made of `own` bytes and refers to `shared` bytes of values that other rows refer to
    /// as well; writes the batch where it is full.
    pub(super) fn end_row<R: Rows>(&mut self, rows: &mut R, own: usize, shared: usize) -> Result<(), LakeError> {
        self.envelope.repeat();
        self.size.rows += 1;
        self.size.bytes += own;
        self.expanded = self.expanded.saturating_add((own.saturating_add(shared) + self.shared_bytes) as u64);
        if self.expanded > MAX_EXPANDED {
            return Err(LakeError::TooLarge);
        }
        if self.size.rows >= BATCH_ROWS || self.size.bytes >= BATCH_BYTES {
            write(self.envelope, rows, self.size, self.output)?;
        }
        Ok(())
    }
}

fn columns<R: Rows>(envelope: &Envelope, rows: &R) -> Result<Vec<Column>, LakeError> {
    let mut columns = envelope.columns()?;
    columns.extend(rows.columns()?);
    Ok(columns)
}

fn write<R: Rows>(
    envelope: &mut Envelope,
    rows: &mut R,
    size: &mut Size,
    output: &mut Output,
) -> Result<(), LakeError> {
    if size.rows == 0 {
        return Ok(());
    }
    let arrays = columns(envelope, rows)?.into_iter().map(|column| column.array).collect();
    output.write(|schema| RecordBatch::try_new(schema, arrays))?;
    envelope.clear(false);
    rows.clear(false);
    *size = Size::default();
    Ok(())
}
