//! Taking up what the folder holds, and what another process has put there.

use super::{
    ACTIVATION, Installed, KEY_SET, LEASE, LICENSE, REVOCATIONS, Shared, UNITS, enrol, units,
};
use crate::activation::Activation;
use crate::document::{Bundle, Kind};
use crate::error::{Error, Result};
use crate::license::verify;

impl Shared {
    /// Takes up what the folder holds, each kind after those that it is judged by.
    pub(super) fn hold_documents(&self) -> Result<()> {
        let documents = self.journal.documents()?;
        for kind in [KEY_SET, REVOCATIONS, LICENSE, ACTIVATION, LEASE] {
            for (_, bytes) in documents.iter().filter(|(name, _)| is_a(name, kind)) {
                self.take_up(bytes)?;
            }
        }
        for (_, bytes) in documents.iter().filter(|(name, _)| is_a(name, UNITS)) {
            units::take_up(self, bytes);
        }
        Ok(())
    }

    /// Takes up what other processes have installed since, and lets go of seats they gave back.
    #[cold]
    pub(super) fn catch_up(&self) -> Result<()> {
        self.hold_documents()?;
        let documents = self.journal.documents()?;
        let seats = self.held(|held| {
            let seats = held.seats().map(|seat| seat.activation.claims().license);
            seats.collect::<Vec<_>>()
        });
        for license in seats {
            let name = enrol::named(ACTIVATION, license);
            if documents.iter().all(|(kept, _)| *kept != name) {
                self.hold(|held| held.vacate(license));
            }
        }
        Ok(())
    }

    /// Verifies a bundle and holds it.
    pub(super) fn take_up(&self, bundle: &[u8]) -> Result<Installed> {
        let shared = self;
        match Bundle::from_bytes(bundle)?.kind() {
            Kind::License => {
                let license = shared.verify(|ring| verify(bundle, ring))?;
                let id = license.claims().id;
                shared.trust_time(license.claims().issued_at)?;
                shared.hold(|held| held.add(license));
                Ok(Installed::License(id))
            }
            Kind::Activation => {
                let activation = shared.verify(|ring| Activation::verify(bundle, ring))?;
                let license = activation.claims().license;
                enrol::hold(shared, activation)?;
                Ok(Installed::Activation(license))
            }
            Kind::Lease => {
                let (license, _) = enrol::hold_lease(shared, bundle)?;
                Ok(Installed::Lease(license))
            }
            Kind::KeySet => shared.take_key_set(bundle).map(Installed::KeySet),
            Kind::Revocations => shared.take_list(bundle).map(Installed::Revocations),
            other => Err(Error::new(
                "wrong_kind",
                format!("a {} is nothing that is installed", other.name()),
            )),
        }
    }
}

/// Whether a document is kept under a name of this kind.
pub(super) fn is_a(name: &str, kind: &str) -> bool {
    name.strip_prefix(kind)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}
