//! Judge: whether a key is good for what it is used for, once possession of one of its secrets is proved.
//!
//! The gate judges exports by these rules, and the admin API tells by the same ones what would happen to an export.

use std::net::IpAddr;

use super::limit::Terms;
use super::{
    Binding, Key, KeyStatus, Permission, Reason, Refusal, Secret, SecretState, Signal, Slug, Tenant, Timestamp,
};

/// A use of an ingest key by somebody who has proved possession of one of its secrets. The reason of a refusal is then safe to tell.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// The key.
    pub key: &'a Key,
    /// What holds for it beside the key itself.
    pub terms: &'a Terms,
    /// The version of the secret that was presented.
    pub secret_version: u32,
    /// The one environment whose keys the listener lets in; `None`: any.
    pub environment: Option<&'a Slug>,
    /// The address that the use comes from.
    pub address: IpAddr,
    /// When.
    pub at: Timestamp,
}

impl<'a> Use<'a> {
    /// Whether the key may be used here and now at all, in the order of the answer table: state, environment,
    /// project, address. Says whose it is.
    ///
    /// # Errors
    /// The refusal.
    pub fn judge(&self) -> Result<&'a Tenant, Refusal> {
        self.judge_state()?;
        // An admin key is none that the gate knows.
        let Binding::Tenant(tenant) = &self.key.binding else { return Err(Reason::KeyInvalid.into()) };
        if let Some(environment) = self.environment
            && *environment != tenant.environment
        {
            let detail = format!("this endpoint is for {environment}, the key for {}", tenant.environment);
            return Err(Refusal::because(Reason::EnvironmentMismatch, detail).of_key(self.key.id));
        }
        self.judge_project()?;
        self.judge_address()?;
        Ok(tenant)
    }

    /// Whether an admin key may be used here and now: state, address.
    ///
    /// # Errors
    /// The refusal.
    pub fn judge_admin(&self) -> Result<(), Refusal> {
        self.judge_state()?;
        self.judge_address()
    }

    /// Whether the key may export `signal` here and now.
    ///
    /// # Errors
    /// The refusal.
    pub fn judge_export(&self, signal: Signal) -> Result<(), Refusal> {
        self.judge()?;
        let permission = Permission::write(signal);
        if self.key.permissions.contains(permission) {
            return Ok(());
        }
        Err(Refusal::because(Reason::PermissionDenied, format!("the key lacks {permission}")).of_key(self.key.id))
    }

    /// The secret that was presented; `None` where it is no longer kept.
    #[must_use]
    pub fn secret(&self) -> Option<&'a Secret> {
        self.key.secrets.iter().find(|secret| secret.version == self.secret_version)
    }

    fn judge_state(&self) -> Result<(), Refusal> {
        let refuse = |reason| Err(Refusal::new(reason).of_key(self.key.id));
        match (self.key.status(self.at), self.is_retired()) {
            (KeyStatus::Revoked, _) => refuse(Reason::KeyRevoked),
            (_, true) => refuse(Reason::SecretRetired),
            (KeyStatus::Expired, false) => refuse(Reason::KeyExpired),
            (KeyStatus::Disabled, false) => refuse(Reason::KeyDisabled),
            (KeyStatus::Active, false) => Ok(()),
        }
    }

    /// Why nothing is taken for its project, and since when, where that is so.
    #[must_use]
    pub fn suspension(&self) -> Option<(String, Timestamp)> {
        let project = self.key.binding.project()?;
        match (self.terms.suspended_at, self.terms.plan_ends_at) {
            (Some(since), _) => Some((format!("{project} is suspended"), since)),
            (None, Some(end)) if end <= self.at => Some((format!("the plan of {project} ended at {end}"), end)),
            (None, _) => None,
        }
    }

    fn judge_project(&self) -> Result<(), Refusal> {
        let Some((detail, _)) = self.suspension() else { return Ok(()) };
        Err(Refusal::because(Reason::ProjectSuspended, detail).of_key(self.key.id))
    }

    fn judge_address(&self) -> Result<(), Refusal> {
        if self.key.allowed.contains(self.address) {
            return Ok(());
        }
        let detail = format!("it came from {}", self.address.to_canonical());
        Err(Refusal::because(Reason::IpNotAllowed, detail).of_key(self.key.id))
    }

    fn is_retired(&self) -> bool {
        self.secret().is_none_or(|secret| self.key.secret_state(secret, self.at) == SecretState::Retired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::{DigestAlgorithm, SecretFormat};
    use crate::domain::{Digest, KeyId, Permissions};

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn key() -> Key {
        let slug = |text: &str| text.parse().expect("a slug");
        let tenant = Tenant { project: slug("shop"), grid: slug("web"), environment: slug("production") };
        let secret = |version, retires_at| Secret {
            version,
            digest: Digest::from_bytes([0; 32]),
            algorithm: DigestAlgorithm::HmacSha256 { pepper: 1 },
            format: SecretFormat::Token,
            created_at: Timestamp::from_micros(0),
            retires_at,
            drained_after: None,
            used: None,
        };
        let id = KeyId::from_bare("7Hq2mZxK9wPa").expect("an id");
        Key {
            permissions: [Permission::TracesWrite].into_iter().collect(),
            secrets: vec![secret(2, None), secret(1, Some(NOW))],
            ..Key::new(id, Binding::Tenant(tenant), "one", Timestamp::from_micros(0))
        }
    }

    fn judged(key: &Key, secret_version: u32, environment: Option<&str>, signal: Signal) -> Option<Reason> {
        let environment = environment.map(|slug| slug.parse::<Slug>().expect("a slug"));
        let address = IpAddr::from([127, 0, 0, 1]);
        let terms = &Terms::default();
        let used = Use { key, terms, secret_version, environment: environment.as_ref(), address, at: NOW };
        used.judge_export(signal).err().map(|refusal| refusal.reason)
    }

    /// State, environment, address, permission; the project's state is judged between.
    #[test]
    fn the_first_reason_of_the_table_is_told() {
        let mut key = key();
        let worst = |key: &Key, version| judged(key, version, Some("staging"), Signal::Logs);
        assert_eq!(judged(&key, 2, None, Signal::Traces), None);
        assert_eq!(judged(&key, 2, Some("production"), Signal::Traces), None);
        assert_eq!(judged(&key, 2, None, Signal::Logs), Some(Reason::PermissionDenied));
        key.allowed = "192.0.2.0/24".parse().expect("ranges");
        assert_eq!(judged(&key, 2, None, Signal::Logs), Some(Reason::IpNotAllowed));
        assert_eq!(worst(&key, 2), Some(Reason::EnvironmentMismatch));
        key.disabled_at = Some(NOW);
        assert_eq!(worst(&key, 2), Some(Reason::KeyDisabled));
        key.expires_at = Some(NOW);
        assert_eq!(worst(&key, 2), Some(Reason::KeyExpired));
        assert_eq!(worst(&key, 1), Some(Reason::SecretRetired));
        assert_eq!(worst(&key, 7), Some(Reason::SecretRetired));
        key.revoked_at = Some(NOW);
        assert_eq!(worst(&key, 1), Some(Reason::KeyRevoked));
    }

    #[test]
    fn the_address_is_told_to_who_comes_from_it() {
        let key = Key { allowed: "10.0.0.0/8".parse().expect("ranges"), ..key() };
        let judge = |address: &str| {
            let address = address.parse().expect("an address");
            let terms = &Terms::default();
            Use { key: &key, terms, secret_version: 2, environment: None, address, at: NOW }.judge().map(|_| ())
        };
        assert_eq!((judge("10.1.2.3"), judge("::ffff:10.1.2.3")), (Ok(()), Ok(())));
        let refusal = judge("::ffff:192.0.2.1").expect_err("a refusal");
        assert_eq!((refusal.reason, refusal.key), (Reason::IpNotAllowed, Some(key.id)));
        assert_eq!(refusal.detail.as_deref(), Some("it came from 192.0.2.1"));
    }

    /// Behind the environment, before the address.
    #[test]
    fn a_suspended_project_is_told_where_the_table_has_it() {
        let key = Key { allowed: "10.0.0.0/8".parse().expect("ranges"), ..key() };
        let judge = |terms: &Terms, environment: Option<&str>| {
            let environment = environment.map(|slug| slug.parse::<Slug>().expect("a slug"));
            let address = IpAddr::from([127, 0, 0, 1]);
            let used = Use { key: &key, terms, secret_version: 2, environment: environment.as_ref(), address, at: NOW };
            used.judge().map(|_| ()).expect_err("a refusal")
        };
        let later = Timestamp::from_micros(NOW.micros() + 1);
        let going_on = Terms { plan_ends_at: Some(later), ..Terms::default() };
        assert_eq!(judge(&going_on, None).reason, Reason::IpNotAllowed);
        let ended = Terms { plan_ends_at: Some(NOW), ..Terms::default() };
        let refusal = judge(&ended, None);
        assert_eq!((refusal.reason, refusal.key), (Reason::ProjectSuspended, Some(key.id)));
        assert_eq!(refusal.detail.as_deref(), Some("the plan of shop ended at 1970-01-01T00:00:01.000000Z"));
        // Nor does a clock that is behind bring it back.
        let suspended = Terms { suspended_at: Some(later), plan_ends_at: Some(later), ..Terms::default() };
        assert_eq!(judge(&suspended, None).detail.as_deref(), Some("shop is suspended"));
        assert_eq!(judge(&suspended, Some("staging")).reason, Reason::EnvironmentMismatch);
    }

    #[test]
    fn an_admin_key_is_never_good() {
        let key = Key { binding: Binding::Installation, permissions: Permissions::ingest(), ..key() };
        assert_eq!(judged(&key, 2, None, Signal::Traces), Some(Reason::KeyInvalid));
    }
}
