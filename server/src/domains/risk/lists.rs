//! Use cases of the allow list and the block list.

use super::ask::short;
use super::hash::{domain_hash, masked_mail, masked_network, network_hash};
use super::model::{EntryKind, MAX_BLOCK_MS, RiskError, Side};
use super::sql::{entries, log};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::{accounts, promotions};
use mintreu::Timestamp;
use mintreu::id::{AccountId, ProductId, RiskDecisionId, RiskEntryId};

/// Whom or what an entry names.
#[derive(Debug, Clone)]
pub enum Known {
    /// As somebody typed it: an address, a domain, an id.
    Typed(String),
    /// As it stands in the decision log.
    Decision(RiskDecisionId),
}

/// Writes an entry of a list.
#[derive(Debug, Clone)]
pub struct AddEntry {
    /// Which list.
    pub side: Side,
    /// What kind of thing it names.
    pub kind: EntryKind,
    /// Which.
    pub known: Known,
    /// Why, 1 to 500 characters.
    pub reason: String,
    /// Until when, at most a year ahead; `None` for as long as nobody takes it back.
    pub ends_at: Option<Timestamp>,
}

impl Command for AddEntry {
    const NAME: &'static str = "risk.add_entry";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(format!("{}:{}", self.side.code(), self.kind.code()))
    }
}

/// See [`AddEntry`]; answers the entry's id.
pub fn add_entry(cx: &mut Cx<'_>, cmd: &AddEntry) -> Result<String, RiskError> {
    let reason = cmd.reason.trim();
    if !(1..=500).contains(&reason.chars().count()) {
        return Err(RiskError::Entry("reason"));
    }
    let ahead = |end: Timestamp| end > cx.now && end <= cx.now.plus_ms(MAX_BLOCK_MS);
    if !cmd.ends_at.is_none_or(ahead) {
        return Err(RiskError::Entry("ends_at"));
    }
    let (key, label) = match &cmd.known {
        Known::Typed(text) => typed(cx, cmd.kind, text.trim())?,
        Known::Decision(id) => of_decision(cx, cmd.kind, *id)?,
    };
    let new = entries::NewEntry {
        id: cx.make_id(RiskEntryId::from_bytes),
        side: cmd.side,
        kind: cmd.kind,
        key: &key,
        label: &label,
        reason,
        rule: None,
        set_by: cx.caller.account,
        ends_at: cmd.ends_at,
    };
    entries::insert(cx.tx, cx.caller.tenant, &new, cx.now)?;
    Ok(new.id.to_string())
}

/// A key and what its owner recognises it by.
type Named = (Vec<u8>, String);

fn typed(cx: &Cx<'_>, kind: EntryKind, text: &str) -> Result<Named, RiskError> {
    let (keys, tenant) = (cx.keys, cx.caller.tenant);
    let named = match kind {
        EntryKind::Mail => accounts::Email::parse(text).ok().map(|email| {
            let hash = promotions::address_hash(keys, tenant, email.as_str());
            (hash.to_vec(), masked_mail(email.as_str()))
        }),
        EntryKind::Domain => {
            // A domain is what could stand behind the sign of an address.
            let domain = text.trim_start_matches('@').to_lowercase();
            let sound = accounts::Email::parse(&format!("a@{domain}")).is_ok();
            let hash = domain_hash(keys, tenant, &domain).filter(|_| sound);
            hash.map(|hash| (hash.to_vec(), domain))
        }
        EntryKind::Network => {
            let hash = network_hash(keys, tenant, text);
            hash.map(|hash| hash.to_vec()).zip(masked_network(text))
        }
        EntryKind::Account | EntryKind::Seller => AccountId::parse(text)
            .ok()
            .map(|id| (id.as_bytes().to_vec(), id.to_string())),
        EntryKind::Product => ProductId::parse(text)
            .ok()
            .map(|id| (id.as_bytes().to_vec(), id.to_string())),
    };
    named.ok_or(RiskError::Entry("value"))
}

fn of_decision(cx: &mut Cx<'_>, kind: EntryKind, id: RiskDecisionId) -> Result<Named, RiskError> {
    let found = log::find_decision(cx.tx, cx.caller.tenant, id)?;
    let decision = found.ok_or(RiskError::NotFound("decision"))?;
    let key = match kind {
        EntryKind::Mail => decision.buyer,
        EntryKind::Domain => decision.domain,
        EntryKind::Network => decision.network,
        EntryKind::Account | EntryKind::Product | EntryKind::Seller => None,
    };
    let key = key.ok_or(RiskError::Entry("kind"))?;
    let label = short(&key);
    Ok((key, label))
}

/// Takes an entry back: what it blocked is no longer blocked. Again changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct LiftEntry {
    /// Which.
    pub entry: RiskEntryId,
}

impl Command for LiftEntry {
    const NAME: &'static str = "risk.lift_entry";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.entry.to_string())
    }
}

/// See [`LiftEntry`].
pub fn lift_entry(cx: &mut Cx<'_>, cmd: &LiftEntry) -> Result<(), RiskError> {
    let tenant = cx.caller.tenant;
    let found = entries::find(cx.tx, tenant, cmd.entry)?;
    found.ok_or(RiskError::NotFound("entry"))?;
    let by = (cmd.entry, cx.caller.account);
    Ok(entries::lift(cx.tx, tenant, by, cx.now)?)
}
