//! The Node package's compiled half, `mintreu.node`.
//!
//! Conversion only: every rule lives in the `mintreu` crate. `index.js` and `index.mjs` are what
//! a programmer imports, `index.d.ts` holds the types.
//!
//! Invariants
//! * Errors are JavaScript `Error`s with the engine's stable `code`.
//! * Instants are milliseconds since 1970, as `Date.now()` gives.
//! * Units go in as whole numbers up to `Number.MAX_SAFE_INTEGER`; sums come out as `bigint`.

mod engine;
mod event;
mod gateway;
mod host;
mod license;
mod meter;
mod price;
mod quota;
mod sync;
mod value;
