//! What a device is given and asks for: licenses, seats, the time.

use super::held::Held;
use super::news::Channel;
use super::{Engine, Installed, KEY_SET, LICENSE, REVOCATIONS, enrol, news, units};
use crate::activation::{RedeemCode, UnitsLease, Wanted, seller_key};
use crate::document::{Bundle, Kind, from_text, to_text};
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::time::Timestamp;

impl Engine {
    /// Installs whatever a seller gives a customer, in any text form: key, file or QR text.
    ///
    /// That is a license, an activation, a lease, a redeem code, a key set, a revocation list or
    /// the time. The error's code says what is wrong and its sentence what to do; nothing is
    /// installed then. An older key set or list than the one held is `keyset_old` or `list_old`.
    pub fn install(&self, text: &str) -> Result<Installed> {
        match text.parse::<RedeemCode>() {
            Ok(code) => {
                enrol::ask(&self.shared, Wanted::Code(code))?;
                Ok(Installed::Code)
            }
            // Somebody who meant a code learns that it is mistyped, before anything is sent.
            Err(error) if RedeemCode::resembles(text) => Err(error),
            Err(_) => self.install_bytes(&from_text(text)?),
        }
    }

    /// Exchanges a key that the seller gave out before, elsewhere: the next request, or
    /// [`activation_request`](Self::activation_request), asks with it.
    ///
    /// Such a key has no check characters, so whether it is right is known only from the answer.
    /// `seller_key_malformed` for what can't be one.
    pub fn exchange(&self, key: &str) -> Result<()> {
        enrol::ask(&self.shared, Wanted::Key(seller_key(key)?.to_owned()))
    }

    /// Installs the bytes of a bundle; see [`install`](Self::install).
    pub fn install_bytes(&self, bundle: &[u8]) -> Result<Installed> {
        let journal = &self.shared.journal;
        match Bundle::from_bytes(bundle)?.kind() {
            Kind::Activation => return enrol::install(&self.shared, bundle),
            Kind::Lease if UnitsLease::resembles(bundle) => {
                return units::install(&self.shared, bundle);
            }
            Kind::Lease => return enrol::install_lease(&self.shared, bundle),
            Kind::Challenge => {
                return news::prove(&self.shared, bundle).map(|()| Installed::Time);
            }
            _ => {}
        }
        let installed = self.shared.take_up(bundle)?;
        match installed {
            Installed::License(id) => journal.keep_document(&enrol::named(LICENSE, id), bundle)?,
            Installed::KeySet(_) => journal.keep_document(KEY_SET, bundle)?,
            Installed::Revocations(list) => {
                journal.keep_document(&format!("{REVOCATIONS} {list}"), bundle)?;
            }
            _ => {}
        }
        Ok(installed)
    }

    /// The activation request as text, to be carried by file, paste or QR; what comes back goes
    /// into [`install`](Self::install).
    ///
    /// `nothing_to_activate` when there is neither a code nor a license that needs it.
    pub fn activation_request(&self) -> Result<String> {
        let request = enrol::pending(&self.shared)?;
        request.map(|bytes| to_text(&bytes)).ok_or_else(|| {
            Error::new(
                "nothing_to_activate",
                "install a redeem code or a license, or exchange a key, first",
            )
        })
    }

    /// Gives this device's seat back, so that another may take it; the license stays installed.
    ///
    /// The seat is forgotten here at once. The signed text says so to whoever keeps the seats: the
    /// next requests carry it, or a person does by file, paste or QR. `license` is needed only
    /// where the device holds several seats (`license_ambiguous`); `nothing_activated` when it
    /// holds none. [`activate`](Self::activate) takes a seat again.
    pub fn deactivate(&self, license: Option<LicenseId>) -> Result<String> {
        enrol::give_up(&self.shared, license).map(|bytes| to_text(&bytes))
    }

    /// Asks for a seat again, after [`deactivate`](Self::deactivate).
    pub fn activate(&self, license: LicenseId) -> Result<()> {
        let held = |held: &Held| held.licenses().iter().any(|l| l.claims().id == license);
        if self.shared.held(held) {
            return enrol::ask(&self.shared, Wanted::License(license));
        }
        Err(Error::new(
            "not_licensed",
            "this license is not installed here; install it first",
        ))
    }

    /// Asks to keep a floating seat for `seconds`, to work without a network for so long.
    ///
    /// The next requests, or [`activation_request`](Self::activation_request), carry the wish; how
    /// long it is granted for is the seller's to say: [`seat_ends_at`](Self::seat_ends_at).
    pub fn borrow(&self, license: Option<LicenseId>, seconds: u32) -> Result<()> {
        enrol::borrow(&self.shared, license, seconds)
    }

    /// Until when this device's seat of a license is kept; `None` without one, or for as long as
    /// the license holds.
    pub fn seat_ends_at(&self, license: LicenseId) -> Option<Timestamp> {
        self.shared.held(|held| held.seat(license)?.ends_at())
    }

    /// A question for the time as text, for a device whose clock is in doubt and that has no
    /// network; the answer goes into [`install`](Self::install) within a day, and before the
    /// machine is started again.
    pub fn time_request(&self) -> Result<String> {
        news::question(&self.shared, Channel::Text).map(|bytes| to_text(&bytes))
    }
}
