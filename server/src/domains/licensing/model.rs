//! A license, its devices, and what can be refused. Pure.

use crate::caller::Denied;
use crate::domains::catalog::model::LicenseTerms;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::document::PublicKey;
use mintreu::id::{AccountId, ActivationId, LicenseId, ProductId};
use std::fmt;
use zeroize::Zeroizing;

/// What a license is issued for. Licensing knows no orders: `source` is opaque to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Names the cause, once: an order line's id.
    pub source: String,
    /// What it is for.
    pub product: ProductId,
    /// The audience of the document.
    pub product_code: String,
    /// Under whose root it is signed.
    pub seller: AccountId,
    /// Whose it is; `None` until somebody signed in redeems it.
    pub owner: Option<AccountId>,
    /// What it grants.
    pub terms: LicenseTerms,
    /// Seats of the whole license, above zero.
    pub seats: i64,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// Seconds after the end during which it still works, with a warning.
    pub grace_secs: u32,
}

/// Where a license stands at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LicenseState {
    /// In force.
    Active,
    /// Its time is over.
    Expired,
    /// Withdrawn.
    Revoked,
}

impl LicenseState {
    /// As shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// A stored license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// The license: the `cti` of its document.
    pub id: LicenseId,
    /// What it was issued for.
    pub source: String,
    /// What it is for.
    pub product: ProductId,
    /// The audience of the document.
    pub product_code: String,
    /// Under whose root it is signed.
    pub seller: AccountId,
    /// Whose it is.
    pub owner: Option<AccountId>,
    /// How many devices may be active at once.
    pub seats: i64,
    /// What it grants.
    pub terms: LicenseTerms,
    /// The signed bundle.
    pub document: Vec<u8>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
    /// Why it was withdrawn.
    pub revoke_reason: Option<String>,
}

impl License {
    /// Where it stands at `now`; a withdrawal is told before an end.
    pub fn state(&self, now: Timestamp) -> LicenseState {
        if self.revoked_at.is_some() {
            LicenseState::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            LicenseState::Expired
        } else {
            LicenseState::Active
        }
    }
}

/// One device's use of a license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// The activation: the `cti` of its document.
    pub id: ActivationId,
    /// Of which license.
    pub license: LicenseId,
    /// The device's key.
    pub device_key: [u8; 32],
    /// The seat it holds, from 1; `None` once it was given up.
    pub seat: Option<i64>,
    /// When a floating seat is no longer kept; `None` for one that is as long as its license.
    pub seat_ends_at: Option<Timestamp>,
    /// The signed bundle.
    pub document: Vec<u8>,
    /// When it began.
    pub activated_at: Timestamp,
    /// When the device was last heard of.
    pub last_seen_at: Timestamp,
    /// When it was given up.
    pub deactivated_at: Option<Timestamp>,
}

impl Activation {
    /// The short name of the device's key, as people compare it.
    pub fn device_name(&self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        PublicKey::from_bytes(&self.device_key)
            .map_or_else(|_| hex(&self.device_key[..8]), |key| hex(&key.kid()))
    }
}

/// A license with its devices, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseView {
    /// The license.
    pub license: License,
    /// Where it stands now.
    pub state: LicenseState,
    /// Live ones first, the newest first.
    pub activations: Vec<Activation>,
}

impl LicenseView {
    /// How many seats are taken.
    pub fn seats_taken(&self) -> usize {
        let live = self.activations.iter().filter(|one| one.seat.is_some());
        live.count()
    }
}

/// A redeem code in the clear, for its owner's eyes; wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(pub(super) Zeroizing<String>);

impl Code {
    /// The code, with its dashes.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// Why licensing refused.
#[derive(Debug, thiserror::Error)]
pub enum LicensingError {
    /// No such license, product or activation, or not for this caller to see.
    #[error("no such license")]
    NotFound,
    /// The code is no code, or nobody's.
    #[error("this code is unknown; check it for typing mistakes")]
    CodeUnknown,
    /// The text can't be a code as it was printed; nothing was looked up.
    #[error("{}", .0.detail())]
    CodeMistyped(mintreu::Error),
    /// The text can't be a seller's own key; nothing was looked up.
    #[error("{}", .0.detail())]
    KeyMalformed(mintreu::Error),
    /// No license of this product has this key of its seller's.
    #[error("this key is unknown; copy it again as a whole")]
    KeyUnknown {
        /// Whether the product has keys that can be guessed.
        guessable: bool,
    },
    /// Keys that can be guessed aren't answered for now.
    #[error("too many wrong keys; try again later")]
    KeyWaits,
    /// Too many wrong tries.
    #[error("too many attempts; try again in {seconds} s")]
    TooFast {
        /// When to try again.
        seconds: u32,
    },
    /// Something asked for is out of bounds.
    #[error("{detail}")]
    Invalid {
        /// Which input.
        field: &'static str,
        /// What would be right.
        detail: String,
    },
    /// A file that is none.
    #[error("{0}")]
    FileMalformed(String),
    /// More than one call may carry.
    #[error("{0}")]
    TooLarge(String),
    /// The license was withdrawn.
    #[error("this license was revoked")]
    Revoked,
    /// The license's time is over.
    #[error("this license has expired")]
    Expired,
    /// All seats are taken.
    #[error("all {seats} seats of this license are taken; give one up first")]
    SeatsExhausted {
        /// How many there are.
        seats: i64,
    },
    /// Seats were given up too often lately.
    #[error("seats of this license were moved {most} times in 30 days; try again later")]
    TooManyMoves {
        /// How often is allowed.
        most: i64,
    },
    /// A host lends the seats.
    #[error("a host on the customer's own network lends the seats of this license")]
    SeatsDelegated {
        /// Until then.
        until: Timestamp,
    },
    /// Devices have seats online.
    #[error("{taken} seats are taken online; give them back first")]
    SeatsInUse {
        /// How many.
        taken: usize,
    },
    /// The license's seats are bound to devices.
    #[error("only a floating license has seats that a host can lend")]
    NotFloating,
    /// The product's key may not certify others.
    #[error("the seller's root doesn't let the product's key certify hosts")]
    HostNotCertifiable,
    /// Too few or too many days.
    #[error("seats are handed over for 1 to {most} days")]
    DaysOutOfRange {
        /// How many are allowed.
        most: i64,
    },
    /// The request is for another product than the license.
    #[error("this license is for another product")]
    WrongProduct,
    /// The request can't be read or its signature doesn't hold.
    #[error("the request is not readable: {}", .0.detail())]
    RequestMalformed(mintreu::Error),
    /// The root was exported before: it is given out once.
    #[error("the root key was exported before")]
    ExportedBefore,
    /// The root signs here no more: it was forgotten, or others hold in its place.
    #[error(
        "the root key is not here; sign a key set with `mintreu keys set` where it is, and upload it"
    )]
    RootAbsent,
    /// A root isn't revoked like other keys.
    #[error("a root is revoked by a key set that changes the roots: see `mintreu keys set`")]
    RootIsChanged,
    /// The root can't be forgotten before its owner has it.
    #[error("export the root key first: nobody else has it")]
    NotExported,
    /// A device that pins the seller's first root wouldn't take this key set.
    #[error("devices would refuse this key set: {}", .0.detail())]
    KeySetRefused(mintreu::Error),
    /// The set leaves the server without a key that devices believe.
    #[error("add a certificate for {public}, or for a key that takes its place")]
    KeyLeftOut {
        /// The key that signs here until now: `MT1K-…`.
        public: String,
    },
    /// A certificate allows less than what the key signs.
    #[error(
        "the certificate for {public} allows too little; a product's key signs license, \
         activation, lease, challenge and revocations, and delegates; a receipt key signs receipt"
    )]
    CertificateNarrow {
        /// The certified key: `MT1K-…`.
        public: String,
    },
    /// Signing or sealing failed: a defect of ours or a wrong key-encryption key.
    #[error("a document could not be made: {0}")]
    Signing(mintreu::Error),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
