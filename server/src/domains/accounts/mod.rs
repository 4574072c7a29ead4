//! Accounts: people, their roles, their passwords and their sessions.
//!
//! One account is customer, developer and administrator at once, as far as its roles say. A
//! session is a row; the cookie holds a random token of which only a keyed hash is stored.
//! Hashing a password takes tens of milliseconds on purpose, so it happens between transactions,
//! in [`entry`].
//!
//! Invariants
//! * An e-mail address has one account a tenant, whatever its case.
//! * No password and no token is stored, logged or answered; only hashes are stored.
//! * A session is dead at its end, after idling too long, when signed out and when its account
//!   is disabled; nothing revives it.
//! * Signing in makes a new session; none is taken over from before.
//! * An account moves to another address by a link in a mail to it, and by nothing else.
//! * A wrong address takes as long as a wrong password.
//!
//! Tables: `account`, `account_role`, `session`, `one_time_link`, `seller_token`,
//! `account_address_change`. Start reading at [`entry`].

pub mod address;
pub mod entry;
pub mod http;
pub mod model;
mod ops;
pub mod password;
pub mod sql;
pub mod tokens;

pub use model::{Account, AccountError, Email, Session, SessionInfo};
pub use ops::{
    BecomeDeveloper, ListSessions, MakeAdminLink, OpenSession, RevokeSession, SESSION_PURPOSE,
    SignUp, TouchSession, UseAdminLink, become_developer, email_of, find_account, list_sessions,
    make_admin_link, name_of, open_session, owners, revoke_session, session_of_token, sign_up,
    touch_session, use_admin_link,
};
