//! Use cases: meters, ingest, questions.

mod devices;
mod ingest;
mod lago;
mod meters;
mod query;
mod reverse;
mod rollup;
mod tally;

pub use devices::accept_segment;
pub use ingest::{IngestEvents, Outcome, StoreEvents, ingest, store_events};
pub use lago::{
    CurrentUsage, DescribeLago, MetricUsage, PeriodUsage, current_usage, describe, metrics_of_plan,
};
pub use meters::{
    ByMeter, CreateMeter, DeleteMeter, FindMeter, ListMeters, UpdateMeter, create_meter,
    delete_meter, find_meter, list_meters, update_meter,
};
pub use query::{
    Answer, EventQuery, GroupValues, UsageQuery, UsageRow, find_event, group_values, list_events,
    usage,
};
