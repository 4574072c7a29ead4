//! What a bank asks about: an order, or an invoice of usage.

use super::model::AnswerError;
use crate::caller::{Caller, Capability};
use crate::domains::accounts;
use crate::domains::invoicing::{self, Invoice};
use crate::domains::orders::{self, Order};
use crate::domains::refunds::PaidFor;
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, OrderLineId, TenantId};

/// What was sold.
pub(super) enum Matter {
    Order(Order),
    Usage(Invoice),
}

impl Matter {
    pub(super) fn find(
        tx: &mut dyn Tx,
        tenant: TenantId,
        of: PaidFor,
    ) -> Result<Self, AnswerError> {
        let found = match of {
            PaidFor::Order(order) => orders::find(tx, tenant, order)?.map(Self::Order),
            PaidFor::Invoice(invoice) => invoicing::by_id(tx, tenant, invoice)?.map(Self::Usage),
        };
        found.ok_or(AnswerError::NotFound)
    }

    /// The platform may answer for anybody, and a seller for what is all theirs.
    pub(super) fn may(&self, caller: &Caller) -> Result<(), AnswerError> {
        if caller.may(Capability::Administer) {
            return Ok(());
        }
        let own = |seller: AccountId| Some(seller) == caller.account;
        let (any, all) = match self {
            Self::Order(order) => {
                let mut sellers = order.lines.iter().map(|line| line.seller);
                (sellers.clone().any(own), sellers.all(own))
            }
            Self::Usage(invoice) => (own(invoice.seller), own(invoice.seller)),
        };
        match (any, all) {
            (false, _) => Err(AnswerError::NotFound),
            (true, false) => Err(AnswerError::NeedsPlatform),
            (true, true) => Ok(()),
        }
    }

    /// What it is called, and the line of an order that it is: the caller's own where they have one.
    pub(super) fn title(
        &self,
        caller: &Caller,
    ) -> Result<(String, Option<OrderLineId>), AnswerError> {
        let order = match self {
            Self::Order(order) => order,
            Self::Usage(invoice) => return Ok((invoice.number_text(), None)),
        };
        let own = |line: &&orders::Line| Some(line.seller) == caller.account;
        let mut lines = order.lines.iter();
        let line = lines.find(own).or_else(|| order.lines.first());
        let line = line.ok_or(AnswerError::NotFound)?;
        Ok((line.title.clone(), Some(line.id)))
    }

    pub(super) const fn paid_at(&self) -> Option<Timestamp> {
        match self {
            Self::Order(order) => order.paid_at,
            Self::Usage(invoice) => invoice.paid_at,
        }
    }

    /// Where the receipt went.
    pub(super) fn address(
        &self,
        tx: &mut dyn Tx,
        tenant: TenantId,
    ) -> Result<Option<String>, StoreError> {
        let (account, order) = match self {
            Self::Order(order) => (order.account, Some(order.id)),
            Self::Usage(invoice) => (invoice.customer, invoice.order),
        };
        match (account, order) {
            (Some(account), _) => {
                let email = accounts::email_of(tx, tenant, account)?;
                Ok(email.map(|email| email.as_str().to_owned()))
            }
            (None, Some(order)) => orders::contact_of(tx, tenant, order),
            (None, None) => Ok(None),
        }
    }
}
