//! What stands behind counted usage, for both sides to look at.
//!
//! Each accepted segment leaves a row a meter, in the order of acceptance. An invoice is a stretch
//! of these rows, so that a billed line leads to the segments and receipts it is made of. A license's
//! whole journal can be written out and verified by anybody with public keys. What copies of a
//! device reported waits for its seller to accept it or write it off.
//!
//! # Invariants
//! * The rows of a meter add up to what segments counted of it; what events counted has no segment
//!   and is told beside.
//! * A dispute is decided once. Accepted units move from disputed to counted in that commit.
//! * The server's epoch only rises.
//! * What a license's owner and its seller can't see doesn't exist for them.
//!
//! Start reading at [`ops`].

mod export;
pub mod http;
pub mod model;
pub mod ops;
pub mod sql;

pub use export::export;
pub use model::{Behind, Dispute, Fork, Quiet, Source, Trouble};
pub use ops::{
    BehindInvoice, BehindPeriod, DecideDispute, DisputesOf, NoticeRestore, ProveRestore, TroubleOf,
    behind_invoice, behind_period, decide_dispute, mark_invoice, mark_late, mark_late_invoice,
    mark_period, notice_restore, prove_restore, trouble,
};
