//! Bringing whole catalogs in: Debian package lists, `cargo metadata`, CSV.
//!
//! A reader turns its format into [`Item`]s, one for each thing that was there, good or bad. The
//! driver hands them on in chunks; each chunk is one commit that writes products, counts, refusals
//! and the run's cursor together, so that a killed import goes on where its last commit ended.
//! Sellers and categories come into being with the first product that names them.
//!
//! Invariants
//! * read = created + updated + unchanged + refused, in every commit of a run.
//! * An item is refused with a code, its line and a sentence; it never stops the run.
//! * The same input again changes nothing; a changed item changes its product in place.
//! * A run is resumed only when the items before its cursor are the very same ones.
//! * A product whose seller has taken over the account is not touched.

mod cargo;
mod csv;
mod debian;
mod lines;
mod ops;
mod record;
mod run;
mod sections;

pub use ops::{ImportChunk, ImportRun, Start, StartImport, import_chunk, start_import};
pub use record::{Item, Place, Record, Refusal, Vendor};
pub use run::{Format, ImportError, Items, Options, Report, Source, Told, import, open};
