//! The demonstration shop: sellers, products of every kind, and people for each role.
//!
//! Everything is written by the use cases that people and programs use, each as the person who
//! would do it. The shop and its people are one commit, so that a demo has all of it or nothing
//! and a second start finds it there. Its past ([`mod@season`]) is told by moving the clock; orders
//! and usage of today ([`trade`]) follow while the server answers. What is sold is in `shop.toml`.
//!
//! Invariants
//! * Nothing here reaches the database but through a use case.
//! * Only `mintreu demo` and tests call it: everybody knows the password.

mod guard;
mod measure;
mod season;
mod trade;
mod travel;

pub use season::{PAST_MS, season, to_the_present};
pub use trade::trade;
pub use travel::travel;

use crate::app::{App, Command, Cx};
use crate::caller::{Caller, Capability, Denied, Role};
use crate::domains::accounts::password::{self, Password};
use crate::domains::accounts::{
    AccountError, BecomeDeveloper, Email, MakeAdminLink, SignUp, UseAdminLink, become_developer,
    make_admin_link, sign_up, use_admin_link,
};
use crate::domains::affiliates::AffiliateError;
use crate::domains::billing::BillingError;
use crate::domains::bundles::{self, BundleError, SaveBundle, save_bundle};
use crate::domains::catalog;
use crate::domains::catalog::model::ProductDraft;
use crate::domains::catalog::ops::{
    AddCategory, CatalogError, CreateProduct, OpenShop, PublishProduct, add_category,
    create_product, has_categories, open_shop, publish_product,
};
use crate::domains::fulfilment::FulfilmentError;
use crate::domains::licensing::LicensingError;
use crate::domains::metering::MeteringError;
use crate::domains::meters::MeterError;
use crate::domains::payouts::PayoutError;
use crate::domains::promotions::PromotionError;
use crate::domains::refunds::RefundError;
use crate::domains::risk::RiskError;
use crate::domains::subscriptions::SubscriptionError;
use crate::domains::tenants;
use crate::domains::wishes::{WishError, WithdrawalError};
use crate::gateways::sandbox::ops::SandboxError;
use crate::store::StoreError;
use mintreu::id::{AccountId, TenantId};
use serde::Deserialize;

/// Everybody's password in a demo.
pub const PASSWORD: &str = "look around freely";

/// Somebody to sign in as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// What to call them.
    pub name: &'static str,
    /// How they sign in.
    pub email: &'static str,
    /// What they are: `admin`, `developer` or `customer`.
    pub role: &'static str,
}

/// One person of each kind; `shop.toml` has the other developers.
pub const PEOPLE: &[Person] = &[
    Person {
        name: "Ines Marques",
        email: "ines@mintreu.example",
        role: "admin",
    },
    Person {
        name: "Tomasz Wrona",
        email: "tomasz@northbeam.example",
        role: "developer",
    },
    Person {
        name: "Priya Raman",
        email: "priya@customer.example",
        role: "customer",
    },
    Person {
        name: "Jonas Becker",
        email: "jonas@customer.example",
        role: "customer",
    },
];

const SHOP: &str = include_str!("shop.toml");

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shop {
    categories: Vec<(String, String)>,
    shops: Vec<Seller>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seller {
    owner: String,
    email: String,
    name: String,
    about: String,
    products: Vec<ProductDraft>,
    /// What is sold together; its products by their codes.
    #[serde(default)]
    bundles: Vec<bundles::Draft>,
}

/// Why a demo could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The shop's text, which is compiled in, can't be read.
    #[error("the demonstration shop can't be read: {0}")]
    Shop(#[from] toml::de::Error),
    /// The catalog refused something.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A bundle was refused.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// An account was refused.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The caller may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A purchase was refused.
    #[error(transparent)]
    Fulfilment(#[from] FulfilmentError),
    /// The sandbox refused a choice.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A license or an activation was refused.
    #[error(transparent)]
    Licensing(#[from] LicensingError),
    /// Usage was refused.
    #[error(transparent)]
    Metering(#[from] MeteringError),
    /// A meter or an event was refused.
    #[error(transparent)]
    Meter(#[from] MeterError),
    /// A bill was refused.
    #[error(transparent)]
    Billing(#[from] BillingError),
    /// A coupon was refused.
    #[error(transparent)]
    Promotion(#[from] PromotionError),
    /// A programme was refused.
    #[error(transparent)]
    Affiliate(#[from] AffiliateError),
    /// A subscription or a trial was refused.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// A refund was refused.
    #[error(transparent)]
    Refund(#[from] RefundError),
    /// Nothing could be seen of a withdrawal.
    #[error(transparent)]
    Withdrawal(#[from] WithdrawalError),
    /// A wish was refused.
    #[error(transparent)]
    Wish(#[from] WishError),
    /// Risk.
    #[error(transparent)]
    Risk(#[from] RiskError),
    /// A payout's account was refused.
    #[error(transparent)]
    Payout(#[from] PayoutError),
    /// A device's engine refused something.
    #[error(transparent)]
    Engine(#[from] mintreu::Error),
    /// A device's folder can't be written.
    #[error(transparent)]
    Folder(#[from] std::io::Error),
    /// Something that the steps before should have left isn't there.
    #[error("the demonstration lacks {0}")]
    Incomplete(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose account is whose, and in which tenant.
#[derive(Debug, Clone)]
pub struct People {
    tenant: TenantId,
    accounts: Vec<(String, AccountId)>,
}

impl People {
    /// The person with that address, signed in as a customer.
    pub fn caller(&self, email: &str) -> Result<Caller, SeedError> {
        let known = self.accounts.iter().find(|(known, _)| known == email);
        let (_, account) = known.ok_or(SeedError::Incomplete("a person"))?;
        Ok(Caller {
            tenant: self.tenant,
            account: Some(*account),
            roles: vec![Role::Customer],
        })
    }

    /// The platform's owner.
    pub fn owner(&self, email: &str) -> Result<Caller, SeedError> {
        let roles = vec![Role::Customer, Role::Admin];
        Ok(Caller {
            roles,
            ..self.caller(email)?
        })
    }

    /// The same person, as the developer they are.
    pub fn seller(&self, email: &str) -> Result<Caller, SeedError> {
        let roles = vec![Role::Customer, Role::Developer];
        Ok(Caller {
            roles,
            ..self.caller(email)?
        })
    }
}

/// Writes the shop and its people.
struct OpenDoors {
    shop: Shop,
    password_hash: String,
}

impl Command for OpenDoors {
    const NAME: &'static str = "demo.open_doors";
    const CAPABILITY: Capability = Capability::Operate;
}

/// Fills an empty shop and answers its people; `None` when there was something in it already.
pub async fn seed(app: &App) -> Result<Option<People>, SeedError> {
    let shop: Shop = toml::from_str(SHOP)?;
    let mut salt = [0; 16];
    (app.entropy)(&mut salt);
    // Hashed once for everybody: the password is printed on the sign-in page anyway.
    let hashed =
        tokio::task::spawn_blocking(move || password::hash(&Password::given(PASSWORD), salt));
    let password_hash = hashed
        .await
        .map_err(|error| StoreError::shape(error.to_string()))?;
    let command = OpenDoors {
        shop,
        password_hash,
    };
    app.transact(&Caller::system(tenants::DEFAULT), command, open_doors)
        .await
}

fn open_doors(cx: &mut Cx<'_>, command: &OpenDoors) -> Result<Option<People>, SeedError> {
    if has_categories(cx)? {
        return Ok(None);
    }
    for (path, name) in &command.shop.categories {
        let (path, name) = (path.clone(), name.clone());
        add_category(cx, &AddCategory { path, name })?;
    }
    let hash = &command.password_hash;
    let mut people = People {
        tenant: cx.caller.tenant,
        accounts: Vec::new(),
    };
    for seller in &command.shop.shops {
        let account = join(cx, &seller.owner, &seller.email, hash)?;
        fill_shop(cx, account, seller)?;
        people.accounts.push((seller.email.clone(), account));
    }
    for person in PEOPLE.iter().filter(|person| person.role != "developer") {
        let account = join(cx, person.name, person.email, hash)?;
        people.accounts.push((person.email.to_owned(), account));
        if person.role == "admin" {
            let token = make_admin_link(cx, &MakeAdminLink)?;
            let caller = signed_in(cx, account, &[Role::Customer]);
            use_admin_link(&mut acting(cx, &caller), &UseAdminLink { token })?;
            let owner = signed_in(cx, account, &[Role::Customer, Role::Admin]);
            guard::rules(&mut acting(cx, &owner))?;
        }
    }
    Ok(Some(people))
}

fn join(cx: &mut Cx<'_>, name: &str, email: &str, hash: &str) -> Result<AccountId, SeedError> {
    let guest = Caller::guest(cx.caller.tenant);
    let command = SignUp {
        email: Email::parse(email)?,
        name: name.to_owned(),
        password_hash: hash.to_owned(),
    };
    Ok(sign_up(&mut acting(cx, &guest), &command)?)
}

fn fill_shop(cx: &mut Cx<'_>, account: AccountId, seller: &Seller) -> Result<(), SeedError> {
    let caller = signed_in(cx, account, &[Role::Customer, Role::Developer]);
    let cx = &mut acting(cx, &caller);
    become_developer(cx, &BecomeDeveloper)?;
    let command = OpenShop {
        name: seller.name.clone(),
        about: seller.about.clone(),
    };
    open_shop(cx, &command)?;
    for draft in &seller.products {
        let draft = draft.clone();
        let product = create_product(cx, &CreateProduct { draft })?.id;
        publish_product(cx, &PublishProduct { product })?;
    }
    for draft in &seller.bundles {
        let mut draft = draft.clone();
        for code in &mut draft.products {
            let known = catalog::product_by_code(cx.tx, cx.caller.tenant, code)?;
            *code = known
                .ok_or(SeedError::Incomplete("a product"))?
                .id
                .to_string();
        }
        save_bundle(
            cx,
            &SaveBundle {
                bundle: None,
                draft,
            },
        )?;
    }
    Ok(())
}

fn signed_in(cx: &Cx<'_>, account: AccountId, roles: &[Role]) -> Caller {
    Caller {
        tenant: cx.caller.tenant,
        account: Some(account),
        roles: roles.to_vec(),
    }
}

/// The same commit, as somebody else.
fn acting<'b>(cx: &'b mut Cx<'_>, caller: &'b Caller) -> Cx<'b> {
    Cx {
        tx: &mut *cx.tx,
        now: cx.now,
        caller,
        keys: cx.keys,
        ids: &mut *cx.ids,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::catalog::model::{Kind, check};

    #[test]
    fn the_shop_is_sound_and_shows_every_kind() {
        let shop: Shop = toml::from_str(SHOP).unwrap();
        let products: Vec<&ProductDraft> = shop.shops.iter().flat_map(|s| &s.products).collect();
        assert!((25..=40).contains(&products.len()));
        for kind in Kind::ALL {
            assert!(products.iter().any(|draft| draft.kind == *kind), "{kind:?}");
        }
        for draft in products {
            assert_eq!(check(draft).map(|_| ()), Ok(()), "{}", draft.code);
            assert!(!draft.prices.is_empty(), "{}", draft.code);
            for path in &draft.categories {
                assert!(
                    shop.categories.iter().any(|(known, _)| known == path),
                    "{path}"
                );
            }
        }
    }

    #[test]
    fn everybody_can_sign_in() {
        let shop: Shop = toml::from_str(SHOP).unwrap();
        for person in PEOPLE {
            let email = Email::parse(person.email).unwrap();
            assert!(Password::choose(PASSWORD, &email).is_ok());
            let sells = shop.shops.iter().any(|seller| seller.email == person.email);
            assert_eq!(sells, person.role == "developer", "{}", person.email);
        }
    }
}
