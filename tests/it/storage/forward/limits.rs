//! Budgets: who is refused when something waits for too long.

use gridgate::domain::{Signal, Tenant};
use gridgate::storage::log::AppendError;

use super::{World, later, route, taken};
use crate::storage::record;

#[tokio::test]
async fn a_full_backlog_refuses_only_those_who_are_routed_there() {
    let mut traces = route(Some("bank"), &["vendor"]);
    traces.signals = Some(vec!["traces".to_owned()]);
    let mut world = World::new(&[traces, route(Some("shop"), &["lake"])]);
    world.forward().backlog_bytes = 200;
    world.vendor.says(|_| later());
    let mut running = world.open().await;
    running.append([2, 5]).await;
    running.forward().await;
    let bank = record(2).meta.tenant;
    assert!(running.log.is_full_for(&bank, Signal::Traces));
    assert!(!running.log.is_full_for(&bank, Signal::Logs));
    assert!(!running.log.is_full_for(&record(0).meta.tenant, Signal::Traces));
    assert_eq!(running.log.append(record(8)).await, Err(AppendError::BacklogFull));
    // Log records of the bank, and everything of the shop, go elsewhere.
    running.append([11, 0, 1]).await;
    // Moving makes no difference to what waits.
    world.passes(20);
    running.forward().await;
    assert_eq!(world.log("forward").await.len(), 1);
    assert_eq!(running.log.append(record(8)).await, Err(AppendError::BacklogFull));
    running.close().await;
    let mut running = world.open().await;
    assert_eq!(running.log.append(record(8)).await, Err(AppendError::BacklogFull));
    world.vendor.says(|_| taken());
    world.passes(60);
    running.forward().await;
    assert_eq!(running.forwarders[0].usage().bytes(), 0);
    running.append([8]).await;
    running.forward().await;
    assert_eq!(world.vendor.taken(), [2, 5, 8]);
    running.close().await;
}

#[tokio::test]
async fn one_tenant_fills_its_own_share_and_not_that_of_all() {
    let mut world = World::new(&[route(None, &["vendor"])]);
    world.forward().tenant_backlog_bytes = 200;
    world.vendor.says(|meta| if meta.tenant.project.as_str() == "bank" { later() } else { taken() });
    let mut running = world.open().await;
    running.append([2, 5]).await;
    running.forward().await;
    let full = |tenant: &Tenant| running.log.is_full_for(tenant, Signal::Logs);
    assert_eq!((full(&record(2).meta.tenant), full(&record(0).meta.tenant)), (true, false));
    assert_eq!(running.log.append(record(8)).await, Err(AppendError::BacklogFull));
    running.append([0, 1]).await;
    running.forward().await;
    assert_eq!(world.vendor.taken().len(), 2);
    running.close().await;
}
