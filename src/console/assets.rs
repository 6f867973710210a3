//! Style, script and logo: inside of the binary, under names that change with what they hold, so that browsers keep them for ever.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use libdeflater::{CompressionLvl, Compressor};
use sha2::{Digest as _, Sha256};

use super::Console;
use crate::domain::hexadecimal;

/// Every style sheet, in the order in which they hold.
const STYLE: &str = concat!(
    include_str!("assets/tokens.css"),
    include_str!("assets/base.css"),
    include_str!("assets/layout.css"),
    include_str!("assets/parts.css"),
    include_str!("assets/chart.css"),
    include_str!("assets/key.css"),
    include_str!("assets/limits.css"),
    include_str!("assets/overview.css"),
    include_str!("assets/usage.css"),
    include_str!("assets/settings.css"),
    include_str!("assets/create.css"),
    include_str!("assets/admin.css"),
    include_str!("assets/secret.css"),
    include_str!("assets/keys.css"),
    include_str!("assets/refusals.css"),
    include_str!("assets/live.css"),
    include_str!("assets/verbs.css"),
);

/// Every script; each is a function of its own.
const SCRIPT: &str = concat!(
    include_str!("assets/page.js"),
    include_str!("assets/dialog.js"),
    include_str!("assets/copy.js"),
    include_str!("assets/fresh.js"),
    include_str!("assets/chart.js"),
    include_str!("assets/live.js"),
    include_str!("assets/keys.js"),
    include_str!("assets/create.js"),
    include_str!("assets/secret.js"),
    include_str!("assets/verbs.js"),
);

const LOGO: &str = include_str!("assets/logo.svg");

/// What is served, and where.
pub(super) struct Assets {
    /// The path of the style sheet.
    pub(super) style: String,
    /// The path of the script.
    pub(super) script: String,
    /// The path of the logo.
    pub(super) logo: String,
    all: [Asset; 3],
}

struct Asset {
    name: String,
    content_type: &'static str,
    plain: Bytes,
    gzip: Bytes,
}

impl Assets {
    /// Everything, with paths that begin with `base`.
    pub(super) fn new(base: &str) -> Self {
        let all = [
            Asset::new("console", "css", "text/css; charset=utf-8", STYLE),
            Asset::new("console", "js", "text/javascript; charset=utf-8", SCRIPT),
            Asset::new("logo", "svg", "image/svg+xml", LOGO),
        ];
        let [style, script, logo] = all.each_ref().map(|asset| format!("{base}/assets/{}", asset.name));
        Self { style, script, logo, all }
    }
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, text: &'static str) -> Self {
        let mut hash = hexadecimal(&Sha256::digest(text));
        hash.truncate(16);
        let mut compressor = Compressor::new(CompressionLvl::best());
        let mut gzip = vec![0; compressor.gzip_compress_bound(text.len())];
        // It fits, as that is the bound; an empty one is never served.
        let length = compressor.gzip_compress(text.as_bytes(), &mut gzip).unwrap_or_default();
        gzip.truncate(length);
        let name = format!("{stem}.{hash}.{extension}");
        Self { name, content_type, plain: Bytes::from_static(text.as_bytes()), gzip: gzip.into() }
    }
}

/// `GET /assets/{file}`
pub(super) async fn handler(State(console): State<Console>, Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = console.0.assets.all.iter().find(|asset| asset.name == file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let gzip = !asset.gzip.is_empty() && accepted.split(',').any(|one| one.trim().eq_ignore_ascii_case("gzip"));
    let mut response = if gzip { asset.gzip.clone() } else { asset.plain.clone() }.into_response();
    let all = response.headers_mut();
    all.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    all.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    all.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if gzip {
        all.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
