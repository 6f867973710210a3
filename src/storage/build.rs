//! Building one file of the lake from records of the log, whatever is wrong with some of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use super::StorageError;
use super::checkpoint::PlannedFile;
use super::deliver::Segments;
use super::destination::lake::{LakeFile, LakeRecord};
use super::record::RecordMeta;
use super::segment::Stored;
use crate::domain::{BudgetExceeded, Signal};
use crate::otlp::compression::with_inflated;

/// A file's bytes, and what could not go into it.
#[derive(Default)]
pub(super) struct Built {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: u64,
    pub(super) records: u64,
    /// Records to be set aside: segment and position in it.
    pub(super) unreadable: Vec<(u64, usize)>,
}

/// Builds a file. The same plan leads to the same file, so that it can be carried out again.
pub(super) fn build(signal: Signal, planned: &PlannedFile, segments: &Segments) -> Built {
    salvage(planned, &|file| attempt(signal, file, segments))
}

/// Where a file cannot be built for a reason that names no record, each record is tried alone and the file is built of those with
/// which that succeeds. A plan that fails for ever would hold up everything behind it.
fn salvage(planned: &PlannedFile, attempt: &dyn Fn(&PlannedFile) -> Result<Built, StorageError>) -> Built {
    let attempt = |file: &PlannedFile| match catch_unwind(AssertUnwindSafe(|| attempt(file))) {
        Ok(Ok(built)) => Some(built),
        Ok(Err(error)) => {
            tracing::error!(path = file.path, %error, "a file of the lake cannot be built");
            None
        }
        Err(_) => {
            tracing::error!(path = file.path, "building a file of the lake has broken down");
            None
        }
    };
    if let Some(built) = attempt(planned) {
        return built;
    }
    let of = |records| PlannedFile { records, ..planned.clone() };
    let (mut sound, mut failing) = (Vec::new(), Vec::new());
    for (sequence, positions) in &planned.records {
        for &position in positions {
            let alone = vec![(*sequence, vec![position])];
            match attempt(&of(alone.clone())) {
                Some(built) if built.unreadable.is_empty() => sound.extend(alone),
                _ => failing.push((*sequence, position)),
            }
        }
    }
    let built = if failing.is_empty() { None } else { attempt(&of(sound.clone())) };
    let Some(mut built) = built else {
        // Each alone would do, but not all together.
        failing
            .extend(sound.into_iter().flat_map(|(sequence, places)| places.into_iter().map(move |at| (sequence, at))));
        return Built { unreadable: failing, ..Built::default() };
    };
    built.unreadable.extend(failing);
    built
}

/// Builds a file from its records. A record that cannot be read is left out, and the file begun anew without it.
fn attempt(signal: Signal, planned: &PlannedFile, segments: &Segments) -> Result<Built, StorageError> {
    let mut unreadable = Vec::new();
    'again: loop {
        let mut file = LakeFile::new(signal)?;
        let mut records = 0;
        for (sequence, positions) in &planned.records {
            for &position in positions {
                let place = (*sequence, position);
                if unreadable.contains(&place) {
                    continue;
                }
                let Some(Stored::Record { meta, payload }) = segments.get(sequence).and_then(|all| all.get(position))
                else {
                    tracing::error!(segment = sequence, frame = position, "a planned record has been damaged since");
                    unreadable.push(place);
                    continue;
                };
                if let Err(error) = append(&mut file, meta, payload) {
                    tracing::error!(record = %meta.id, tenant = %meta.tenant, %error, "a record cannot be read");
                    unreadable.push(place);
                    continue 'again;
                }
                records += 1;
            }
        }
        return Ok(Built { rows: file.rows(), bytes: file.finish()?, records, unreadable });
    }
}

fn append(file: &mut LakeFile, meta: &RecordMeta, payload: &Bytes) -> Result<(), StorageError> {
    let cap = usize::try_from(meta.decompressed_size).unwrap_or(usize::MAX);
    let unlimited = |_| Ok::<_, BudgetExceeded>(());
    with_inflated(meta.encoding, payload, cap, unlimited, |payload| {
        file.append(&LakeRecord { record: meta.id, key: meta.key, arrival: meta.arrival, payload })
    })??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned() -> PlannedFile {
        PlannedFile { path: "a".to_owned(), signal: "logs".to_owned(), records: vec![(1, vec![0, 1]), (2, vec![0, 3])] }
    }

    /// What a file holds and what is set aside, where building fails as soon as `fails` says so of any of its records.
    fn salvaged(fails: impl Fn(&[(u64, usize)]) -> bool) -> (u64, Vec<(u64, usize)>) {
        let attempt = |file: &PlannedFile| {
            let places = file.records.iter().flat_map(|(of, positions)| positions.iter().map(move |at| (*of, *at)));
            let places: Vec<_> = places.collect();
            assert!(!(fails(&places) && places.contains(&(2, 3))), "it breaks down");
            if fails(&places) {
                return Err(StorageError::Task("it fails".to_owned()));
            }
            Ok(Built { records: places.len() as u64, ..Built::default() })
        };
        let built = salvage(&planned(), &attempt);
        (built.records, built.unreadable)
    }

    #[test]
    fn a_file_that_fails_as_a_whole_is_built_without_those_that_fail_alone() {
        assert_eq!(salvaged(|_| false), (4, vec![]));
        assert_eq!(salvaged(|places| places.contains(&(1, 1))), (3, vec![(1, 1)]));
        // By a panic, too.
        assert_eq!(salvaged(|places| places.contains(&(2, 3))), (3, vec![(2, 3)]));
        let none = salvaged(|_| true);
        assert_eq!((none.0, none.1.len()), (0, 4));
    }

    #[test]
    fn what_fails_only_together_is_set_aside_together() {
        let (records, aside) = salvaged(|places| places.len() > 1);
        assert_eq!((records, aside.len()), (0, 4));
    }
}
