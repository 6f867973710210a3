//! What pages are made of. Each part is a function from values to markup; none asks the API.

pub(super) mod chart;
pub(super) mod chip;
pub(super) mod copy;
pub(super) mod dialog;
pub(super) mod empty;
pub(super) mod field;
pub(super) mod icon;
pub(super) mod limits;
pub(super) mod list;
pub(super) mod note;
pub(super) mod number;
pub(super) mod sentence;
pub(super) mod standing;
pub(super) mod tabs;
pub(super) mod time;
