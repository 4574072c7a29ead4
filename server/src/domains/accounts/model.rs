//! People, addresses, sessions: types and rules.

use crate::caller::{Caller, Denied, Role};
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{AccountId, SessionId, TenantId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How long a session's use may go unrecorded, so that reading pages doesn't write: 5 minutes.
pub const TOUCH_AFTER_MS: i64 = 5 * 60 * 1000;

/// A person, as the house knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Which.
    pub account_id: AccountId,
    /// Where mail goes.
    pub email: Email,
    /// What to call them.
    pub name: String,
    /// What they may be, [`Role::Customer`] always.
    pub roles: Vec<Role>,
}

/// A session that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Which.
    pub session_id: SessionId,
    /// Whose.
    pub account: Account,
    /// When its use was last recorded.
    pub last_used_at: Timestamp,
}

impl Session {
    /// Who calls, when this session does.
    pub fn caller(&self, tenant: TenantId) -> Caller {
        Caller {
            tenant,
            account: Some(self.account.account_id),
            roles: self.account.roles.clone(),
        }
    }

    /// Whether this use should be recorded.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        now.since_ms(self.last_used_at) >= TOUCH_AFTER_MS
    }
}

/// A session as its owner sees it in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// Which.
    pub session_id: SessionId,
    /// The browser or program, as it called itself.
    pub user_agent: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Last use, within five minutes.
    pub last_used_at: Timestamp,
}

/// Whether a session that was last used at `last_used_at` is alive now.
pub fn is_alive(now: Timestamp, last_used_at: Timestamp, idle_ms: i64, end: Timestamp) -> bool {
    now < end && now < last_used_at.plus_ms(idle_ms)
}

/// The stored names of roles; guests and the house have no accounts.
pub fn role_name(role: Role) -> Option<&'static str> {
    match role {
        Role::Customer => Some("customer"),
        Role::Developer => Some("developer"),
        Role::Admin => Some("admin"),
        Role::Guest | Role::System => None,
    }
}

/// Reads a stored role.
pub fn role_of(name: &str) -> Option<Role> {
    [Role::Customer, Role::Developer, Role::Admin]
        .into_iter()
        .find(|role| role_name(*role) == Some(name))
}

/// An e-mail address that can be written into a header: one `@`, no blanks, at most 254 bytes.
///
/// Whether it exists, only a mail can tell.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// Reads an address; blanks around it are taken off.
    pub fn parse(text: &str) -> Result<Self, AccountError> {
        let text = text.trim();
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>(),;:\\\"[]".contains(c);
        let parts = text.split_once('@');
        let good = parts.is_some_and(|(local, domain)| {
            let labels = || domain.split('.');
            (1..=64).contains(&local.len())
                && labels().count() > 1
                && labels().all(|label| !label.is_empty())
                && !domain.contains('@')
        });
        if good && text.len() <= 254 && text.chars().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(AccountError::EmailMalformed)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What makes two addresses the same: lower case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl Email {
    /// What one person's mailbox is, however they write it: lower case, without what follows a `+`,
    /// and without the dots that Gmail doesn't see.
    pub fn mailbox(&self) -> String {
        let key = self.key();
        let (local, host) = key.split_once('@').unwrap_or((&key, ""));
        let local = match local.split_once('+') {
            Some((before, _)) if !before.is_empty() => before,
            _ => local,
        };
        match host {
            "gmail.com" | "googlemail.com" => format!("{}@gmail.com", local.replace('.', "")),
            _ => format!("{local}@{host}"),
        }
    }
}

impl TryFrom<String> for Email {
    type Error = AccountError;
    fn try_from(text: String) -> Result<Self, AccountError> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// Personal data: logs get the domain only.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = self.0.split_once('@').map_or("", |(_, domain)| domain);
        write!(f, "Email(…@{domain})")
    }
}

/// Reads a name for people to see: 1 to 80 characters, no control characters.
pub fn parse_name(text: &str) -> Result<String, AccountError> {
    let text = text.trim();
    let length = text.chars().count();
    if (1..=80).contains(&length) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(AccountError::NameMalformed)
}

/// What can go wrong with accounts, as decisions for a caller.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No address.
    #[error("write an e-mail address, like ada@example.org")]
    EmailMalformed,
    /// There is an account already.
    #[error("there is an account with this e-mail address; sign in instead")]
    EmailTaken,
    /// The account has it already.
    #[error("this is the address that the account has")]
    EmailSame,
    /// No name, or a very long one.
    #[error("a name has 1 to 80 characters")]
    NameMalformed,
    /// The password can't be used.
    #[error("{0}")]
    PasswordWeak(&'static str),
    /// Address or password is wrong; which, nobody is told.
    #[error("this e-mail address and password don't belong together")]
    WrongCredentials,
    /// Too many tries.
    #[error("too many tries; wait {seconds} s")]
    TooMany {
        /// Until the next one is allowed.
        seconds: u32,
    },
    /// A one-time link that was used, has ended or never was.
    #[error("this link was used or has ended; ask for a new one")]
    LinkDead,
    /// As many tokens as a seller may have.
    #[error("revoke a token first; a seller can have at most 100")]
    TooManyTokens,
    /// No such account, session or token, or not the caller's.
    #[error("there is no such account, session or token")]
    NotFound,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The permission table.
    #[error(transparent)]
    Denied(#[from] Denied),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_nothing_else() {
        for good in ["ada@example.org", " a+b@x.co ", "ü@bücher.example"] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in [
            "",
            "ada",
            "@x.org",
            "a@x",
            "a@x..org",
            "a b@x.org",
            "a@b@x.org",
            "a\r\nBcc:b@x.org",
            "<a@x.org>",
            &long,
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        let email = Email::parse("Ada@Example.org").unwrap();
        assert_eq!(email.key(), "ada@example.org");
        for (written, mailbox) in [
            ("Ada+one@Example.org", "ada@example.org"),
            ("a.da@example.org", "a.da@example.org"),
            ("A.d.a+x@GoogleMail.com", "ada@gmail.com"),
            ("+x@example.org", "+x@example.org"),
        ] {
            assert_eq!(Email::parse(written).unwrap().mailbox(), mailbox);
        }
        assert!(!format!("{email:?}").contains("Ada"));
    }

    #[test]
    fn sessions_end_by_idling_and_by_age() {
        let at = Timestamp::from_ms;
        assert!(is_alive(at(99), at(0), 100, at(1000)));
        assert!(!is_alive(at(100), at(0), 100, at(1000)));
        assert!(!is_alive(at(1000), at(999), 100, at(1000)));
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in [Role::Customer, Role::Developer, Role::Admin] {
            assert_eq!(role_name(role).and_then(role_of), Some(role));
        }
        assert_eq!(role_of("system"), None);
    }
}
