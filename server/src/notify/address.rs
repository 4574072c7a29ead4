//! Letters about another address of an account: its link to the new one, and to the old one what
//! happened, with a way to stop it.

use super::letter::Letter;
use super::ops::{NotifyError, Written, letter, subject_id};
use crate::app::Cx;
use crate::domains::accounts::address::{
    self, ASKED_FACT, AddressChange, CHANGED_FACT, ChangeState, Link, NOTICE_FACT, UNDO_MS,
};
use crate::events::Event;
use mintreu::Timestamp;
use mintreu::id::AccountId;

/// What is told of addresses.
pub(super) const OF_ADDRESSES: &[&str] = &[ASKED_FACT, CHANGED_FACT, NOTICE_FACT];

/// The letter of one of [`OF_ADDRESSES`]; nothing for what was overtaken.
pub(super) fn write(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let account = subject_id(event, AccountId::parse)?;
    let round = event.data["round"].as_i64();
    let round = round.ok_or_else(|| NotifyError::Payload(event.subject.clone()))?;
    let found = address::address_change(cx.tx, cx.caller.tenant, (account, round))?;
    let of = found.ok_or(NotifyError::Gone)?;
    match event.kind.as_str() {
        ASKED_FACT => to_the_new(cx, &of, base),
        NOTICE_FACT => Ok(Some(to_the_old(cx, &of, base, &NOTICED))),
        _ => Ok(Some(to_the_old(cx, &of, base, &CHANGED))),
    }
}

fn to_the_new(cx: &mut Cx<'_>, of: &AddressChange, base: &str) -> Result<Written, NotifyError> {
    if of.state != ChangeState::Open {
        return Ok(None);
    }
    let tenant = cx.caller.tenant;
    let mut letter = letter(|words| words.say("mail-address-subject"));
    let words = letter.words();
    if address::is_taken(cx.tx, tenant, of)? {
        // Only who has the mailbox hears that it has an account.
        letter.intro.push(words.say("mail-address-taken"));
        letter.action(words.say("mail-address-sign-in"), format!("{base}/sign-in"));
    } else {
        letter.intro.push(words.say("mail-address-intro"));
        letter.fact(words.say("mail-address-until"), instant(of.expires_at));
        let token = address::link(cx.keys, tenant, of, Link::Confirm);
        let link = format!("{base}/account/email/confirm?t={token}");
        letter.action(words.say("mail-address-confirm"), link);
    }
    letter.outro.push(words.say("mail-address-outro"));
    Ok(Some((of.new.as_str().to_owned(), letter)))
}

/// What the old address is told.
struct Told {
    subject: &'static str,
    intro: &'static str,
    outro: &'static str,
}

const NOTICED: Told = Told {
    subject: "mail-address-asked-subject",
    intro: "mail-address-asked-intro",
    outro: "mail-address-asked-outro",
};

const CHANGED: Told = Told {
    subject: "mail-address-changed-subject",
    intro: "mail-address-changed-intro",
    outro: "mail-address-changed-outro",
};

fn to_the_old(cx: &mut Cx<'_>, of: &AddressChange, base: &str, told: &Told) -> (String, Letter) {
    let mut letter = letter(|words| words.say(told.subject));
    let words = letter.words();
    letter.intro.push(words.say(told.intro));
    letter.fact(words.say("mail-address-new"), of.new.as_str());
    if let Some(at) = of.decided_at.filter(|_| of.state == ChangeState::Confirmed) {
        letter.fact(
            words.say("mail-address-back-until"),
            instant(at.plus_ms(UNDO_MS)),
        );
    }
    let token = address::link(cx.keys, cx.caller.tenant, of, Link::Stop);
    let link = format!("{base}/account/email/stop?t={token}");
    letter.action(words.say("mail-address-not-me"), link);
    letter.outro.push(words.say(told.outro));
    (of.old.as_str().to_owned(), letter)
}

/// `2027-01-15 08:00`, in UTC.
fn instant(at: Timestamp) -> String {
    let stamp = jiff::Timestamp::from_millisecond(at.ms());
    stamp.map_or_else(
        |_| at.ms().to_string(),
        |stamp| stamp.strftime("%Y-%m-%d %H:%M").to_string(),
    )
}
