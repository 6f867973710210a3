//! `gridgate usage`.

use gridgate::cli::Exit;
use serde_json::json;

use super::Shell;
use crate::admin::usage::with_usage;

#[tokio::test]
async fn usage_is_shown_in_three_forms() {
    let server = with_usage().await;
    let shell = Shell::at(&server);
    assert_eq!(
        shell.data("usage --from 2026-11-21T10:00:00Z --to 2026-11-21T11:00:00Z --by project,signal").await,
        "AT                    OF           RECEIVED  ACCEPTED  REFUSED  GONE  WOULD REFUSE  ITEMS  BYTES  WHY REFUSED\n\
         2026-11-21T10:00:00Z  logs         1         0         1        0     0             0      0      key_invalid=1\n\
         2026-11-21T10:00:00Z  bank logs    1         1         0        0     0             3      30     -\n\
         2026-11-21T10:00:00Z  shop logs    2         2         0        0     0             6      60     -\n\
         2026-11-21T10:00:00Z  shop traces  2         0         2        0     0             0      0      \
         body_too_large=1 key_expired=1\n"
    );
    let query =
        "--to 2026-11-21T11:00:00Z --step day --project shop --key key_000000000002 --signal traces --by outcome";
    let rows = shell.json(&format!("usage {query} --output json")).await;
    assert_eq!((&rows[0]["outcome"], &rows[0]["refused"]), (&json!("body_too_large"), &json!(1)));
    let csv = shell.data("usage --to 2026-11-21T10:00:00Z --output csv").await;
    assert_eq!(
        csv,
        "at,project,grid,environment,key,signal,outcome,received,accepted,gone,refused,would_refuse,items,wire_bytes,bytes,refused_by\r\n\
         2026-11-21T09:00:00.000000Z,,,,,,,1,1,0,0,0,3,10,30,\r\n"
    );
    let ended = shell.run("usage --from 2036-01-01T00:00:00Z").await;
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Refused, ""), "{}", ended.err);
}
