//! The host at work: a request comes in, the clock is looked at, one transaction decides.

use super::delegation::Delegation;
use super::store::{Book, Seat, SeatStore};
use super::terms::{self, Terms};
use crate::app::Entropy;
use crate::hostfile::HostFile;
use mintreu::activation::{Activation, Deactivation, Lease, Request, Wanted};
use mintreu::clock::{Look, Watch};
use mintreu::document::{PublicKey, SigningKey};
use mintreu::id::{ActivationId, uuid_v7};
use mintreu::license::{ClockState, Trust};
use mintreu::{Clock, Error, Timestamp};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a host is made from.
pub struct Setup {
    /// The host's own key.
    pub key: SigningKey,
    /// What the shop gave for it.
    pub file: HostFile,
    /// What products pin, where the operator knows better than the file.
    pub trust: Option<Trust>,
    /// What the operator chose.
    pub terms: Terms,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// Where the random part of ids comes from.
    pub entropy: Entropy,
}

/// A running host of one license's floating seats.
pub struct Host {
    key: SigningKey,
    delegation: Delegation,
    terms: Terms,
    seats: u32,
    clock: Arc<dyn Clock>,
    entropy: Entropy,
    state: Mutex<State>,
}

/// What changes; one at a time does so.
struct State {
    store: SeatStore,
    watch: Watch,
    suspect: bool,
}

/// Why a request was refused. It changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It can't be read, or its signature doesn't hold.
    #[error("the request is not readable: {}", .0.detail())]
    Malformed(Error),
    /// For another product.
    #[error("this host lends seats of another product")]
    WrongProduct,
    /// For another license, or for what only a shop gives.
    #[error("this host lends seats of one license, and this is not it")]
    NotHere,
    /// All seats are taken.
    #[error(
        "all {seats} seats are taken; one is free in {retry_secs} s at the latest, if its \
             device doesn't keep it"
    )]
    Exhausted {
        /// How many there are.
        seats: u32,
        /// When the next lease ends.
        retry_secs: u32,
    },
    /// The seat is another device's.
    #[error("this seat is another device's")]
    NotYours,
    /// The license, the certificate or the clock lets nothing be lent.
    #[error("{}", .0.detail())]
    Over(Error),
    /// A document could not be signed.
    #[error("a document could not be made: {0}")]
    Signing(Error),
    /// The host's file.
    #[error("{0}")]
    Store(Error),
}

/// A request whose signature holds and that is meant for this host.
struct Asked {
    request: Request,
    device: PublicKey,
    hash: [u8; 32],
}

/// What a request came to, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happened {
    Taken,
    Extended,
    Repeated,
}

/// Where the host stands, for people.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The instant, as far as it is known.
    pub now: Timestamp,
    /// Whether the machine's clock is behind what it had shown.
    pub suspect: bool,
    /// Seats to lend.
    pub seats: u32,
    /// Those that are kept.
    pub taken: Vec<Seat>,
    /// Why nothing is lent, if so.
    pub refusal: Option<Error>,
}

impl Host {
    /// Checks everything as a product would and opens the file of seats in `folder`.
    pub fn open(folder: &Path, setup: Setup) -> Result<Self, Error> {
        let delegation = Delegation::verify(setup.file, setup.trust, setup.key.public())?;
        let seats = setup.terms.check(&delegation)?;
        let license = delegation.license().claims().id;
        let wall = setup.clock.now().max(delegation.shown());
        let store = SeatStore::open(&folder.join("seats.db"), license, wall.secs())?;
        let mut watch = store.watch()?;
        watch.raise(delegation.shown());
        let host = Self {
            key: setup.key,
            delegation,
            terms: setup.terms,
            seats,
            clock: setup.clock,
            entropy: setup.entropy,
            state: Mutex::new(State {
                store,
                watch,
                suspect: false,
            }),
        };
        let look = host.look(&mut host.state());
        if let Some(refusal) = terms::refusal(&host.delegation, look.now, look.clock) {
            return Err(refusal);
        }
        host.delegation.prove(&host.key, look.now)?;
        Ok(host)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic can't leave the file half changed, and the watch only rises.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the clocks; says so once when they come under suspicion, and when that is over.
    fn look(&self, state: &mut State) -> Look {
        let look = state.watch.look(self.clock.now(), self.clock.running());
        let suspect = look.clock != ClockState::Sound;
        if suspect && !state.suspect {
            tracing::warn!(
                code = "clock_suspect",
                "this machine's clock is behind what it had shown; set it right"
            );
        } else if state.suspect && !suspect {
            tracing::info!("this machine's clock is right again");
        }
        state.suspect = suspect;
        look
    }

    /// Answers a device's request with an activation or a lease.
    pub fn activate(&self, bytes: &[u8]) -> Result<Vec<u8>, Refused> {
        let asked = self.read(bytes)?;
        let mut state = self.state();
        let look = self.look(&mut state);
        if let Some(refusal) = terms::refusal(&self.delegation, look.now, look.clock) {
            return Err(Refused::Over(refusal));
        }
        let (watch, now) = (state.watch, look.now.secs());
        let (ended, happened, seat) = state.store.transact(|book| {
            book.keep(&watch)?;
            let ended = book.end_leases(now)?;
            let (happened, seat) = self.decide(book, &asked, now)?;
            Ok::<_, Refused>((ended, happened, seat))
        })?;
        drop(state);
        ended.iter().for_each(|seat| audit("seat_ended", seat));
        match happened {
            Happened::Taken => audit("seat_taken", &seat),
            Happened::Extended => audit("seat_extended", &seat),
            Happened::Repeated => {}
        }
        Ok(seat.answer)
    }

    fn read(&self, bytes: &[u8]) -> Result<Asked, Refused> {
        let (device, request) = Request::verify(bytes).map_err(Refused::Malformed)?;
        let license = self.delegation.license().claims();
        match request.wanted {
            Wanted::License(id) if id == license.id => {}
            _ => return Err(Refused::NotHere),
        }
        if request.product != license.product {
            return Err(Refused::WrongProduct);
        }
        Ok(Asked {
            request,
            device,
            hash: Sha256::digest(bytes).into(),
        })
    }

    fn decide(
        &self,
        book: &Book<'_>,
        asked: &Asked,
        now: i64,
    ) -> Result<(Happened, Seat), Refused> {
        let kept = book.of_device(asked.device.as_bytes())?;
        // Beyond the number that is lent now, seats run out.
        let kept = kept.filter(|seat| seat.number <= self.seats);
        let (happened, seat) = match kept {
            Some(seat) if seat.request == asked.hash => return Ok((Happened::Repeated, seat)),
            Some(seat) => (Happened::Extended, self.extended(asked, seat, now)?),
            None => (Happened::Taken, self.taken(book, asked, now)?),
        };
        book.put(&seat)?;
        Ok((happened, seat))
    }

    /// When a seat ends that is asked for now, and whether that is longer than a lease.
    fn end(&self, asked: &Asked, kept: Option<i64>, now: i64) -> (i64, bool) {
        let last = terms::last_second(&self.delegation);
        let end = self.terms.end(now, asked.request.lend_secs, kept, last);
        (
            end,
            end > now.saturating_add(i64::from(self.terms.lease_secs)),
        )
    }

    fn taken(&self, book: &Book<'_>, asked: &Asked, now: i64) -> Result<Seat, Refused> {
        let Some(number) = book.free_number(self.seats)? else {
            let wait = book.next_end()?.map_or(1, |end| end.saturating_sub(now));
            return Err(Refused::Exhausted {
                seats: self.seats,
                retry_secs: u32::try_from(wait.max(1)).unwrap_or(u32::MAX),
            });
        };
        let mut random = [0; 10];
        (self.entropy)(&mut random);
        let activation = ActivationId::from_bytes(uuid_v7(Timestamp::from_secs(now), random));
        let (ends_at, borrowed) = self.end(asked, None, now);
        Ok(Seat {
            number,
            device: *asked.device.as_bytes(),
            activation,
            taken_at: now,
            ends_at,
            borrowed,
            request: asked.hash,
            answer: self.activation(asked, activation, now, ends_at)?,
        })
    }

    /// A lease for who asks to keep the seat; for who asks anew, having lost the answer or the
    /// seat's folder, an activation of the same seat.
    fn extended(&self, asked: &Asked, seat: Seat, now: i64) -> Result<Seat, Refused> {
        let (ends_at, borrowed) = self.end(asked, Some(seat.ends_at), now);
        let answer = if asked.request.renews == Some(seat.activation) {
            self.lease(seat.activation, now, ends_at)?
        } else {
            self.activation(asked, seat.activation, now, ends_at)?
        };
        Ok(Seat {
            ends_at,
            borrowed,
            request: asked.hash,
            answer,
            ..seat
        })
    }

    fn activation(
        &self,
        asked: &Asked,
        id: ActivationId,
        now: i64,
        ends_at: i64,
    ) -> Result<Vec<u8>, Refused> {
        let license = self.delegation.license().claims();
        let activation = Activation {
            id,
            license: license.id,
            product: license.product.clone(),
            issued_at: Timestamp::from_secs(now),
            expires_at: Some(Timestamp::from_secs(ends_at)),
            device: asked.device,
            nonce: asked.request.nonce,
            fingerprint: asked.request.fingerprint.clone(),
            license_bundle: None,
        };
        let signed = activation.issue(&self.key, &self.delegation.certificates());
        signed.map_err(Refused::Signing)
    }

    fn lease(&self, activation: ActivationId, now: i64, ends_at: i64) -> Result<Vec<u8>, Refused> {
        let lease = Lease {
            issued_at: Timestamp::from_secs(now),
            activation,
            seconds: u32::try_from(ends_at.saturating_sub(now)).unwrap_or(0),
        };
        let signed = lease.issue(&self.key, &self.delegation.certificates());
        signed.map_err(Refused::Signing)
    }

    /// Frees the seat that its device gives back. Giving back what is free already is heard too.
    pub fn deactivate(&self, bytes: &[u8]) -> Result<(), Refused> {
        let (device, said) = Deactivation::verify(bytes).map_err(Refused::Malformed)?;
        let license = self.delegation.license().claims();
        if said.license != license.id {
            return Err(Refused::NotHere);
        }
        if said.product != license.product {
            return Err(Refused::WrongProduct);
        }
        let mut state = self.state();
        self.look(&mut state);
        let watch = state.watch;
        let freed = state.store.transact(|book| {
            let kept = book.seats()?;
            let named = kept
                .into_iter()
                .find(|seat| seat.activation == said.activation);
            let Some(seat) = named else {
                return Ok(None);
            };
            if seat.device != *device.as_bytes() {
                return Err(Refused::NotYours);
            }
            book.keep(&watch)?;
            book.free(&seat.device)?;
            Ok(Some(seat))
        })?;
        drop(state);
        if let Some(seat) = freed {
            audit("seat_returned", &seat);
        }
        Ok(())
    }

    /// Ends the leases whose time is over and keeps what was seen of the time.
    pub fn tick(&self) -> Result<(), Refused> {
        let mut state = self.state();
        let look = self.look(&mut state);
        let watch = state.watch;
        let ended = state.store.transact(|book| {
            book.keep(&watch)?;
            Ok::<_, Refused>(book.end_leases(look.now.secs())?)
        })?;
        drop(state);
        ended.iter().for_each(|seat| audit("seat_ended", seat));
        Ok(())
    }

    /// Where the host stands.
    pub fn standing(&self) -> Result<Standing, Refused> {
        let mut state = self.state();
        let look = self.look(&mut state);
        let kept = state
            .store
            .transact(|book| Ok::<_, Refused>(book.seats()?))?;
        drop(state);
        let now = look.now.secs();
        Ok(Standing {
            now: look.now,
            suspect: look.clock != ClockState::Sound,
            seats: self.seats,
            taken: kept.into_iter().filter(|seat| seat.ends_at > now).collect(),
            refusal: terms::refusal(&self.delegation, look.now, look.clock),
        })
    }

    /// What it may do.
    pub const fn delegation(&self) -> &Delegation {
        &self.delegation
    }

    /// Its public key.
    pub fn key(&self) -> &PublicKey {
        self.key.public()
    }

    /// A count of milliseconds that nobody sets back: what rates are measured by.
    pub fn running(&self) -> Timestamp {
        let running = self.clock.running();
        running.map_or_else(|| self.clock.now(), |ran| Timestamp::from_ms(ran.ms))
    }
}

/// The short name of a device's key, as people compare it.
pub fn device_name(device: &[u8; 32]) -> String {
    let kid = PublicKey::from_bytes(device).map_or([0; 8], |key| key.kid());
    kid.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line of the audit log.
fn audit(event: &'static str, seat: &Seat) {
    tracing::info!(
        target: super::AUDIT,
        event,
        seat = seat.number,
        device = %device_name(&seat.device),
        activation = %seat.activation,
        taken_at = seat.taken_at.saturating_mul(1000),
        ends_at = seat.ends_at.saturating_mul(1000),
        borrowed = seat.borrowed,
    );
}
