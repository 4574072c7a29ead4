//! Use cases of rules: list, write, change, delete.

use super::built_in;
use super::model::{MAX_RULES, RiskError, Rule, Terms, check};
use super::sql::{self, Change};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::store::{StoreError, Tx};
use mintreu::id::{RiskRuleId, TenantId};

/// Writes a new rule.
#[derive(Debug, Clone)]
pub struct CreateRule {
    /// What it says.
    pub terms: Terms,
}

impl Command for CreateRule {
    const NAME: &'static str = "risk.create_rule";
    const CAPABILITY: Capability = Capability::Administer;
}

/// Changes what a rule says, from the next purchase on.
#[derive(Debug, Clone)]
pub struct ChangeRule {
    /// Which.
    pub rule: RiskRuleId,
    /// What it says from now on.
    pub terms: Terms,
}

impl Command for ChangeRule {
    const NAME: &'static str = "risk.change_rule";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.rule.to_string())
    }
}

/// Deletes a rule; a built-in one stays away too.
#[derive(Debug, Clone, Copy)]
pub struct DeleteRule {
    /// Which.
    pub rule: RiskRuleId,
}

impl Command for DeleteRule {
    const NAME: &'static str = "risk.delete_rule";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.rule.to_string())
    }
}

/// Whoever doesn't run the platform reads nothing of this.
pub(super) fn must_own(cx: &ReadCx<'_>) -> Result<(), RiskError> {
    let capability = Capability::Administer;
    let signed_in = cx.caller.account.is_some();
    match cx.caller.may(capability) {
        true => Ok(()),
        false => Err(Denied {
            capability,
            signed_in,
        }
        .into()),
    }
}

/// The rules of a shop: the built-in ones as they are or as they were changed, then its own.
pub(super) fn all_rules(tx: &mut dyn Tx, tenant: TenantId) -> Result<Vec<Rule>, StoreError> {
    let mut stored = sql::rules(tx, tenant)?;
    let mut rules = Vec::new();
    for shipped in built_in::rules() {
        match stored.iter().position(|one| one.id == shipped.id) {
            None => rules.push(shipped),
            Some(at) => {
                let changed = stored.remove(at);
                if !changed.deleted {
                    rules.push(Rule {
                        terms: changed.terms,
                        changed_at: Some(changed.changed_at),
                        ..shipped
                    });
                }
            }
        }
    }
    let own = stored.into_iter().filter(|one| !one.deleted);
    rules.extend(own.map(|one| Rule {
        id: one.id,
        terms: one.terms,
        built_in: None,
        changed_at: Some(one.changed_at),
    }));
    Ok(rules)
}

/// Every rule, the built-in ones first. For the owner.
pub fn rules(cx: &mut ReadCx<'_>, _: &()) -> Result<Vec<Rule>, RiskError> {
    must_own(cx)?;
    Ok(all_rules(cx.tx, cx.caller.tenant)?)
}

/// See [`CreateRule`]; answers the rule's id.
pub fn create_rule(cx: &mut Cx<'_>, cmd: &CreateRule) -> Result<String, RiskError> {
    let terms = check(&cmd.terms)?;
    if all_rules(cx.tx, cx.caller.tenant)?.len() >= MAX_RULES {
        return Err(RiskError::TooManyRules);
    }
    let id = cx.make_id(RiskRuleId::from_bytes);
    put(cx, (id, &terms), false)?;
    Ok(id.to_string())
}

/// See [`ChangeRule`].
pub fn change_rule(cx: &mut Cx<'_>, cmd: &ChangeRule) -> Result<(), RiskError> {
    let terms = check(&cmd.terms)?;
    known(cx, cmd.rule)?;
    put(cx, (cmd.rule, &terms), false)
}

/// See [`DeleteRule`].
pub fn delete_rule(cx: &mut Cx<'_>, cmd: &DeleteRule) -> Result<(), RiskError> {
    let rule = known(cx, cmd.rule)?;
    match rule.built_in {
        Some(_) => put(cx, (cmd.rule, &rule.terms), true),
        None => Ok(sql::drop_rule(cx.tx, cx.caller.tenant, cmd.rule)?),
    }
}

fn known(cx: &mut Cx<'_>, id: RiskRuleId) -> Result<Rule, RiskError> {
    let rules = all_rules(cx.tx, cx.caller.tenant)?;
    let found = rules.into_iter().find(|rule| rule.id == id);
    found.ok_or(RiskError::NotFound("rule"))
}

fn put(cx: &mut Cx<'_>, rule: (RiskRuleId, &Terms), deleted: bool) -> Result<(), RiskError> {
    let change = Change {
        who: cx.caller.account,
        now: cx.now,
        deleted,
    };
    Ok(sql::put_rule(cx.tx, cx.caller.tenant, rule, change)?)
}
