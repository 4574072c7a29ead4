//! The letter that tells a customer of their usage.

use super::letter::Letter;
use super::ops::{NotifyError, Written, address, day, letter, reading, subject_id};
use crate::app::Cx;
use crate::domains::billing::{self, LicenseUsage};
use crate::domains::{catalog, licensing};
use crate::events::Event;
use mintreu::Timestamp;
use mintreu::id::{AccountId, LicenseId};

/// Each plan's meters with usage and cost so far, and where the bill is heading; `None` for who
/// has no plan or left no address.
pub(super) fn report(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let account = event.subject.split('@').next().unwrap_or_default();
    let account = AccountId::parse(account).map_err(|e| NotifyError::Payload(e.to_string()))?;
    let Some(to) = address(cx, account)? else {
        return Ok(None);
    };
    let usages = billing::usage_of_account(&mut reading(cx), account)?;
    if usages.is_empty() {
        return Ok(None);
    }
    let mut letter = letter(|words| words.say("mail-usage-subject"));
    let words = letter.words();
    letter.intro.push(words.say("mail-usage-intro"));
    for usage in &usages {
        let product = catalog::product(cx.tx, cx.caller.tenant, usage.plan.product)?;
        let name = product.map_or_else(|| usage.plan.product.to_string(), |product| product.name);
        plan(&mut letter, &name, usage);
    }
    letter.action(words.say("mail-usage-open"), format!("{base}/usage"));
    letter.action(
        words.say("mail-usage-stop"),
        format!("{base}/usage#reports"),
    );
    letter.outro.push(words.say("mail-usage-outro"));
    Ok(Some((to, letter)))
}

fn plan(letter: &mut Letter, product: &str, usage: &LicenseUsage) {
    let words = letter.words();
    letter.fact(words.say("mail-usage-product"), product);
    let (from, until) = (day(usage.plan.bounds.0), day(usage.plan.bounds.1));
    letter.fact(words.say("mail-usage-period"), format!("{from} – {until}"));
    for meter in &usage.meters {
        let value = format!("{} {}, {}", meter.period_units, meter.unit, meter.cost);
        letter.fact(meter.name.clone(), value);
    }
    letter.fact(words.say("mail-usage-cost"), usage.cost);
    letter.fact(words.say("mail-usage-projected"), usage.projected);
}

/// That a quota's use has reached one of its alerts, to the owner of the license; a license that
/// nobody has taken over yet has none.
pub(super) fn reached(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let id = subject_id(event, LicenseId::parse)?;
    let license = licensing::by_id(cx.tx, cx.caller.tenant, id)?.ok_or(NotifyError::Gone)?;
    let Some(owner) = license.owner else {
        return Ok(None);
    };
    let Some(to) = address(cx, owner)? else {
        return Ok(None);
    };
    let product = catalog::product(cx.tx, cx.caller.tenant, license.product)?;
    let product = product.ok_or(NotifyError::Gone)?;
    let data = &event.data;
    let meter = data["meter"].as_str().unwrap_or_default();
    let unit = product.meter(meter).map_or(meter, |meter| &meter.unit);
    let percent = data["percent"].as_i64().unwrap_or_default().to_string();
    let values = [
        ("percent", percent.as_str().into()),
        ("unit", unit.into()),
        ("product", product.name.as_str().into()),
    ];
    let mut letter = letter(|words| words.say_with("mail-quota-subject", values.clone()));
    let words = letter.words();
    letter
        .intro
        .push(words.say_with("mail-quota-intro", values));
    letter.fact(words.say("mail-quota-used"), &data["used"]);
    letter.fact(words.say("mail-quota-limit"), &data["limit"]);
    if let Some(at) = data["resets_at"].as_i64() {
        letter.fact(words.say("mail-quota-resets"), day(Timestamp::from_ms(at)));
    }
    letter.action(words.say("mail-usage-open"), format!("{base}/usage"));
    letter.outro.push(words.say("mail-quota-outro"));
    Ok(Some((to, letter)))
}
