//! A key per project and environment that routes by itself. The page: generate one key for each environment, set it in the SDK, and
//! the data is where it belongs; nothing else says which environment it is, and no environment takes another's key.

use gridgate::config::{Admitted, ListenerConfig, Prefix, Serves, TlsConfig};

use super::{Product, rows};
use crate::catalog::slug;
use crate::ingest::client::{Export, Form};
use crate::ingest::told::told;

#[tokio::test]
async fn the_key_alone_says_where_the_data_goes() {
    let only = |environment: &str| ListenerConfig {
        address: ([127, 0, 0, 1], 0).into(),
        transport: Serves::Any,
        environment: Admitted(Some(slug(environment))),
        prefix: Prefix::default(),
        tls: TlsConfig::default(),
    };
    let product = Product::with(|config| config.listen.more = vec![only("staging"), only("production")]).await;
    product.run("projects create chat").await;
    product.run("grids create bot --project chat").await;

    let mut keys = Vec::new();
    for environment in ["staging", "production"] {
        let create = format!("keys create --name sdk --project chat --grid bot --environment {environment}");
        let key = product.key(&create).await;
        product.accepts(&key.token, environment).await;
        keys.push(key);
    }
    product
        .refused(
            "keys create --name sdk --project chat --grid bot --environment production",
            gridgate::cli::Exit::Conflict,
            "key_exists",
        )
        .await;

    // An endpoint of one environment takes its own keys and no other's.
    let [staging, production] = &keys[..] else { panic!("two keys") };
    for form in Form::ALL {
        for (port, own, other, detail) in [
            (product.gate.more[0], staging, production, "this endpoint is for staging, the key for production"),
            (product.gate.more[1], production, staging, "this endpoint is for production, the key for staging"),
        ] {
            Export::traces(form, &own.token).send_to(port).await.assert_success(form);
            let answer = Export::traces(form, &other.token).send_to(port).await;
            told("environment_mismatch").key(&other.id).detail(detail).check(&answer, form);
        }
    }

    // Losing a key costs a new one of the same environment and nothing else.
    let again = product.key(&format!("keys regenerate {} --yes --force", staging.id)).await;
    product.refuses(staging, "secret_retired").await;
    product.accepts(&again.token, "staging again").await;
    product.accepts(&production.token, "production").await;

    let lake = product.lake().await;
    let marker = rows("marker");
    assert_eq!(
        lake.into_iter().collect::<Vec<_>>(),
        [
            (
                "chat/bot/production/traces".to_owned(),
                [marker.clone(), rows("production"), rows("production")].concat()
            ),
            ("chat/bot/staging/traces".to_owned(), [marker, rows("staging"), rows("staging again")].concat()),
        ]
    );
}
