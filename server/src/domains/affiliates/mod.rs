//! Affiliates: people who bring buyers to a seller, by links and codes, for a share of the sale.
//!
//! A seller opens a programme; a person joins it by their own consent and gets a code. A link to
//! any page with `?via=<code>` leaves a click, which a signed cookie of this shop names. When an
//! order is placed, the newest click that may earn does, each line by itself, and the commission is
//! part of the line's split. It is held for two weeks, then released to what the affiliate can be
//! paid, by the payouts that sellers have; what refunds and banks take of the line, they take of it.
//!
//! # Invariants
//! * Who brought a line is decided once, in the commit that places its order, and kept with why.
//! * Nobody earns on what they buy themself, by account or by address, or on their own products.
//! * A referral gives back no more than it earned, and all of it when all went back.
//! * A visitor is kept as a keyed hash that is good for a day; clicks end with their window.
//! * Clicks of programs, of the affiliate and of the seller aren't counted.
//!
//! # Tables
//! `affiliate_programme`, `affiliate_rate`, `affiliation`, `affiliate_click`, `affiliate_referral`,
//! `affiliate_taking`, `affiliate_news`.
//!
//! Start reading at [`model`], then [`attribute()`]; the money is in [`money`].

pub mod attribute;
pub mod clicks;
pub mod http;
pub mod model;
pub mod money;
pub mod ops;
pub mod news;
mod sql;
pub mod views;

pub use attribute::{Asked, attribute, for_renewal, record, record_renewal};
pub use clicks::{Click, click};
pub use model::{
    AffiliateError, Affiliation, Commission, Programme, Referral, ReferralState, Referred, Refusal,
    Standing, Terms, Verdict, Via,
};
pub use money::{credit, freeze, give_again, take_back, thaw};
pub use news::{DIGEST_FACT, DIGEST_JOB, DigestPayload, News, digest, release};
pub use ops::{
    ENDED_FACT, JOINED_FACT, Join, Leave, RESUMED_FACT, SetPartner, SetProgramme, SetRate, join,
    leave, set_partner, set_programme, set_rate,
};
pub use views::{
    Mine, MyReferrals, OpenProgramme, OpenProgrammes, OwnProgramme, Partner, Programming, by_id,
    mine, my_referrals, open_programmes, own_programme,
};
