//! Proofs of stored nodes: each reads as many rows as the tree has levels, or twice that.

use super::model::LogError;
use super::sql;
use crate::app::ReadCx;
use crate::store::Tx;
use mintreu::id::{LicenseId, TenantId};
use mintreu::log::{Hash, LogReceipt, Plan};

/// The most leaves of one answer.
const MAX_ENTRIES: u64 = 1000;

/// Two sizes, or a range of leaves.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// The smaller size, or the first leaf.
    pub from: u64,
    /// The larger size, or the first leaf no longer meant.
    pub to: u64,
}

impl Range {
    fn check(self, size: u64) -> Result<Self, LogError> {
        if self.from > self.to {
            return Err(LogError::Range("from is beyond to"));
        }
        if self.to > size {
            return Err(LogError::Range("to is beyond the newest head"));
        }
        Ok(self)
    }
}

fn newest(tx: &mut dyn Tx, tenant: TenantId) -> Result<u64, LogError> {
    let head = sql::find_head(tx, tenant, None)?;
    Ok(head.map_or(0, |head| head.size))
}

fn path(tx: &mut dyn Tx, tenant: TenantId, plan: &Plan) -> Result<Vec<Hash>, LogError> {
    Ok(plan.path(|node| sql::find_node(tx, tenant, node))?)
}

/// The proof that the tree of size `to` begins with that of `from`.
pub fn consistency(cx: &mut ReadCx<'_>, range: &Range) -> Result<Vec<Hash>, LogError> {
    let tenant = cx.caller.tenant;
    let Range { from, to } = range.check(newest(cx.tx, tenant)?)?;
    let plan = mintreu::log::consistency(from, to).map_err(LogError::Broken)?;
    path(cx.tx, tenant, &plan)
}

/// The hashes of at most a thousand leaves.
pub fn entries(cx: &mut ReadCx<'_>, range: &Range) -> Result<Vec<Hash>, LogError> {
    let tenant = cx.caller.tenant;
    let Range { from, to } = range.check(newest(cx.tx, tenant)?)?;
    if to - from > MAX_ENTRIES {
        return Err(LogError::Range("at most 1000 leaves at once"));
    }
    Ok(sql::leaf_hashes(cx.tx, tenant, from, to)?)
}

/// Which license's receipt: its id, and the hash of its document.
#[derive(Debug, Clone, Copy)]
pub struct ReceiptWanted {
    /// The license.
    pub license: LicenseId,
    /// Its document.
    pub document: Hash,
}

/// The receipt of a license under the newest head; whoever calls this knows who may have it.
pub fn receipt(cx: &mut ReadCx<'_>, wanted: &ReceiptWanted) -> Result<LogReceipt, LogError> {
    let tenant = cx.caller.tenant;
    let found = sql::find_leaf(cx.tx, tenant, wanted.license, &wanted.document)?;
    let (leaf, placed) = found.ok_or(LogError::NotFound)?;
    let own = placed.ok_or(LogError::Pending)?;
    let head = sql::find_head(cx.tx, tenant, None)?.ok_or(LogError::Pending)?;
    let plan = mintreu::log::inclusion(own.index, head.size).map_err(LogError::Broken)?;
    Ok(LogReceipt {
        leaf,
        index: own.index,
        path: path(cx.tx, tenant, &plan)?,
        head: head.document,
    })
}
