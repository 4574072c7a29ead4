//! The engine in a browser or in Node: verify a license, price usage, meter in memory.
//!
//! Conversion only: every rule lives in the `mintreu` crate. There is no file to keep a journal
//! in, so counts end with the page; what must be billed belongs in a product's own process.
//!
//! Invariants
//! * Errors are JavaScript `Error`s with the engine's stable `code`.
//! * Instants are milliseconds since 1970, as `Date.now()` gives; the caller's clock is the
//!   default and any other instant can be passed.
//! * Units go in as whole numbers up to `Number.MAX_SAFE_INTEGER`; sums come out as `bigint`.

mod license;
mod meter;
mod object;
mod price;

use wasm_bindgen::prelude::wasm_bindgen;

/// The shapes of what is returned, for TypeScript.
#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");
