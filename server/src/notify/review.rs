//! The letter to who runs the platform about an order whose money waits for a look.

use super::money::account;
use super::ops::{NotifyError, Written, address, letter, subject_id};
use crate::app::Cx;
use crate::domains::orders;
use crate::domains::risk::{self, ReviewState};
use crate::events::Event;
use mintreu::id::OrderId;

/// To one of the owners; one that was decided meanwhile needs no letter.
pub(super) fn write(
    cx: &mut Cx<'_>,
    (event, to): (&Event, Option<&str>),
    base: &str,
) -> Result<Written, NotifyError> {
    let order = orders::by_id(cx, subject_id(event, OrderId::parse)?)?;
    let review = risk::of_order(cx.tx, cx.caller.tenant, order.id)?;
    let waiting = review.filter(|review| review.state == ReviewState::Waiting);
    let (Some(review), Some(owner)) = (waiting, to) else {
        return Ok(None);
    };
    let owner = account(owner)?;
    let Some(to) = address(cx, owner)? else {
        return Ok(None);
    };
    let mut letter = letter(|words| words.say("review-mail-subject"));
    let words = letter.words();
    letter.intro.push(words.say("review-mail-intro"));
    letter.fact(words.say("fact-order"), order.id);
    letter.fact(words.say("fact-amount"), order.total);
    letter.fact(words.say("review-mail-why"), review.why);
    letter.action(words.say("review-mail-open"), format!("{base}/owner/risk"));
    Ok(Some((to, letter)))
}
