//! SQL of answers.

use super::model::{Answer, AnswerState, Known, Texts};
use crate::domains::refunds::DisputeState;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, DisputeId, TenantId};

const KEEP: &str = "\
INSERT INTO dispute_answer (tenant_id, dispute_id, stage, state, product_description,
    refund_policy, customer_communication, statement, gathered, by_default, answered_by,
    failure_code, opened_at, answered_at, settled_at)
VALUES (:tenant, :dispute, :stage, :state, :product, :policy, :communication, :statement,
    :gathered, :by_default, :by, :failure, :opened, :answered, :settled)
ON CONFLICT (tenant_id, dispute_id, stage) DO UPDATE SET state = excluded.state,
    product_description = excluded.product_description, refund_policy = excluded.refund_policy,
    customer_communication = excluded.customer_communication, statement = excluded.statement,
    gathered = excluded.gathered, by_default = excluded.by_default,
    answered_by = excluded.answered_by, failure_code = excluded.failure_code,
    answered_at = excluded.answered_at, settled_at = excluded.settled_at";

const OF_DISPUTE: &str = "\
SELECT dispute_id, stage, state, product_description, refund_policy, customer_communication,
    statement, gathered, by_default, answered_by, failure_code, opened_at, answered_at, settled_at
FROM dispute_answer WHERE tenant_id = :tenant AND dispute_id = :dispute
ORDER BY opened_at, stage DESC";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[KEEP, OF_DISPUTE];

fn shape(error: impl ToString) -> StoreError {
    StoreError::shape(error.to_string())
}

/// Writes an answer as it is now.
pub(super) fn keep(tx: &mut dyn Tx, tenant: TenantId, answer: &Answer) -> Result<(), StoreError> {
    let texts = &answer.texts;
    let gathered = serde_json::to_string(&answer.gathered).map_err(shape)?;
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("dispute", answer.dispute.as_bytes().into()),
        ("stage", answer.stage.code().into()),
        ("state", answer.state.code().into()),
        ("product", texts.product_description.as_str().into()),
        ("policy", texts.refund_policy.as_str().into()),
        (
            "communication",
            texts.customer_communication.as_str().into(),
        ),
        ("statement", texts.statement.as_str().into()),
        ("gathered", gathered.into()),
        ("by_default", i64::from(answer.by_default).into()),
        (
            "by",
            answer.answered_by.as_ref().map(AccountId::as_bytes).into(),
        ),
        ("failure", answer.failure_code.clone().into()),
        ("opened", answer.opened_at.into()),
        ("answered", answer.answered_at.into()),
        ("settled", answer.settled_at.into()),
    ];
    tx.execute(KEEP, &params).map(drop)
}

fn answer(row: &Row) -> Result<Answer, StoreError> {
    let (stage, state) = (row.text("stage")?, row.text("state")?);
    let gathered: Vec<Known> = serde_json::from_str(&row.text("gathered")?).map_err(shape)?;
    Ok(Answer {
        dispute: row.id("dispute_id", DisputeId::from_bytes)?,
        stage: DisputeState::parse(&stage).ok_or_else(|| shape(format!("no stage {stage:?}")))?,
        state: AnswerState::parse(&state)
            .ok_or_else(|| shape(format!("no state of an answer {state:?}")))?,
        texts: Texts {
            product_description: row.text("product_description")?,
            refund_policy: row.text("refund_policy")?,
            customer_communication: row.text("customer_communication")?,
            statement: row.text("statement")?,
        },
        gathered,
        by_default: row.int("by_default")? != 0,
        answered_by: row.opt_id("answered_by", AccountId::from_bytes)?,
        failure_code: row.opt_text("failure_code")?,
        opened_at: row.at("opened_at")?,
        answered_at: row.opt_at("answered_at")?,
        settled_at: row.opt_at("settled_at")?,
    })
}

/// The answers of a dispute, the oldest first.
pub(super) fn of_dispute(
    tx: &mut dyn Tx,
    tenant: TenantId,
    dispute: DisputeId,
) -> Result<Vec<Answer>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("dispute", dispute.as_bytes().into()),
    ];
    tx.query(OF_DISPUTE, &params)?.iter().map(answer).collect()
}
