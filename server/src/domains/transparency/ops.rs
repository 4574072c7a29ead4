//! Use cases of the log: let a leaf wait, give places, sign, and say what there is.

use super::key::log_key;
use super::model::{Head, Log, LogError, Own, Waiting};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::queue;
use crate::store::{StoreError, Tx};
use mintreu::document::{PublicKey, SigningKey};
use mintreu::id::{AccountId, TenantId};
use mintreu::log::{Frontier, Hash, Leaf, Part, TreeHead, peaks};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The job that gives waiting leaves their places.
pub const SEQUENCE_JOB: &str = "transparency.sequence";
/// Leaves of one commit: with their nodes about two hundred rows.
const BATCH: i64 = 64;
/// The most of a seller's leaves on one page.
const MAX_PAGE: i64 = 500;

/// Puts a license into the log, in the commit that issues it: `seller` sold it.
///
/// Its place it gets some moments later. Appending the same document again changes nothing.
pub fn append(cx: &mut Cx<'_>, seller: AccountId, leaf: Leaf) -> Result<(), StoreError> {
    let waiting = Waiting { seller, leaf };
    if sql::insert_leaf(cx.tx, cx.caller.tenant, &waiting, cx.now)? {
        // Not one job for all that wait: whoever appends next would contend for its row, and
        // what runs already might not see this leaf.
        queue::enqueue(cx, SEQUENCE_JOB, &Sequence {}, cx.now)?;
    }
    Ok(())
}

/// What the job carries: nothing, it takes what waits.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sequence {}

/// Gives leaves that wait their places and signs the new head. It runs alone in its tenant.
pub fn sequence(cx: &mut Cx<'_>, _: &Sequence) -> Result<(), LogError> {
    let tenant = cx.caller.tenant;
    let waiting = sql::waiting(cx.tx, tenant, BATCH)?;
    if waiting.is_empty() {
        return Ok(());
    }
    let mut tree = edge(cx.tx, tenant)?;
    let mut parts = BTreeMap::new();
    for one in &waiting {
        let hash = one.leaf.hash().map_err(LogError::Broken)?;
        let mut part: Frontier = match parts.remove(&one.seller) {
            Some(part) => part,
            None => sql::find_part(cx.tx, tenant, one.seller)?,
        };
        sql::place_leaf(cx.tx, tenant, one, tree.size(), part.size())?;
        part.push(hash).map_err(LogError::Broken)?;
        for (node, hash) in tree.push(hash).map_err(LogError::Broken)? {
            sql::insert_node(cx.tx, tenant, node, &hash)?;
        }
        parts.insert(one.seller, part);
    }
    for (seller, part) in &parts {
        sql::store_part(cx.tx, tenant, *seller, part)?;
    }
    let key = log_key(cx)?;
    sign(cx, &key, tree.size(), tree.root())?;
    if i64::try_from(waiting.len()) == Ok(BATCH) {
        queue::enqueue(cx, SEQUENCE_JOB, &Sequence {}, cx.now)?;
    }
    Ok(())
}

/// The right edge of the tree under the newest head.
fn edge(tx: &mut dyn Tx, tenant: TenantId) -> Result<Frontier, LogError> {
    let size = sql::find_head(tx, tenant, None)?.map_or(0, |head| head.size);
    let hashes: Result<Vec<Hash>, StoreError> = peaks(size)
        .into_iter()
        .map(|node| sql::find_node(tx, tenant, node))
        .collect();
    Frontier::new(size, hashes?).map_err(LogError::Broken)
}

/// A log's name: the tenant's id, which never changes as hosts do.
fn origin(tenant: TenantId) -> String {
    tenant.to_string()
}

fn sign(cx: &mut Cx<'_>, key: &SigningKey, size: u64, root: Hash) -> Result<Head, LogError> {
    let tenant = cx.caller.tenant;
    let head = TreeHead::new(&origin(tenant), size, root, cx.now);
    let document = head.and_then(|head| head.issue(key));
    let head = Head {
        size,
        root,
        document: document.map_err(LogError::Broken)?,
        signed_at: cx.now,
    };
    sql::insert_head(cx.tx, tenant, &head)?;
    Ok(head)
}

/// Asks for the log's key and newest head.
#[derive(Debug, Clone, Copy)]
pub struct State;

impl Command for State {
    const NAME: &'static str = "transparency.state";
    const CAPABILITY: Capability = Capability::Browse;
    const AUDITED: bool = false;
}

/// The log's key and newest head; the first time, both are made.
pub fn state(cx: &mut Cx<'_>, _: &State) -> Result<Log, LogError> {
    let tenant = cx.caller.tenant;
    let key = log_key(cx)?;
    let head = match sql::find_head(cx.tx, tenant, None)? {
        Some(head) => head,
        None => sign(cx, &key, 0, Frontier::default().root())?,
    };
    Ok(Log {
        origin: origin(tenant),
        key: *key.public(),
        head,
    })
}

/// Which head is asked for.
#[derive(Debug, Clone, Copy)]
pub struct HeadWanted {
    /// By its size; `None` for the newest.
    pub size: Option<u64>,
}

/// A head that was signed before; `NotFound` for a size at which none was.
pub fn head(cx: &mut ReadCx<'_>, wanted: &HeadWanted) -> Result<Log, LogError> {
    let tenant = cx.caller.tenant;
    let head = sql::find_head(cx.tx, tenant, wanted.size)?;
    let key = sql::find_key(cx.tx, tenant)?;
    let (head, key) = head.zip(key).ok_or(LogError::NotFound)?;
    Ok(Log {
        origin: origin(tenant),
        key: PublicKey::from_bytes(&key.public).map_err(LogError::Broken)?,
        head,
    })
}

/// Asks for the log's word on which of its leaves are the caller's.
#[derive(Debug, Clone, Copy)]
pub struct StateOwn;

impl Command for StateOwn {
    const NAME: &'static str = "transparency.state_own";
    const CAPABILITY: Capability = Capability::Sell;
    const AUDITED: bool = false;
}

/// The newest head, signed with the caller's part of it.
pub fn statement(cx: &mut Cx<'_>, _: &StateOwn) -> Result<Log, LogError> {
    let seller = cx.caller.account.ok_or(LogError::NotFound)?;
    let mut log = state(cx, &State)?;
    let part = sql::find_part(cx.tx, cx.caller.tenant, seller)?;
    let key = log_key(cx)?;
    let signed = TreeHead::new(&log.origin, log.head.size, log.head.root, cx.now);
    let signed = signed.and_then(|mut head| {
        head.part = Some(Part {
            of: seller.to_string(),
            size: part.size(),
            root: part.root(),
        });
        head.issue(&key)
    });
    log.head.document = signed.map_err(LogError::Broken)?;
    log.head.signed_at = cx.now;
    Ok(log)
}

/// Which of the caller's own leaves.
#[derive(Debug, Clone, Copy)]
pub struct OwnWanted {
    /// From this place among them.
    pub from: u64,
    /// So many, at most five hundred.
    pub limit: i64,
}

/// The caller's own leaves, as a seller, in their order.
pub fn own(cx: &mut ReadCx<'_>, wanted: &OwnWanted) -> Result<Vec<Own>, LogError> {
    let denied = Denied {
        capability: Capability::Sell,
        signed_in: cx.caller.account.is_some(),
    };
    let seller = cx
        .caller
        .account
        .filter(|_| cx.caller.may(Capability::Sell));
    let whose = (cx.caller.tenant, seller.ok_or(denied)?);
    let most = wanted.limit.clamp(1, MAX_PAGE);
    Ok(sql::leaves_of_seller(cx.tx, whose, wanted.from, most)?)
}
