//! A prefix before the paths of OTLP/HTTP (OTLP specification, «OTLP/HTTP Request»).

use gridgate::config::Prefix;
use gridgate::domain::Signal;

use super::Gate;
use super::client::{Export, Form, http_path};
use super::told::told;

#[tokio::test]
async fn exports_go_below_the_prefix_and_nowhere_else() {
    let prefix = Prefix::try_from("otlp/".to_owned()).expect("a prefix");
    let gate = Gate::with(|config| config.listen.prefix = prefix).await;
    let key = gate.key("shop").await;
    for signal in Signal::ALL {
        for form in [Form::Protobuf, Form::Json] {
            let export = Export::new(form, signal, "marker").key(&key.token);
            export.clone().to(&format!("/otlp{}", http_path(signal))).send(&gate).await.assert_success(form);
            let unknown = told("path_unknown").detail("the endpoint here ends with /otlp");
            // Never a redirect: SDKs take it for a success.
            for path in ["", "/", "/otlp/", "/otlp/otlp", "//otlp", "/OTLP", "/otlp/."] {
                let answer = export.clone().to(&format!("{path}{}", http_path(signal)));
                unknown.clone().check(&answer.send(&gate).await, form);
            }
        }
        // gRPC's paths are its own.
        Export::new(Form::Grpc, signal, "marker").key(&key.token).send(&gate).await.assert_success(Form::Grpc);
    }
    gate.stop().await;
}
