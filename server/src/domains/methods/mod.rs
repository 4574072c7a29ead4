//! Methods of payment that providers keep for accounts: cards and the like, by name.
//!
//! A method is left on a provider's page, alone (a setup) or with a payment whose page says that it
//! is kept. We hold the provider's name of it and what its owner knows it by; nothing that pays.
//!
//! # Invariants
//! * A method is its owner's: nobody else lists it, names it or has it forgotten.
//! * One method of a provider is one row, however often its provider tells of it.
//! * An account has at most [`MOST`], and begins few setups an hour, since who tries cards tries many.
//!
//! # Tables
//! `payment_method`, `payment_method_setup`.
//!
//! Start reading at [`ops`].

pub mod http;
pub mod model;
pub mod ops;
pub mod sql;

pub use model::{Chosen, MOST, Method, MethodError};
pub use ops::{
    BeginSetup, ChooseMethod, FORGET_JOB, ForgetPayload, MyMethods, begin_setup, choose_method,
    forget, forget_at_provider, keep_of_payment, label_of, my_methods, settle_setup,
};
