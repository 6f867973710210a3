//! The columns of a data point: the union of what the five kinds have, null where a kind lacks it.

use arrow_array::ArrayRef;
use arrow_array::builder::{Float64Builder, Int32Builder, Int64Builder, StringBuilder, UInt64Builder};

use super::LakeError;
use super::attributes::Attributes;
use super::columns::{Column, Float64s, Lists, Times, UInt32s, UInt64s, Values, append_id, structure};
use super::dictionary::Strings;
use super::fields::{Merged, bytes, double, fixed64, fixed64s, sint32, uint32, varints};
use super::metrics::Kind;
use crate::otlp::wire::{Reader, Value};

/// The columns of data points.
#[derive(Default)]
pub(super) struct Points {
    time: Times,
    start_time: UInt64s,
    time_unix_nano: UInt64s,
    attributes: Lists<Attributes>,
    flags: UInt32s,
    number: NumberValues,
    count: UInt64Builder,
    sum: Float64Builder,
    min: Float64Builder,
    max: Float64Builder,
    bucket_counts: Lists<UInt64s>,
    explicit_bounds: Lists<Float64s>,
    scale: Int32Builder,
    zero_count: UInt64Builder,
    zero_threshold: Float64Builder,
    positive: Buckets,
    negative: Buckets,
    quantile_values: Lists<Quantiles>,
    exemplars: Lists<Exemplars>,
}

/// The scalar fields of a point, under construction.
#[derive(Default)]
struct Point<'a> {
    start_time: u64,
    time: u64,
    flags: u32,
    number: Number,
    count: u64,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    scale: i32,
    zero_count: u64,
    zero_threshold: f64,
    positive: Merged<'a>,
    negative: Merged<'a>,
}

impl Points {
    /// Appends the data point in `message`.
    pub(super) fn push(&mut self, kind: Kind, message: &[u8], strings: &Strings) -> Result<(), LakeError> {
        let mut point = Point::default();
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match number {
                2 => point.start_time = fixed64(value)?,
                3 => point.time = fixed64(value)?,
                _ => match kind {
                    Kind::Gauge | Kind::Sum => self.number_field(number, value, &mut point, strings)?,
                    Kind::Histogram => self.histogram_field(number, value, &mut point, strings)?,
                    Kind::ExponentialHistogram => self.exponential_field(number, value, &mut point, strings)?,
                    Kind::Summary => self.summary_field(number, value, &mut point, strings)?,
                },
            }
        }
        self.end(kind, &point)
    }

    fn number_field<'a>(
        &mut self,
        number: u32,
        value: Value<'a>,
        point: &mut Point<'a>,
        strings: &Strings,
    ) -> Result<(), LakeError> {
        match number {
            4 => point.number = Number::Double(double(value)?),
            5 => self.exemplars.values.push(value, strings)?,
            6 => point.number = Number::Int(fixed64(value)?.cast_signed()),
            7 => self.attributes.values.push(value, strings)?,
            8 => point.flags = uint32(value)?,
            _ => {}
        }
        Ok(())
    }

    fn histogram_field<'a>(
        &mut self,
        number: u32,
        value: Value<'a>,
        point: &mut Point<'a>,
        strings: &Strings,
    ) -> Result<(), LakeError> {
        match number {
            4 => point.count = fixed64(value)?,
            5 => point.sum = Some(double(value)?),
            6 => fixed64s(value, |count| self.bucket_counts.values.push(count))?,
            7 => fixed64s(value, |bound| self.explicit_bounds.values.push(f64::from_bits(bound)))?,
            8 => self.exemplars.values.push(value, strings)?,
            9 => self.attributes.values.push(value, strings)?,
            10 => point.flags = uint32(value)?,
            11 => point.min = Some(double(value)?),
            12 => point.max = Some(double(value)?),
            _ => {}
        }
        Ok(())
    }

    fn exponential_field<'a>(
        &mut self,
        number: u32,
        value: Value<'a>,
        point: &mut Point<'a>,
        strings: &Strings,
    ) -> Result<(), LakeError> {
        match number {
            1 => self.attributes.values.push(value, strings)?,
            4 => point.count = fixed64(value)?,
            5 => point.sum = Some(double(value)?),
            6 => point.scale = sint32(value)?,
            7 => point.zero_count = fixed64(value)?,
            8 => point.positive.add(value)?,
            9 => point.negative.add(value)?,
            10 => point.flags = uint32(value)?,
            11 => self.exemplars.values.push(value, strings)?,
            12 => point.min = Some(double(value)?),
            13 => point.max = Some(double(value)?),
            14 => point.zero_threshold = double(value)?,
            _ => {}
        }
        Ok(())
    }

    fn summary_field<'a>(
        &mut self,
        number: u32,
        value: Value<'a>,
        point: &mut Point<'a>,
        strings: &Strings,
    ) -> Result<(), LakeError> {
        match number {
            4 => point.count = fixed64(value)?,
            5 => point.sum = Some(double(value)?),
            6 => self.quantile_values.values.push(value)?,
            7 => self.attributes.values.push(value, strings)?,
            8 => point.flags = uint32(value)?,
            _ => {}
        }
        Ok(())
    }

    /// Ends the row of a point whose repeated fields were added already.
    fn end(&mut self, kind: Kind, point: &Point<'_>) -> Result<(), LakeError> {
        let is_number = matches!(kind, Kind::Gauge | Kind::Sum);
        let is_histogram = kind == Kind::Histogram;
        let is_exponential = kind == Kind::ExponentialHistogram;
        let is_summary = kind == Kind::Summary;
        self.time.push(point.time);
        self.start_time.push(point.start_time);
        self.time_unix_nano.push(point.time);
        self.attributes.close()?;
        self.flags.push(point.flags);
        self.number.push(point.number);
        self.count.append_option((!is_number).then_some(point.count));
        // A summary's sum has no presence in protobuf: absent is 0.
        self.sum.append_option(if is_summary { Some(point.sum.unwrap_or_default()) } else { point.sum });
        self.min.append_option(point.min);
        self.max.append_option(point.max);
        self.bucket_counts.close_as(is_histogram)?;
        self.explicit_bounds.close_as(is_histogram)?;
        self.scale.append_option(is_exponential.then_some(point.scale));
        self.zero_count.append_option(is_exponential.then_some(point.zero_count));
        self.zero_threshold.append_option(is_exponential.then_some(point.zero_threshold));
        self.positive.push(point.positive.get())?;
        self.negative.push(point.negative.get())?;
        self.quantile_values.close_as(is_summary)?;
        self.exemplars.close_as(!is_summary)
    }

    /// The columns.
    pub(super) fn columns(&self) -> Result<Vec<Column>, LakeError> {
        Ok(vec![
            Column::optional("time", self.time.array()?),
            Column::required("start_time_unix_nano", self.start_time.array()?),
            Column::required("time_unix_nano", self.time_unix_nano.array()?),
            Column::required("attributes", self.attributes.array()?),
            Column::required("flags", self.flags.array()?),
            Column::optional("int_value", self.number.ints.array()?),
            Column::optional("double_value", self.number.doubles.array()?),
            Column::optional("count", self.count.array()?),
            Column::optional("sum", self.sum.array()?),
            Column::optional("min", self.min.array()?),
            Column::optional("max", self.max.array()?),
            Column::optional("bucket_counts", self.bucket_counts.array()?),
            Column::optional("explicit_bounds", self.explicit_bounds.array()?),
            Column::optional("scale", self.scale.array()?),
            Column::optional("zero_count", self.zero_count.array()?),
            Column::optional("zero_threshold", self.zero_threshold.array()?),
            Column::optional("positive_offset", self.positive.offset.array()?),
            Column::optional("positive_bucket_counts", self.positive.counts.array()?),
            Column::optional("negative_offset", self.negative.offset.array()?),
            Column::optional("negative_bucket_counts", self.negative.counts.array()?),
            Column::optional("quantile_values", self.quantile_values.array()?),
            Column::optional("exemplars", self.exemplars.array()?),
        ])
    }
}

/// The `oneof value` of a data point or an exemplar.
#[derive(Clone, Copy, Default)]
enum Number {
    #[default]
    Absent,
    Int(i64),
    Double(f64),
}

/// Numbers, each in the column of its type.
#[derive(Default)]
struct NumberValues {
    ints: Int64Builder,
    doubles: Float64Builder,
}

impl NumberValues {
    fn push(&mut self, number: Number) {
        let (int, double) = match number {
            Number::Absent => (None, None),
            Number::Int(int) => (Some(int), None),
            Number::Double(double) => (None, Some(double)),
        };
        self.ints.append_option(int);
        self.doubles.append_option(double);
    }
}

/// The message `Buckets` of an exponential histogram; both columns are null where it is absent.
#[derive(Default)]
struct Buckets {
    offset: Int32Builder,
    counts: Lists<UInt64s>,
}

impl Buckets {
    fn push(&mut self, message: Option<&[u8]>) -> Result<(), LakeError> {
        let mut offset = 0;
        let mut reader = Reader::new(message.unwrap_or_default());
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => offset = sint32(value)?,
                2 => varints(value, |count| self.counts.values.push(count))?,
                _ => {}
            }
        }
        self.offset.append_option(message.map(|_| offset));
        self.counts.close_as(message.is_some())
    }
}

/// Messages `ValueAtQuantile` as structs.
#[derive(Default)]
struct Quantiles {
    quantiles: Float64s,
    values: Float64s,
}

impl Quantiles {
    fn push(&mut self, value: Value<'_>) -> Result<(), LakeError> {
        let (mut quantile, mut at) = (0.0, 0.0);
        let mut reader = Reader::new(bytes(value)?);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => quantile = double(value)?,
                2 => at = double(value)?,
                _ => {}
            }
        }
        self.quantiles.push(quantile);
        self.values.push(at);
        Ok(())
    }
}

impl Values for Quantiles {
    fn count(&self) -> usize {
        self.values.count()
    }

    fn array(&self) -> Result<ArrayRef, LakeError> {
        let columns = vec![
            Column::required("quantile", self.quantiles.array()?),
            Column::required("value", self.values.array()?),
        ];
        structure(columns, None)
    }
}

/// Messages `Exemplar` as structs.
#[derive(Default)]
struct Exemplars {
    times: UInt64s,
    numbers: NumberValues,
    trace_ids: StringBuilder,
    span_ids: StringBuilder,
    filtered_attributes: Lists<Attributes>,
}

impl Exemplars {
    fn push(&mut self, value: Value<'_>, strings: &Strings) -> Result<(), LakeError> {
        let (mut time, mut number_value) = (0, Number::Absent);
        let (mut trace_id, mut span_id): (&[u8], &[u8]) = (&[], &[]);
        let mut reader = Reader::new(bytes(value)?);
        while let Some((number, value)) = reader.field()? {
            match number {
                2 => time = fixed64(value)?,
                3 => number_value = Number::Double(double(value)?),
                4 => span_id = bytes(value)?,
                5 => trace_id = bytes(value)?,
                6 => number_value = Number::Int(fixed64(value)?.cast_signed()),
                7 => self.filtered_attributes.values.push(value, strings)?,
                _ => {}
            }
        }
        self.times.push(time);
        self.numbers.push(number_value);
        append_id(&mut self.trace_ids, trace_id);
        append_id(&mut self.span_ids, span_id);
        self.filtered_attributes.close()
    }
}

impl Values for Exemplars {
    fn count(&self) -> usize {
        self.times.count()
    }

    fn array(&self) -> Result<ArrayRef, LakeError> {
        let columns = vec![
            Column::required("time_unix_nano", self.times.array()?),
            Column::optional("int_value", self.numbers.ints.array()?),
            Column::optional("double_value", self.numbers.doubles.array()?),
            Column::optional("trace_id", self.trace_ids.array()?),
            Column::optional("span_id", self.span_ids.array()?),
            Column::required("filtered_attributes", self.filtered_attributes.array()?),
        ];
        structure(columns, None)
    }
}
