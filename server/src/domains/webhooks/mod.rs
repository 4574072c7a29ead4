//! Webhooks: sellers' own servers, told of what happens to their products, orders and licenses.
//!
//! A fact of the outbox becomes a delivery for each endpoint of each seller it concerns, in the
//! commit that dispatches the fact. A job sends it, signed after the Standard Webhooks
//! specification, and notes what came of it; what fails is tried again for three days.
//!
//! # Invariants
//! * A fact makes one delivery for an endpoint, however often it is dispatched.
//! * Every try of a delivery, replays included, carries the same id: whoever is told twice can tell.
//! * A delivery's payload is what was true when the fact was dispatched, and never changes.
//! * Payloads hold ids and figures, nothing that identifies a buyer.
//! * Secrets are shown once and sealed at rest.
//! * What is sent goes to an address that was checked, and to no private one ([`crate::net`]).
//!
//! # Tables
//! `webhook_endpoint`, `webhook_secret`, `webhook_delivery`, `webhook_attempt`.
//!
//! Start reading at [`facts`] (which fact is which event), then [`deliver`]. To tell of another
//! fact, add its line to [`facts::TOLD`] and to docs/webhooks.md.

pub mod deliver;
pub mod facts;
pub mod http;
pub mod model;
pub mod ops;
pub mod replay;
pub mod sign;
pub mod sql;

pub use deliver::{
    Due, FORGET_JOB, Forget, NoteAttempt, Outgoing, SEND_JOB, SendJob, due, forget, note_attempt,
    on_fact, plan_forget,
};
pub use facts::{DISABLED as DISABLED_FACT, disabled_endpoint};
pub use model::{
    Attempt, Delivery, DeliveryState, Endpoint, Scheme, TryOutcome, WebhookError, retry_after_ms,
};
pub use ops::{
    ChangeEndpoint, CreateEndpoint, DeleteEndpoint, NewSecret, RotateSecret, change_endpoint,
    create_endpoint, delete_endpoint, endpoint, endpoints, find_endpoint, reseal, rotate_secret,
};
pub use replay::{
    Deliveries, DeliveriesPage, Replay, ReplayFailed, Replayed, TestEvent, deliveries, delivery,
    replay, replay_failed, send_test,
};
