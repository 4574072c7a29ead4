//! Use cases of the catalog.

mod browse;
pub(super) mod placing;
mod prices;
mod products;
mod search;
pub(super) mod shop;

pub use browse::{
    Categories, Home, OwnProduct, ProductAt, SellerProducts, categories, home, listing, offered_at,
    own_product, product_at, seller_products,
};
pub use prices::{
    AddPrice, ChangePrice, PriceVersions, SwitchPrice, add_price, change_price, price_versions,
    switch_price,
};
pub(crate) use products::COUNTS;
pub use products::{
    ArchiveProduct, CreateProduct, PublishProduct, UpdateProduct, archive_product, create_product,
    publish_product, update_product,
};
pub use search::search;
pub use shop::{AddCategory, OpenShop, OwnShop, add_category, has_categories, open_shop, own_shop};

use super::model::{FieldError, Standing};
use crate::caller::Denied;
use crate::store::StoreError;

/// What a use case of the catalog refuses.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// There is no such thing here, or it is somebody else's.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It was for sale and isn't any more.
    #[error("this is no longer for sale; what was bought of it stays valid")]
    Gone,
    /// Mistakes, each at its field.
    #[error("{}", .0.first().map_or("the input is wrong", |first| first.detail.as_str()))]
    Invalid(Vec<FieldError>),
    /// The caller has not opened a shop yet.
    #[error("open a shop before selling")]
    ShopMissing,
    /// The seller's account is suspended or closed.
    #[error("your account is {}; nothing can be put up for sale", .0.name())]
    Stopped(Standing),
    /// The cursor is not one that this list answered.
    #[error("the cursor does not belong to this list; start from its first page")]
    CursorUnknown,
    /// The caller may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CatalogError {
    /// One mistake at one field.
    fn field(field: &'static str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            field,
            code,
            detail: detail.into(),
        }])
    }
}
