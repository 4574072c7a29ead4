//! From what Keygen sold to the claims of a license.

use mintreu::Timestamp;
use mintreu::id::LicenseId;
use mintreu::import::keygen::License;
use mintreu::license::{Binding, Claims, Entitlement, Name, QuotaClaim};
use mintreu::meter::Window;
use sha2::{Digest as _, Sha256};

use crate::cli::CliError;

/// How licenses are converted.
pub(super) struct Terms<'a> {
    pub product: &'a str,
    pub keygen_product: Option<&'a str>,
    pub editions: &'a [(String, String)],
    pub binding: Option<Binding>,
    pub uses_meter: &'a Name,
}

impl Terms<'_> {
    /// The claims, and what the old license said that they don't.
    pub fn claims(&self, old: &License, now: Timestamp) -> Result<(Claims, Vec<String>), CliError> {
        self.check(old)?;
        let mut notes = Vec::new();
        let mut claims = Claims::new(id(self.product, &old.id), self.product, now);
        claims.expires_at = old.expires_at;
        claims.on_expiry = old.on_expiry.unwrap_or_default();
        claims.seats = old.max_machines;
        claims.binding = self.binding.unwrap_or_else(|| binding(old));
        claims.edition = self.edition(old);
        if claims.edition.is_none() && !self.editions.is_empty() {
            notes.push("its policy has no edition".to_owned());
        }
        for code in &old.entitlements {
            let name: Name = code.parse().map_err(|_| {
                let detail = format!("the entitlement {code:?} is no name here; rename it first");
                CliError::new("entitlement_unfit", detail)
            })?;
            claims.entitlements.insert(name, Entitlement::Granted);
        }
        if let Some(most) = old.max_uses {
            let left = most.saturating_sub(old.uses);
            let quota = QuotaClaim::new(left, Window::Lifetime);
            claims.quotas.insert(self.uses_meter.clone(), quota);
            notes.push(format!("{left} of {most} uses are left"));
        }
        Ok((claims, notes))
    }

    fn check(&self, old: &License) -> Result<(), CliError> {
        let wanted = self.keygen_product;
        if wanted.is_some() && old.product_id.as_deref() != wanted {
            let detail = "it is a license of another Keygen product";
            return Err(CliError::new("wrong_product", detail));
        }
        if old.suspended {
            let detail = "it is suspended at Keygen; reinstate it there, or leave it behind";
            return Err(CliError::new("suspended", detail));
        }
        Ok(())
    }

    fn edition(&self, old: &License) -> Option<String> {
        let policy = [&old.policy_id, &old.policy_name];
        let named = |name: &String| policy.into_iter().flatten().any(|known| known == name);
        let found = self.editions.iter().find(|(name, _)| named(name));
        found.map(|(_, edition)| edition.clone())
    }
}

/// The id follows from the old one, so that the same license never becomes two.
fn id(product: &str, keygen: &str) -> LicenseId {
    let digest = Sha256::new()
        .chain_update(b"mintreu/import/keygen\0")
        .chain_update(product)
        .chain_update([0])
        .chain_update(keygen)
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // A UUID of version 8: sixteen bytes of one's own making.
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    LicenseId::from_bytes(bytes)
}

/// A machine that must keep saying that it's there holds a seat for a time; any other keeps it. A
/// signed key knew no machines at all.
fn binding(old: &License) -> Binding {
    match old.floating {
        Some(true) if old.heartbeat => Binding::Floating,
        Some(_) => Binding::NodeLocked,
        None => Binding::None,
    }
}
