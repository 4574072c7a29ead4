//! Shops and the category tree.

use super::CatalogError;
use super::placing::Tree;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::catalog::model::{CategoryRef, Seller, Standing, slug_of};
use crate::domains::catalog::sql::{categories, sellers};
use mintreu::id::CategoryId;

/// Longest path of a category, in characters, and most levels.
const MAX_PATH: usize = 120;
const MAX_DEPTH: usize = 6;
/// How many times a taken slug is tried again with a number behind it.
const SLUG_TRIES: u32 = 50;

/// Shows the caller's account as a seller, or changes how it is shown.
#[derive(Debug, Clone, serde::Deserialize, utoipa::ToSchema)]
pub struct OpenShop {
    /// The public name.
    pub name: String,
    /// A sentence about the seller, possibly empty.
    #[serde(default)]
    pub about: String,
}

impl Command for OpenShop {
    const NAME: &'static str = "catalog.open_shop";
    const CAPABILITY: Capability = Capability::Sell;
}

/// See [`OpenShop`].
pub fn open_shop(cx: &mut Cx<'_>, command: &OpenShop) -> Result<Seller, CatalogError> {
    let account = cx.caller.account.ok_or(CatalogError::ShopMissing)?;
    let (name, about) = (command.name.trim(), command.about.trim());
    if !(1..=80).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(CatalogError::field(
            "name",
            "malformed",
            "a name of 1 to 80 characters",
        ));
    }
    if about.chars().count() > 300 {
        return Err(CatalogError::field(
            "about",
            "too_long",
            "at most 300 characters fit",
        ));
    }
    let tenant = cx.caller.tenant;
    let mut seller = Seller {
        account,
        slug: String::new(),
        name: name.to_owned(),
        about: about.to_owned(),
        claimed_at: Some(cx.now),
        standing: Standing::Active,
    };
    if let Some(known) = sellers::by_account(cx.tx, tenant, account)? {
        (seller.slug, seller.claimed_at) = (known.slug, known.claimed_at);
        seller.standing = known.standing;
        sellers::update(cx.tx, tenant, &seller)?;
        return Ok(seller);
    }
    insert_seller(cx, seller, None)
}

/// Inserts a seller under the first free slug of its name.
pub(crate) fn insert_seller(
    cx: &mut Cx<'_>,
    mut seller: Seller,
    origin: Option<&[u8]>,
) -> Result<Seller, CatalogError> {
    let base = match slug_of(&seller.name) {
        slug if slug.is_empty() => "seller".to_owned(),
        slug => slug,
    };
    for number in 1..=SLUG_TRIES {
        seller.slug = match number {
            1 => base.clone(),
            number => format!("{base}-{number}"),
        };
        if sellers::insert(cx.tx, cx.caller.tenant, &seller, origin, cx.now)? {
            return Ok(seller);
        }
    }
    Err(CatalogError::field(
        "name",
        "duplicate",
        "many sellers have this name; choose another",
    ))
}

/// The caller's own shop.
#[derive(Debug, Clone, Copy)]
pub struct OwnShop;

/// See [`OwnShop`]; `None` when the caller has none.
pub fn own_shop(cx: &mut ReadCx<'_>, _query: &OwnShop) -> Result<Option<Seller>, CatalogError> {
    let Some(account) = cx.caller.account else {
        return Ok(None);
    };
    Ok(sellers::by_account(cx.tx, cx.caller.tenant, account)?)
}

/// Adds a category below an existing one; adding it again changes nothing.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct AddCategory {
    /// Slugs from the top, joined by `/`: `design/images`.
    pub path: String,
    /// The name people see.
    pub name: String,
}

impl Command for AddCategory {
    const NAME: &'static str = "catalog.add_category";
    const CAPABILITY: Capability = Capability::Administer;
}

/// See [`AddCategory`].
pub fn add_category(cx: &mut Cx<'_>, command: &AddCategory) -> Result<CategoryRef, CatalogError> {
    let path = command.path.trim_matches('/');
    let words: Vec<&str> = path.split('/').collect();
    let sound = words
        .iter()
        .all(|word| crate::domains::catalog::model::is_slug(word))
        && words.len() <= MAX_DEPTH
        && path.len() <= MAX_PATH;
    if !sound {
        let detail = "slugs joined by /, at most six levels and 120 characters";
        return Err(CatalogError::field("path", "malformed", detail));
    }
    let name = command.name.trim();
    if !(1..=80).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(CatalogError::field(
            "name",
            "malformed",
            "a name of 1 to 80 characters",
        ));
    }
    let mut tree = Tree::default();
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let parent = match parent {
        "" => root(cx, &mut tree)?,
        path => tree
            .at(cx.tx, cx.caller.tenant, path)?
            .ok_or_else(|| CatalogError::field("path", "unknown", format!("add {path} first")))?,
    };
    add_below(cx, &mut tree, &parent, (path, name))
}

/// Whether anything has been set up yet.
pub fn has_categories(cx: &mut Cx<'_>) -> Result<bool, CatalogError> {
    Ok(categories::by_path(cx.tx, cx.caller.tenant, "")?.is_some())
}

/// The root, made when it is missing.
pub(crate) fn root(cx: &mut Cx<'_>, tree: &mut Tree) -> Result<CategoryRef, CatalogError> {
    if let Some(root) = tree.at(cx.tx, cx.caller.tenant, "")? {
        return Ok(root);
    }
    let root = CategoryRef {
        id: cx.make_id(CategoryId::from_bytes),
        path: String::new(),
        name: String::new(),
    };
    categories::insert(cx.tx, cx.caller.tenant, &root, None)?;
    tree.at(cx.tx, cx.caller.tenant, "")?
        .ok_or(CatalogError::NotFound("category"))
}

/// The category at `path`, made below `parent` when it is missing.
pub(crate) fn add_below(
    cx: &mut Cx<'_>,
    tree: &mut Tree,
    parent: &CategoryRef,
    (path, name): (&str, &str),
) -> Result<CategoryRef, CatalogError> {
    let tenant = cx.caller.tenant;
    if let Some(known) = tree.at(cx.tx, tenant, path)? {
        return Ok(known);
    }
    let category = CategoryRef {
        id: cx.make_id(CategoryId::from_bytes),
        path: path.to_owned(),
        name: name.to_owned(),
    };
    categories::insert(cx.tx, tenant, &category, Some(parent.id))?;
    tree.at(cx.tx, tenant, path)?
        .ok_or(CatalogError::NotFound("category"))
}
