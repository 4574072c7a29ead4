//! Fulfilment: what must touch several domains in one commit.
//!
//! A checkout places an order and expects its payment; when nothing is to be paid it is fulfilled
//! at once. The provider's page is asked for between transactions. What a provider says arrives
//! as a row and a job; the job settles the payment, moves the order, posts the sale, issues the
//! licenses and begins to bill usage, all in one commit.
//!
//! # Invariants
//! * An order is paid, its sale is posted and its licenses exist in the same commit, or none is.
//! * A payment event is settled once; replays, reorderings and double deliveries change nothing.
//! * What can't happen is recorded as a fact and left for a person, never guessed.
//! * An invoice of usage is charged by itself only where its customer agreed to that, one attempt at a time.
//! * What is given is handed over when it is claimed, once, and its keys are never the buyer's to see.
//! * A quote is charged as it was shown, for one order, or it is refused with what changed.
//!
//! # Tables
//! `quote_use`, `order_consent`, `automatic_payment`.
//!
//! Start reading at [`mod@checkout`], then [`settle`]; the way through the gateway is in [`flow`].

pub mod automatic;
pub mod bought;
pub mod checkout;
pub mod claim;
pub mod confirm;
pub mod example;
pub mod flow;
pub mod gifts;
pub mod http;
pub mod methods;
pub mod model;
pub mod pages;
pub mod papers;
pub mod pay;
pub mod promise;
pub mod quote;
pub mod settle;
pub mod review;
mod risk_asked;
mod variance;
mod sql;

pub use automatic::{
    AgreeToPay, AutomaticPayment, CHARGE_AGAIN_JOB, DECLINED_FACT, EndAutomaticPayment, PayWith,
    agree_to_pay, automatic_payment, charge_again, end_automatic_payment, on_fact,
};
pub use bought::{Bought, BoughtPage, bought};
pub use checkout::{
    Checkout, CheckoutPlaced, EXPIRE_JOB, ExpirePayload, RetryPayment, checkout, expire,
    retry_payment,
};
pub use claim::{ClaimOrder, claim, consents_of, waiver_of};
pub use confirm::{Confirm, confirm};
pub use flow::{
    Bid, PayUsage, Purchase, Started, confirm_quote, limit_confirms, order_path, pay_again,
    pay_usage, promise_of, quote_of, start, whereabouts,
};
pub use gifts::{
    ClaimGift, CorrectGift, GiftPage, GiftView, ViewGift, claim_gift, correct_gift, gift_page,
    send_gift,
};
pub use methods::{MethodView, MethodsPage, RemoveMethod, methods_page, remove_method};
pub use model::{FulfilmentError, Network};
pub use pages::{
    LicensePage, OrderPage, RevealCode, ViewLicense, ViewOrder, license_page, order_page,
    reveal_code,
};
pub use papers::{
    AddBuyer, CreditPaper, InvoicePaper, ViewCredit, ViewInvoice, ViewInvoices, add_buyer,
    credit_paper, invoice_paper, invoices_of_order,
};
pub use pay::{PayInvoice, Paying, pay_invoice};
pub use promise::{Change, Figure, Promise};
pub use quote::{AskQuote, Basis, Item, Quoted, Wanted, quote};
pub use review::{DecideReview, decide_review};
pub use settle::settle_payment;
