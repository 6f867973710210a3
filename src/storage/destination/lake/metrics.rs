//! One row per data point of a metric, of whichever of the five kinds.

use arrow_array::builder::{BooleanBuilder, StringBuilder};

use super::LakeError;
use super::attributes::Attributes;
use super::columns::{Column, Values, append_name};
use super::dictionary::Strings;
use super::fields::{Merged, boolean, bytes, int32, text};
use super::points::Points;
use super::repeated::{RepeatedLists, RepeatedText};
use super::table::{Batch, Rows};
use crate::otlp::wire::Reader;

/// The columns of a metric and its data points.
#[derive(Default)]
pub(super) struct Metrics {
    strings: Strings,
    name: RepeatedText,
    description: RepeatedText,
    unit: RepeatedText,
    metadata: RepeatedLists<Attributes>,
    kind: StringBuilder,
    temporality: StringBuilder,
    is_monotonic: BooleanBuilder,
    points: Points,
}

/// The members of `Metric.data`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

impl Kind {
    const fn of_field(number: u32) -> Option<Self> {
        match number {
            5 => Some(Self::Gauge),
            7 => Some(Self::Sum),
            9 => Some(Self::Histogram),
            10 => Some(Self::ExponentialHistogram),
            11 => Some(Self::Summary),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Sum => "sum",
            Self::Histogram => "histogram",
            Self::ExponentialHistogram => "exponential_histogram",
            Self::Summary => "summary",
        }
    }
}

const TEMPORALITIES: [&str; 3] = ["unspecified", "delta", "cumulative"];

impl Rows for Metrics {
    fn strings(&self) -> &Strings {
        &self.strings
    }

    fn append(&mut self, item: &[u8], batch: &mut Batch<'_>) -> Result<(), LakeError> {
        let (mut name, mut description, mut unit) = ("", "", "");
        let metadata = self.metadata.values.count();
        let mut kind = None;
        let mut data = Merged::default();
        let mut data_bytes = 0;
        let mut reader = Reader::new(item);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => name = text(value)?,
                2 => description = text(value)?,
                3 => unit = text(value)?,
                12 => self.metadata.values.push(value, &self.strings)?,
                _ => {
                    if let Some(of_field) = Kind::of_field(number) {
                        if kind != Some(of_field) {
                            data.clear();
                        }
                        kind = Some(of_field);
                        data_bytes += bytes(value)?.len();
                        data.add(value)?;
                    }
                }
            }
        }
        self.name.set(Some(name))?;
        self.description.set(Some(description))?;
        self.unit.set(Some(unit))?;
        self.metadata.set(Some(metadata))?;
        match (kind, data.get()) {
            (Some(kind), Some(data)) => self.append_points(kind, data, item.len() - data_bytes, batch),
            _ => Ok(()),
        }
    }

    fn columns(&self) -> Result<Vec<Column>, LakeError> {
        let mut columns = vec![
            Column::required("name", self.name.array()?),
            Column::required("description", self.description.array()?),
            Column::required("unit", self.unit.array()?),
            Column::required("metadata", self.metadata.array()?),
            Column::required("type", self.kind.array()?),
            Column::optional("aggregation_temporality", self.temporality.array()?),
            Column::optional("is_monotonic", self.is_monotonic.array()?),
        ];
        columns.extend(self.points.columns()?);
        Ok(columns)
    }

    fn clear(&mut self, values: bool) {
        self.name.clear(values);
        self.description.clear(values);
        self.unit.clear(values);
        self.metadata.clear(values);
        self.kind = StringBuilder::default();
        self.temporality = StringBuilder::default();
        self.is_monotonic = BooleanBuilder::default();
        self.points = Points::default();
    }
}

impl Metrics {
    /// Appends a row for each data point of `data`, the message `Gauge`, `Sum`, ….
    fn append_points(
        &mut self,
        kind: Kind,
        data: &[u8],
        metric_bytes: usize,
        batch: &mut Batch<'_>,
    ) -> Result<(), LakeError> {
        let has_temporality = !matches!(kind, Kind::Gauge | Kind::Summary);
        let (mut temporality, mut is_monotonic) = (0, false);
        let mut reader = Reader::new(data);
        while let Some((number, value)) = reader.field()? {
            match number {
                2 if has_temporality => temporality = int32(value)?,
                3 if kind == Kind::Sum => is_monotonic = boolean(value)?,
                _ => {}
            }
        }
        let mut reader = Reader::new(data);
        while let Some((number, value)) = reader.field()? {
            if number != 1 {
                continue;
            }
            self.name.repeat();
            self.description.repeat();
            self.unit.repeat();
            self.metadata.repeat();
            self.kind.append_value(kind.as_str());
            if has_temporality {
                append_name(&mut self.temporality, &TEMPORALITIES, temporality);
            } else {
                self.temporality.append_null();
            }
            self.is_monotonic.append_option((kind == Kind::Sum).then_some(is_monotonic));
            let point = bytes(value)?;
            self.points.push(kind, point, &self.strings)?;
            batch.end_row(self, point.len(), metric_bytes)?;
        }
        Ok(())
    }
}
