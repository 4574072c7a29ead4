//! Letters to sellers about their standing.

use super::ops::{NotifyError, Written, address, letter, subject_id};
use crate::app::Cx;
use crate::domains::sellers::{CLOSED_FACT, RESUMED_FACT, SUSPENDED_FACT};
use crate::events::Event;
use mintreu::id::AccountId;

/// What is told of a seller's standing.
pub(super) const OF_STANDING: &[&str] = &[CLOSED_FACT, RESUMED_FACT, SUSPENDED_FACT];

/// The letter of one of [`OF_STANDING`], with its reason.
pub(super) fn write(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let seller = subject_id(event, AccountId::parse)?;
    let Some(to) = address(cx, seller)? else {
        return Ok(None);
    };
    let (subject, intro) = match event.kind.as_str() {
        SUSPENDED_FACT => ("seller-mail-suspended", "seller-mail-suspended-intro"),
        RESUMED_FACT => ("seller-mail-resumed", "seller-mail-resumed-intro"),
        _ => ("seller-mail-closed", "seller-mail-closed-intro"),
    };
    let mut letter = letter(|words| words.say(subject));
    let words = letter.words();
    letter.intro.push(words.say(intro));
    let reason = event.data["reason"].as_str().unwrap_or_default();
    if !reason.is_empty() {
        letter.fact(words.say("seller-mail-reason"), reason);
    }
    letter.action(words.say("seller-mail-open"), format!("{base}/sell"));
    Ok(Some((to, letter)))
}
