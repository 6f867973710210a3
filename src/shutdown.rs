//! The end of the process: who asks for it, and in which order things stop.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled when the process is asked to stop: by SIGTERM or SIGINT. A second signal ends it at once, with exit code 1.
///
/// # Errors
/// Where the operating system does not let signals be handled.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => "SIGTERM", _ = interrupt.recv() => "SIGINT" };
        let name = next().await;
        tracing::info!(signal = name, "stopping; a second signal stops at once");
        asked.cancel();
        next().await;
        tracing::warn!("stopped at once; what was acknowledged is in the log and is delivered at the next start");
        std::process::exit(1);
    });
    Ok(stop)
}

/// Runs `task`, which should only end when it is told to; however it ends, a panic included, `stop` is cancelled then, because
/// the process is no use without it.
pub(crate) async fn essential(name: &'static str, stop: CancellationToken, task: impl Future<Output = ()>) {
    let guard = stop.drop_guard_ref();
    task.await;
    drop(guard);
    tracing::debug!(task = name, "a background task has ended");
}
