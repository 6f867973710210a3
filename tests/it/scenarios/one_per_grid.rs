//! One key per grid, regenerated at once. The page: every application («grid») has a project and exactly one API key, a UUID that its
//! exporters send as `API-Key`. «Regenerate» replaces it; what still has the old one is refused from that moment on.

use gridgate::cli::Exit;
use gridgate::domain::Signal;

use super::{Key, Product, rows};
use crate::ingest::client::{Export, Form};
use crate::ingest::told::told;

#[tokio::test]
async fn a_regenerated_key_refuses_the_old_token_on_the_very_next_export() {
    let product = Product::start().await;
    product.run("projects create acme").await;
    product.run("projects edit acme --max-active-keys 1").await;
    product.run("grids create checkout --project acme").await;

    // There is one key, and no second.
    let create = "keys create --project acme --grid checkout --environment production --name";
    let first = product.key(&format!("{create} checkout")).await;
    product.accepts(&first.token, "before").await;
    product.refused(&format!("{create} another"), Exit::Conflict, "key_limit_reached").await;

    // Nobody regenerates by accident.
    let unasked = product.shell.run(&format!("keys regenerate {}", first.id)).await;
    assert_eq!((unasked.exit, unasked.out.as_str()), (Exit::Usage, ""));
    product.accepts(&first.token, "before").await;

    // Nor is a service cut off that has just exported.
    product.refused(&format!("keys regenerate {} --yes", first.id), Exit::Conflict, "key_in_use").await;

    let second = product.key(&format!("keys regenerate {} --yes --force", first.id)).await;
    assert_eq!(second.id, first.id);
    product.refuses(&first, "secret_retired").await;
    product.accepts(&second.token, "after").await;

    // Everything else about the key is as it was.
    let key = product.json(&format!("keys show {}", first.id)).await;
    assert_eq!((&key["name"], &key["status"]), (&"checkout".into(), &"active".into()));
    let secrets = product.json(&format!("keys secrets {}", first.id)).await;
    let states: Vec<_> = secrets.as_array().expect("rows").iter().map(|secret| secret["state"].clone()).collect();
    assert_eq!(states, ["current", "retired"]);
    let lake = product.lake().await;
    assert_eq!(lake["acme/checkout/production/traces"], [rows("after"), rows("before"), rows("before")].concat());
}

/// The keys that there were before Gridgate are UUIDs. They come in by a file, work as they are, and leave with the next regeneration.
#[tokio::test]
async fn the_uuid_that_applications_have_works_on_until_it_is_regenerated() {
    let product = Product::start().await;
    let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let file = tempfile::NamedTempFile::new().expect("a file");
    let csv = format!("name,project,grid,environment,token\ncheckout,shop,web,production,{uuid}\n");
    std::fs::write(file.path(), csv).expect("it is written");
    let import = format!("keys import --file {}", file.path().display());
    let imported = product.json(&import).await;
    assert!(!imported.to_string().contains(uuid), "{imported}");
    let id = imported[0]["id"].as_str().expect("an id").to_owned();

    for form in Form::ALL {
        let export = Export::new(form, Signal::Traces, "uuid");
        // HTTP/2 has names of headers in lower case only.
        let name = if form == Form::Grpc { "api-key" } else { "API-Key" };
        export.clone().with(name, uuid).send(&product.gate).await.assert_success(form);
        export.with(name, uuid.to_uppercase()).send(&product.gate).await.assert_success(form);
    }
    let legacy = Key { id: id.clone(), token: uuid.to_owned() };
    let modern = product.key(&format!("keys regenerate {id} --yes --force")).await;
    assert!(modern.token.starts_with("ggi_prd_"));
    product.accepts(&modern.token, "modern").await;
    for form in Form::ALL {
        let answer = Export::traces(form, &legacy.token).send(&product.gate).await;
        told("secret_retired").key(&legacy.id).check(&answer, form);
    }
}
