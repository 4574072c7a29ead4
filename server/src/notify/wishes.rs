//! Letters about wishes for refunds: to the seller who is asked, to the buyer who is
//! answered, and to the platform when it is asked.

use super::money::account;
use super::ops::{NotifyError, Written, address, buyer, letter, order_page, subject_id};
use crate::app::Cx;
use crate::domains::orders;
use crate::domains::wishes::{self, Answerer, Wish, WishState};
use crate::events::Event;
use crate::web::format::rfc3339;
use mintreu::id::{AccountId, RefundWishId};

/// What is told.
pub(super) const OF_WISHES: &[&str] = &[
    wishes::OPENED_FACT,
    wishes::GRANTED_FACT,
    wishes::DECLINED_FACT,
    wishes::ESCALATED_FACT,
    wishes::FAILED_FACT,
    wishes::TAKEN_BACK_FACT,
];

/// The letter of one of [`OF_WISHES`].
pub(super) fn write(
    cx: &mut Cx<'_>,
    (event, to): (&Event, Option<&str>),
    base: &str,
) -> Result<Written, NotifyError> {
    let id = subject_id(event, RefundWishId::parse)?;
    let found = wishes::wish_by_id(cx.tx, cx.caller.tenant, id)?;
    let wish = found.ok_or(NotifyError::Gone)?;
    if let Some(owner) = to {
        return asked(cx, (&wish, account(owner)?), base);
    }
    let order = orders::by_id(cx, wish.order)?;
    let to_seller = matches!(
        event.kind.as_str(),
        wishes::OPENED_FACT | wishes::TAKEN_BACK_FACT | wishes::FAILED_FACT
    );
    let to = match to_seller {
        true => address(cx, wish.seller)?,
        false => buyer(cx, order.account, Some(order.id))?,
    };
    let Some(to) = to else {
        return Ok(None);
    };
    if event.kind == wishes::FAILED_FACT && wish.state != WishState::Failed {
        // It was sent again meanwhile, or is wished for no more.
        return Ok(None);
    }
    let (subject, intro) = match event.kind.as_str() {
        wishes::OPENED_FACT => ("wish-mail-opened", "wish-mail-opened-intro"),
        wishes::TAKEN_BACK_FACT => ("wish-mail-taken-back", "wish-mail-taken-back-intro"),
        wishes::GRANTED_FACT => match wish.part() {
            None => ("wish-mail-granted", "wish-mail-granted-intro"),
            Some(_) => ("wish-mail-granted-part", "wish-mail-granted-intro"),
        },
        wishes::FAILED_FACT => ("wish-mail-failed", failed(&wish)),
        wishes::DECLINED_FACT => ("wish-mail-declined", declined(event)),
        _ => ("wish-mail-escalated", "wish-mail-escalated-intro"),
    };
    let mut letter = letter(|words| words.say(subject));
    let words = letter.words();
    letter.intro.push(words.say(intro));
    letter.fact(words.say("fact-order"), order.id);
    if let Some(line) = order.lines.iter().find(|line| line.id == wish.line) {
        letter.fact(words.say("fact-product"), &line.title);
    }
    letter.fact(words.say("wish-mail-amount"), wish.amount);
    let tells = [wishes::GRANTED_FACT, wishes::FAILED_FACT].contains(&event.kind.as_str());
    if let Some(granted) = wish.granted.filter(|_| tells) {
        letter.fact(words.say("wish-mail-amount-granted"), granted);
    }
    let said = said(event, &wish);
    if !said.is_empty() {
        letter.fact(words.say("wish-mail-words"), said);
    }
    if event.kind == wishes::OPENED_FACT {
        letter.fact(words.say("fact-deadline"), rfc3339(wish.due_at()));
    }
    let (label, page) = match to_seller {
        true => ("wish-mail-answer", format!("{base}/sell/wishes")),
        false => ("fact-open-order", order_page(cx, order.id, base)),
    };
    letter.action(words.say(label), page);
    Ok(Some((to, letter)))
}

/// To one of those who run the platform, which is asked; one that was answered meanwhile needs no
/// letter.
fn asked(
    cx: &mut Cx<'_>,
    (wish, owner): (&Wish, AccountId),
    base: &str,
) -> Result<Written, NotifyError> {
    let asked = wish.asked() == Some(Answerer::Platform);
    let Some(to) = address(cx, owner)?.filter(|_| asked) else {
        return Ok(None);
    };
    let (subject, intro) = match (wish.state, wish.failed_at, wish.answered_by) {
        (WishState::Failed, _, _) => ("wish-mail-failed", "wish-mail-failed-intro"),
        (_, Some(_), _) => ("wish-mail-asked", "wish-mail-asked-failed"),
        (_, None, None) => ("wish-mail-asked", "wish-mail-asked-silent"),
        (_, None, Some(_)) => ("wish-mail-asked", "wish-mail-asked-appeal"),
    };
    let mut letter = letter(|words| words.say(subject));
    let words = letter.words();
    letter.intro.push(words.say(intro));
    letter.fact(words.say("fact-order"), wish.order);
    letter.fact(words.say("fact-product"), &wish.title);
    letter.fact(words.say("wish-mail-amount"), wish.amount);
    for (label, text) in [
        ("wish-mail-words", &wish.words),
        ("wish-mail-seller", &wish.answer),
    ] {
        if !text.is_empty() {
            letter.fact(words.say(label), text);
        }
    }
    letter.action(
        words.say("wish-mail-decide"),
        format!("{base}/owner/wishes"),
    );
    Ok(Some((to, letter)))
}

/// Only a seller's no can be taken to the platform.
fn declined(event: &Event) -> &'static str {
    match event.data["by"].as_str() {
        Some("seller") => "wish-mail-declined-intro",
        _ => "wish-mail-declined-last",
    }
}

/// Who sends the money again that came back.
fn failed(wish: &Wish) -> &'static str {
    match wish.asked() {
        Some(Answerer::Seller) => "wish-mail-failed-intro",
        _ => "wish-mail-failed-platform",
    }
}

/// What was written by who acted.
fn said<'a>(event: &Event, wish: &'a Wish) -> &'a str {
    match event.kind.as_str() {
        wishes::OPENED_FACT => &wish.words,
        wishes::GRANTED_FACT | wishes::DECLINED_FACT => &wish.answer,
        _ => "",
    }
}
