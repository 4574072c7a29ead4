//! The states of a subscription and the table that joins them.

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It waits for a payment method or its first money.
    Incomplete,
    /// Used without being paid for, until the trial ends.
    Trialing,
    /// Paid for.
    Active,
    /// A renewal wasn't paid; it is tried again.
    PastDue,
    /// Stopped by its buyer, who may go on.
    Paused,
    /// Over; it can be taken up again.
    Canceled,
}

impl Status {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Incomplete,
        Self::Trialing,
        Self::Active,
        Self::PastDue,
        Self::Paused,
        Self::Canceled,
    ];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Paused => "paused",
            Self::Canceled => "canceled",
        }
    }

    /// Reads what [`Status::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// What can happen to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The running period or the trial is over.
    PeriodEnded,
    /// A bill of the subscription was paid.
    Paid,
    /// A renewal was declined.
    PaymentFailed,
    /// Nothing is tried any more.
    GivenUp,
    /// The buyer wants it to end with the period.
    CancelAtEnd,
    /// It ends now.
    CancelNow,
    /// The buyer changed their mind before the end.
    Uncancel,
    /// The buyer wants a pause from the end of the period on.
    PauseAtEnd,
    /// The buyer changed their mind before the pause.
    Unpause,
    /// The buyer goes on after a pause, and pays.
    Resume,
    /// The buyer takes it up again after its end, and pays.
    Resubscribe,
    /// Seats, plan or price change.
    Change,
    /// A bank took the money of one of its payments, and hasn't decided.
    Disputed,
    /// No bank has money of its payments any more.
    DisputeWon,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 14] = [
        Self::PeriodEnded,
        Self::Paid,
        Self::PaymentFailed,
        Self::GivenUp,
        Self::CancelAtEnd,
        Self::CancelNow,
        Self::Uncancel,
        Self::PauseAtEnd,
        Self::Unpause,
        Self::Resume,
        Self::Resubscribe,
        Self::Change,
        Self::Disputed,
        Self::DisputeWon,
    ];
}

/// What was wished for the end of the period, and whether there is something to charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// It ends with the period; beats a pause.
    pub cancel_at_end: bool,
    /// It pauses with the period.
    pub pause_at_end: bool,
    /// A payment method is known.
    pub chargeable: bool,
    /// A bank has money of one of its payments.
    pub disputed: bool,
}

/// What an event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The subscription moves there.
    Move(Status),
    /// The state stays; what the event asks for is done.
    Do,
    /// Known already, or overtaken: nothing changes.
    Stay,
    /// It can't happen here.
    Refuse,
}

/// What `event` makes of a subscription in `status`: total.
///
/// | state \ event | period ended | paid⁴ | failed | given up | cancel at end | cancel now | uncancel | pause at end | unpause | resume⁵ | resubscribe⁵ | change | disputed | dispute won |
/// |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
/// | incomplete | stay | active | do | canceled | canceled | canceled | refuse | refuse | refuse | refuse | refuse | refuse | do | do |
/// | trialing | ends¹ | do | do | stay | do² | canceled | do³ | refuse | refuse | refuse | refuse | do | do | do |
/// | active | ends¹ | do | past due | stay | do² | canceled | do³ | do² | do³ | refuse | refuse | do | paused | do |
/// | past due | stay | active | do | canceled | canceled | canceled | refuse | refuse | refuse | refuse | refuse | refuse | paused | do |
/// | paused | stay | active | do | stay | canceled | canceled | refuse | stay | refuse | do | refuse | refuse | do | do |
/// | canceled | stay | active | stay | stay | stay | stay | refuse | refuse | refuse | refuse | do | refuse | do | do |
///
/// ¹ canceled or paused where that was wished; otherwise active when something can be charged, and
/// incomplete when nothing can. ² stays where the wish is there already. ³ refused where there is
/// no such wish. A pause is refused where the end is wished. ⁴ paused while a bank has money of it:
/// money that was on its way then is kept. ⁵ refused while a bank has money of it.
pub fn next_status(status: Status, flags: Flags, event: Event) -> Step {
    use Event as E;
    use Status as S;
    match (status, event) {
        (S::Trialing | S::Active, E::PeriodEnded) => ended(flags),
        (S::Paused, E::Paid) if flags.disputed => Step::Do,
        (S::Incomplete | S::PastDue | S::Canceled, E::Paid) if flags.disputed => {
            Step::Move(S::Paused)
        }
        (S::Incomplete | S::PastDue | S::Paused | S::Canceled, E::Paid) => Step::Move(S::Active),
        (S::Active | S::PastDue, E::Disputed) => Step::Move(S::Paused),
        (_, E::Disputed | E::DisputeWon) => Step::Do,
        (S::Paused, E::Resume) | (S::Canceled, E::Resubscribe) if flags.disputed => Step::Refuse,
        (S::Active, E::PaymentFailed) => Step::Move(S::PastDue),
        (S::Incomplete | S::PastDue, E::GivenUp) => Step::Move(S::Canceled),
        (S::Trialing | S::Active, E::CancelAtEnd) => wish(flags.cancel_at_end),
        (S::Incomplete | S::PastDue | S::Paused, E::CancelAtEnd) => Step::Move(S::Canceled),
        (S::Canceled, E::CancelAtEnd | E::CancelNow) => Step::Stay,
        (_, E::CancelNow) => Step::Move(S::Canceled),
        (S::Trialing | S::Active, E::Uncancel) => taken_back(flags.cancel_at_end),
        (S::Active, E::PauseAtEnd) if flags.cancel_at_end => Step::Refuse,
        (S::Active, E::PauseAtEnd) => wish(flags.pause_at_end),
        (S::Active, E::Unpause) => taken_back(flags.pause_at_end),
        (S::Trialing | S::Active, E::Paid | E::Change)
        | (S::Incomplete | S::Trialing | S::PastDue | S::Paused, E::PaymentFailed)
        | (S::Paused, E::Resume)
        | (S::Canceled, E::Resubscribe) => Step::Do,
        (S::Paused, E::PauseAtEnd) => Step::Stay,
        (_, E::PeriodEnded | E::PaymentFailed | E::GivenUp) => Step::Stay,
        (_, E::Uncancel | E::PauseAtEnd | E::Unpause | E::Resume | E::Resubscribe | E::Change) => {
            Step::Refuse
        }
    }
}

const fn ended(flags: Flags) -> Step {
    Step::Move(match flags {
        Flags {
            cancel_at_end: true,
            ..
        } => Status::Canceled,
        Flags {
            pause_at_end: true, ..
        } => Status::Paused,
        Flags {
            chargeable: true, ..
        } => Status::Active,
        _ => Status::Incomplete,
    })
}

const fn wish(there: bool) -> Step {
    match there {
        true => Step::Stay,
        false => Step::Do,
    }
}

const fn taken_back(there: bool) -> Step {
    match there {
        true => Step::Do,
        false => Step::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the doc comment with a payment method and no wishes: `+` is done, `-` stays,
    /// `!` is refused.
    const TABLE: [(Status, [&str; 14]); 6] = [
        (
            Status::Incomplete,
            [
                "-", "active", "+", "canceled", "canceled", "canceled", "!", "!", "!", "!", "!",
                "!", "+", "+",
            ],
        ),
        (
            Status::Trialing,
            [
                "active", "+", "+", "-", "+", "canceled", "!", "!", "!", "!", "!", "+", "+", "+",
            ],
        ),
        (
            Status::Active,
            [
                "active", "+", "past_due", "-", "+", "canceled", "!", "+", "!", "!", "!", "+",
                "paused", "+",
            ],
        ),
        (
            Status::PastDue,
            [
                "-", "active", "+", "canceled", "canceled", "canceled", "!", "!", "!", "!", "!",
                "!", "paused", "+",
            ],
        ),
        (
            Status::Paused,
            [
                "-", "active", "+", "-", "canceled", "canceled", "!", "-", "!", "+", "!", "!", "+",
                "+",
            ],
        ),
        (
            Status::Canceled,
            [
                "-", "active", "-", "-", "-", "-", "!", "!", "!", "!", "+", "!", "+", "+",
            ],
        ),
    ];

    const PLAIN: Flags = Flags {
        cancel_at_end: false,
        pause_at_end: false,
        chargeable: true,
        disputed: false,
    };

    fn every_flags() -> impl Iterator<Item = Flags> {
        (0..8).map(|bits| Flags {
            cancel_at_end: bits & 1 != 0,
            pause_at_end: bits & 2 != 0,
            chargeable: bits & 4 != 0,
            disputed: false,
        })
    }

    #[test]
    fn the_table_holds_cell_by_cell() {
        assert_eq!(TABLE.map(|(status, _)| status), Status::ALL);
        for (status, row) in TABLE {
            for (event, cell) in Event::ALL.into_iter().zip(row) {
                let expected = match cell {
                    "+" => Step::Do,
                    "-" => Step::Stay,
                    "!" => Step::Refuse,
                    code => Step::Move(Status::parse(code).expect("a state")),
                };
                let found = next_status(status, PLAIN, event);
                assert_eq!(found, expected, "{status:?} on {event:?}");
            }
        }
    }

    #[test]
    fn wishes_decide_how_a_period_ends_and_can_be_taken_back() {
        let (cancel, pause) = (
            Flags {
                cancel_at_end: true,
                ..PLAIN
            },
            Flags {
                pause_at_end: true,
                ..PLAIN
            },
        );
        let both = Flags {
            pause_at_end: true,
            ..cancel
        };
        let poor = Flags {
            chargeable: false,
            ..PLAIN
        };
        for status in [Status::Trialing, Status::Active] {
            for (flags, end) in [
                (cancel, Status::Canceled),
                (pause, Status::Paused),
                (both, Status::Canceled),
                (PLAIN, Status::Active),
                (poor, Status::Incomplete),
            ] {
                let found = next_status(status, flags, Event::PeriodEnded);
                assert_eq!(found, Step::Move(end), "{status:?} {flags:?}");
            }
            assert_eq!(next_status(status, cancel, Event::Uncancel), Step::Do);
            assert_eq!(next_status(status, cancel, Event::CancelAtEnd), Step::Stay);
        }
        let active = |flags, event| next_status(Status::Active, flags, event);
        assert_eq!(active(pause, Event::Unpause), Step::Do);
        assert_eq!(active(pause, Event::PauseAtEnd), Step::Stay);
        assert_eq!(active(cancel, Event::PauseAtEnd), Step::Refuse);
    }

    #[test]
    fn only_wishes_of_trialing_and_active_ones_matter() {
        for status in Status::ALL {
            for event in Event::ALL {
                let steps: Vec<_> = every_flags()
                    .map(|flags| next_status(status, flags, event))
                    .collect();
                let alike = steps.iter().all(|step| *step == steps[0]);
                let wished = matches!(status, Status::Trialing | Status::Active);
                assert!(alike || wished, "{status:?} on {event:?}: {steps:?}");
                if status == Status::Canceled {
                    let moved = steps.iter().any(|step| matches!(step, Step::Move(_)));
                    assert_eq!(moved, event == Event::Paid, "only money ends an end");
                }
            }
        }
    }

    #[test]
    fn nothing_is_charged_or_taken_up_while_a_bank_has_money_of_it() {
        let held = Flags {
            disputed: true,
            ..PLAIN
        };
        for (status, event, step) in [
            (Status::Paused, Event::Resume, Step::Refuse),
            (Status::Canceled, Event::Resubscribe, Step::Refuse),
            (Status::Paused, Event::Paid, Step::Do),
            (Status::PastDue, Event::Paid, Step::Move(Status::Paused)),
            (Status::Canceled, Event::Paid, Step::Move(Status::Paused)),
            (
                Status::Paused,
                Event::CancelNow,
                Step::Move(Status::Canceled),
            ),
        ] {
            assert_eq!(
                next_status(status, held, event),
                step,
                "{status:?} {event:?}"
            );
        }
    }

    #[test]
    fn codes_read_back() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.code()), Some(status));
        }
    }
}
