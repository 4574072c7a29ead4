//! Which rule a sale goes by.

use super::model::{Agreed, Rule, Scope};
use super::sql;
use crate::domains::catalog::Product;
use crate::domains::ledger::{FeePolicy, Traffic};
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::TenantId;
use std::collections::BTreeMap;

/// What rules are asked for, the nearest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(Vec<(Scope, String)>);

impl Subject {
    /// A product: itself, its developer, its categories each up to the top, the platform.
    pub fn product(product: &Product) -> Self {
        let mut all = vec![
            (Scope::Product, product.id.to_string()),
            (Scope::Developer, product.seller.account.to_string()),
        ];
        for category in &product.categories {
            all.extend(way_up(&category.path));
        }
        all.push((Scope::Platform, String::new()));
        Self(all)
    }

    /// What holds for `scope` and `subject` when nothing nearer is known.
    pub fn of(scope: Scope, subject: &str) -> Self {
        let mut all = match scope {
            Scope::Category => way_up(subject),
            Scope::Platform => Vec::new(),
            nearer => vec![(nearer, subject.to_owned())],
        };
        all.push((Scope::Platform, String::new()));
        Self(all)
    }
}

impl Subject {
    /// The same without its own rule: what holds when that ends.
    pub(super) fn without_first(&self) -> Self {
        let is_platform = self.0.len() == 1;
        Self(
            self.0
                .iter()
                .skip(usize::from(!is_platform))
                .cloned()
                .collect(),
        )
    }
}

/// `a/b`, then `a`; the root is the platform itself.
fn way_up(path: &str) -> Vec<(Scope, String)> {
    let mut steps = Vec::new();
    let mut rest = Some(path);
    while let Some(path) = rest.filter(|path| !path.is_empty()) {
        steps.push((Scope::Category, path.to_owned()));
        rest = path.rsplit_once('/').map(|(above, _)| above);
    }
    steps
}

/// Finds the shares of sales at one instant; what it looked up once, it remembers.
pub struct Resolver {
    tenant: TenantId,
    now: Timestamp,
    settings: FeePolicy,
    traffic: Traffic,
    known: BTreeMap<(Scope, String), Option<Rule>>,
}

impl Resolver {
    /// For sales of one traffic; `settings` answer when there is no rule at all.
    pub fn new(tenant: TenantId, now: Timestamp, settings: FeePolicy, traffic: Traffic) -> Self {
        Self {
            tenant,
            now,
            settings,
            traffic,
            known: BTreeMap::new(),
        }
    }

    /// The share of a product's sale.
    pub fn product(&mut self, tx: &mut dyn Tx, product: &Product) -> Result<Agreed, StoreError> {
        let rule = self.rule(tx, &Subject::product(product))?;
        Ok(Agreed::by(rule.as_ref(), self.settings, self.traffic))
    }

    /// The nearest rule in force; `None` for the settings.
    pub fn rule(&mut self, tx: &mut dyn Tx, subject: &Subject) -> Result<Option<Rule>, StoreError> {
        for key in &subject.0 {
            let found = match self.known.get(key) {
                Some(found) => found.clone(),
                None => {
                    let of = (key.0, key.1.as_str());
                    let found = sql::in_force(tx, self.tenant, of, self.now)?;
                    let found = found.filter(|rule| rule.policy.is_some());
                    self.known.insert(key.clone(), found.clone());
                    found
                }
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_asks_those_above_it_and_then_the_platform() {
        let Subject(all) = Subject::of(Scope::Category, "tools/build/rust");
        let told: Vec<_> = all
            .iter()
            .map(|(scope, text)| format!("{}:{text}", scope.code()))
            .collect();
        let expected = [
            "category:tools/build/rust",
            "category:tools/build",
            "category:tools",
            "platform:",
        ];
        assert_eq!(told, expected);
        assert_eq!(Subject::of(Scope::Platform, "").0.len(), 1);
    }
}
