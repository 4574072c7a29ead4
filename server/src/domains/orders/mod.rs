//! Orders: what was offered, what was agreed, and where it stands.
//!
//! A line repeats the offer (title, price, terms) and how its money is divided, so that an order
//! reads the same for ever. Payment and licenses are other domains' business; `fulfilment` joins
//! them in one commit.
//!
//! # Invariants
//! * The price that the buyer saw is the price charged, or nothing is placed.
//! * [`next_state`] is total: every event in every state moves, changes nothing, or is refused.
//! * An order is seen by its account, by who holds its secret token, and by nobody else; a seller
//!   sees the lines of their own products.
//! * The secret token is derived, never stored; its hash is.
//! * E-mail addresses stand in `order_contact` alone.
//!
//! # Tables
//! `customer_order`, `order_contact`, `order_line`.
//!
//! Start reading at [`model`], then [`ops`].

pub mod bills;
pub mod consent;
pub mod http;
pub mod invoices;
pub mod model;
pub mod ops;
pub mod sql;

pub use bills::{PlaceBill, place_bill};
pub use consent::{Consent, ConsentKind, ConsentText, is_at_once};
pub use invoices::{Invoiced, invoice_order};
pub use model::{
    AccessToken, InBundle, Line, Order, OrderError, OrderEvent, OrderState, Quote, SplitAmounts,
    Step, next_state,
};
pub use ops::{
    Buyer, History, MAX_LINES, MAX_QUANTITY, NewLine, PlaceOrder, Sale, SalesPage, SalesQuery,
    SalesTotal, access_token, apply, by_id, contact, contact_of, divide, find, give, history,
    is_address, mark_disputed, newest_with_sellers, of_line, place, sales, seen_by, sellers_of,
    total, view,
};
