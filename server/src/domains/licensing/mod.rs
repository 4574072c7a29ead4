//! Licensing: signed licenses, the codes that stand for them, and the devices that use them.
//!
//! A [`Grant`] becomes a license once: a document signed under the seller's root, stored as a
//! bundle that verifies with no network. A short redeem code is exchanged for it. A device that
//! wants to use it sends a request signed by its own key and takes a seat; the answer is an
//! activation bound to that key. A seller issues many at once, or brings keys along that customers
//! have already: [`batches`].
//!
//! # Invariants
//! * One grant source, one license: issuing again returns the same.
//! * A license of `n` seats has at most `n` live activations, whatever happens at the same time.
//! * A floating seat is lent until an instant; a heartbeat keeps it, and after that it is free again.
//! * One device has at most one live activation of a license; asking again answers it.
//! * Redeeming is repeatable and takes no seat; activating does.
//! * A redeem code is stored as a keyed hash and sealed, never in the clear; seeds are sealed.
//! * A revoked or expired license activates nothing.
//! * While a host on a customer's network lends a license's seats, none is taken here.
//! * A license has one place in a revocation list, and its bit is set exactly while it is revoked.
//! * Versions of revocation lists and key sets only rise.
//! * A license is put into the transparency log in the commit that issues it.
//! * An owner sees their own licenses, a seller those of their own products.
//!
//! # Tables
//! `seller_key`, `key_set`, `license`, `revocation_list`, `activation`, `floating_host`.
//!
//! Start reading at [`model`], then [`ops`]; keys are in [`custody`] and [`key_sets`], documents in
//! [`documents`], revocation lists in [`lists`], limits of guessing in [`guesses`].

pub mod activate;
pub mod batches;
pub mod custody;
pub mod documents;
pub mod guesses;
pub mod hosts;
pub mod http;
pub mod key_sets;
pub mod lists;
pub mod model;
pub mod ops;
mod receipts;
mod renew;
pub mod rewrap;
pub mod seats;
pub mod sql;
pub mod unpaid;

pub use activate::{Activate, Activated, Deactivate, Device, activate, deactivate, device, seen};
pub use custody::{
    ExportRoot, ExportedRoot, ForgetRoot, PRODUCT_KINDS, ReceiptSigner, TrustText, export_root,
    forget_root, signer_for_product, signer_for_receipts, trust,
};
pub use hosts::{DelegateHost, FloatingHost, delegate_host, hosts};
pub use key_sets::{
    AskKeySet, KeysView, RevokeKey, RotateKey, Rotated, SIGN_AGAIN_JOB, SunsetProduct,
    UploadKeySet, find_key_set, keys, revoke_key, rotate_key, sign_again, sunset_product,
    upload_key_set,
};
pub use lists::{AskList, Listed, find_list, sign_list};
pub use model::{Activation, Code, Grant, License, LicenseState, LicenseView, LicensingError};
pub use ops::{
    Issued, Licenses, Redeem, Reinstate, Revoke, by_id, by_source, claim, issue, list, newest_of,
    redeem, reinstate, reveal_code, revoke, view,
};
pub use receipts::{receipt, receipt_of};
pub use renew::{Renewal, Revision, Suspended, renew, restore, revise, suspend};
pub use seats::{AskTime, Carried, GiveBack, answer_time, give_back};
pub use unpaid::{Unpaid, follow_money};
