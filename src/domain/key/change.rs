//! What can happen to a key: every change, from every status.

use std::time::Duration;

use super::{DigestAlgorithm, Key, KeyStatus, Secret, SecretFormat, SecretState};
use crate::domain::audit::Action;
use crate::domain::{AllowedAddresses, Digest, Limits, Permissions, Slug, Tags, Timestamp};

/// The longest overlap of a rotation.
pub const MAX_OVERLAP: Duration = Duration::from_hours(30 * 24);

/// How many retired secrets of a key are remembered, so that who still sends one is told that it was replaced.
pub const MAX_RETIRED: usize = 8;

/// A change of a key.
#[derive(Clone, Debug)]
pub enum KeyChange {
    /// Refuse until enabled.
    Disable,
    /// Undo a disable.
    Enable,
    /// Refuse for ever.
    Revoke,
    /// Change what is not for life.
    Edit(Box<KeyEdit>),
    /// Replace every secret, now.
    Regenerate(NewSecret),
    /// Add a secret, and let the old one retire.
    Rotate {
        /// The new one.
        secret: NewSecret,
        /// How long both are good.
        overlap: Overlap,
    },
    /// End a rotation with the new secret alone.
    CompleteRotation,
    /// End a rotation with the old secret alone.
    CancelRotation,
    /// Retire a secret that is drained.
    RetireDrained {
        /// Its version.
        version: u32,
    },
    /// Note something about it.
    Mark(SecretMark),
}

/// What is noted about a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretMark {
    /// A secret of it was found in public.
    Exposed,
    /// Somebody confirmed that it is still needed.
    Reviewed,
}

/// New values of what is not for life; `None` leaves a field as it is.
#[derive(Clone, Default, Debug)]
pub struct KeyEdit {
    /// The name.
    pub name: Option<String>,
    /// The note.
    pub note: Option<String>,
    /// The tags.
    pub tags: Option<Tags>,
    /// The customer or owner; the inner `None` removes it.
    pub owner: Option<Option<String>>,
    /// Role or permissions.
    pub grant: Option<Grant>,
    /// Where it may be used from.
    pub allowed: Option<AllowedAddresses>,
    /// The limits of its own.
    pub limits: Option<Limits>,
    /// The expiry; the inner `None` removes it.
    pub expires_at: Option<Option<Timestamp>>,
}

/// What a key may do: by a role, or by permissions of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The role, if it is by one.
    pub role: Option<Slug>,
    /// What the role holds at present, or the key's own permissions.
    pub permissions: Permissions,
}

/// A secret that is about to be a key's; its token was minted for the key.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// The digest of its token.
    pub digest: Digest,
    /// How it was taken.
    pub algorithm: DigestAlgorithm,
    /// The token's form.
    pub format: SecretFormat,
}

/// How long the old secret of a rotation stays good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overlap {
    /// From this instant on it is refused.
    pub until: Timestamp,
    /// It retires earlier once it was not used for so long.
    pub drained_after: Option<Duration>,
}

/// What a change did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Changed {
    /// The state is new.
    Yes,
    /// The key was in that state already; nothing was written.
    Already,
}

/// Why a change is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChangeRefused {
    /// Nothing but a purge happens to a revoked key.
    #[error("the key is revoked, which is permanent; create a new key")]
    Revoked,
    /// An expired key gets its expiry extended before anything else.
    #[error("the key has expired; extend its expiry first")]
    Expired,
    /// A disabled key has no use for two secrets.
    #[error("the key is disabled; enable it first, or regenerate its secret")]
    Disabled,
    /// Two secrets are good already.
    #[error("a rotation is under way; complete or cancel it first, or regenerate the secret")]
    RotationInProgress,
    /// The overlap of a rotation has to end in the future, within 30 days.
    #[error("the overlap of a rotation ends after now, and within 30 days")]
    Overlap,
}

impl KeyChange {
    /// What the change is called in the audit log, where it was made to `before` at `now`.
    #[must_use]
    pub fn action(&self, before: &Key, now: Timestamp) -> Action {
        match self {
            Self::Disable => Action::KeyDisabled,
            Self::Enable => Action::KeyEnabled,
            Self::Revoke if before.member => Action::MemberRemoved,
            Self::Revoke => Action::KeyRevoked,
            Self::Edit(_) if before.member => Action::MemberEdited,
            Self::Edit(edit) if edit.expires_at.is_some() && before.status(now) == KeyStatus::Expired => {
                Action::KeyRenewed
            }
            Self::Edit(_) => Action::KeyEdited,
            Self::Regenerate(_) => Action::KeyRegenerated,
            Self::Rotate { .. } => Action::KeyRotated,
            Self::CompleteRotation => Action::KeyRotationCompleted,
            Self::CancelRotation => Action::KeyRotationCancelled,
            Self::RetireDrained { .. } => Action::KeySecretDrained,
            Self::Mark(SecretMark::Exposed) => Action::KeyExposed,
            Self::Mark(SecretMark::Reviewed) => Action::KeyReviewed,
        }
    }
}

impl Key {
    /// Makes `change` at `now`: the key is as it will be, or, after an error or where it was so already, as it was.
    ///
    /// # Errors
    /// Where the change is not possible from the present status.
    pub fn apply(&mut self, change: &KeyChange, now: Timestamp) -> Result<Changed, ChangeRefused> {
        // Requests overtake each other, and the clocks of nodes differ: what an earlier change retired stays so.
        let now = now.max(self.updated_at);
        let status = self.status(now);
        if status == KeyStatus::Revoked {
            return if matches!(change, KeyChange::Revoke) {
                Ok(Changed::Already)
            } else {
                Err(ChangeRefused::Revoked)
            };
        }
        let changed = match change {
            KeyChange::Revoke => {
                self.revoked_at = Some(now);
                true
            }
            KeyChange::Disable => {
                let enabled = self.disabled_at.is_none();
                self.disabled_at.get_or_insert(now);
                enabled
            }
            KeyChange::Enable if status == KeyStatus::Expired => return Err(ChangeRefused::Expired),
            KeyChange::Enable => self.disabled_at.take().is_some(),
            KeyChange::Edit(edit) => self.edit(edit),
            KeyChange::Regenerate(_) | KeyChange::Rotate { .. } if status == KeyStatus::Expired => {
                return Err(ChangeRefused::Expired);
            }
            KeyChange::Regenerate(new) => {
                self.regenerate(new, now);
                true
            }
            KeyChange::Rotate { .. } if status == KeyStatus::Disabled => return Err(ChangeRefused::Disabled),
            KeyChange::Rotate { secret, overlap } => {
                self.rotate(secret, *overlap, now)?;
                true
            }
            KeyChange::CompleteRotation => self.retire_retiring(now, |_| true),
            KeyChange::CancelRotation => self.cancel_rotation(now),
            KeyChange::RetireDrained { version } => {
                self.is_drained(*version, now) && self.retire_retiring(now, |secret| secret.version == *version)
            }
            KeyChange::Mark(SecretMark::Exposed) => {
                let known = self.is_exposed(now);
                if !known {
                    self.exposed_at = Some(now);
                }
                !known
            }
            KeyChange::Mark(SecretMark::Reviewed) => {
                let before = self.reviewed_at.replace(now);
                before != Some(now)
            }
        };
        if !changed {
            return Ok(Changed::Already);
        }
        self.version += 1;
        self.updated_at = now;
        Ok(Changed::Yes)
    }

    fn edit(&mut self, edit: &KeyEdit) -> bool {
        let mut changed = false;
        let Grant { role, permissions } = edit.grant.clone().unwrap_or_else(|| self.grant());
        changed |= set(&mut self.name, edit.name.clone());
        changed |= set(&mut self.note, edit.note.clone());
        changed |= set(&mut self.tags, edit.tags.clone());
        changed |= set(&mut self.owner, edit.owner.clone());
        changed |= set(&mut self.role, Some(role));
        changed |= set(&mut self.permissions, Some(permissions));
        changed |= set(&mut self.allowed, edit.allowed.clone());
        changed |= set(&mut self.limits, edit.limits.clone());
        changed |= set(&mut self.expires_at, edit.expires_at);
        if let Some(expires_at) = self.expires_at {
            for retires_at in self.secrets.iter_mut().filter_map(|secret| secret.retires_at.as_mut()) {
                *retires_at = (*retires_at).min(expires_at);
            }
        }
        changed
    }

    /// What the key may do, and why.
    #[must_use]
    pub fn grant(&self) -> Grant {
        Grant { role: self.role.clone(), permissions: self.permissions.clone() }
    }

    fn regenerate(&mut self, new: &NewSecret, now: Timestamp) {
        for secret in &mut self.secrets {
            if secret.state(now) != SecretState::Retired {
                secret.retires_at = Some(now);
                secret.drained_after = None;
            }
        }
        self.add(new, now);
    }

    fn rotate(&mut self, new: &NewSecret, overlap: Overlap, now: Timestamp) -> Result<(), ChangeRefused> {
        if self.rotation(now).is_some() {
            return Err(ChangeRefused::RotationInProgress);
        }
        if overlap.until <= now || overlap.until > now.after(MAX_OVERLAP) {
            return Err(ChangeRefused::Overlap);
        }
        // An overlap never outlives the key.
        let until = self.expires_at.map_or(overlap.until, |expires_at| overlap.until.min(expires_at));
        for secret in self.secrets.iter_mut().filter(|secret| secret.retires_at.is_none()) {
            secret.retires_at = Some(until);
            secret.drained_after = overlap.drained_after;
        }
        self.add(new, now);
        Ok(())
    }

    fn cancel_rotation(&mut self, now: Timestamp) -> bool {
        if self.rotation(now).is_none() {
            return false;
        }
        for secret in &mut self.secrets {
            match secret.state(now) {
                SecretState::Current => secret.retires_at = Some(now),
                SecretState::Retiring { .. } => {
                    secret.retires_at = None;
                    secret.drained_after = None;
                }
                SecretState::Retired => {}
            }
        }
        true
    }

    fn retire_retiring(&mut self, now: Timestamp, which: impl Fn(&Secret) -> bool) -> bool {
        let retiring =
            |secret: &&mut Secret| matches!(secret.state(now), SecretState::Retiring { .. }) && which(secret);
        let mut retired = false;
        for secret in self.secrets.iter_mut().filter(retiring) {
            secret.retires_at = Some(now);
            secret.drained_after = None;
            retired = true;
        }
        retired
    }

    /// Adds the current secret, and forgets the oldest of the retired ones beyond [`MAX_RETIRED`].
    fn add(&mut self, new: &NewSecret, now: Timestamp) {
        let version = self.secrets.iter().map(|secret| secret.version).max().unwrap_or(0).saturating_add(1);
        let secret = Secret {
            version,
            digest: new.digest,
            algorithm: new.algorithm,
            format: new.format,
            created_at: now,
            retires_at: None,
            drained_after: None,
            used: None,
        };
        self.secrets.insert(0, secret);
        let mut retired = 0;
        self.secrets.retain(|secret| {
            retired += usize::from(secret.state(now) == SecretState::Retired);
            retired <= MAX_RETIRED || secret.state(now) != SecretState::Retired
        });
    }
}

/// Sets `field` to a new value, if there is one; whether that changes it.
fn set<T: PartialEq>(field: &mut T, value: Option<T>) -> bool {
    let Some(value) = value.filter(|value| value != field) else { return false };
    *field = value;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::SecretUse;
    use crate::domain::{Binding, KeyId};

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn key() -> Key {
        let mut key = Key::new(
            KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"),
            Binding::Installation,
            "one",
            Timestamp::from_micros(0),
        );
        key.add(&secret(1), Timestamp::from_micros(0));
        key
    }

    fn secret(byte: u8) -> NewSecret {
        NewSecret {
            digest: Digest::from_bytes([byte; 32]),
            algorithm: DigestAlgorithm::HmacSha256 { pepper: 1 },
            format: SecretFormat::Token,
        }
    }

    fn rotate(until: Timestamp) -> KeyChange {
        KeyChange::Rotate { secret: secret(9), overlap: Overlap { until, drained_after: None } }
    }

    fn states(key: &Key, now: Timestamp) -> Vec<(u32, SecretState)> {
        key.secrets.iter().map(|secret| (secret.version, secret.state(now))).collect()
    }

    /// Every change from every status: what it answers, and the status afterwards.
    #[test]
    fn transitions() {
        use ChangeRefused as No;
        let active = key();
        let disabled = Key { disabled_at: Some(NOW), ..key() };
        let expired = Key { expires_at: Some(NOW), ..key() };
        let revoked = Key { revoked_at: Some(NOW), ..key() };
        let later = NOW.after(HOUR);
        let edit = || KeyChange::Edit(Box::new(KeyEdit { name: Some("two".to_owned()), ..KeyEdit::default() }));
        let renew = || KeyChange::Edit(Box::new(KeyEdit { expires_at: Some(Some(later)), ..KeyEdit::default() }));
        let (yes, already) = (Ok(Changed::Yes), Ok(Changed::Already));
        for (change, of_active, of_disabled, of_expired, of_revoked) in [
            (KeyChange::Disable, yes, already, yes, Err(No::Revoked)),
            (KeyChange::Enable, already, yes, Err(No::Expired), Err(No::Revoked)),
            (KeyChange::Revoke, yes, yes, yes, already),
            (edit(), yes, yes, yes, Err(No::Revoked)),
            (renew(), yes, yes, yes, Err(No::Revoked)),
            (KeyChange::Regenerate(secret(2)), yes, yes, Err(No::Expired), Err(No::Revoked)),
            (rotate(later), yes, Err(No::Disabled), Err(No::Expired), Err(No::Revoked)),
            (KeyChange::CompleteRotation, already, already, already, Err(No::Revoked)),
            (KeyChange::CancelRotation, already, already, already, Err(No::Revoked)),
            (KeyChange::RetireDrained { version: 1 }, already, already, already, Err(No::Revoked)),
            (KeyChange::Mark(SecretMark::Exposed), yes, yes, yes, Err(No::Revoked)),
            (KeyChange::Mark(SecretMark::Reviewed), yes, yes, yes, Err(No::Revoked)),
        ] {
            for (key, expected) in
                [(&active, of_active), (&disabled, of_disabled), (&expired, of_expired), (&revoked, of_revoked)]
            {
                let before = key;
                let mut key = key.clone();
                assert_eq!(key.apply(&change, NOW), expected, "{change:?} of {:?}", before.status(NOW));
                assert_eq!(key.version, before.version + u64::from(expected == yes));
                let status = match &change {
                    KeyChange::Revoke => KeyStatus::Revoked,
                    KeyChange::Disable if before.status(NOW) == KeyStatus::Active => KeyStatus::Disabled,
                    KeyChange::Enable if before.status(NOW) == KeyStatus::Disabled => KeyStatus::Active,
                    KeyChange::Edit(edit) if edit.expires_at.is_some() && before.status(NOW) == KeyStatus::Expired => {
                        KeyStatus::Active
                    }
                    _ => before.status(NOW),
                };
                assert_eq!(key.status(NOW), status, "{change:?} of {:?}", before.status(NOW));
            }
        }
    }

    #[test]
    fn a_renewal_is_called_so() {
        let edit = KeyChange::Edit(Box::new(KeyEdit { expires_at: Some(None), ..KeyEdit::default() }));
        assert_eq!(edit.action(&Key { expires_at: Some(NOW), ..key() }, NOW), Action::KeyRenewed);
        assert_eq!(edit.action(&key(), NOW), Action::KeyEdited);
    }

    #[test]
    fn a_person_is_edited_and_removed() {
        let member = Key { member: true, ..key() };
        assert_eq!(KeyChange::Edit(Box::default()).action(&member, NOW), Action::MemberEdited);
        assert_eq!(KeyChange::Revoke.action(&member, NOW), Action::MemberRemoved);
        assert_eq!(KeyChange::Revoke.action(&key(), NOW), Action::KeyRevoked);
    }

    #[test]
    fn a_rotation_has_two_good_secrets_and_never_three() {
        let mut key = key();
        let until = NOW.after(HOUR);
        key.apply(&rotate(until), NOW).expect("a rotation");
        assert_eq!(states(&key, NOW), [(2, SecretState::Current), (1, SecretState::Retiring { until })]);
        assert_eq!(key.apply(&rotate(until), NOW), Err(ChangeRefused::RotationInProgress));
        assert_eq!(states(&key, until), [(2, SecretState::Current), (1, SecretState::Retired)]);
        key.apply(&rotate(until.after(HOUR)), until).expect("the overlap is over");
        assert_eq!(key.secrets.len(), 3);
    }

    #[test]
    fn an_overlap_ends_with_the_key_and_within_its_bounds() {
        let expires_at = NOW.after(HOUR);
        let mut bounded = Key { expires_at: Some(expires_at), ..key() };
        bounded.apply(&rotate(NOW.after(2 * HOUR)), NOW).expect("a rotation");
        assert_eq!(bounded.secrets[1].retires_at, Some(expires_at));
        for until in [NOW, NOW.after(MAX_OVERLAP).after(Duration::from_micros(1))] {
            assert_eq!(key().apply(&rotate(until), NOW), Err(ChangeRefused::Overlap));
        }
        // An expiry that is moved forward takes the overlap with it.
        let mut key = key();
        key.apply(&rotate(NOW.after(2 * HOUR)), NOW).expect("a rotation");
        let edit = KeyEdit { expires_at: Some(Some(expires_at)), ..KeyEdit::default() };
        key.apply(&KeyChange::Edit(Box::new(edit)), NOW).expect("an edit");
        assert_eq!(key.secrets[1].retires_at, Some(expires_at));
    }

    #[test]
    fn a_rotation_is_completed_or_cancelled() {
        let until = NOW.after(HOUR);
        let mut completed = key();
        completed.apply(&rotate(until), NOW).expect("a rotation");
        let mut cancelled = completed.clone();
        assert_eq!(completed.apply(&KeyChange::CompleteRotation, NOW), Ok(Changed::Yes));
        assert_eq!(states(&completed, NOW), [(2, SecretState::Current), (1, SecretState::Retired)]);
        assert_eq!(completed.apply(&KeyChange::CompleteRotation, NOW), Ok(Changed::Already));
        assert_eq!(cancelled.apply(&KeyChange::CancelRotation, NOW), Ok(Changed::Yes));
        assert_eq!(states(&cancelled, NOW), [(2, SecretState::Retired), (1, SecretState::Current)]);
        assert_eq!(cancelled.apply(&KeyChange::CancelRotation, NOW), Ok(Changed::Already));
    }

    #[test]
    fn regenerating_ends_a_rotation_and_an_exposure() {
        let mut key = key();
        key.apply(&KeyChange::Mark(SecretMark::Exposed), NOW).expect("a mark");
        assert_eq!(key.apply(&KeyChange::Mark(SecretMark::Exposed), NOW), Ok(Changed::Already));
        let later = NOW.after(HOUR);
        key.apply(&rotate(later.after(HOUR)), later).expect("a rotation");
        assert!(key.is_exposed(later));
        key.apply(&KeyChange::Regenerate(secret(3)), later).expect("a new secret");
        let retired = SecretState::Retired;
        assert_eq!(states(&key, later), [(3, SecretState::Current), (2, retired), (1, retired)]);
        assert!(!key.is_exposed(later));
    }

    #[test]
    fn a_change_that_was_overtaken_brings_nothing_back() {
        let mut key = key();
        key.apply(&rotate(NOW.after(HOUR)), NOW).expect("a rotation");
        key.apply(&KeyChange::Regenerate(secret(3)), NOW.after(HOUR / 2)).expect("a new secret");
        assert_eq!(key.apply(&KeyChange::CancelRotation, NOW), Ok(Changed::Already));
        let retired = SecretState::Retired;
        assert_eq!(states(&key, NOW.after(HOUR)), [(3, SecretState::Current), (2, retired), (1, retired)]);
    }

    #[test]
    fn only_a_secret_that_waits_for_it_is_drained() {
        let used = |at| Some(SecretUse { first_at: NOW, last_at: at, address: None, agent: None });
        let mut key = key();
        key.apply(&rotate(NOW.after(3 * HOUR)), NOW).expect("a rotation");
        let later = NOW.after(HOUR);
        let drain = |key: &Key, version, at| key.clone().apply(&KeyChange::RetireDrained { version }, at);
        assert_eq!(drain(&key, 1, later), Ok(Changed::Already));
        key.secrets[1].drained_after = Some(HOUR);
        assert_eq!(drain(&key, 2, later), Ok(Changed::Already));
        let before = Timestamp::from_micros(later.micros() - 1);
        assert_eq!(drain(&key, 1, before), Ok(Changed::Already));
        assert_eq!(drain(&key, 1, later), Ok(Changed::Yes));
        // It counts from the last use, from the last change, and not while the key cannot be used.
        key.secrets[1].used = used(later);
        assert_eq!(drain(&key, 1, before.after(HOUR)), Ok(Changed::Already));
        assert_eq!(drain(&key, 1, later.after(HOUR)), Ok(Changed::Yes));
        key.secrets[1].used = used(Timestamp::from_micros(0));
        key.apply(&KeyChange::Disable, later).expect("a change");
        assert_eq!(drain(&key, 1, later.after(HOUR)), Ok(Changed::Already));
        key.apply(&KeyChange::Enable, later).expect("a change");
        assert_eq!(drain(&key, 1, before.after(HOUR)), Ok(Changed::Already));
        key.apply(&KeyChange::RetireDrained { version: 1 }, later.after(HOUR)).expect("a change");
        assert_eq!(key.secrets[1].state(later.after(HOUR)), SecretState::Retired);
    }

    #[test]
    fn retired_secrets_do_not_pile_up() {
        let mut key = key();
        for byte in 0..20 {
            key.apply(&KeyChange::Regenerate(secret(byte)), NOW).expect("a new secret");
        }
        assert_eq!(key.secrets.len(), MAX_RETIRED + 1);
        assert_eq!(key.secrets[0].version, 21);
    }

    #[test]
    fn an_edit_of_nothing_changes_nothing() {
        let mut key = key();
        assert_eq!(key.apply(&KeyChange::Edit(Box::default()), NOW), Ok(Changed::Already));
        assert_eq!(key.version, 1);
    }
}
