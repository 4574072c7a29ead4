//! Carts: what somebody means to buy, of one seller or several, until they buy it.
//!
//! An account has one live cart. A guest's cart is known by its id, which a signed cookie holds;
//! who signs in takes it along. A cart holds prices and quantities only: what they cost is asked
//! of the catalog whenever it is shown, and agreed upon at the checkout.
//!
//! # Invariants
//! * At most fifty lines, one a price, all in one currency.
//! * An account's cart is seen and changed by that account alone; a guest's by who holds its id.
//! * Signing in loses nothing: what doesn't fit into the account's cart stays in the guest's.
//! * At most one reminder goes out for a cart, and only if its owner wished for it.
//!
//! # Tables
//! `cart`, `cart_line`.
//!
//! Start reading at [`ops`].

pub mod http;
pub mod model;
pub mod ops;
pub mod sql;

pub use model::{Cart, CartError, CartLine, Owner};
pub use ops::{
    Change, ChangeLine, MAX_LINES, MergeCart, Merged, REMIND_JOB, RemindPayload, WishReminder,
    change_line, count_cart, finish, merge_cart, remind, reminded, view_cart, wish_reminder,
};
