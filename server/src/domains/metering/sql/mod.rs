//! All SQL of usage: streams and segments, what they count, and how it is shown.

mod cells;
mod direct;
pub(super) mod late;
mod report;
mod streams;

pub use cells::{CellUnits, breakdown};
pub(super) use cells::{
    Units, add_bucket, add_total, add_units, cell, count_cells, set_cell, settle_cells, settle_late,
};
pub(super) use direct::{add_direct_bucket, add_direct_total};
pub use report::{disputed, series_of_license, series_of_product, top_licenses, totals};
pub(super) use streams::{
    Stream, StreamOwner, count_forks, insert_fork, insert_segment, insert_stream, move_stream,
    segment_hash, stream,
};

/// Every statement here, for the test that prepares them.
pub const ALL: &[&[&str]] = &[
    streams::ALL,
    cells::ALL,
    report::ALL,
    late::ALL,
    super::evidence::sql::ALL,
];
