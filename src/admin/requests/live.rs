//! `GET /requests/live`

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, stream};
use serde_json::json;

use super::query::RequestQuery;
use super::{RequestView, query};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::page::Parameters;
use crate::admin::problem::{Code, Problem};
use crate::domain::Permission;
use crate::metering::feed::{NoPlace, Shown, Watch, Watcher};

/// How often it is asked whether the caller still may watch, besides after every change of a key on this node.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// Exports as they end, all of the accepted ones included, as server-sent events: `export` with a row of the request log; `missed` with
/// the `count` of those that came too fast for the client; and at last `end` with the `reason`: `stopping`, where the process stops; `key`,
/// where the caller's key may no longer watch; `session`, where that of the console is over; `elsewhere`, where it watches
/// elsewhere by now; `catalog`, where that cannot be found out.
#[utoipa::path(
    get, path = "/requests/live", tag = "requests", operation_id = "watch_requests",
    security(("bearer" = ["usage.view"])),
    params(RequestQuery),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 404, description = "project_not_found"),
        (status = 409, description = "watch_limit_reached"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    caller.require(Permission::UsageView)?;
    let mut check = Check::default();
    let filter = query::take(&mut check, &mut parameters);
    parameters.finish(&mut check, &query::NAMES);
    let mut filter = check.finish(Some(filter))?;
    query::narrow(&state, &caller, &mut filter).await?;
    let watcher = Watcher { key: caller.key, session: caller.session.clone() };
    let no_place = |why: NoPlace| Problem::new(Code::WatchLimitReached, why.to_string());
    let watch = state.books.requests.watch(watcher, filter).map_err(no_place)?;
    let mut ask_again = tokio::time::interval_at(Instant::now() + ASK_AGAIN, ASK_AGAIN);
    ask_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let live = Live { state, caller, watch, ask_again };
    let events = stream::unfold(Some(live), |live| async move {
        let mut live = live?;
        match live.next().await {
            Next::Event(event) => Some((Ok(event), Some(live))),
            Next::End(reason) => Some((Ok(event("end", &json!({"reason": reason}))), None)),
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

struct Live {
    state: AdminState,
    caller: Caller,
    watch: Watch,
    ask_again: Interval,
}

enum Next {
    Event(Event),
    End(&'static str),
}

impl Live {
    async fn next(&mut self) -> Next {
        loop {
            let shown = tokio::select! {
                biased;
                () = self.state.stopping.cancelled() => return Next::End("stopping"),
                // However much is shown meanwhile.
                _ = self.ask_again.tick() => Some(Shown::AccessChanged),
                shown = self.watch.next() => shown,
            };
            match shown {
                Some(Shown::Export(ended)) => {
                    return Next::Event(event("export", &json!(RequestView::new(None, &ended))));
                }
                Some(Shown::Missed(count)) => return Next::Event(event("missed", &json!({"count": count}))),
                Some(Shown::AccessChanged) => {
                    if let Err(why) = self.caller.still_may(&self.state, Permission::UsageView).await {
                        return Next::End(why);
                    }
                }
                None => return Next::End("elsewhere"),
            }
        }
    }
}

/// JSON is one line.
fn event(name: &str, data: &serde_json::Value) -> Event {
    Event::default().event(name).data(data.to_string())
}
