//! Projects: what each is given, and whether it is suspended.

use super::audit::Action;
use super::{Changed, Limits, Slug, Timestamp};

/// A project: a team or product.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Project {
    /// Unique and immutable.
    pub slug: Slug,
    /// Free text for people.
    pub name: String,
    /// The plan that it has.
    pub plan: Option<Slug>,
    /// From this instant on it is suspended, unless that is changed; only with a plan.
    pub plan_ends_at: Option<Timestamp>,
    /// The limits of its own, which come before those that its plan has for projects.
    pub limits: Limits,
    /// How many keys of each of its environments may be active at once; `None`: as many as its plan says, or the configuration.
    pub max_active_keys: Option<u32>,
    /// Set while somebody keeps it suspended.
    pub suspended: Option<Suspension>,
    /// 1 when it is made, counting up with each change.
    pub version: u64,
    /// When it was created.
    pub created_at: Timestamp,
}

/// That a project is suspended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suspension {
    /// Since when.
    pub at: Timestamp,
    /// Why, in words for people.
    pub reason: String,
}

/// New values of what may change of a project; `None` leaves a field as it is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ProjectEdit {
    /// The name.
    pub name: Option<String>,
    /// The plan; the inner `None` takes it away, together with its end.
    pub plan: Option<Option<Slug>>,
    /// The end of the plan; the inner `None`: it has none.
    pub plan_ends_at: Option<Option<Timestamp>>,
    /// The limits of its own.
    pub limits: Option<Limits>,
    /// How many keys may be active; the inner `None` leaves that to the plan, or the configuration.
    pub max_active_keys: Option<Option<u32>>,
}

/// A change of a project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProjectChange {
    /// Change fields.
    Edit(Box<ProjectEdit>),
    /// Refuse exports for this reason, until resumed.
    Suspend(String),
    /// Undo that.
    Resume,
}

/// Why a change of a project is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProjectRefused {
    /// Nothing can end that is not there.
    #[error("the project has no plan that could end; give it one, or leave the end out")]
    NoPlan,
    /// Its plan would keep it suspended.
    #[error("the project's plan ended at {at}; give it another end first, or none")]
    PlanEnded {
        /// When it ended.
        at: Timestamp,
    },
}

impl ProjectChange {
    /// What the change is called in the audit log.
    #[must_use]
    pub const fn action(&self) -> Action {
        match self {
            Self::Edit(_) => Action::ProjectEdited,
            Self::Suspend(_) => Action::ProjectSuspended,
            Self::Resume => Action::ProjectResumed,
        }
    }
}

impl Project {
    /// A project without plan and limits, made at `now`.
    #[must_use]
    pub fn new(slug: Slug, name: impl Into<String>, now: Timestamp) -> Self {
        Self {
            slug,
            name: name.into(),
            plan: None,
            plan_ends_at: None,
            limits: Limits::default(),
            max_active_keys: None,
            suspended: None,
            version: 1,
            created_at: now,
        }
    }

    /// Whether its plan has ended at `now`: with its very end it has.
    #[must_use]
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.plan_ends_at.is_some_and(|at| at <= now)
    }

    /// Makes `change` at `now`. What was suspended already keeps its reason.
    ///
    /// # Errors
    /// [`ProjectRefused`]; the project is then as it was.
    pub fn apply(&mut self, change: &ProjectChange, now: Timestamp) -> Result<Changed, ProjectRefused> {
        let mut project = self.clone();
        match change {
            ProjectChange::Edit(edit) => project.edit(edit)?,
            ProjectChange::Suspend(reason) => {
                project.suspended.get_or_insert_with(|| Suspension { at: now, reason: reason.clone() });
            }
            ProjectChange::Resume => {
                if let Some(at) = project.plan_ends_at.filter(|at| *at <= now) {
                    return Err(ProjectRefused::PlanEnded { at });
                }
                project.suspended = None;
            }
        }
        if project == *self {
            return Ok(Changed::Already);
        }
        project.version += 1;
        *self = project;
        Ok(Changed::Yes)
    }

    fn edit(&mut self, edit: &ProjectEdit) -> Result<(), ProjectRefused> {
        let ProjectEdit { name, plan, plan_ends_at, limits, max_active_keys } = edit.clone();
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        self.limits = limits.unwrap_or_else(|| std::mem::take(&mut self.limits));
        self.max_active_keys = max_active_keys.unwrap_or(self.max_active_keys);
        if let Some(plan) = plan {
            self.plan_ends_at = self.plan_ends_at.filter(|_| plan.is_some());
            self.plan = plan;
        }
        self.plan_ends_at = plan_ends_at.unwrap_or(self.plan_ends_at);
        if self.plan_ends_at.is_some() && self.plan.is_none() { Err(ProjectRefused::NoPlan) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000);
    const LATER: Timestamp = Timestamp::from_micros(2_000);

    fn project() -> Project {
        Project::new("shop".parse().expect("a slug"), "Shop", Timestamp::from_micros(0))
    }

    fn edit(edit: ProjectEdit) -> ProjectChange {
        ProjectChange::Edit(Box::new(edit))
    }

    fn trial(ends_at: Option<Timestamp>) -> ProjectChange {
        let plan = Some(Some("trial".parse().expect("a slug")));
        edit(ProjectEdit { plan, plan_ends_at: Some(ends_at), ..ProjectEdit::default() })
    }

    #[test]
    fn it_is_resumed_while_its_plan_goes_on() {
        let mut project = project();
        assert_eq!(project.apply(&trial(Some(LATER)), NOW), Ok(Changed::Yes));
        assert!(!project.has_ended(NOW) && project.has_ended(LATER));
        let suspend = |why: &str| ProjectChange::Suspend(why.to_owned());
        assert_eq!(project.apply(&suspend("unpaid"), NOW), Ok(Changed::Yes));
        assert_eq!(project.apply(&suspend("again"), LATER), Ok(Changed::Already));
        assert_eq!(project.suspended, Some(Suspension { at: NOW, reason: "unpaid".to_owned() }));
        let ended = Err(ProjectRefused::PlanEnded { at: LATER });
        assert_eq!((project.apply(&ProjectChange::Resume, LATER), project.version), (ended, 3));
        assert_eq!(project.apply(&ProjectChange::Resume, NOW), Ok(Changed::Yes));
        assert_eq!((&project.suspended, project.version), (&None, 4));
        assert_eq!(project.apply(&ProjectChange::Resume, NOW), Ok(Changed::Already));
        assert_eq!(project.apply(&trial(None), LATER), Ok(Changed::Yes));
        assert_eq!(project.apply(&ProjectChange::Resume, LATER), Ok(Changed::Already));
        assert_eq!(project.plan_ends_at, None);
    }

    #[test]
    fn an_end_belongs_to_a_plan() {
        let mut project = project();
        let ends = edit(ProjectEdit { plan_ends_at: Some(Some(LATER)), ..ProjectEdit::default() });
        assert_eq!(project.apply(&ends, NOW), Err(ProjectRefused::NoPlan));
        assert_eq!(project, self::project());
        project.apply(&trial(None), NOW).expect("a plan");
        assert_eq!(project.apply(&ends, NOW), Ok(Changed::Yes));
        let other = ProjectEdit { plan: Some("paid".parse().ok()), ..ProjectEdit::default() };
        assert_eq!(project.apply(&edit(other), NOW), Ok(Changed::Yes));
        assert_eq!(project.plan_ends_at, Some(LATER));
        let none = ProjectEdit { plan: Some(None), ..ProjectEdit::default() };
        assert_eq!(project.apply(&edit(none), NOW), Ok(Changed::Yes));
        assert_eq!((project.plan, project.plan_ends_at), (None, None));
    }
}
