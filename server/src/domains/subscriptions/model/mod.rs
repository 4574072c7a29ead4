//! What a subscription is: its states, its cycles (those of its price), and what a change in the middle of one costs.
//! Pure.

mod discontinued;
mod proration;
mod state;
mod subscription;

pub use crate::domains::catalog::model::{Cycle, Unit, days_between, end_of_day, zone_named};
pub use discontinued::{DISCONTINUED, Discontinuation, Living};
pub use proration::{Paid, Quote, prorate, restart};
pub use state::{Event, Flags, Status, Step, next_status};
pub use subscription::{
    Bill, BillKind, COMPLETED, Change, ChangeQuote, DAY_MS, GRACE_DAYS, NOTICE_DAYS, RETRY_DAYS,
    SELLER_CLOSED, Subscription, SubscriptionError,
};
