//! Plans: named sets of limits that projects refer to.

use super::limit::Scope;
use super::{Changed, Limits, Slug, Timestamp};

/// A plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What projects refer to it by; unique, and immutable.
    pub slug: Slug,
    /// Free text for people.
    pub name: String,
    /// More text for people, may be empty.
    pub note: String,
    /// By [`Scope`], for each key, each tenant and the whole of a project that has the plan. What one of these has of its own comes
    /// before it.
    pub limits: [Limits; Scope::ALL.len()],
    /// How many keys of each tenant may be active at once; `None`: as many as the configuration says.
    pub max_active_keys: Option<u32>,
    /// 1 when it is made, counting up with each change.
    pub version: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// New values of what may change of a plan; `None` leaves a field as it is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PlanEdit {
    /// The name.
    pub name: Option<String>,
    /// The note.
    pub note: Option<String>,
    /// The limits, by [`Scope`].
    pub limits: [Option<Limits>; Scope::ALL.len()],
    /// How many keys may be active; the inner `None` leaves that to the configuration.
    pub max_active_keys: Option<Option<u32>>,
}

impl Plan {
    /// A plan without limits, made at `now`.
    #[must_use]
    pub fn new(slug: Slug, name: impl Into<String>, now: Timestamp) -> Self {
        Self {
            slug,
            name: name.into(),
            note: String::new(),
            limits: Default::default(),
            max_active_keys: None,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Makes `edit` at `now`.
    pub fn edit(&mut self, edit: &PlanEdit, now: Timestamp) -> Changed {
        let before = self.clone();
        self.name = edit.name.clone().unwrap_or_else(|| before.name.clone());
        self.note = edit.note.clone().unwrap_or_else(|| before.note.clone());
        for (limits, new) in self.limits.iter_mut().zip(&edit.limits) {
            if let Some(new) = new {
                limits.clone_from(new);
            }
        }
        self.max_active_keys = edit.max_active_keys.unwrap_or(before.max_active_keys);
        if *self == before {
            return Changed::Already;
        }
        self.version += 1;
        self.updated_at = now;
        Changed::Yes
    }

    /// What it limits in `scope`.
    #[must_use]
    pub const fn limits(&self, scope: Scope) -> &Limits {
        &self.limits[scope as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_changes_what_it_names() {
        let now = Timestamp::from_micros;
        let limits = |text: &str| text.parse::<Limits>().expect("limits");
        let mut plan = Plan::new("free".parse().expect("a slug"), "Free", now(1));
        let mut edit = PlanEdit { max_active_keys: Some(Some(2)), ..PlanEdit::default() };
        edit.limits[Scope::Tenant as usize] = Some(limits("10 items/second"));
        assert_eq!(plan.edit(&edit, now(5)), Changed::Yes);
        assert_eq!(plan.limits(Scope::Tenant), &limits("10 items/second"));
        assert_eq!(plan.limits(Scope::Key), &Limits::default());
        assert_eq!((plan.version, plan.updated_at, plan.max_active_keys), (2, now(5), Some(2)));
        assert_eq!((plan.edit(&edit, now(9)), plan.version, plan.updated_at), (Changed::Already, 2, now(5)));
        let lifted = PlanEdit { max_active_keys: Some(None), ..PlanEdit::default() };
        assert_eq!((plan.edit(&lifted, now(9)), plan.max_active_keys, plan.version), (Changed::Yes, None, 3));
        assert_eq!(plan.name, "Free");
    }
}
