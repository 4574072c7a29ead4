//! Use cases of gifts: keep one with its order, send its link, and let it be claimed once.

use super::model::{self, Gift, GiftError, NewGift, Recipient};
use super::sql;
use crate::app::Cx;
use crate::custody::Custody;
use crate::store::{StoreError, Tx};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::id::{AccountId, GiftId, OrderId, TenantId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Most mails that go out for one gift.
pub const MAX_SENDINGS: i64 = 10;
/// The job that sends a gift on its day.
pub const SEND_JOB: &str = "gifts.send";

/// The payload of [`SEND_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendPayload {
    /// The gift's id.
    pub gift: String,
}

/// The secret that claims a gift.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimToken(String);

impl ClaimToken {
    /// The text for a link: `?t=…`.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for ClaimToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimToken(…)")
    }
}

/// The secret of a gift's link in a round. It follows from both and the server's key, so that the
/// mail that carries it can be made at any time.
pub fn claim_token(keys: &Custody, tenant: TenantId, (gift, round): (GiftId, i64)) -> ClaimToken {
    let round = round.to_be_bytes();
    let data = [tenant.as_bytes().as_slice(), gift.as_bytes(), &round].concat();
    ClaimToken(URL_SAFE_NO_PAD.encode(keys.mac("gifts.claim", &data)))
}

fn hash_of(cx: &Cx<'_>, gift: GiftId, round: i64) -> Vec<u8> {
    let token = claim_token(cx.keys, cx.caller.tenant, (gift, round));
    token.hash().to_vec()
}

/// Keeps whom an order that was just placed is for.
pub fn keep(cx: &mut Cx<'_>, order: OrderId, new: &NewGift) -> Result<Gift, GiftError> {
    let (recipient, send_at) = new.checked(cx.now)?;
    let id = cx.make_id(GiftId::from_bytes);
    let gift = Gift {
        id,
        order,
        round: 1,
        sendings: 0,
        send_at,
        sent_at: None,
        claimed_at: None,
        claimed_by: None,
        claim_hash: hash_of(cx, id, 1),
    };
    sql::insert(cx.tx, cx.caller.tenant, (&gift, &recipient), cx.now)?;
    Ok(gift)
}

/// Plans to send a gift whose order was paid.
pub fn give(cx: &mut Cx<'_>, gift: &Gift) -> Result<(), GiftError> {
    let payload = SendPayload {
        gift: gift.id.to_string(),
    };
    let due = gift.send_at.max(cx.now);
    crate::queue::enqueue(cx, SEND_JOB, &payload, due)?;
    let about = serde_json::json!({ "gift": payload.gift });
    crate::events::record(cx, "gift.given", &gift.order.to_string(), &about)?;
    Ok(())
}

/// Sends the gift's link: the mail is made from the fact, by the address and the round of then.
pub fn send(cx: &mut Cx<'_>, gift: &mut Gift) -> Result<(), GiftError> {
    if gift.sendings >= MAX_SENDINGS {
        return Err(GiftError::SentOften);
    }
    gift.sendings += 1;
    gift.sent_at = Some(cx.now);
    sql::update(cx.tx, cx.caller.tenant, gift)?;
    let about = serde_json::json!({ "gift": gift.id.to_string(), "round": gift.round });
    crate::events::record(cx, "gift.sent", &gift.order.to_string(), &about)?;
    Ok(())
}

/// Puts another address in the place of the recipient's; the link that was sent opens nothing from
/// then on. The same address changes nothing.
pub fn correct(cx: &mut Cx<'_>, gift: &mut Gift, email: &str) -> Result<(), GiftError> {
    let email = model::address(email)?;
    let tenant = cx.caller.tenant;
    let before = sql::recipient(cx.tx, tenant, gift.id)?.ok_or(GiftError::NotFound)?;
    if before.email == email {
        return Ok(());
    }
    if gift.sendings >= MAX_SENDINGS {
        return Err(GiftError::SentOften);
    }
    gift.round += 1;
    gift.claim_hash = hash_of(cx, gift.id, gift.round);
    sql::update(cx.tx, tenant, gift)?;
    sql::set_email(cx.tx, tenant, (gift.id, &email))?;
    Ok(())
}

/// Makes the gift claimed, by an account or by who holds its link; false when it was before.
pub fn take(
    cx: &mut Cx<'_>,
    gift: &mut Gift,
    account: Option<AccountId>,
) -> Result<bool, GiftError> {
    let done = sql::take(cx.tx, cx.caller.tenant, (gift, account), cx.now)?;
    if done {
        gift.claimed_at = Some(cx.now);
        gift.claimed_by = account;
        let about = serde_json::json!({ "gift": gift.id.to_string() });
        crate::events::record(cx, "gift.claimed", &gift.order.to_string(), &about)?;
    }
    Ok(done)
}

/// Puts a gift that was claimed without an account into one; false when it is another's.
pub fn adopt(cx: &mut Cx<'_>, gift: &Gift, account: AccountId) -> Result<bool, GiftError> {
    Ok(sql::adopt(cx.tx, cx.caller.tenant, (gift.id, account))?)
}

/// The gift, for the house itself.
pub fn by_id(cx: &mut Cx<'_>, gift: GiftId) -> Result<Gift, GiftError> {
    let found = sql::by_id(cx.tx, cx.caller.tenant, gift)?;
    found.ok_or(GiftError::NotFound)
}

/// As [`by_id`], in a query.
pub fn find(tx: &mut dyn Tx, tenant: TenantId, gift: GiftId) -> Result<Option<Gift>, StoreError> {
    sql::by_id(tx, tenant, gift)
}

/// The gift that an order is, if it is one.
pub fn of_order(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<Gift>, StoreError> {
    sql::of_order(tx, tenant, order)
}

/// Whether the order is a gift.
pub fn is_given(tx: &mut dyn Tx, tenant: TenantId, order: OrderId) -> Result<bool, StoreError> {
    Ok(sql::of_order(tx, tenant, order)?.is_some())
}

/// Whom a gift is for and what they are written; none once that was erased.
pub fn recipient(
    tx: &mut dyn Tx,
    tenant: TenantId,
    gift: GiftId,
) -> Result<Option<Recipient>, StoreError> {
    sql::recipient(tx, tenant, gift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_of_its_gift_round_and_shop_and_does_not_print() {
        let keys = Custody::new([1; 32]);
        let (here, there) = (TenantId::from_bytes([0; 16]), TenantId::from_bytes([1; 16]));
        let (one, two) = (GiftId::from_bytes([1; 16]), GiftId::from_bytes([2; 16]));
        let token = claim_token(&keys, here, (one, 1));
        assert_eq!(token, claim_token(&keys, here, (one, 1)));
        for other in [
            claim_token(&keys, here, (one, 2)),
            claim_token(&keys, here, (two, 1)),
            claim_token(&keys, there, (one, 1)),
            claim_token(&Custody::new([2; 32]), here, (one, 1)),
        ] {
            assert_ne!(token, other);
        }
        assert!(!format!("{token:?}").contains(token.reveal()));
    }
}
