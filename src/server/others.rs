//! The gRPC services beside Export: health checks and reflection. They need no key.

use anyhow::{Context, Result};
use tonic::service::Routes;
use tonic_health::server::HealthReporter;
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};

/// The largest request in bytes: it holds a name. Anybody can send one, and no budget sees it.
const LARGEST: usize = 4 << 10;

/// The services, and who tells the first of them how the process is.
pub(super) fn services() -> Result<(HealthReporter, Routes)> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let health = health.max_decoding_message_size(LARGEST);
    Ok((reporter, Routes::new(health).add_service(reflection()?)))
}

/// Tells gRPC clients like grpcurl which services there are, and what their messages look like.
fn reflection() -> Result<ServerReflectionServer<impl ServerReflection>> {
    let services = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(opentelemetry_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    Ok(services.build_v1().context("gRPC reflection")?.max_decoding_message_size(LARGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::Request;
    use http_body_util::{BodyExt as _, Full};
    use tower::ServiceExt as _;

    /// Catalogue A3: messages without a key are refused by the length that they claim.
    #[tokio::test]
    async fn a_large_request_gets_no_answer() {
        // Field 1 is the service, or the host; field 7 of reflection asks for the list of services.
        let name = [&[0x0a, 0x80, 0x20][..], &[b'a'; LARGEST], &[0x3a, 0]].concat();
        let length = u32::try_from(name.len()).expect("it is short");
        let message = Bytes::from([&[0][..], &length.to_be_bytes(), &name].concat());
        for (path, expected) in [
            ("/grpc.health.v1.Health/Check", tonic::Code::OutOfRange),
            // It ends its stream wherever a request cannot be read.
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", tonic::Code::Ok),
        ] {
            let (_, routes) = services().expect("services");
            let body = tonic::body::Body::new(Full::new(message.clone()));
            let request = Request::post(path).header("content-type", "application/grpc").body(body);
            let response = routes.oneshot(request.expect("a request")).await.expect("an answer");
            let head = response.headers().clone();
            let answer = response.into_body().collect().await.expect("a body");
            let status = tonic::Status::from_header_map(&head)
                .or_else(|| tonic::Status::from_header_map(answer.trailers().expect("trailers")));
            assert_eq!(status.expect("a status").code(), expected, "{path}");
            assert!(answer.to_bytes().is_empty(), "{path}");
        }
    }
}
