//! SQL of the payouts' tables.

pub mod events;
pub mod payouts;
pub mod runs;
pub mod settings;

use crate::store::{Row, StoreError};
use mintreu::{Currency, Money};

fn currency(row: &Row) -> Result<Currency, StoreError> {
    let code = row.text("currency")?;
    Currency::parse(&code).map_err(|error| StoreError::shape(error.to_string()))
}

fn money(row: &Row) -> Result<Money, StoreError> {
    Ok(Money::new(row.int("amount_minor")?, currency(row)?))
}
