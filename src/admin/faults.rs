//! What is wrong with the rows of a request, however many there are: of every bad row something is told, and of the rest as much as
//! an answer has room for.

use std::collections::HashSet;

use super::check::Check;
use super::problem::{FieldError, Place, Problem};

/// How many bytes of text are told beyond the first fault of each row.
const ROOM: usize = 256 << 10;

/// The longest text of one fault, in bytes. Names of fields are the client's, and may be of any length.
const LONGEST: usize = 1 << 10;

/// What was found wrong so far.
pub(super) struct Faults {
    /// Each with its row; `None`: the request as a whole.
    told: Vec<(Option<usize>, FieldError)>,
    rows: HashSet<Option<usize>>,
    all: usize,
    room: usize,
}

impl Default for Faults {
    fn default() -> Self {
        Self { told: Vec::new(), rows: HashSet::new(), all: 0, room: ROOM }
    }
}

impl Faults {
    /// Notes what is wrong outside of the rows.
    pub(super) fn add_all(&mut self, check: Check) {
        for error in check.problem().errors {
            self.note(None, error);
        }
    }

    /// Notes what is wrong with the row at `index` of the list `name`, each at its own place in the body. `fix` is for what has no place.
    pub(super) fn add(&mut self, name: &str, index: usize, problem: Problem, fix: &str) {
        let row = format!("/{name}/{index}");
        if problem.errors.is_empty() {
            let error = FieldError { place: Place::Pointer(row), detail: problem.detail, fix: fix.to_owned() };
            return self.note(Some(index), error);
        }
        for error in problem.errors {
            let within = match &error.place {
                Place::Pointer(pointer) => pointer.as_str(),
                Place::Parameter(_) | Place::Header(_) => "",
            };
            let short = within.len() + error.detail.len() + error.fix.len() <= LONGEST;
            let error = if short {
                FieldError { place: Place::Pointer(format!("{row}{within}")), ..error }
            } else {
                let detail = "it has a field that is too long to be told".to_owned();
                FieldError {
                    place: Place::Pointer(row.clone()),
                    detail,
                    fix: "send the fields that there are".to_owned(),
                }
            };
            self.note(Some(index), error);
        }
    }

    /// Whether nothing was found wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.all == 0
    }

    /// What was found wrong, in the order of the rows.
    pub(super) fn problem(mut self) -> Problem {
        self.told.sort_by_key(|(row, _)| *row);
        let told = self.told.len();
        let problem = Problem::invalid(self.told.into_iter().map(|(_, error)| error).collect());
        if told == self.all {
            return problem;
        }
        let detail = format!(
            "{} fields or parameters are not as they must be; {told} of them are told, at least one of every row that has any",
            self.all
        );
        Problem { detail, ..problem }
    }

    fn note(&mut self, row: Option<usize>, error: FieldError) {
        self.all += 1;
        let first = self.rows.insert(row);
        let length = error.detail.len() + error.fix.len();
        if first || length <= self.room {
            self.room = if first { self.room } else { self.room - length };
            self.told.push((row, error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(fields: &[&str], detail: &str) -> Problem {
        let mut check = Check::default();
        for field in fields {
            check.refuse(Place::field(field), detail, "another");
        }
        check.problem()
    }

    #[test]
    fn faults_are_told_in_the_order_of_the_rows() {
        let mut faults = Faults::default();
        faults.add("keys", 7, problem(&["name"], "no"), "");
        faults.add("keys", 2, Problem::internal("x"), "a fix");
        faults.add("keys", 2, problem(&["name", "token"], "no"), "");
        let mut check = Check::default();
        check.refuse(Place::field("pad"), "unknown", "leave it out");
        faults.add_all(check);
        let told = faults.problem();
        let places: Vec<_> = told.errors.iter().map(|error| error.place.to_string()).collect();
        assert_eq!(places, ["/pad", "/keys/2", "/keys/2/name", "/keys/2/token", "/keys/7/name"]);
        assert_eq!(told.errors[1].fix, "a fix");
        assert_eq!(told.detail, "5 fields or parameters are not as they must be");
    }

    #[test]
    fn every_row_is_told_and_the_answer_has_a_limit() {
        let (mut faults, detail) = (Faults::default(), "x".repeat(500));
        for row in 0..10_000 {
            faults.add("keys", row, problem(&["a", "b", "c"], &detail), "");
        }
        let told = faults.problem();
        assert!(told.detail.starts_with("30000 fields"), "{}", told.detail);
        let rows: HashSet<_> =
            told.errors.iter().map(|error| error.place.to_string().replace(['a', 'b', 'c'], "")).collect();
        assert_eq!(rows.len(), 10_000);
        assert!(told.errors.len() < 10_000 + ROOM / 500);
        assert!(told.detail.contains(&told.errors.len().to_string()), "{}", told.detail);
    }

    #[test]
    fn a_long_name_is_not_told() {
        let mut faults = Faults::default();
        faults.add("keys", 3, problem(&["x".repeat(5_000).as_str()], "no"), "");
        let told = faults.problem().errors;
        assert_eq!((told.len(), told[0].place.to_string().as_str()), (1, "/keys/3"));
    }
}
