//! Letters to affiliates: that they take part, that their part ends or goes on, and what a day brought.

use super::letter::Letter;
use super::money::account;
use super::ops::{NotifyError, Written, address, letter, subject_id};
use crate::app::Cx;
use crate::domains::affiliates::{self, News};
use crate::events::Event;
use crate::web::affiliate::percent;
use mintreu::id::AffiliationId;
use mintreu::{Currency, Money};
use serde_json::Value;

/// What is told of a part in a programme.
pub(super) const OF_PARTS: &[&str] = &[
    affiliates::JOINED_FACT,
    affiliates::ENDED_FACT,
    affiliates::RESUMED_FACT,
];

/// The letter of one of [`OF_PARTS`].
pub(super) fn part(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let id = subject_id(event, AffiliationId::parse)?;
    let found = affiliates::by_id(cx.tx, cx.caller.tenant, id)?;
    let (part, shop, terms) = found.ok_or(NotifyError::Gone)?;
    let Some(to) = address(cx, part.affiliate)? else {
        return Ok(None);
    };
    let (subject, intro) = match event.kind.as_str() {
        affiliates::ENDED_FACT => ("affiliate-mail-ended", "affiliate-mail-ended-intro"),
        affiliates::RESUMED_FACT => ("affiliate-mail-resumed", "affiliate-mail-joined-intro"),
        _ => ("affiliate-mail-joined", "affiliate-mail-joined-intro"),
    };
    let mut letter = letter(|words| words.say_one(subject, "shop", &*shop));
    let words = letter.words();
    letter.intro.push(words.say(intro));
    if event.kind != affiliates::ENDED_FACT {
        letter.fact(words.say("affiliate-rate"), percent(terms.rate_bps));
        let link = format!("{base}/?via={}", part.code);
        letter.fact(words.say("affiliate-link"), link);
    }
    letter.action(
        words.say("affiliate-mail-open"),
        format!("{base}/affiliate"),
    );
    Ok(Some((to, letter)))
}

/// What a day brought, and what it took.
pub(super) fn digest(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let affiliate = account(event.data["affiliate"].as_str().unwrap_or_default())?;
    let Some(to) = address(cx, affiliate)? else {
        return Ok(None);
    };
    let mut letter = letter(|words| words.say("affiliate-mail-digest"));
    let words = letter.words();
    letter.intro.push(words.say("affiliate-mail-digest-intro"));
    let news = event.data["news"].as_array().map(Vec::as_slice);
    for kind in News::ALL {
        let of_kind = news.unwrap_or_default().iter();
        for one in of_kind.filter(|one| one["kind"] == kind.code()) {
            say(&mut letter, kind, one)?;
        }
    }
    letter.action(
        words.say("affiliate-mail-open"),
        format!("{base}/affiliate"),
    );
    letter.outro.push(words.say("affiliate-mail-digest-outro"));
    Ok(Some((to, letter)))
}

/// How many of a kind there were, and what they came to.
fn say(letter: &mut Letter, kind: News, one: &Value) -> Result<(), NotifyError> {
    let unread = || NotifyError::Payload(one.to_string());
    let count = one["count"].as_i64().ok_or_else(unread)?;
    let minor = one["amount_minor"].as_i64().ok_or_else(unread)?;
    let currency = one["currency"].as_str().map(Currency::parse);
    let Some(Ok(currency)) = currency else {
        return Err(unread());
    };
    let key = format!("affiliate-mail-{}", kind.code().replace('_', "-"));
    let label = letter.words().say_one(&key, "count", count);
    letter.fact(label, Money::new(minor, currency));
    Ok(())
}
