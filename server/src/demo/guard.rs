//! What guards the demo's shop: rules to look at, and their decisions.

use super::SeedError;
use crate::app::Cx;
use crate::domains::risk::{
    Action, AddEntry, By, Counts, CreateRule, EntryKind, Known, Mode, Side, Terms, add_entry,
    create_rule,
};

/// A rule that is live and that nobody comes near, one in shadow mode that says of every second
/// purchase what it would do, and a line on the block list.
pub(super) fn rules(cx: &mut Cx<'_>) -> Result<(), SeedError> {
    let hour = 60 * 60 * 1000;
    let mut terms = Terms {
        name: "Very many purchases of one buyer".to_owned(),
        counts: Counts::Attempts,
        by: By::Buyer,
        window_ms: hour,
        threshold: 200,
        currency: None,
        newer_than_days: None,
        action: Action::Refuse,
        mode: Mode::Live,
        block_ms: None,
    };
    let live = terms.clone();
    create_rule(cx, &CreateRule { terms: live })?;
    terms.name = "A second purchase within a month (on trial)".to_owned();
    terms.window_ms = 30 * 24 * hour;
    terms.threshold = 2;
    terms.action = Action::Review;
    terms.mode = Mode::Shadow;
    create_rule(cx, &CreateRule { terms })?;
    let entry = AddEntry {
        side: Side::Block,
        kind: EntryKind::Domain,
        known: Known::Typed("throwaway.example".to_owned()),
        reason: "Addresses that last ten minutes".to_owned(),
        ends_at: None,
    };
    add_entry(cx, &entry)?;
    Ok(())
}
