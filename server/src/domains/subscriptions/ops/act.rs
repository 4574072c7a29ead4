//! What a buyer does without changing what is bought.

use super::super::model::{Event, Status, Step, Subscription, SubscriptionError, next_status};
use super::{Done, discontinue, end, keep, own, renew, rest, tell};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::catalog::Standing;
use mintreu::Money;
use mintreu::id::SubscriptionId;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It ends with the period.
    Cancel,
    /// It ends now.
    CancelNow,
    /// The wish to end is taken back.
    Uncancel,
    /// It pauses from the end of the period on.
    Pause,
    /// The wish to pause is taken back.
    Unpause,
    /// It goes on after a pause, from now on, for the amount seen.
    Resume,
    /// It is taken up again after its end, with the same license, for the amount seen.
    Resubscribe,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 7] = [
        Self::Cancel,
        Self::CancelNow,
        Self::Uncancel,
        Self::Pause,
        Self::Unpause,
        Self::Resume,
        Self::Resubscribe,
    ];

    /// As in addresses.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::CancelNow => "cancel_now",
            Self::Uncancel => "uncancel",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Resume => "resume",
            Self::Resubscribe => "resubscribe",
        }
    }

    /// Reads what [`Action::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.code() == code)
    }

    /// What it is in the table of states.
    pub const fn event(self) -> Event {
        match self {
            Self::Cancel => Event::CancelAtEnd,
            Self::CancelNow => Event::CancelNow,
            Self::Uncancel => Event::Uncancel,
            Self::Pause => Event::PauseAtEnd,
            Self::Unpause => Event::Unpause,
            Self::Resume => Event::Resume,
            Self::Resubscribe => Event::Resubscribe,
        }
    }
}

/// Does something to one's own subscription.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    /// Which.
    pub subscription: SubscriptionId,
    /// What.
    pub action: Action,
    /// The amount seen, for what is paid at once.
    pub seen: Option<Money>,
}

impl Command for Act {
    const NAME: &'static str = "subscriptions.act";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.subscription.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        // An end may bill what was used.
        vec![crate::domains::invoicing::CONTENDED.to_owned()]
    }
}

/// See [`Act`]; the same again changes nothing.
pub fn act(cx: &mut Cx<'_>, cmd: &Act) -> Done {
    let of = own(cx, cmd.subscription)?;
    perform(cx, of, cmd)
}

pub(super) fn perform(cx: &mut Cx<'_>, mut of: Subscription, cmd: &Act) -> Done {
    if cmd.action == Action::Resubscribe && of.is_last() {
        return Err(SubscriptionError::Completed);
    }
    match next_status(of.status, of.flags(), cmd.action.event()) {
        Step::Refuse if of.disputed.is_some() => return Err(SubscriptionError::Disputed),
        Step::Refuse => return Err(SubscriptionError::WrongStatus(of.status)),
        Step::Stay => return Ok(()),
        Step::Move(Status::Canceled) => return end(cx, &mut of, "canceled"),
        Step::Move(_) | Step::Do => {}
    }
    discontinue::may(cx, &of, cmd.action)?;
    let fact = match cmd.action {
        Action::Cancel | Action::CancelNow => {
            of.cancel_wished_at = Some(cx.now);
            "subscription.end_wished"
        }
        Action::Uncancel => {
            refuse_if_closed(cx, &of)?;
            (of.cancel_wished_at, of.cancel_reason) = (None, None);
            "subscription.end_taken_back"
        }
        Action::Pause => {
            of.pause_wished_at = Some(cx.now);
            "subscription.pause_wished"
        }
        Action::Unpause => {
            of.pause_wished_at = None;
            "subscription.pause_taken_back"
        }
        Action::Resume | Action::Resubscribe => {
            let amount = of.amount()?;
            if cmd.seen != Some(amount) {
                return Err(SubscriptionError::AmountChanged(amount));
            }
            if of.method.is_none() {
                return Err(SubscriptionError::MethodMissing);
            }
            rest::refuse_unless_sold(cx, &of)?;
            renew::refuse_while_open(cx, &of)?;
            return renew::come_back(cx, &of);
        }
    };
    keep(cx, &of)?;
    tell(cx, fact, &of)?;
    // A period that is over waits for its seller; what was wished for its end is done now.
    match of.rests_since.is_some() && of.until <= cx.now {
        true => renew::period_over(cx, &mut of),
        false => Ok(()),
    }
}

/// Nobody sells what would follow the period.
fn refuse_if_closed(cx: &mut Cx<'_>, of: &Subscription) -> Done {
    match rest::standing(cx, of)? {
        Standing::Closed => Err(SubscriptionError::SellerStopped(Standing::Closed)),
        _ => Ok(()),
    }
}

/// Changes the method that is charged.
#[derive(Debug, Clone)]
pub struct ChangeMethod {
    /// Which subscription.
    pub subscription: SubscriptionId,
    /// Who keeps the method.
    pub provider: String,
    /// The provider's name of it, which the face found to be one.
    pub method: String,
}

impl Command for ChangeMethod {
    const NAME: &'static str = "subscriptions.change_method";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.subscription.to_string())
    }
}

/// Changes the method; what is past due is tried with it at once, and what waits for a method
/// begins.
pub fn change_method(cx: &mut Cx<'_>, cmd: &ChangeMethod) -> Done {
    let mut of = own(cx, cmd.subscription)?;
    charge_from_now_on(cx, &mut of, (&cmd.provider, &cmd.method))
}

pub(super) fn charge_from_now_on(
    cx: &mut Cx<'_>,
    of: &mut Subscription,
    (provider, method): (&str, &str),
) -> Done {
    provider.clone_into(&mut of.provider);
    of.method = Some(method.to_owned());
    keep(cx, of)?;
    tell(cx, "subscription.method_changed", of)?;
    match of.status {
        Status::PastDue => renew::retry_now(cx, of),
        Status::Incomplete if of.disputed.is_some() => Ok(()),
        Status::Incomplete if rest::standing(cx, of)? != Standing::Active => Ok(()),
        Status::Incomplete if super::open_bill(cx, of)?.is_none() => {
            discontinue::refuse(cx, of)?;
            renew::come_back(cx, of)
        }
        _ => Ok(()),
    }
}
