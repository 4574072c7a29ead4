//! A cart. Pure.

use crate::caller::Denied;
use crate::domains::bundles::Offered;
use crate::domains::catalog::Offer;
use crate::store::StoreError;
use mintreu::id::{AccountId, CartId, PriceId};
use mintreu::{Currency, Money, Timestamp};

/// Whose cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The one live cart of an account.
    Account(AccountId),
    /// A guest's, by its id.
    Guest(CartId),
    /// A guest who has none yet.
    Nobody,
}

/// One price in a cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CartLine {
    /// Which price.
    pub price: PriceId,
    /// How many.
    pub quantity: i64,
    /// What it is now; `None` when it is no longer for sale, or a bundle's price.
    pub offer: Option<Offer>,
    /// The bundle whose price it is, sold or not.
    pub bundle: Option<Offered>,
}

impl CartLine {
    /// What one costs, before codes; `None` when it is no longer for sale.
    pub fn unit(&self) -> Option<Money> {
        let bundle = self.bundle.as_ref().filter(|bundle| bundle.is_for_sale());
        let offer = self.offer.as_ref().map(|offer| offer.price.amount);
        offer.or(bundle.map(|bundle| bundle.price.amount))
    }

    /// What it costs, before codes; `None` when it is no longer for sale.
    pub fn amount(&self) -> Option<Money> {
        self.unit()?.checked_mul(self.quantity).ok()
    }

    /// What it is called, for as long as that is known.
    pub fn name(&self) -> Option<&str> {
        let offer = self.offer.as_ref().map(|offer| offer.product.name.as_str());
        offer.or(self
            .bundle
            .as_ref()
            .map(|bundle| bundle.bundle.name.as_str()))
    }

    /// Who sells it, and how they are called.
    pub fn seller(&self) -> Option<(AccountId, &str)> {
        match (&self.offer, &self.bundle) {
            (Some(offer), _) => {
                let seller = &offer.product.seller;
                Some((seller.account, seller.name.as_str()))
            }
            (None, Some(bundle)) => Some((bundle.bundle.seller, bundle.seller.as_str())),
            (None, None) => None,
        }
    }
}

/// A cart with its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart {
    /// The cart.
    pub id: CartId,
    /// Whose, when somebody is signed in.
    pub account: Option<AccountId>,
    /// Whether its owner wants to be reminded of it once.
    pub remind: bool,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// In the order in which they were put in.
    pub lines: Vec<CartLine>,
}

impl Cart {
    /// The currency of what is for sale in it.
    pub fn currency(&self) -> Option<Currency> {
        let mut units = self.lines.iter().filter_map(CartLine::unit);
        units.next().map(|unit| unit.currency())
    }

    /// The line of that price.
    pub fn line(&self, price: PriceId) -> Option<&CartLine> {
        self.lines.iter().find(|line| line.price == price)
    }
}

/// Why a cart could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum CartError {
    /// No such cart, or somebody else's.
    #[error("there is no such cart")]
    NotFound,
    /// The price is no longer for sale.
    #[error("this price is no longer for sale")]
    OfferGone,
    /// Too few or too many.
    #[error("the quantity must be between 1 and {}", super::ops::MAX_QUANTITY)]
    Quantity,
    /// It holds as much as a cart can.
    #[error("a cart holds at most {} products", super::ops::MAX_LINES)]
    Full,
    /// It holds prices in another currency.
    #[error("the cart holds prices in {cart}, and this one is in {wanted}; buy it by itself")]
    Currency {
        /// What is in it.
        cart: Currency,
        /// What was to be put in.
        wanted: Currency,
    },
    /// The product is the buyer's own.
    #[error("sellers can't buy their own products")]
    OwnProduct,
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
