//! Mail: facts from the outbox, told to the people they concern.
//!
//! A fact becomes a job (`notify.mail`) that names the fact and nothing else. The job looks up who
//! is concerned and what to say, renders it in their language as text and HTML, hands it to the
//! transport, and notes that it was sent. So no address and no sentence waits in the queue, a mail
//! server that is away costs only time, and a fact is told once.
//!
//! # Invariants
//! * Jobs hold ids; addresses are read when the mail is made and stored nowhere else.
//! * A mail of one fact about one subject is sent once, and so is one of a fact that recurs; should a crash fall between sending and
//!   noting, the second copy has the first one's Message-ID.
//! * Every sentence is a Fluent key; text and HTML say the same.
//!
//! # Tables
//! `mail`.
//!
//! Start reading at [`ops::compose`] and [`send::send_mail`]. Sellers' own servers are told by
//! [`hooks`]; what they are told is the domain `webhooks`'s.

mod address;
mod affiliates;
mod gifts;
pub mod hooks;
pub mod letter;
mod money;
pub mod ops;
mod review;
mod sellers;
pub mod send;
pub mod sql;
pub mod transport;
mod told;
mod usage;
mod wishes;

pub use hooks::send_webhook;
pub use ops::{MAIL_JOB, MailJob, is_told, on_fact};
pub use send::send_mail;
pub use transport::{MailOptions, Mailer, TransportError};
