//! What a device asks beside its own affairs: the time, the newest key set and revocation lists.
//!
//! It asks once a day, and at once while the clock is suspect or the seller's word is too old.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use super::Shared;
use super::enrol::{self, Ask};
use super::units::Shares;
use crate::activation::{TimeProof, Wanted};
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::license::Status;
use crate::sync::{Request, TIME, keyset_path, revocations_path};
use crate::time::Running;

/// When the news were last whole, in milliseconds since 1970.
const HEARD_MS: &str = "news heard";
const DAILY_MS: i64 = 24 * 60 * 60 * 1000;

/// One thing to ask the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Time,
    KeySet,
    List(u64),
}

/// What this device has to tell, to a server that takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word {
    Usage,
    SeatGivenBack,
    Units,
}

/// One run of the host's loop from the first request to `None`.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Whether usage was sealed already: a loop seals once, so that a busy product's loop ends.
    pub sealed: bool,
    /// Whether it is time for news: told once a turn.
    due: Option<bool>,
    /// What was answered, and whether all of it was an answer.
    done: BTreeSet<Step>,
    failed: bool,
    /// What the last request asked, when it asked for news.
    last: Option<Step>,
    /// What of this device's own the last request carried.
    pub carries: Option<Word>,
    /// What whoever is talked to doesn't take: it waits for another.
    waiting: BTreeSet<Word>,
    /// Whether usage was refused while a seat is asked for: it waits for that, once.
    unseated: bool,
    /// The licenses whose seats were asked to be kept.
    pub renewed: BTreeSet<LicenseId>,
    /// The shared quotas that units were asked of.
    pub units: BTreeSet<Shares>,
}

impl Turn {
    pub fn asks_for_news(&self) -> bool {
        self.last.is_some()
    }

    pub fn forget_last(&mut self) {
        self.last = None;
        self.carries = None;
    }

    /// Whether this waits until the turn is over.
    pub fn waits(&self, word: Word) -> bool {
        self.waiting.contains(&word)
    }

    /// Lets what the last request carried wait, if it may; tells whether it may.
    pub fn wait(&mut self) -> bool {
        self.waiting.extend(self.carries);
        self.carries.is_some()
    }

    /// Lets usage wait for the seat that is asked for; tells whether it hasn't waited before.
    pub fn wait_for_a_seat(&mut self) -> bool {
        !std::mem::replace(&mut self.unseated, true) && self.wait()
    }

    /// Usage that waited for a seat goes on.
    pub fn has_a_seat(&mut self) {
        if self.unseated {
            self.waiting.remove(&Word::Usage);
        }
    }

    /// Notes that the last question was answered; tells whether it asked for news.
    pub fn heard(&mut self) -> bool {
        let last = self.last.take();
        self.done.extend(last);
        last.is_some()
    }

    /// Notes that the last question found no answer: it isn't asked again in this turn, so that
    /// what comes after it is.
    pub fn refused(&mut self) {
        self.failed |= self.heard();
    }
}

impl Shared {
    pub(super) fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next question of this turn, when it is time for news: the same until it is answered.
pub(super) fn next(shared: &Shared) -> Result<Option<Request>> {
    if shared.trust.product().is_none() {
        return Ok(None);
    }
    let known = shared.turn().due;
    let is_due = match known {
        Some(is_due) => is_due,
        None => due(shared)?,
    };
    let steps = if is_due { steps(shared) } else { Vec::new() };
    let step = {
        let mut turn = shared.turn();
        turn.due = Some(is_due);
        turn.last = steps.into_iter().find(|step| !turn.done.contains(step));
        turn.last
    };
    step.map(|step| request(shared, step)).transpose()
}

/// Everything there is to ask.
fn steps(shared: &Shared) -> Vec<Step> {
    let lists: BTreeSet<_> = shared.held(|held| {
        let places = held.licenses().iter().filter_map(|l| l.claims().status);
        places.map(|place| place.list).collect()
    });
    let lists = lists.into_iter().map(Step::List);
    [Step::Time, Step::KeySet]
        .into_iter()
        .chain(lists)
        .collect()
}

fn due(shared: &Shared) -> Result<bool> {
    // Without a license there is nothing to judge.
    if shared.held(|held| held.licenses().is_empty()) {
        return Ok(false);
    }
    let now = shared.now();
    let since = now.at.ms().saturating_sub(shared.journal.number(HEARD_MS)?);
    let stale = shared.with_judged(|judged| {
        let status = judged.verdict().map(|verdict| verdict.status());
        matches!(status, Ok(Status::RevocationsStale | Status::KeyRevoked))
    });
    Ok(now.is_suspect() || stale || !(0..DAILY_MS).contains(&since))
}

fn request(shared: &Shared, step: Step) -> Result<Request> {
    let product = shared.trust.product().unwrap_or_default();
    Ok(match step {
        Step::Time => Request::post(TIME, question(shared, Channel::Network)?),
        Step::KeySet => {
            let have = shared.held(|held| held.ring.key_set().map_or(0, |set| set.version));
            Request::post(keyset_path(product, have), Vec::new())
        }
        Step::List(number) => {
            let have = shared.held(|held| {
                let list = held.ring.lists().find(|list| list.list() == number);
                list.map_or((0, 0), |list| (list.version(), list.issued_at().secs()))
            });
            Request::post(revocations_path(product, number, have), Vec::new())
        }
    })
}

/// Ends the turn: when everything that was asked was answered, the next one is in a day.
///
/// `seats_too` is whether nothing is left to ask for seats either: until then those that were asked
/// to be kept are remembered, and so is what waits.
pub(super) fn end(shared: &Shared, seats_too: bool) -> Result<()> {
    let turn = {
        let mut turn = shared.turn();
        let over = std::mem::take(&mut *turn);
        if !seats_too {
            turn.renewed.clone_from(&over.renewed);
            turn.waiting.clone_from(&over.waiting);
            turn.unseated = over.unseated;
            turn.units.clone_from(&over.units);
        }
        over
    };
    if !turn.done.is_empty() && !turn.failed {
        let now = shared.now().at.ms();
        shared.journal.set_number(HEARD_MS, now)?;
    }
    Ok(())
}

/// How a question travels, and so for how long its answer is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Network,
    Text,
}

impl Channel {
    const ALL: [Self; 2] = [Self::Network, Self::Text];

    const fn name(self) -> &'static str {
        match self {
            Self::Network => "time question",
            Self::Text => "time question by text",
        }
    }

    /// The running time for which an answer is taken.
    const fn patience_ms(self) -> i64 {
        match self {
            Self::Network => 10 * 60 * 1000,
            Self::Text => DAILY_MS,
        }
    }
}

/// A question that waits for its answer: when it was asked, its nonce, and the request's bytes.
struct Question {
    asked: Running,
    nonce: [u8; 16],
    request: Vec<u8>,
}

impl Question {
    fn to_bytes(&self) -> Vec<u8> {
        let ms = self.asked.ms.to_be_bytes();
        [&self.asked.boot[..], &ms, &self.nonce, &self.request].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (boot, rest) = bytes.split_first_chunk()?;
        let (ms, rest) = rest.split_first_chunk()?;
        let (nonce, request) = rest.split_first_chunk()?;
        Some(Self {
            asked: Running {
                boot: *boot,
                ms: i64::from_be_bytes(*ms),
            },
            nonce: *nonce,
            request: request.to_vec(),
        })
    }

    /// The running time since it was asked; `None` after another start of the machine.
    fn age_ms(&self, running: Option<Running>) -> Option<i64> {
        let now = running.filter(|now| now.boot == self.asked.boot)?;
        Some(now.ms.saturating_sub(self.asked.ms)).filter(|&age| age >= 0)
    }
}

fn waiting(shared: &Shared, channel: Channel) -> Result<Option<Question>> {
    let bytes = shared.journal.state(channel.name())?;
    Ok(bytes.and_then(|bytes| Question::from_bytes(&bytes)))
}

/// The signed question for the time: the one that waits while it is young, else a new one.
pub(super) fn question(shared: &Shared, channel: Channel) -> Result<Vec<u8>> {
    let running = shared.keeper.running();
    if let Some(known) = waiting(shared, channel)? {
        let age = known.age_ms(running);
        if age.is_some_and(|age| age < channel.patience_ms() / 2) {
            return Ok(known.request);
        }
    }
    let (nonce, request) = enrol::sealed(shared, Ask::from(Wanted::Time))?;
    let question = Question {
        asked: running.unwrap_or(Running {
            boot: [0; 16],
            ms: 0,
        }),
        nonce,
        request,
    };
    let bytes = question.to_bytes();
    shared
        .journal
        .set_states(&[(channel.name(), Some(&bytes))])?;
    Ok(question.request)
}

/// Takes a proof of the time, or the acknowledgement of a seat given back.
pub(super) fn prove(shared: &Shared, bundle: &[u8]) -> Result<()> {
    let (opened, proof) = shared.verify(|ring| TimeProof::verify(bundle, ring))?;
    opened.holds_at(shared.now().at)?;
    if proof.device != shared.host.device {
        return Err(mismatch());
    }
    for channel in Channel::ALL {
        let Some(asked) = waiting(shared, channel)?.filter(|asked| asked.nonce == proof.nonce)
        else {
            continue;
        };
        let age = asked.age_ms(shared.keeper.running());
        let age = age.filter(|&age| age <= channel.patience_ms());
        shared.journal.set_states(&[(channel.name(), None)])?;
        let Some(age) = age else {
            // Late, it still shows that it is no earlier than that.
            shared.trust_time(proof.at)?;
            return Err(Error::new(
                "challenge_late",
                "this answer came too late, or the device was started again since it asked; ask \
                 once more",
            ));
        };
        shared.keeper.prove(proof.at, age, &shared.journal)?;
        shared.hold(|held| held.judge_again());
        return Ok(());
    }
    shared.trust_time(proof.at)?;
    match enrol::acknowledged(shared, &proof)? {
        true => Ok(()),
        false => Err(mismatch()),
    }
}

fn mismatch() -> Error {
    Error::new(
        "challenge_mismatch",
        "this answers another question for the time; carry over this device's own one",
    )
}
