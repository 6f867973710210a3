//! The real catalog, watched: commits are noted, look-ups are counted, changes and look-ups can be held up, and the database can
//! be taken away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use gridgate::catalog::{
    AlertBook, AlertFilter, Answers, Audit, AuditEntry, AuditFilter, AuditHead, AuditReport, Catalog, CatalogError,
    Deliveries, EnvironmentEdit, FailedMinute, Grid, Happened, Hygiene, ImportFault, ImportedKey, KeyFilter, Keys,
    ListedSender, Logged, NewWhat, Notice, OnceOnly, Page, Paging, Plans, Project, Projects, RaisedAlert, Rank,
    RefusalBook, RefusalFilter, Refused, Repeat, RequestLog, Reserved, Review, Roles, Secrets, SenderBook,
    SenderFilter, Sessions, Subscriber, TenantLimits, ToldUsage, UntoldUsage, UsageBook, UsageFilter, UsageFlush,
    UsageRow, UsageTop, Volume, Webhooks, Whose,
};
use gridgate::domain::alert::GivenAlert;
use gridgate::domain::audit::{Action, Actor};
use gridgate::domain::hygiene::Flag;
use gridgate::domain::limit::{ScopeId, Terms};
use gridgate::domain::plan::PlanEdit;
use gridgate::domain::project::ProjectChange;
use gridgate::domain::request::{Ended, RequestFilter};
use gridgate::domain::role::RoleEdit;
use gridgate::domain::sender::{OtherSenders, SeenSender};
use gridgate::domain::session::{Session, SessionId, TicketDigest};
use gridgate::domain::trouble::Trouble;
use gridgate::domain::usage::{Amount, Counted, OfSecret, Step};
use gridgate::domain::uses::LastUse;
use gridgate::domain::webhook::{Attempt, Delivery, DeliveryState, Webhook, WebhookChange, WebhookId};
use gridgate::domain::{
    Changed, Digest, Environment, Key, KeyChange, KeyId, Limits, Plan, RecordId, Role, Signal, Slug, Tenant, Timestamp,
};
use tokio::sync::Semaphore;

use super::Events;

pub(crate) struct Watched {
    inner: Arc<dyn Catalog>,
    events: Events,
    /// Every call fails as if the database were gone.
    pub(crate) down: AtomicBool,
    /// Changes wait for a permit here.
    pub(crate) changes: Semaphore,
    /// Gets a permit for each change that has begun.
    pub(crate) begun: Semaphore,
    /// Keys are made only with a permit from here.
    pub(crate) creations: Semaphore,
    /// Gets a permit for each key that is about to be made.
    pub(crate) creating: Semaphore,
    /// Answers cannot be kept, as if the process ended right before.
    pub(crate) forgetful: AtomicBool,
    /// Imports take too long.
    pub(crate) slow: AtomicBool,
    /// Look-ups of keys that have begun.
    pub(crate) asked: AtomicUsize,
    /// A look-up that has its answer waits for a permit here before it returns.
    pub(crate) lookups: Semaphore,
    /// Gets a permit for each look-up that waits with its answer.
    pub(crate) answered: Semaphore,
    /// Whether look-ups of keys pass, and those of what holds for their exports wait.
    keys_pass: AtomicBool,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Catalog>, events: Events) -> Self {
        let changes = Semaphore::new(Semaphore::MAX_PERMITS);
        Self {
            inner,
            events,
            down: AtomicBool::new(false),
            changes,
            begun: Semaphore::new(0),
            creations: Semaphore::new(Semaphore::MAX_PERMITS),
            creating: Semaphore::new(0),
            forgetful: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            lookups: Semaphore::new(Semaphore::MAX_PERMITS),
            answered: Semaphore::new(0),
            keys_pass: AtomicBool::new(false),
        }
    }

    /// From now on look-ups wait with their answers.
    pub(crate) async fn hold(&self) {
        let all = self.lookups.available_permits();
        self.lookups.acquire_many(u32::try_from(all).unwrap_or(u32::MAX)).await.expect("permits").forget();
        let rest = self.lookups.available_permits();
        self.lookups.forget_permits(rest);
        self.answered.forget_permits(self.answered.available_permits());
    }

    /// From now on look-ups wait with what holds for the key's exports, and not with the key itself.
    pub(crate) async fn hold_terms(&self) {
        self.keys_pass.store(true, Ordering::SeqCst);
        self.hold().await;
    }

    async fn hold_up(&self) {
        self.answered.add_permits(1);
        self.lookups.acquire().await.expect("it is never closed").forget();
    }

    /// Waits for a look-up that has its answer, and holds it.
    pub(crate) async fn held(&self) {
        self.answered.acquire().await.expect("it is never closed").forget();
    }

    fn inner(&self) -> Result<&dyn Catalog, CatalogError> {
        if self.down.load(Ordering::SeqCst) {
            Err(CatalogError::Unavailable("db.internal:5432 refused the connection".to_owned()))
        } else {
            Ok(&*self.inner)
        }
    }

    fn committed(&self, what: &str, id: &KeyId) {
        self.events.lock().expect("events").push(format!("{what} {id}"));
    }
}

#[async_trait]
impl Catalog for Watched {
    async fn ping(&self) -> Result<(), CatalogError> {
        self.inner()?.ping().await
    }
}

#[async_trait]
impl Projects for Watched {
    async fn environments(&self) -> Result<Vec<Environment>, CatalogError> {
        self.inner()?.environments().await
    }

    async fn create_environment(&self, environment: &Environment, by: &Actor) -> Result<(), CatalogError> {
        self.inner()?.create_environment(environment, by).await
    }

    async fn change_environment(
        &self,
        slug: &Slug,
        edit: &EnvironmentEdit,
        by: &Actor,
    ) -> Result<Option<Environment>, CatalogError> {
        self.inner()?.change_environment(slug, edit, by).await
    }

    async fn change_project(
        &self,
        slug: &Slug,
        change: &ProjectChange,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Project, Changed)>, CatalogError> {
        self.inner()?.change_project(slug, change, expected, by).await
    }

    async fn create_project(&self, project: &Project, by: &Actor) -> Result<(), CatalogError> {
        self.inner()?.create_project(project, by).await
    }

    async fn project(&self, slug: &Slug) -> Result<Option<Project>, CatalogError> {
        self.inner()?.project(slug).await
    }

    async fn projects(&self, paging: &Paging) -> Result<Page<Project>, CatalogError> {
        self.inner()?.projects(paging).await
    }

    async fn create_grid(&self, grid: &Grid, by: &Actor) -> Result<(), CatalogError> {
        self.inner()?.create_grid(grid, by).await
    }

    async fn grid(&self, project: &Slug, slug: &Slug) -> Result<Option<Grid>, CatalogError> {
        self.inner()?.grid(project, slug).await
    }

    async fn grids(&self, project: &Slug, paging: &Paging) -> Result<Page<Grid>, CatalogError> {
        self.inner()?.grids(project, paging).await
    }
}

#[async_trait]
impl Plans for Watched {
    async fn terms(&self, tenant: &Tenant, key: &Limits) -> Result<Terms, CatalogError> {
        let terms = self.inner()?.terms(tenant, key).await;
        if self.keys_pass.load(Ordering::SeqCst) {
            self.hold_up().await;
        }
        terms
    }

    async fn create_plan(&self, plan: &Plan, by: &Actor) -> Result<(), CatalogError> {
        self.inner()?.create_plan(plan, by).await
    }

    async fn plan(&self, slug: &Slug) -> Result<Option<Plan>, CatalogError> {
        self.inner()?.plan(slug).await
    }

    async fn plans(&self, paging: &Paging) -> Result<Page<Plan>, CatalogError> {
        self.inner()?.plans(paging).await
    }

    async fn change_plan(
        &self,
        slug: &Slug,
        edit: &PlanEdit,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Plan, Changed)>, CatalogError> {
        self.inner()?.change_plan(slug, edit, expected, by).await
    }

    async fn delete_plan(&self, slug: &Slug, expected: Option<u64>, by: &Actor) -> Result<Option<Plan>, CatalogError> {
        self.inner()?.delete_plan(slug, expected, by).await
    }

    async fn tenant_limits(&self, tenant: &Tenant) -> Result<TenantLimits, CatalogError> {
        self.inner()?.tenant_limits(tenant).await
    }

    async fn change_tenant_limits(
        &self,
        tenant: &Tenant,
        limits: &Limits,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<(TenantLimits, Changed), CatalogError> {
        self.inner()?.change_tenant_limits(tenant, limits, expected, by).await
    }

    async fn ended_plans(&self, now: Timestamp, limit: u32) -> Result<Vec<Project>, CatalogError> {
        self.inner()?.ended_plans(now, limit).await
    }

    async fn told_plan_end(
        &self,
        project: &Slug,
        ended_at: Timestamp,
        deliveries: &[Delivery],
        by: &Actor,
    ) -> Result<bool, CatalogError> {
        self.inner()?.told_plan_end(project, ended_at, deliveries, by).await
    }
}

#[async_trait]
impl Keys for Watched {
    async fn create_key(&self, key: &Key, action: Action, by: &Actor) -> Result<(), CatalogError> {
        self.creating.add_permits(1);
        self.creations.acquire().await.expect("it is never closed").forget();
        self.inner()?.create_key(key, action, by).await?;
        self.committed("created", &key.id);
        Ok(())
    }

    async fn import_keys(&self, keys: &[ImportedKey], by: &Actor) -> Result<Vec<ImportFault>, CatalogError> {
        if self.slow.load(Ordering::SeqCst) {
            return Err(CatalogError::ImportTimeout(std::time::Duration::from_secs(4)));
        }
        let faults = self.inner()?.import_keys(keys, by).await?;
        if faults.is_empty() {
            for imported in keys {
                self.committed("imported", &imported.key.id);
            }
        }
        Ok(faults)
    }

    async fn check_import(&self, keys: &[ImportedKey], by: &Actor) -> Result<Vec<ImportFault>, CatalogError> {
        self.inner()?.check_import(keys, by).await
    }

    async fn purge_key(&self, id: &KeyId, by: &Actor) -> Result<bool, CatalogError> {
        let purged = self.inner()?.purge_key(id, by).await?;
        self.committed("purged", id);
        Ok(purged)
    }

    async fn key(&self, id: &KeyId) -> Result<Option<Key>, CatalogError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let found = self.inner()?.key(id).await;
        if !self.keys_pass.load(Ordering::SeqCst) {
            self.hold_up().await;
        }
        found
    }

    async fn keys(&self, filter: &KeyFilter, now: Timestamp, paging: &Paging) -> Result<Page<Key>, CatalogError> {
        self.inner()?.keys(filter, now, paging).await
    }

    async fn count_keys(&self, filters: &[KeyFilter], now: Timestamp, most: u32) -> Result<u64, CatalogError> {
        self.inner()?.count_keys(filters, now, most).await
    }

    async fn change_key(
        &self,
        id: &KeyId,
        change: &KeyChange,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Key, Changed)>, CatalogError> {
        self.begun.add_permits(1);
        self.changes.acquire().await.expect("it is never closed").forget();
        let changed = self.inner()?.change_key(id, change, expected, by).await?;
        self.committed("changed", id);
        Ok(changed)
    }
}

#[async_trait]
impl RefusalBook for Watched {
    async fn record_refusals(&self, troubles: &[Trouble], most: u32) -> Result<(), CatalogError> {
        self.inner()?.record_refusals(troubles, most).await
    }

    async fn refusals(&self, filter: &RefusalFilter, paging: &Paging) -> Result<Page<Refused>, CatalogError> {
        self.inner()?.refusals(filter, paging).await
    }

    async fn forget_refusals(&self, before: Timestamp) -> Result<u64, CatalogError> {
        self.inner()?.forget_refusals(before).await
    }
}

#[async_trait]
impl Answers for Watched {
    async fn reserve_answer(&self, asked: &OnceOnly, most: u32) -> Result<Reserved, CatalogError> {
        self.inner()?.reserve_answer(asked, most).await
    }

    async fn keep_answer(&self, asked: &OnceOnly, sealed: &[u8]) -> Result<(), CatalogError> {
        if self.forgetful.load(Ordering::SeqCst) {
            return Err(CatalogError::Unavailable("the answer is not kept".to_owned()));
        }
        self.inner()?.keep_answer(asked, sealed).await?;
        self.events.lock().expect("events").push("kept".to_owned());
        Ok(())
    }

    async fn release_answer(&self, asked: &OnceOnly) -> Result<(), CatalogError> {
        self.inner()?.release_answer(asked).await
    }

    async fn sweep_answers(&self, now: Timestamp) -> Result<u64, CatalogError> {
        self.inner()?.sweep_answers(now).await
    }
}

#[async_trait]
impl Webhooks for Watched {
    async fn create_webhook(&self, webhook: &Webhook, by: &Actor) -> Result<(), CatalogError> {
        self.inner()?.create_webhook(webhook, by).await
    }

    async fn webhook(&self, id: &WebhookId) -> Result<Option<Webhook>, CatalogError> {
        self.inner()?.webhook(id).await
    }

    async fn webhooks(&self, project: Option<&Slug>, paging: &Paging) -> Result<Page<Webhook>, CatalogError> {
        self.inner()?.webhooks(project, paging).await
    }

    async fn subscribers(&self) -> Result<Vec<Subscriber>, CatalogError> {
        self.inner()?.subscribers().await
    }

    async fn change_webhook(
        &self,
        id: &WebhookId,
        change: &WebhookChange,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Webhook, Changed)>, CatalogError> {
        self.inner()?.change_webhook(id, change, expected, by).await
    }

    async fn delete_webhook(&self, id: &WebhookId, expected: Option<u64>, by: &Actor) -> Result<bool, CatalogError> {
        self.inner()?.delete_webhook(id, expected, by).await
    }
}

#[async_trait]
impl Deliveries for Watched {
    async fn outbox_position(&self) -> Result<i64, CatalogError> {
        self.inner()?.outbox_position().await
    }

    async fn happened_after(&self, position: i64, limit: u32) -> Result<Vec<Happened>, CatalogError> {
        self.inner()?.happened_after(position, limit).await
    }

    async fn advance_outbox(&self, from: i64, to: i64, deliveries: &[Delivery]) -> Result<bool, CatalogError> {
        self.inner()?.advance_outbox(from, to, deliveries).await
    }

    async fn add_delivery(&self, delivery: &Delivery) -> Result<(), CatalogError> {
        self.inner()?.add_delivery(delivery).await
    }

    async fn due_deliveries(&self, now: Timestamp, each: u32, most: u32) -> Result<Vec<Delivery>, CatalogError> {
        self.inner()?.due_deliveries(now, each, most).await
    }

    async fn claim_delivery(&self, delivery: &Delivery, until: Timestamp) -> Result<bool, CatalogError> {
        self.inner()?.claim_delivery(delivery, until).await
    }

    async fn attempted(&self, one: &Delivery, attempt: &Attempt, state: DeliveryState) -> Result<(), CatalogError> {
        self.inner()?.attempted(one, attempt, state).await
    }

    async fn deliveries(&self, webhook: &WebhookId, paging: &Paging) -> Result<Page<Delivery>, CatalogError> {
        self.inner()?.deliveries(webhook, paging).await
    }

    async fn pending_deliveries(&self) -> Result<u64, CatalogError> {
        self.inner()?.pending_deliveries().await
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64, CatalogError> {
        self.inner()?.forget_deliveries(before, limit).await
    }
}

#[async_trait]
impl Hygiene for Watched {
    async fn living_keys(&self, project: Option<&Slug>, paging: &Paging) -> Result<Page<Key>, CatalogError> {
        self.inner()?.living_keys(project, paging).await
    }

    async fn reviews(
        &self,
        project: Option<&Slug>,
        paging: &Paging,
        begin: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<Review>, CatalogError> {
        self.inner()?.reviews(project, paging, begin, end).await
    }

    async fn notices(&self, after: Option<&KeyId>, until: Option<&KeyId>) -> Result<Vec<(KeyId, Flag)>, CatalogError> {
        self.inner()?.notices(after, until).await
    }

    async fn write_notices(
        &self,
        given: &[Notice],
        gone: &[(KeyId, Flag)],
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        self.inner()?.write_notices(given, gone, now).await
    }
}

#[async_trait]
impl Secrets for Watched {
    async fn key_of_digest(&self, digests: &[Digest]) -> Result<Option<KeyId>, CatalogError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let found = self.inner()?.key_of_digest(digests).await;
        self.answered.add_permits(1);
        self.lookups.acquire().await.expect("it is never closed").forget();
        found
    }

    async fn record_uses(&self, uses: &[LastUse]) -> Result<(), CatalogError> {
        self.inner()?.record_uses(uses).await
    }

    async fn drained_secrets(
        &self,
        unknown: Option<Timestamp>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(KeyId, u32)>, CatalogError> {
        self.inner()?.drained_secrets(unknown, now, limit).await
    }
}

#[async_trait]
impl SenderBook for Watched {
    async fn record_senders(&self, seen: &[SeenSender], others: &[(KeyId, OtherSenders)]) -> Result<(), CatalogError> {
        self.inner()?.record_senders(seen, others).await
    }

    async fn senders_of(&self, key: &KeyId) -> Result<(Vec<SeenSender>, OtherSenders), CatalogError> {
        self.inner()?.senders_of(key).await
    }

    async fn senders(&self, filter: &SenderFilter, paging: &Paging) -> Result<Page<ListedSender>, CatalogError> {
        self.inner()?.senders(filter, paging).await
    }

    async fn forget_senders(&self, before: Timestamp) -> Result<u64, CatalogError> {
        self.inner()?.forget_senders(before).await
    }
}

#[async_trait]
impl Sessions for Watched {
    async fn open_session(
        &self,
        digest: &TicketDigest,
        session: &Session,
        most: u32,
        by: &Actor,
    ) -> Result<(), CatalogError> {
        self.inner()?.open_session(digest, session, most, by).await
    }

    async fn session(&self, digest: &TicketDigest) -> Result<Option<Session>, CatalogError> {
        self.inner()?.session(digest).await
    }

    async fn session_seen(&self, key: &KeyId, id: &SessionId, at: Timestamp) -> Result<(), CatalogError> {
        self.inner()?.session_seen(key, id, at).await
    }

    async fn sessions_of(&self, key: &KeyId) -> Result<Vec<Session>, CatalogError> {
        self.inner()?.sessions_of(key).await
    }

    async fn end_session(&self, key: &KeyId, id: &SessionId, by: &Actor) -> Result<bool, CatalogError> {
        self.inner()?.end_session(key, id, by).await
    }

    async fn end_sessions(&self, key: &KeyId, by: &Actor) -> Result<u64, CatalogError> {
        self.inner()?.end_sessions(key, by).await
    }

    async fn sweep_sessions(&self, now: Timestamp, unused_since: Timestamp) -> Result<u64, CatalogError> {
        self.inner()?.sweep_sessions(now, unused_since).await
    }
}

#[async_trait]
impl AlertBook for Watched {
    async fn raise_alerts(
        &self,
        raised: &[RaisedAlert],
        repeat: Repeat,
        now: Timestamp,
    ) -> Result<Vec<bool>, CatalogError> {
        self.inner()?.raise_alerts(raised, repeat, now).await
    }

    async fn alerts(&self, filter: &AlertFilter, paging: &Paging) -> Result<Page<GivenAlert>, CatalogError> {
        self.inner()?.alerts(filter, paging).await
    }

    async fn forget_alerts(&self, before: Timestamp, most: u32) -> Result<u64, CatalogError> {
        self.inner()?.forget_alerts(before, most).await
    }

    async fn senders_after_revoke(&self, since: Timestamp) -> Result<Vec<SeenSender>, CatalogError> {
        self.inner()?.senders_after_revoke(since).await
    }

    async fn senders_of_shared_keys(&self, since: Timestamp) -> Result<Vec<SeenSender>, CatalogError> {
        self.inner()?.senders_of_shared_keys(since).await
    }

    async fn new_senders(&self, what: NewWhat, since: Timestamp) -> Result<Vec<SeenSender>, CatalogError> {
        self.inner()?.new_senders(what, since).await
    }

    async fn volumes(
        &self,
        hour: Timestamp,
        since: Timestamp,
        exports: u64,
        items: u64,
    ) -> Result<Vec<Volume>, CatalogError> {
        self.inner()?.volumes(hour, since, exports, items).await
    }

    async fn failed_minute(&self, since: Timestamp, exports: u64) -> Result<Option<FailedMinute>, CatalogError> {
        self.inner()?.failed_minute(since, exports).await
    }
}

#[async_trait]
impl Roles for Watched {
    async fn create_role(&self, role: &Role, by: &Actor) -> Result<(), CatalogError> {
        self.inner()?.create_role(role, by).await
    }

    async fn role(&self, project: Option<&Slug>, slug: &Slug) -> Result<Option<Role>, CatalogError> {
        self.inner()?.role(project, slug).await
    }

    async fn roles(&self, project: Option<&Slug>, paging: &Paging) -> Result<Page<Role>, CatalogError> {
        self.inner()?.roles(project, paging).await
    }

    async fn change_role(
        &self,
        project: Option<&Slug>,
        slug: &Slug,
        edit: &RoleEdit,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Role, Changed)>, CatalogError> {
        let changed = self.inner()?.change_role(project, slug, edit, expected, by).await?;
        self.events.lock().expect("events").push(format!("changed role {slug}"));
        Ok(changed)
    }

    async fn delete_role(
        &self,
        project: Option<&Slug>,
        slug: &Slug,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<Role>, CatalogError> {
        let deleted = self.inner()?.delete_role(project, slug, expected, by).await?;
        self.events.lock().expect("events").push(format!("deleted role {slug}"));
        Ok(deleted)
    }
}

#[async_trait]
impl Audit for Watched {
    async fn audit_entries(&self, filter: &AuditFilter, paging: &Paging) -> Result<Page<AuditEntry>, CatalogError> {
        self.inner()?.audit_entries(filter, paging).await
    }

    async fn audit_head(&self) -> Result<AuditHead, CatalogError> {
        self.inner()?.audit_head().await
    }

    async fn verify_audit(&self, noted: Option<AuditHead>) -> Result<AuditReport, CatalogError> {
        self.inner()?.verify_audit(noted).await
    }
}

#[async_trait]
impl RequestLog for Watched {
    async fn record_requests(&self, requests: &[(RecordId, Arc<Ended>)]) -> Result<(), CatalogError> {
        self.inner()?.record_requests(requests).await
    }

    async fn record_not_logged(&self, counts: &[(Timestamp, Option<Slug>, u64)]) -> Result<(), CatalogError> {
        self.inner()?.record_not_logged(counts).await
    }

    async fn requests(&self, filter: &RequestFilter, paging: &Paging) -> Result<Page<Logged>, CatalogError> {
        self.inner()?.requests(filter, paging).await
    }

    async fn not_logged(
        &self,
        project: Option<&Slug>,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<u64, CatalogError> {
        self.inner()?.not_logged(project, from, to).await
    }

    async fn request_counts(&self) -> Result<BTreeMap<Option<Slug>, u64>, CatalogError> {
        self.inner()?.request_counts().await
    }

    async fn forget_requests(&self, whose: &Whose, before: Timestamp, limit: u32) -> Result<u64, CatalogError> {
        self.inner()?.forget_requests(whose, before, limit).await
    }

    async fn forget_not_logged(&self, before: Timestamp) -> Result<(), CatalogError> {
        self.inner()?.forget_not_logged(before).await
    }
}

#[async_trait]
impl UsageBook for Watched {
    async fn record_usage(&self, flush: &UsageFlush, counted: &[Counted]) -> Result<bool, CatalogError> {
        let recorded = self.inner()?.record_usage(flush, counted).await;
        if self.forgetful.load(Ordering::SeqCst) {
            return Err(CatalogError::Unavailable("the answer was lost".to_owned()));
        }
        recorded
    }

    async fn used(
        &self,
        scope: &ScopeId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<[Amount; Signal::ALL.len()], CatalogError> {
        self.inner()?.used(scope, from, to).await
    }

    async fn usage(&self, filter: &UsageFilter, paging: &Paging) -> Result<Page<UsageRow>, CatalogError> {
        self.inner()?.usage(filter, paging).await
    }

    async fn secret_usage(&self, key: &KeyId, step: Step, from: Timestamp) -> Result<Vec<OfSecret>, CatalogError> {
        self.inner()?.secret_usage(key, step, from).await
    }

    async fn sweep_secret_usage(&self, now: Timestamp) -> Result<(), CatalogError> {
        self.inner()?.sweep_secret_usage(now).await
    }

    async fn top_usage(&self, filter: &UsageFilter, rank: Rank, most: u32) -> Result<UsageTop, CatalogError> {
        self.inner()?.top_usage(filter, rank, most).await
    }

    async fn sweep_usage(&self, step: Step, before: Timestamp, limit: u32) -> Result<u64, CatalogError> {
        self.inner()?.sweep_usage(step, before, limit).await
    }

    async fn sweep_usage_notes(&self, before: Timestamp, hours: Timestamp) -> Result<(), CatalogError> {
        self.inner()?.sweep_usage_notes(before, hours).await
    }

    async fn untold_usage(&self, before: Timestamp, limit: u32) -> Result<Vec<UntoldUsage>, CatalogError> {
        self.inner()?.untold_usage(before, limit).await
    }

    async fn tell_usage(&self, told: &[ToldUsage]) -> Result<(), CatalogError> {
        self.inner()?.tell_usage(told).await
    }
}
