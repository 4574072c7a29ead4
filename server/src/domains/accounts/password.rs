//! Passwords: which are accepted, and how they are hashed.
//!
//! NIST SP 800-63B-4 §3.1.1: at least 15 characters where the password is the only factor, long
//! ones and all of Unicode welcome, a block list, no composition rules, no rotation. Hashed by
//! Argon2id with 19 MiB, two passes and one lane (OWASP ASVS 5.0 appendix C).

use super::model::{AccountError, Email};
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The fewest characters.
pub const SHORTEST: usize = 15;
/// The most bytes, so that hashing has a bound; far above any pass phrase.
pub const LONGEST_BYTES: usize = 1024;

/// Long passwords that people do use, without blanks and in lower case.
const BLOCKED: &[&str] = &[
    "1234567890123456",
    "123456789012345",
    "12345678901234567890",
    "correcthorsebatterystaple",
    "iloveyouiloveyou",
    "letmeinletmeinletmein",
    "passwordpassword",
    "password1234567",
    "password12345678",
    "password123456789",
    "qwertyuiopasdfgh",
    "qwertyuiopasdfghjkl",
    "qwertyuiopasdfghjklzxcvbnm",
    "thequickbrownfox",
    "thequickbrownfoxjumpsoverthelazydog",
];

/// A password that may be hashed: normalised (NFKC), wiped when dropped, never printed.
pub struct Password(Zeroizing<String>);

impl Password {
    /// A new password for `email`, if it is a good one.
    pub fn choose(text: &str, email: &Email) -> Result<Self, AccountError> {
        let password = Self::given(text);
        let length = password.0.chars().count();
        if length < SHORTEST {
            return Err(AccountError::PasswordWeak(
                "a password has at least 15 characters; a few words are easy to remember",
            ));
        }
        if password.0.len() > LONGEST_BYTES {
            return Err(AccountError::PasswordWeak(
                "a password has at most 1024 bytes",
            ));
        }
        if is_guessable(&password.0, email) {
            return Err(AccountError::PasswordWeak(
                "this password is among the first that anybody would try; choose another",
            ));
        }
        Ok(password)
    }

    /// What somebody typed to sign in: no rule but the bound.
    pub fn given(text: &str) -> Self {
        let mut normal = Zeroizing::new(String::with_capacity(text.len()));
        normal.extend(text.nfkc().take(LONGEST_BYTES + 1));
        Self(normal)
    }
}

fn is_guessable(password: &str, email: &Email) -> bool {
    let folded: String = password
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-' && *c != '_')
        .flat_map(char::to_lowercase)
        .collect();
    let mut distinct: Vec<char> = folded.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let own = email.key();
    let local = own.split('@').next().unwrap_or(&own);
    distinct.len() < 5
        || BLOCKED.contains(&folded.as_str())
        || folded == own
        || (local.len() >= 5 && folded.replace(local, "").len() < 6)
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("these parameters are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The PHC string of a password. Takes tens of milliseconds: never inside a transaction.
pub fn hash(password: &Password, salt: [u8; 16]) -> String {
    argon2()
        .hash_password_with_salt(password.0.as_bytes(), &salt)
        .expect("a bounded password and a 16-byte salt can be hashed")
        .to_string()
}

/// Whether `password` is the one behind `stored`; without a stored hash the same time passes and
/// the answer is no.
pub fn verify(password: &Password, stored: Option<&str>) -> bool {
    let Some(parsed) = stored.and_then(|stored| PasswordHash::new(stored).ok()) else {
        // The work of a hash, so that an unknown address can't be told by the clock.
        std::hint::black_box(hash(password, [0; 16]));
        return false;
    };
    argon2()
        .verify_password(password.0.as_bytes(), &parsed)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_and_unguessable_passwords_are_chosen() {
        let email = Email::parse("adalovelace@example.org").unwrap();
        for bad in [
            "short",
            "fourteen chars",
            "aaaaaaaaaaaaaaaaaaaa",
            "Password Password",
            "correct horse battery staple",
            "adalovelace@example.org",
            "adalovelace12345",
            &"long".repeat(400),
        ] {
            assert!(Password::choose(bad, &email).is_err(), "{bad}");
        }
        for good in [
            "a tame raven sings",
            "日本語の長いパスフレーズはこちらです",
            &"x1Ü$ y".repeat(30),
        ] {
            assert!(Password::choose(good, &email).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_hash_knows_its_password_however_it_was_typed() {
        let composed = Password::given("caf\u{e9} au lait, s'il vous plait");
        let decomposed = Password::given("cafe\u{301} au lait, s'il vous plait");
        let stored = hash(&composed, [3; 16]);
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(&decomposed, Some(&stored)));
        assert!(!verify(
            &Password::given("something else entirely"),
            Some(&stored)
        ));
        assert!(!verify(&composed, None));
        assert!(!verify(&composed, Some("no hash")));
    }
}
