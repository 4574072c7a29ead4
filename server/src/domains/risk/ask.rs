//! What a checkout asks, and how it is written down.

use super::model::{
    Action, Block, By, Counts, Decision, EntryKind, Looked, Mode, Outcome, RiskError, Rule, Side,
    Step, strongest,
};
use super::ops::all_rules;
use super::review;
use super::sql::{entries, log};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::{accounts, catalog, promotions};
use crate::queue;
use crate::store::StoreError;
use mintreu::id::{AccountId, OrderId, PaymentId, ProductId, RiskDecisionId, RiskEntryId};
use mintreu::{Money, Timestamp};
use serde::{Deserialize, Serialize};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long what was tried and decided is kept.
const KEPT_MS: i64 = 90 * DAY_MS;
/// Rows that one job forgets.
const FORGOTTEN: i64 = 5_000;

/// A purchase, as far as risk looks at it.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// When it is asked.
    pub step: Step,
    /// Who buys.
    pub buyer: &'a promotions::Buyer,
    /// See [`super::domain_hash`].
    pub domain: Option<[u8; 32]>,
    /// See [`super::network_hash`].
    pub network: Option<[u8; 32]>,
    /// Seller, product and price of each line.
    pub lines: Vec<(AccountId, ProductId, Money)>,
    /// What is paid in all.
    pub total: Money,
}

/// One thing that a rule counts by, with the money that this purchase adds to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// `buyer`, `account`, `network`, `product` or `seller`.
    pub by: &'static str,
    /// Sixteen bytes of an id, or a keyed hash.
    pub bytes: Vec<u8>,
    /// How it is blocked.
    pub kind: EntryKind,
    /// This purchase's money by it.
    pub amount: Money,
}

impl Asked<'_> {
    /// Everything that this purchase is counted by, each once.
    pub(super) fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        let mut add = |by: &'static str, kind: EntryKind, bytes: &[u8], amount: Money| {
            let known = keys
                .iter_mut()
                .find(|key| key.by == by && key.bytes == bytes);
            match known {
                Some(key) => {
                    key.amount = key.amount.checked_add(amount).unwrap_or(key.amount);
                }
                None => keys.push(Key {
                    by,
                    bytes: bytes.to_vec(),
                    kind,
                    amount,
                }),
            }
        };
        if let Some(address) = &self.buyer.address {
            add("buyer", EntryKind::Mail, address, self.total);
        }
        if let Some(account) = &self.buyer.account {
            add(
                "account",
                EntryKind::Account,
                account.as_bytes(),
                self.total,
            );
        }
        if let Some(network) = &self.network {
            add("network", EntryKind::Network, network, self.total);
        }
        for (seller, product, amount) in &self.lines {
            add("product", EntryKind::Product, product.as_bytes(), *amount);
            add("seller", EntryKind::Seller, seller.as_bytes(), *amount);
        }
        keys
    }
}

/// Decides whether a purchase may go on. Nothing is written: see [`keep`] and [`note_refusal`].
pub fn ask(cx: &mut Cx<'_>, asked: &Asked<'_>) -> Result<Decision, StoreError> {
    let keys = asked.keys();
    let mut decision = Decision {
        id: cx.make_id(RiskDecisionId::from_bytes),
        step: asked.step,
        outcome: Outcome::Allow,
        shadow: None,
        order: None,
        buyer: asked.buyer.address.map(Vec::from),
        domain: asked.domain.map(Vec::from),
        network: asked.network.map(Vec::from),
        total: asked.total,
        entry: None,
        looked: Vec::new(),
        blocks: Vec::new(),
        at: cx.now,
    };
    if let Some((side, entry)) = listed(cx, asked, &keys)? {
        decision.entry = Some(entry);
        decision.outcome = match side {
            Side::Allow => Outcome::Allow,
            Side::Block => Outcome::Refuse,
        };
        return Ok(decision);
    }
    for rule in all_rules(cx.tx, cx.caller.tenant)? {
        if rule.terms.mode != Mode::Off {
            look(cx, asked, &keys, &rule, &mut decision)?;
        }
    }
    (decision.outcome, decision.shadow) = strongest(&decision.looked);
    if decision.outcome == Outcome::Review && asked.total.minor() == 0 {
        // There is no money to hold.
        decision.outcome = Outcome::Allow;
    }
    Ok(decision)
}

/// The list that names something of this purchase; the allow list first.
fn listed(
    cx: &mut Cx<'_>,
    asked: &Asked<'_>,
    keys: &[Key],
) -> Result<Option<(Side, RiskEntryId)>, StoreError> {
    let mut named: Vec<(EntryKind, &[u8])> = keys
        .iter()
        .map(|key| (key.kind, key.bytes.as_slice()))
        .collect();
    if let Some(domain) = &asked.domain {
        named.push((EntryKind::Domain, domain.as_slice()));
    }
    let mut found = None;
    // Who was blocked by an address is so whatever address the account has now.
    for before in former(cx, asked)? {
        if let Some(blocked @ (Side::Block, _)) =
            entries::active(cx.tx, cx.caller.tenant, (EntryKind::Mail, &before), cx.now)?
        {
            found = found.or(Some(blocked));
        }
    }
    for (kind, key) in named {
        match entries::active(cx.tx, cx.caller.tenant, (kind, key), cx.now)? {
            Some((Side::Allow, entry)) => return Ok(Some((Side::Allow, entry))),
            Some(blocked) => found = found.or(Some(blocked)),
            None => {}
        }
    }
    Ok(found)
}

/// Keyed hashes of the addresses that the buyer's account had before.
fn former(cx: &mut Cx<'_>, asked: &Asked<'_>) -> Result<Vec<[u8; 32]>, StoreError> {
    let Some(account) = asked.buyer.account else {
        return Ok(Vec::new());
    };
    let tenant = cx.caller.tenant;
    let before = accounts::address::former_addresses(cx.tx, tenant, account)?;
    let hash = |email: &accounts::Email| promotions::address_hash(cx.keys, tenant, email.as_str());
    Ok(before.iter().map(hash).collect())
}

/// Counts what one rule counts, by each key that it counts by, and keeps the highest.
fn look(
    cx: &mut Cx<'_>,
    asked: &Asked<'_>,
    keys: &[Key],
    rule: &Rule,
    decision: &mut Decision,
) -> Result<(), StoreError> {
    let terms = &rule.terms;
    let mut highest: Option<(i64, &Key)> = None;
    for key in keys.iter().filter(|key| is_by(terms.by, key)) {
        if !is_young(cx, rule, key)? {
            continue;
        }
        let Some(count) = count(cx, asked, rule, key)? else {
            continue;
        };
        if highest.is_none_or(|(most, _)| most < count) {
            highest = Some((count, key));
        }
    }
    let Some((count, key)) = highest else {
        return Ok(());
    };
    let looked = Looked {
        rule: rule.id.to_string(),
        name: terms.name.clone(),
        count,
        threshold: terms.threshold,
        action: terms.action,
        mode: terms.mode,
    };
    if let Some(ms) = terms.block_ms
        && looked.fired()
        && terms.mode == Mode::Live
        && terms.action == Action::Refuse
    {
        decision.blocks.push(Block {
            kind: key.kind,
            key: key.bytes.clone(),
            rule: rule.id,
            why: terms.name.clone(),
            until: cx.now.plus_ms(ms),
        });
    }
    decision.looked.push(looked);
    Ok(())
}

fn is_by(by: By, key: &Key) -> bool {
    match by {
        By::Buyer => matches!(key.by, "buyer" | "account"),
        other => other.code() == key.by,
    }
}

/// Whether a rule about new shops is about this one.
fn is_young(cx: &mut Cx<'_>, rule: &Rule, key: &Key) -> Result<bool, StoreError> {
    let Some(days) = rule.terms.newer_than_days else {
        return Ok(true);
    };
    let Ok(id) = <[u8; 16]>::try_from(key.bytes.as_slice()) else {
        return Ok(false);
    };
    let seller = AccountId::from_bytes(id);
    let opened = catalog::shop_opened_at(cx.tx, cx.caller.tenant, seller)?;
    let since = cx.now.plus_ms(-days.saturating_mul(DAY_MS));
    Ok(opened.is_some_and(|opened| opened > since))
}

/// How many there are with this purchase; `None` when the rule isn't about such a one.
fn count(
    cx: &mut Cx<'_>,
    asked: &Asked<'_>,
    rule: &Rule,
    key: &Key,
) -> Result<Option<i64>, StoreError> {
    let terms = &rule.terms;
    let span = log::Span {
        tenant: cx.caller.tenant,
        key,
        since: cx.now.plus_ms(-terms.window_ms),
    };
    Ok(match terms.counts {
        Counts::Attempts => Some(log::tried(cx.tx, &span, "attempt")? + 1),
        Counts::Declines => Some(log::tried(cx.tx, &span, "decline")?),
        Counts::Addresses => match &asked.buyer.address {
            Some(own) => Some(log::addresses(cx.tx, &span, own)? + 1),
            None => None,
        },
        Counts::Free if asked.total.minor() == 0 => Some(log::free(cx.tx, &span)? + 1),
        Counts::Free => None,
        Counts::Spent if terms.currency == Some(asked.total.currency()) => {
            let before = log::spent(cx.tx, &span, asked.total.currency())?;
            Some(before.saturating_add(key.amount.minor()))
        }
        Counts::Spent => None,
        Counts::Own => Some(i64::from(is_own(cx, asked)?)),
    })
}

/// Whether the buyer's mail is one of the sellers'.
fn is_own(cx: &mut Cx<'_>, asked: &Asked<'_>) -> Result<bool, StoreError> {
    let Some(address) = asked.buyer.address else {
        return Ok(false);
    };
    let mut seen: Vec<AccountId> = Vec::new();
    for (seller, ..) in &asked.lines {
        if seen.contains(seller) {
            continue;
        }
        seen.push(*seller);
        if let Some(email) = accounts::email_of(cx.tx, cx.caller.tenant, *seller)?
            && promotions::address_hash(cx.keys, cx.caller.tenant, email.as_str()) == address
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes down what was let through, in the commit that places the order or opens its next payment.
pub fn keep(
    cx: &mut Cx<'_>,
    asked: &Asked<'_>,
    (decision, order): (&Decision, OrderId),
) -> Result<(), StoreError> {
    let tenant = cx.caller.tenant;
    let kept = Decision {
        order: Some(order),
        ..decision.clone()
    };
    log::insert_decision(cx.tx, tenant, &kept)?;
    for key in asked.keys() {
        let signal = log::Signal {
            what: "attempt",
            source: &kept.id.to_string(),
            by: key.by,
            key: &key.bytes,
            order,
            address: asked.buyer.address.as_ref().map(<[u8; 32]>::as_slice),
            amount: key.amount,
            free: asked.total.minor() == 0,
            at: cx.now,
        };
        log::insert_signal(cx.tx, tenant, &signal)?;
    }
    if decision.outcome == Outcome::Review {
        review::open(cx, order, decision)?;
    }
    Ok(())
}

/// Writes down what was refused. The refusal undid the transaction it was decided in, so this is a
/// commit of its own right after; a crash between the two loses the line, never the refusal.
#[derive(Debug, Clone)]
pub struct NoteRefusal {
    /// What was decided.
    pub decision: Decision,
}

impl Command for NoteRefusal {
    const NAME: &'static str = "risk.note_refusal";
    const CAPABILITY: Capability = Capability::Operate;
    /// The decision log keeps it.
    const AUDITED: bool = false;
}

/// See [`NoteRefusal`].
pub fn note_refusal(cx: &mut Cx<'_>, cmd: &NoteRefusal) -> Result<(), RiskError> {
    let (tenant, decision) = (cx.caller.tenant, &cmd.decision);
    log::insert_decision(cx.tx, tenant, decision)?;
    for block in &decision.blocks {
        let key = (block.kind, block.key.as_slice());
        if entries::active(cx.tx, tenant, key, cx.now)?.is_some() {
            continue;
        }
        let new = entries::NewEntry {
            id: cx.make_id(RiskEntryId::from_bytes),
            side: Side::Block,
            kind: block.kind,
            key: &block.key,
            label: &label_of(block.kind, &block.key),
            reason: &block.why,
            rule: Some(block.rule),
            set_by: None,
            ends_at: Some(block.until),
        };
        entries::insert(cx.tx, tenant, &new, cx.now)?;
    }
    let about = Refused {
        step: decision.step.code(),
        outcome: decision.outcome.code(),
    };
    crate::events::record(cx, "risk.refused", &decision.id.to_string(), &about)?;
    Ok(())
}

#[derive(Serialize)]
struct Refused {
    step: &'static str,
    outcome: &'static str,
}

/// What the owner recognises a key by: an id, or the beginning of a hash.
pub(super) fn label_of(kind: EntryKind, key: &[u8]) -> String {
    if let Ok(id) = <[u8; 16]>::try_from(key) {
        match kind {
            EntryKind::Account | EntryKind::Seller => return AccountId::from_bytes(id).to_string(),
            EntryKind::Product => return ProductId::from_bytes(id).to_string(),
            EntryKind::Domain | EntryKind::Mail | EntryKind::Network => {}
        }
    }
    short(key)
}

/// The first eight digits of a hash: enough to see that two are the same.
pub fn short(hash: &[u8]) -> String {
    hash.iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Counts a declined payment of an order, by all that its newest try was counted by; again changes
/// nothing. A renewal was never asked about, and counts nothing.
pub fn declined(cx: &mut Cx<'_>, order: OrderId, payment: PaymentId) -> Result<(), StoreError> {
    log::copy_declined(
        cx.tx,
        cx.caller.tenant,
        (order, &payment.to_string()),
        cx.now,
    )
}

/// The job that forgets what was tried and decided 90 days ago.
pub const FORGET_JOB: &str = "risk.forget";

/// The payload of [`FORGET_JOB`]; it carries nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct Forget {}

/// Plans to forget what is old.
pub fn plan_forget(cx: &mut Cx<'_>) -> Result<(), StoreError> {
    let now = cx.now;
    queue::enqueue(cx, FORGET_JOB, &Forget {}, now).map(drop)
}

/// Forgets decisions and what was counted 90 days ago, so many at a time.
pub fn forget(cx: &mut Cx<'_>, _: &Forget) -> Result<(), StoreError> {
    let before: Timestamp = cx.now.plus_ms(-KEPT_MS);
    let gone = log::forget(cx.tx, cx.caller.tenant, before, FORGOTTEN)?;
    if i64::try_from(gone).unwrap_or(i64::MAX) >= FORGOTTEN {
        plan_forget(cx)?;
    }
    Ok(())
}
