//! Checking the parts of a request one by one and telling all that is wrong at once.

use super::problem::{FieldError, Place, Problem};
use crate::domain::clock::TimestampError;
use crate::domain::{Slug, Timestamp};

/// The longest name of a project, grid or key, in characters.
const MAX_NAME_LENGTH: usize = 100;
/// The longest note, in characters.
const MAX_NOTE_LENGTH: usize = 1000;

/// What was found wrong with a request so far.
#[derive(Default)]
pub(super) struct Check(Vec<FieldError>);

impl Check {
    /// Notes that something is wrong at `place`, and what is allowed there.
    pub(super) fn refuse(&mut self, place: Place, detail: impl Into<String>, fix: impl Into<String>) {
        self.0.push(FieldError { place, detail: detail.into(), fix: fix.into() });
    }

    /// A slug that may be absent.
    pub(super) fn slug(&mut self, place: Place, text: Option<&str>) -> Option<Slug> {
        match text?.parse() {
            Ok(slug) => Some(slug),
            Err(error) => {
                self.refuse(place, format!("{error}"), "1 to 40 characters of a-z, 0-9 and single '-' between them");
                None
            }
        }
    }

    /// A slug that must be there.
    pub(super) fn required_slug(&mut self, place: Place, text: Option<&str>) -> Option<Slug> {
        if text.is_none() {
            self.missing(place.clone());
        }
        self.slug(place, text)
    }

    /// A name for people that must be there, without the white space around it.
    pub(super) fn name(&mut self, place: Place, text: Option<&str>) -> Option<String> {
        let Some(text) = text else {
            self.missing(place);
            return None;
        };
        self.line(place, "the name", text)
    }

    /// One line of text for people, `what` it is, without the white space around it. What is no control character is kept as it is:
    /// to show it so that it does no harm is for who shows it.
    pub(super) fn line(&mut self, place: Place, what: &str, text: &str) -> Option<String> {
        let fix = "1 to 100 characters without control characters";
        let text = text.trim();
        if text.is_empty() {
            self.refuse(place, format!("{what} is empty"), fix);
        } else if text.chars().count() > MAX_NAME_LENGTH {
            self.refuse(place, format!("{what} has more than 100 characters"), fix);
        } else if let Some(position) = text.chars().position(|c| c.is_control() || is_separator(c)) {
            self.refuse(place, format!("character {} of {what} is a control character", position + 1), fix);
        } else {
            return Some(text.to_owned());
        }
        None
    }

    /// A note for people that may be absent.
    pub(super) fn note(&mut self, place: Place, text: Option<&str>) -> Option<String> {
        let fix = "at most 1000 characters; line feeds are allowed, other control characters are not";
        let text = text?;
        if text.chars().count() > MAX_NOTE_LENGTH {
            self.refuse(place, "the note has more than 1000 characters", fix);
        } else if let Some(position) = text.chars().position(|c| c.is_control() && c != '\n') {
            self.refuse(place, format!("character {} of the note is a control character", position + 1), fix);
        } else {
            return Some(text.to_owned());
        }
        None
    }

    /// The fields `slug` and `name` of a new project or grid; without a name the slug is shown to people.
    pub(super) fn slug_and_name(&mut self, slug: Option<&str>, name: Option<&str>) -> Option<(Slug, String)> {
        let slug = self.required_slug(Place::field("slug"), slug);
        let name = match name {
            Some(name) => self.name(Place::field("name"), Some(name)),
            None => slug.as_ref().map(ToString::to_string),
        };
        slug.zip(name)
    }

    /// An instant after `now` that may be absent.
    pub(super) fn future(&mut self, place: Place, text: Option<&str>, now: Timestamp) -> Option<Timestamp> {
        let fix = "an RFC 3339 instant in the future, for example 2036-11-21T10:22:00Z, or leave it out";
        match text?.parse::<Timestamp>() {
            Ok(instant) if instant > now => return Some(instant),
            Ok(_) => self.refuse(place, "the instant is not in the future", fix),
            Err(error) => self.refuse(place, error.to_string(), fix),
        }
        None
    }

    /// An instant that may be absent.
    pub(super) fn instant(&mut self, place: Place, text: Option<&str>) -> Option<Timestamp> {
        text?
            .parse()
            .map_err(|error: TimestampError| {
                self.refuse(place, error.to_string(), "an RFC 3339 instant, for example 2026-11-21T10:22:00Z");
            })
            .ok()
    }

    /// Whether something was found wrong at `place`.
    pub(super) fn has(&self, place: &Place) -> bool {
        self.0.iter().any(|error| error.place == *place)
    }

    /// Notes that a field is missing, unless what is there was found wrong.
    pub(super) fn missing(&mut self, place: Place) {
        if !self.has(&place) {
            self.refuse(place, "it is missing", "it is required");
        }
    }

    /// The checked value, or everything that was found wrong. `value` is `None` only where something was.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self.problem()),
        }
    }

    /// Everything that was found wrong.
    pub(super) fn problem(self) -> Problem {
        Problem::invalid(self.0)
    }
}

/// The separators of lines and paragraphs: control characters in all but name.
const fn is_separator(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}')
}
