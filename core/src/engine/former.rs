//! What a former device of this folder held, after a new one took over.

use super::documents::is_a;
use super::{ACTIVATION, LEASE, Shared, enrol};
use crate::activation::Request;
use crate::error::Result;

/// Keeps what belongs to the customer, the licenses and the seller's word on them, and forgets what
/// belonged to the device: its seats and its request. Asks again, as this device, for what that request asked.
///
/// Each step may be repeated, so that a process killed in between loses nothing.
pub(super) fn put_away(shared: &Shared) -> Result<()> {
    if !shared.journal.handed_over()? {
        return Ok(());
    }
    let documents = shared.journal.documents()?;
    let names = documents.iter().map(|(name, _)| name.as_str());
    let of_device = |name: &&str| is_a(name, ACTIVATION) || is_a(name, LEASE);
    let forgotten: Vec<_> = names.filter(of_device).collect();
    shared.journal.replace_documents(&forgotten, &[], &[])?;
    if let Some(bytes) = shared.journal.state(enrol::REQUEST)? {
        match Request::verify(&bytes) {
            Ok((device, _)) if device == shared.host.device => {}
            Ok((_, request)) => enrol::ask(shared, request.wanted)?,
            Err(_) => enrol::answered(shared)?,
        }
    }
    shared.journal.put_away()
}
