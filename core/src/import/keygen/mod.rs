//! Keygen's signed keys, license files and machine files.
//!
//! ```
//! use mintreu::document::PublicKey;
//! use mintreu::import::keygen::{Account, Algorithm, Opening};
//!
//! # fn read(text: &str, account_key: &[u8; 32], license_key: &str) -> mintreu::Result<()> {
//! let key = PublicKey::from_bytes(account_key)?;
//! let account = Account::new(key, &[Algorithm::Sealed]);
//! let signed = account.verify(text)?;
//! let license = signed.open(&Opening { license_key: Some(license_key), ..Opening::default() })?;
//! println!("{} until {:?}", license.id, license.expires_at);
//! # Ok(())
//! # }
//! ```
//!
//! `alg` stands outside the signature there, so that whoever carries a file may change it: an
//! [`Account`] names the algorithms that are accepted, and each is checked against the shape of what
//! was signed. Decryption proves nothing, since its key is known to every customer; a [`Signed`]
//! exists only after the signature was verified, and is the only thing that can be opened.

mod envelope;
mod resource;

pub use envelope::{Account, Algorithm, Form, Opening, Signed};
pub use resource::License;
