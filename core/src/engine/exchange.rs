//! The exchange with the server: what to send next, and what an answer says.
//!
//! One turn is the host's loop from the first request to `None`. Usage goes first, since a seat that
//! is given back takes no more of it; then units, seats given back, news, and seats asked for.

use super::news::{self, Word};
use super::{Engine, Installed, Shared, enrol, units};
use crate::document::{Bundle, Kind};
use crate::error::Result;
use crate::journal::SealTime;
use crate::license::open_bundle;
use crate::meter::{Receipt, TimeQuality};
use crate::sync::{ACTIVATIONS, Answer, DEACTIVATIONS, Request, sort_response, unavailable};
use crate::time::Timestamp;

impl Engine {
    /// What to send to the server next, or `None` when this sync is done.
    ///
    /// Call it in a loop with [`on_response`](Self::on_response) until it gives `None`. New usage
    /// is sealed at most once in a loop, so that a busy product's loop ends too. Once a day, and
    /// whenever the clock is in doubt, it also asks for the time, the newest key set and the
    /// revocation lists.
    pub fn next_request(&self) -> Result<Option<Request>> {
        let shared = &self.shared;
        shared.generation();
        shared.turn().forget_last();
        if let Some(bytes) = shared.next_segment()? {
            shared.turn().carries = Some(Word::Usage);
            return Ok(Some(Request::segments(bytes)));
        }
        if !shared.turn().waits(Word::Units)
            && let Some(request) = units::next(shared)?
        {
            shared.turn().carries = Some(Word::Units);
            return Ok(Some(request));
        }
        if let Some(bytes) = enrol::given_up(shared)?
            && !shared.turn().waits(Word::SeatGivenBack)
        {
            shared.turn().carries = Some(Word::SeatGivenBack);
            return Ok(Some(Request::post(DEACTIVATIONS, bytes)));
        }
        if let Some(request) = news::next(shared)? {
            return Ok(Some(request));
        }
        let activation = enrol::pending(shared)?;
        news::end(shared, activation.is_none())?;
        Ok(activation.map(|bytes| Request::post(ACTIVATIONS, bytes)))
    }

    /// Takes the server's answer: its status and its body.
    ///
    /// Repeated, late and reordered answers are harmless. `server_unavailable` means: later;
    /// `sync_refused`: somebody must look. In both cases nothing is lost.
    pub fn on_response(&self, status: u16, body: &[u8]) -> Result<()> {
        let optional = self.shared.turn().asks_for_news();
        let taken = self.take_response(status, body, optional);
        if taken.is_err() {
            self.shared.turn().refused();
        }
        taken
    }

    fn take_response(&self, status: u16, body: &[u8], optional: bool) -> Result<()> {
        let sorted = sort_response(status, body, optional);
        // Usage of a seat that was lost is taken again once the device has one again.
        if sorted.as_ref().is_err_and(|e| e.code() == "sync_refused")
            && self.shared.turn().carries == Some(Word::Usage)
            && enrol::pending(&self.shared)?.is_some()
            && self.shared.turn().wait_for_a_seat()
        {
            return Ok(());
        }
        match sorted? {
            Answer::Taken(bundle) | Answer::NotTaken(bundle)
                if Bundle::from_bytes(bundle)?.kind() == Kind::Receipt =>
            {
                self.acknowledge(bundle, status == 409)
            }
            Answer::Taken(bundle) | Answer::NotTaken(bundle) => {
                let installed = self.install_bytes(bundle)?;
                let mut turn = self.shared.turn();
                turn.heard();
                if matches!(installed, Installed::Activation(_)) {
                    turn.has_a_seat();
                }
                Ok(())
            }
            Answer::Elsewhere if self.shared.turn().wait() => Ok(()),
            Answer::Elsewhere => Err(unavailable(status)),
            Answer::Nothing if self.shared.turn().heard() => Ok(()),
            Answer::Nothing => enrol::heard_given_up(&self.shared),
        }
    }

    fn acknowledge(&self, bundle: &[u8], refused: bool) -> Result<()> {
        let shared = &self.shared;
        let opened = shared.verify(|ring| open_bundle(Kind::Receipt, bundle, ring))?;
        opened.holds_at(shared.now().at)?;
        let receipt = Receipt::from_claims(opened.claims())?;
        shared.trust_time(receipt.issued_at)?;
        let now = shared.now().at;
        shared.journal.acknowledge(&receipt, bundle, refused, now)
    }
}

impl Shared {
    pub(super) fn seal_time(&self) -> SealTime {
        let never = self.keeper.floor() == Timestamp::default();
        let quality = match (never, self.now().is_suspect()) {
            (true, _) => TimeQuality::Unknown,
            (false, true) => TimeQuality::Suspect,
            (false, false) => TimeQuality::Plausible,
        };
        SealTime {
            at: self.keeper.wall(),
            quality,
            running: self.keeper.running(),
        }
    }

    fn next_segment(&self) -> Result<Option<Vec<u8>>> {
        if self.turn().waits(Word::Usage) {
            return Ok(None);
        }
        let may_seal = !self.turn().sealed;
        let heartbeat = i64::try_from(self.pace.heartbeat.as_millis()).unwrap_or(i64::MAX);
        let next = self
            .journal
            .next_segment(self.seal_time(), may_seal, heartbeat)?;
        let Some((bytes, just_sealed)) = next else {
            return Ok(None);
        };
        self.turn().sealed |= just_sealed;
        self.journal.with_following(bytes).map(Some)
    }
}
