//! Access: customers' keys for a seller's API, and what the seller's backend is told about them.
//!
//! A customer makes API keys for a license they hold. The seller's backend shows a token of its own
//! and asks whether a key may use so many units of a meter. The answer and the count are one commit:
//! what was allowed is counted, under the license and the key's id. A request id makes a repeated
//! question the same one. For work whose size is known only afterwards units are reserved, then
//! committed or released. A backend of many nodes need not ask each time: a node is lent a slice of
//! the quota, spends it in memory, and says what it used when it takes the next.
//!
//! # Invariants
//! * A secret is stored as a keyed hash and shown once; a mistyped one is refused unread.
//! * Counters belong to the license and name the key's id, so that rotation and deletion lose none.
//! * A quota's window is never granted more than its limit, reservations and slices included.
//! * A grant with a request id is counted once and answered alike for seven days; a refusal is not
//!   kept, so that asking again later may be allowed.
//! * A reservation that nobody settles gives its units back when its time is over.
//! * What a node was lent stays deducted until it says that it uses no more, or the window ends:
//!   nodes that vanish take units with them, and never give one twice.
//! * Customers see the keys of their own licenses; sellers learn of keys only
//!   for licenses to their own products.
//!
//! # Tables
//! `api_key`, `api_key_secret`, `quota_slice`; what quotas have left is [`super::quotas`]' affair.
//!
//! Start reading at [`model`], then [`ops::check`].

pub mod http;
pub mod model;
pub mod ops;
pub mod sql;

pub use model::{AccessError, ApiKey, Ask, Checked, NewApiKey, Refused};
pub use ops::check::{Check, Wanted, check, look};
pub use ops::identify::{Identified, Identify, identify};
pub use ops::keys::{
    ChangeApiKey, CreateApiKey, DeleteApiKey, RotateApiKey, api_keys, change_api_key,
    create_api_key, delete_api_key, rotate_api_key,
};
pub use ops::reserve::{Settle, Settled, settle};
pub use ops::slices::{LeaseSlice, NodeAsks, Sliced, lease_slice, slice_s_license};
pub use sql::QuotaSlice;
