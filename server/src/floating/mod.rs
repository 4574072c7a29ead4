//! Floating seats on a local network without internet: `mintreu serve --floating`.
//!
//! A shop certifies the key of a *host*, a machine of the customer's own, for one license. From
//! then on the license's seats are the host's to lend: it activates devices, keeps their leases,
//! lends seats for longer, and takes them back, with the documents and paths that a shop would use.
//! Devices verify what it signs up to the root they pin, like everything else.
//!
//! A request goes one way: [`http`] reads it, [`Host`] looks at the clock and decides in one
//! transaction of the [`store`], by the pure rules of [`terms`], and answers what it signed. What
//! the host may do at all is checked at its start by [`delegation`], as a product would check it.
//!
//! # Invariants
//! * At most as many seats are kept as the license has, whatever happens at the same time.
//! * A seat that was answered for is on the disk: no crash makes it free.
//! * No lease ends after the certificate or the license does.
//! * The end of a seat that is kept never moves forward in time but by the device's own word.
//! * The same request of a kept seat has the same answer, byte for byte.
//! * The host tells nobody the time: it signs activations and leases, and nothing else.
//! * A clock that is set back frees nothing, ends no certificate later, and is shown.
//!
//! Start reading at [`terms`], then [`Host`].

pub mod delegation;
pub mod host;
pub mod http;
mod page;
pub mod store;
pub mod terms;

pub use delegation::Delegation;
pub use host::{Host, Setup};
pub use http::{Access, run};
pub use terms::Terms;

/// The target of audit lines in the log.
pub const AUDIT: &str = "audit";
