//! Background jobs: what each does at present, when it last went well, and what went wrong.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::{Clock, Timestamp};

type Labels = Vec<(&'static str, String)>;

/// The jobs of this process, in the order in which they were added. The configuration bounds how many there are.
pub struct Jobs {
    clock: Arc<dyn Clock>,
    metrics: JobMetrics,
    all: Mutex<Vec<Job>>,
}

/// One job. Whoever does its work tells it.
#[derive(Clone)]
pub struct Job(Arc<Inner>);

struct Inner {
    name: String,
    clock: Arc<dyn Clock>,
    lag: Option<Lag>,
    progress: Mutex<Progress>,
    metrics: JobMetrics,
}

/// What is still to be done.
struct Lag {
    unit: &'static str,
    amount: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// What is known of a job's work.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Progress {
    /// Whether it is at work.
    pub running: bool,
    /// How often it has ended, well or not.
    pub runs: u64,
    /// How often it has failed.
    pub failures: u64,
    /// When it last began.
    pub started_at: Option<Timestamp>,
    /// When it last ended.
    pub ended_at: Option<Timestamp>,
    /// When it last ended well.
    pub succeeded_at: Option<Timestamp>,
    /// When it last failed.
    pub failed_at: Option<Timestamp>,
    /// What was wrong then.
    pub error: Option<String>,
    /// Whether it failed the last time it ended.
    pub failing: bool,
}

impl Progress {
    /// `running`, `failing`, `idle`, or `new` before its first end.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self { failing: true, .. } => "failing",
            Self { running: true, .. } => "running",
            Self { runs: 0, .. } => "new",
            _ => "idle",
        }
    }
}

/// A job as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// Its work so far.
    pub progress: Progress,
    /// What is still to be done, with its unit, where that can be said.
    pub lag: Option<(u64, &'static str)>,
}

/// An error in words that admins may read: without addresses of databases, and without secrets.
pub trait Fault {
    /// The words.
    fn shown(&self) -> String;
}

impl Jobs {
    /// No jobs yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, metrics: JobMetrics) -> Self {
        Self { clock, metrics, all: Mutex::default() }
    }

    /// Adds a job.
    #[must_use]
    pub fn add(&self, name: impl Into<String>) -> Job {
        self.put(name.into(), None)
    }

    /// Adds a job of which can be said how much is still to be done: `amount` of `unit`.
    #[must_use]
    pub fn add_with_lag(
        &self,
        name: impl Into<String>,
        unit: &'static str,
        amount: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Job {
        self.put(name.into(), Some(Lag { unit, amount: Box::new(amount) }))
    }

    /// Every job as it is now.
    #[must_use]
    pub fn list(&self) -> Vec<Shown> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Job::shown).collect()
    }

    fn put(&self, name: String, lag: Option<Lag>) -> Job {
        // It shows from the start that there were none.
        drop(self.metrics.failures.get_or_create(&label(&name)));
        let (clock, metrics) = (Arc::clone(&self.clock), self.metrics.clone());
        let job = Job(Arc::new(Inner { name, clock, lag, progress: Mutex::default(), metrics }));
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(job.clone());
        job
    }
}

impl Job {
    /// Does `work` as a run of this job. Dropped before its end, it counts as not run.
    ///
    /// # Errors
    /// What `work` fails with.
    pub async fn run<T, E: Fault>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let under_way = self.begin();
        let done = work.await;
        match &done {
            Ok(_) => under_way.succeed(),
            Err(error) => under_way.fail(error.shown()),
        }
        done
    }

    /// Begins a run, for work that is no future.
    #[must_use]
    pub fn begin(&self) -> UnderWay<'_> {
        let mut progress = self.progress();
        progress.running = true;
        progress.started_at = Some(self.0.clock.now());
        UnderWay(self)
    }

    fn shown(&self) -> Shown {
        let lag = self.0.lag.as_ref().map(|lag| ((lag.amount)(), lag.unit));
        Shown { name: self.0.name.clone(), progress: self.progress().clone(), lag }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run of a job that has not ended.
pub struct UnderWay<'a>(&'a Job);

impl UnderWay<'_> {
    /// It went well.
    pub fn succeed(self) {
        let Inner { clock, metrics, name, .. } = &*self.0.0;
        let now = clock.now();
        let mut progress = self.0.progress();
        progress.runs += 1;
        (progress.ended_at, progress.succeeded_at, progress.failing) = (Some(now), Some(now), false);
        drop(progress);
        let seconds = u64::try_from(now.micros() / 1_000_000).unwrap_or_default();
        metrics.last_success.get_or_create(&label(name)).set(seconds);
    }

    /// It went wrong.
    pub fn fail(self, error: String) {
        let Inner { clock, metrics, name, .. } = &*self.0.0;
        let now = clock.now();
        let mut progress = self.0.progress();
        progress.runs += 1;
        progress.failures += 1;
        (progress.ended_at, progress.failed_at, progress.failing) = (Some(now), Some(now), true);
        progress.error = Some(error);
        drop(progress);
        metrics.failures.get_or_create(&label(name)).inc();
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.progress().running = false;
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown(), f)
    }
}

fn label(name: &str) -> Labels {
    vec![("job", name.to_owned())]
}

/// Metrics of jobs, by name.
#[derive(Clone, Default, Debug)]
pub struct JobMetrics {
    last_success: Family<Labels, Gauge<u64, AtomicU64>>,
    failures: Family<Labels, Counter>,
}

impl JobMetrics {
    /// Metrics that `registry` shows.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "When a background job last went well, in seconds since the Unix epoch";
        registry.register("job_last_success_seconds", help, metrics.last_success.clone());
        registry.register("job_failures", "Runs of a background job that failed", metrics.failures.clone());
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::ManualClock;
    use std::time::Duration;

    struct Broken;

    impl Fault for Broken {
        fn shown(&self) -> String {
            "it is broken".to_owned()
        }
    }

    fn jobs() -> (Arc<ManualClock>, Jobs, crate::observe::metrics::Metrics) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(5_000_000)));
        let metrics = crate::observe::metrics::Metrics::new();
        let jobs = Jobs::new(Arc::clone(&clock) as _, metrics.jobs.clone());
        (clock, jobs, metrics)
    }

    #[tokio::test]
    async fn a_job_fails_and_recovers() {
        let (clock, jobs, metrics) = jobs();
        let job = jobs.add_with_lag("delivery", "bytes", || 7);
        let now = || jobs.list().remove(0);
        assert_eq!(
            now(),
            Shown { name: "delivery".to_owned(), progress: Progress::default(), lag: Some((7, "bytes")) }
        );
        assert_eq!(now().progress.state(), "new");
        let first = clock.now();
        job.run(async {
            assert_eq!(now().progress.state(), "running");
            clock.advance(Duration::from_secs(1));
            Ok::<_, Broken>(())
        })
        .await
        .unwrap_or_else(|_| panic!("it goes well"));
        let second = clock.now();
        let went_well = Progress {
            runs: 1,
            started_at: Some(first),
            ended_at: Some(second),
            succeeded_at: Some(second),
            ..Progress::default()
        };
        assert_eq!((now().progress.state(), now().progress), ("idle", went_well.clone()));

        assert!(job.run(async { Err::<(), _>(Broken) }).await.is_err());
        let failed = Progress {
            runs: 2,
            failures: 1,
            started_at: Some(second),
            failed_at: Some(second),
            error: Some("it is broken".to_owned()),
            failing: true,
            ..went_well
        };
        assert_eq!((now().progress.state(), now().progress), ("failing", failed.clone()));
        let text = metrics.render();
        for line in
            ["gridgate_job_last_success_seconds{job=\"delivery\"} 6", "gridgate_job_failures_total{job=\"delivery\"} 1"]
        {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        job.begin().succeed();
        assert_eq!((now().progress.state(), now().progress.error.as_deref()), ("idle", Some("it is broken")));
    }

    #[test]
    fn a_run_that_is_cut_off_is_none() {
        let (_, jobs, _) = jobs();
        drop(jobs.add("hygiene").begin());
        let progress = jobs.list().remove(0).progress;
        assert_eq!((progress.running, progress.runs, progress.state()), (false, 0, "new"));
    }
}
