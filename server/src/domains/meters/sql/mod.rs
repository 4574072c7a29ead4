//! All SQL of meters: what is measured, the events, and the roll-ups.

mod cells;
mod events;
mod lago;
mod meters;
mod waiting;

pub(super) use cells::{
    Bucket, CellRow, Group, add_group, cells_at, cells_of_group, cells_of_meter, delete_cell,
    extent, groups, groups_of_subject, known_groups, license_sum, put_cells, set_license_sum,
};
pub(super) use events::{Blocks, event, events, events_within, insert_events, mark_reversed};
pub use events::{EventRow, Filter};
pub use lago::LagoObject;
pub(super) use lago::{count_lago, lago, put_lago};
pub(super) use meters::{
    add_group_count, delete_meter, insert_meter, meter, meter_by_id, meters, update_meter,
};
pub(super) use waiting::{append_waiting, take_waiting, waiting, waiting_states};

/// Every statement here, for the test that prepares them.
pub const ALL: &[&[&str]] = &[
    meters::ALL,
    events::ALL,
    cells::ALL,
    lago::ALL,
    waiting::ALL,
];
