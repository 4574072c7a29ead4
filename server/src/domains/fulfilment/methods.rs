//! One's own payment methods with what is charged to each, and having one forgotten.

use super::model::FulfilmentError;
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::catalog;
use crate::domains::licensing;
use crate::domains::methods::{self, Method, MyMethods};
use crate::domains::subscriptions;
use crate::store::{StoreError, Tx};
use mintreu::id::{MethodId, TenantId};

/// Asks for one's own methods.
#[derive(Debug, Clone, Copy)]
pub struct MethodsPage;

/// A method and what is charged to it.
#[derive(Debug, Clone)]
pub struct MethodView {
    /// The method.
    pub method: Method,
    /// The names of products whose subscription or use is charged to it.
    pub pays: Vec<String>,
}

/// The caller's methods, the newest first.
pub fn methods_page(
    cx: &mut ReadCx<'_>,
    _: &MethodsPage,
) -> Result<Vec<MethodView>, FulfilmentError> {
    let own = methods::my_methods(cx, &MyMethods)?;
    let view = |method: Method| {
        let pays = pays(cx.tx, cx.caller.tenant, &method)?;
        Ok(MethodView { method, pays })
    };
    own.into_iter().map(view).collect()
}

/// Has a method forgotten.
#[derive(Debug, Clone, Copy)]
pub struct RemoveMethod {
    /// One of the caller's.
    pub method: MethodId,
}

impl Command for RemoveMethod {
    const NAME: &'static str = "fulfilment.remove_method";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.method.to_string())
    }
}

/// Removes it, unless something is charged to it: that would only be found out by a declined payment.
pub fn remove_method(cx: &mut Cx<'_>, cmd: &RemoveMethod) -> Result<(), FulfilmentError> {
    let charged = |cx: &mut Cx<'_>, method: &Method| {
        let pays = pays(cx.tx, cx.caller.tenant, method)?;
        Ok((!pays.is_empty()).then(|| pays.join(", ")))
    };
    Ok(methods::forget(cx, cmd.method, charged)?)
}

/// The names of what is charged to a method.
fn pays(tx: &mut dyn Tx, tenant: TenantId, method: &Method) -> Result<Vec<String>, StoreError> {
    let mut products = subscriptions::charged_to(
        tx,
        tenant,
        (method.account, &method.provider, &method.kept.name),
    )?;
    for agreed in sql::automatic_of(tx, tenant, method.account)? {
        if agreed.provider == method.provider && agreed.method == method.kept.name {
            let license = licensing::by_id(tx, tenant, agreed.license)?;
            products.extend(license.map(|license| license.product));
        }
    }
    products.dedup();
    let mut names = Vec::new();
    for product in products {
        names.extend(catalog::product(tx, tenant, product)?.map(|product| product.name));
    }
    Ok(names)
}
