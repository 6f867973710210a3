//! Lists of the keys that need attention: the rules of [`crate::domain::hygiene`] in SQL.

use super::list::{Build, CREATED, EXPIRY, IDLE, KeyFilter, SECRET, Value};
use crate::domain::hygiene::{ADMIN_ROTATION, Flag, RotationPolicy};
use crate::domain::{KeyStatus, Timestamp, TokenKind};

impl Build {
    /// Requires the flag of `filter`. In the order of secrets, [`due`](Self::due) does that for those whose rotation is due.
    pub(super) fn attention(&mut self, filter: &KeyFilter, now: Timestamp) {
        if filter.needs_attention {
            self.statuses(&[KeyStatus::Active], filter.tag.is_some(), now);
            let any = self.any(now);
            self.require(&any);
        }
        let Some(flag) = filter.attention else {
            return;
        };
        self.statuses(&[KeyStatus::Active], filter.tag.is_some(), now);
        match flag {
            Flag::Expiring | Flag::ExpiringSoon | Flag::ExpiringNow => {
                self.within(EXPIRY, None, Some(behind(now.after(flag.span()))));
            }
            Flag::RotationDue if self.column == SECRET => {}
            Flag::RotationDue => {
                let condition = self.is_due(now);
                self.require(&condition);
            }
            Flag::Unused45 | Flag::Unused90 => self.within(IDLE, None, Some(behind(now.before(flag.span())))),
            Flag::NeverUsed => {
                self.require("keys.last_used_at IS NULL");
                self.within(CREATED, None, Some(behind(now.before(flag.span()))));
            }
            Flag::Weak => self.require("keys.weak = 1"),
            Flag::Exposed => {
                let condition = self.is_exposed(now);
                self.require(&condition);
            }
        }
    }

    /// That one of the flags holds. Those that others imply are left out.
    fn any(&mut self, now: Timestamp) -> String {
        let (due, exposed) = (self.is_due(now), self.is_exposed(now));
        let expiring = self.bind(behind(now.after(Flag::Expiring.span())));
        let unused = self.bind(behind(now.before(Flag::Unused45.span())));
        let never_used = self.bind(behind(now.before(Flag::NeverUsed.span())));
        format!(
            "(keys.expiry_order < {expiring}
                 OR keys.idle_order < {unused}
                 OR (keys.last_used_at IS NULL AND keys.created_at < {never_used})
                 OR keys.weak = 1
                 OR {due}
                 OR ({exposed}))"
        )
    }

    fn is_exposed(&mut self, now: Timestamp) -> String {
        let now = self.bind(Value::Integer(now.micros()));
        format!(
            "keys.exposed = 1 AND EXISTS (
                 SELECT 1 FROM secrets
                 WHERE secrets.key_id = keys.id AND secrets.created_at <= keys.exposed_at
                     AND (secrets.retires_at IS NULL OR secrets.retires_at > {now})
             )"
        )
    }

    /// Whose rotation is due, and of them the keys whose current secret was made before when: of each environment those from the
    /// beginning to an instant of its own, which is a range of an index for each.
    pub(super) fn due(
        &mut self,
        filter: &KeyFilter,
        policy: &RotationPolicy,
        now: Timestamp,
    ) -> Vec<Option<(String, Value)>> {
        if policy.environments().count() > MOST {
            return vec![Some((self.is_due(now), behind(now)))];
        }
        // Those of a project have an index of their own. Where no project is asked for the condition is one that fits the other only:
        // SQLite could not tell which is better.
        let environments = if filter.project.is_some() { "keys.environment" } else { "COALESCE(keys.environment, '')" };
        let mut parts = Vec::new();
        if filter.kind != Some(TokenKind::Ingest) && filter.environment.is_none() {
            parts.push(Some(("keys.kind = 'admin'".to_owned(), behind(now.before(ADMIN_ROTATION)))));
        }
        for (environment, most) in policy.environments() {
            if filter.kind != Some(TokenKind::Admin) && filter.environment.as_ref().is_none_or(|one| one == environment)
            {
                let condition = format!("{environments} = {}", self.text(environment));
                parts.push(Some((condition, behind(now.before(most)))));
            }
        }
        if parts.is_empty() { vec![Some(("1 = 0".to_owned(), behind(now)))] } else { parts }
    }

    /// That the rotation of a key is due, whatever its environment.
    fn is_due(&mut self, now: Timestamp) -> String {
        let admin = self.bind(Value::Integer(now.before(ADMIN_ROTATION).micros()));
        let now = self.bind(Value::Integer(now.micros()));
        format!(
            "keys.secret_order <= CASE
                 WHEN keys.environment IS NULL THEN {admin}
                 ELSE {now} - (
                     SELECT rotation_days FROM environments WHERE environments.slug = keys.environment
                 ) * {MICROS_OF_DAY}
             END"
        )
    }
}

/// A statement has at most so many parts: SQLite takes no more than 500.
const MOST: usize = 400;

const MICROS_OF_DAY: u64 = 24 * 3600 * 1_000_000;

/// The instant behind `at`.
fn behind(at: Timestamp) -> Value {
    Value::Integer(at.micros().saturating_add(1))
}
