//! The style sheet, script, fonts and mark, compiled in and served under names that carry a hash
//! of their content, so that a browser may keep them for ever.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::LazyLock;

/// One file as served.
struct Asset {
    /// As the source names it: `site.css`.
    name: &'static str,
    /// With its hash: `site.3f9a01c27b.css`.
    served_as: String,
    content_type: &'static str,
    bytes: Cow<'static, [u8]>,
}

const FONT: &str = "font/woff2";
const FILES: &[(&str, &str, &[u8])] = &[
    (
        "instrument-sans.woff2",
        FONT,
        include_bytes!("../../assets/instrument-sans.woff2"),
    ),
    (
        "geist-mono.woff2",
        FONT,
        include_bytes!("../../assets/geist-mono.woff2"),
    ),
    (
        "mark.svg",
        "image/svg+xml",
        include_bytes!("../../assets/mark.svg"),
    ),
    (
        "verify.wasm",
        "application/wasm",
        include_bytes!(concat!(env!("OUT_DIR"), "/verify.wasm")),
    ),
    (
        "verify.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../assets/verify.js"),
    ),
    (
        "embedded.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../assets/embedded.js"),
    ),
    (
        "site.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../assets/site.js"),
    ),
];
const STYLE: &str = include_str!("../../assets/site.css");

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let fixed = |(name, content_type, bytes): &(&'static str, &'static str, &'static [u8])| {
        asset(name, content_type, Cow::Borrowed(*bytes))
    };
    // A server that was built without the module has no such file.
    let there = FILES.iter().filter(|(_, _, bytes)| !bytes.is_empty());
    let mut assets: Vec<Asset> = there.map(fixed).collect();
    // The style sheet names the fonts, and so carries their hashes.
    let mut style = lean(STYLE);
    for file in &assets {
        style = style.replace(
            &format!("\"{}\"", file.name),
            &format!("\"{}\"", file.served_as),
        );
    }
    assets.push(asset(
        "site.css",
        "text/css; charset=utf-8",
        Cow::Owned(style.into_bytes()),
    ));
    assets
});

fn asset(name: &'static str, content_type: &'static str, bytes: Cow<'static, [u8]>) -> Asset {
    let digest = Sha256::digest(&bytes);
    let hash: String = digest
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    Asset {
        name,
        served_as: format!("{stem}.{hash}.{extension}"),
        content_type,
        bytes,
    }
}

/// The style sheet without its comments and indentation.
fn lean(style: &str) -> String {
    let mut kept = String::with_capacity(style.len());
    let mut rest = style;
    while let Some((before, after)) = rest.split_once("/*") {
        kept.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    let lines = kept.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// The address of an asset; empty for one that this server was built without.
pub fn address(name: &str) -> String {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    found.map_or_else(String::new, |asset| format!("/assets/{}", asset.served_as))
}

/// `GET /assets/{name}`. The plain name answers too, for pages that don't know the hash; it is kept
/// for five minutes only.
pub async fn serve(Path(name): Path<String>) -> Response {
    let known = |asset: &&Asset| asset.served_as == name || asset.name == name;
    let Some(asset) = ASSETS.iter().find(known) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kept = match asset.served_as == name {
        true => "public, max-age=31536000, immutable",
        false => "public, max-age=300",
    };
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, kept),
    ];
    (headers, asset.bytes.clone().into_owned()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_hash_and_the_style_sheet_finds_its_fonts() {
        let style = ASSETS
            .iter()
            .find(|asset| asset.name == "site.css")
            .unwrap();
        let text = std::str::from_utf8(&style.bytes).unwrap();
        assert!(!text.contains("/*"), "comments are served");
        for font in ["instrument-sans.woff2", "geist-mono.woff2"] {
            let address = address(font);
            assert!(
                text.contains(address.trim_start_matches("/assets/")),
                "{address}"
            );
            assert!(
                !text.contains(&format!("\"{font}\"")),
                "{font} without its hash"
            );
        }
        assert_eq!(address("site.css"), format!("/assets/{}", style.served_as));
    }

    #[test]
    fn the_style_sheet_mirrors_and_shouts_no_colour_twice() {
        let physical = [
            "left:",
            "right:",
            "margin-top",
            "padding-left",
            "text-align: left",
            "width:",
        ];
        for line in STYLE.lines().map(str::trim) {
            let declared = physical.iter().find(|side| line.starts_with(**side));
            assert!(declared.is_none(), "{line} has a fixed side");
        }
    }
}
