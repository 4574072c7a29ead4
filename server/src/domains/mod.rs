//! The domains, each line may use the ones below it.

pub mod webhooks;
pub mod payouts;
pub mod answers;
pub mod fulfilment;
pub mod subscriptions;
pub mod refunds;
pub mod billing;
pub mod gifts;
pub mod orders;
pub mod carts;
pub mod meters;
pub mod access;
pub mod metering;
pub mod licensing;
pub mod transparency;
pub mod invoicing;
pub mod affiliates;
pub mod promotions;
pub mod fees;
pub mod ledger;
pub mod bundles;
pub mod catalog;
pub mod payments;
pub mod taxes;
pub mod accounts;
pub mod tenants;
