//! What is paid in three instalments: three payments at most, and the license for good after the third.

use super::Stop;
use crate::subscriptions::Club;
use mintreu::id::PriceId;
use mintreu_server::app::Cx;
use mintreu_server::domains::catalog::ops::{AddPrice, add_price};
use mintreu_tests::TestApp;
use serde_json::json;

/// Payments of the price, the first included.
const PAYMENTS: i64 = 3;
const SUBSCRIPTIONS: &str = "SELECT s.subscription_id, s.status, s.end_reason,
        l.expires_at,
        (SELECT COUNT(*) FROM subscription_bill b JOIN customer_order o
            ON o.tenant_id = b.tenant_id AND o.order_id = b.order_id
            WHERE b.tenant_id = s.tenant_id AND b.subscription_id = s.subscription_id
            AND o.paid_at IS NOT NULL) AS renewals
    FROM subscription s JOIN license l
        ON l.tenant_id = s.tenant_id AND l.license_id = s.license_id
    WHERE s.tenant_id = :tenant AND s.keeps_license = 1";

/// 10.00 a month, three times.
pub async fn price(test: &TestApp, club: &Club) -> PriceId {
    let draft = json!({"model": "recurring", "period": "monthly", "amount_minor": 1_000,
        "currency": "EUR", "renewing": {"payments": PAYMENTS, "keeps_license": true}});
    let add = AddPrice {
        product: club.product,
        draft: serde_json::from_value(draft).expect("a price"),
        region_of: None,
    };
    let added = test.app.transact(&club.seller, add, add_price).await;
    added.expect("is added").1
}

/// Nobody pays a fourth time, and all three are paid by who keeps the license, and by nobody else.
pub fn look(cx: &mut Cx<'_>, wrong: &mut Vec<String>) -> Result<(), Stop> {
    let tenant = [("tenant", cx.caller.tenant.as_bytes().into())];
    for row in cx.tx.query(SUBSCRIPTIONS, &tenant)? {
        let paid = 1 + row.int("renewals")?;
        let (status, reason) = (row.text("status")?, row.opt_text("end_reason")?);
        let kept = row.opt_at("expires_at")?.is_none();
        let completed = reason.as_deref() == Some("completed");
        let sound = match paid {
            ..PAYMENTS => !kept && !completed,
            PAYMENTS => status == "canceled" || status == "paused",
            _ => false,
        };
        if !sound || (completed && !kept) {
            wrong.push(format!(
                "an instalment too many or too few: {paid} paid, {status}, {reason:?}, kept: {kept}"
            ));
        }
    }
    Ok(())
}
