//! Letters about gifts: the link to who gets one, and to who paid that it was claimed.

use super::letter::Letter;
use super::ops::{NotifyError, Written, buyer, letter, order_page, subject_id};
use crate::app::Cx;
use crate::domains::gifts::{self, Gift, Recipient};
use crate::domains::orders::{self, Order};
use crate::events::Event;
use mintreu::id::OrderId;

/// The fact that a gift's link goes out.
pub(super) const SENT: &str = "gift.sent";
/// The fact that a gift has its recipient.
pub(super) const CLAIMED: &str = "gift.claimed";

fn given(cx: &mut Cx<'_>, event: &Event) -> Result<Option<(Order, Gift, Recipient)>, NotifyError> {
    let tenant = cx.caller.tenant;
    let order = orders::by_id(cx, subject_id(event, OrderId::parse)?)?;
    let gift = gifts::of_order(cx.tx, tenant, order.id)?.ok_or(NotifyError::Gone)?;
    let recipient = gifts::recipient(cx.tx, tenant, gift.id)?;
    Ok(recipient.map(|recipient| (order, gift, recipient)))
}

/// The link that claims a gift, to its recipient. A fact of a link that is good no more, or of a gift
/// that was claimed meanwhile, is told to nobody.
pub(super) fn sent(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let Some((order, gift, recipient)) = given(cx, event)? else {
        return Ok(None);
    };
    if gift.claimed_at.is_some() || event.data["round"].as_i64() != Some(gift.round) {
        return Ok(None);
    }
    let sender = recipient.sender.as_str();
    let mut letter = letter(|words| match sender.is_empty() {
        true => words.say("mail-gift-subject-nobody"),
        false => words.say_one("mail-gift-subject", "sender", sender),
    });
    let words = letter.words();
    letter.intro.push(words.say("mail-gift-intro"));
    written(&mut letter, &recipient);
    for line in &order.lines {
        letter.fact(words.say("mail-order-product"), &line.title);
    }
    let token = gifts::claim_token(cx.keys, cx.caller.tenant, (gift.id, gift.round));
    let link = format!("{base}/gifts/{}?t={}", gift.id, token.reveal());
    letter.action(words.say("mail-gift-claim"), link);
    letter.outro.push(words.say("mail-gift-outro"));
    Ok(Some((recipient.email, letter)))
}

/// What its sender wrote, line by line.
fn written(letter: &mut Letter, recipient: &Recipient) {
    let lines = recipient.message.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty()).peekable();
    let words = letter.words();
    if lines.peek().is_some() {
        letter.intro.push(words.say("mail-gift-message"));
    }
    letter.intro.extend(lines.map(str::to_owned));
}

/// To who paid: their gift arrived.
pub(super) fn claimed(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let Some((order, _, recipient)) = given(cx, event)? else {
        return Ok(None);
    };
    let Some(to) = buyer(cx, order.account, Some(order.id))? else {
        return Ok(None);
    };
    let mut letter = letter(|words| words.say("mail-gift-claimed-subject"));
    let words = letter.words();
    let email = recipient.email.as_str();
    letter
        .intro
        .push(words.say_one("mail-gift-claimed-intro", "email", email));
    for line in &order.lines {
        letter.fact(words.say("mail-order-product"), &line.title);
    }
    let page = order_page(cx, order.id, base);
    letter.action(words.say("mail-order-open"), page);
    Ok(Some((to, letter)))
}
