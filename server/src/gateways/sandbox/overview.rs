//! What the provider knows, for its own page.

use super::ops::SandboxError;
use super::sql::objects::{self as rows, StoredObject};
use super::sql::{self, StoredSession};
use super::tell::Mode;
use crate::app::ReadCx;

/// Most payments shown.
const MOST: i64 = 50;

/// The newest payments, what came of them, and how webhooks leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// Each payment page with its refunds and disputes, the newest first.
    pub payments: Vec<(StoredSession, Vec<StoredObject>)>,
    /// How webhooks leave.
    pub mode: Mode,
    /// How many wait to be let go.
    pub held: usize,
}

/// Everything that the page shows.
pub fn overview(cx: &mut ReadCx<'_>, _query: &()) -> Result<Overview, SandboxError> {
    let tenant = cx.caller.tenant;
    let mut payments = Vec::new();
    for session in sql::recent(cx.tx, tenant, MOST)? {
        let objects = rows::of_session(cx.tx, tenant, &session.session)?;
        payments.push((session, objects));
    }
    Ok(Overview {
        payments,
        mode: rows::mode(cx.tx, tenant)?,
        held: rows::held(cx.tx, tenant)?.len(),
    })
}
