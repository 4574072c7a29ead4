//! Signing up and in, for both faces: what happens around the transactions, which is hashing and
//! the limits on guessing.

use super::address::{AddressChange, AskAddress, ask_address};
use super::model::{AccountError, Email, parse_name};
use super::ops::{OpenSession, SignUp, find_account, open_session, sign_up};
use super::password::{self, Password};
use super::sql;
use crate::app::{App, ReadCx};
use crate::caller::{Caller, Capability, Denied};
use crate::limits::Rate;
use mintreu::id::AccountId;

/// Tries to sign in to one account: ten at once, then one in six minutes (ten an hour).
const PER_ACCOUNT: Rate = Rate {
    burst: 10,
    refill_ms: 360_000,
};
/// Tries from one address: thirty at once, then one in ten seconds.
const PER_CLIENT: Rate = Rate {
    burst: 30,
    refill_ms: 10_000,
};

/// What a person wrote to sign up.
pub struct SignUpForm<'a> {
    /// An e-mail address.
    pub email: &'a str,
    /// A name for people to see.
    pub name: &'a str,
    /// A new password.
    pub password: &'a str,
}

/// Makes an account for `client` (its network address, for the limits).
pub async fn sign_up_with(
    app: &App,
    caller: &Caller,
    client: &str,
    form: &SignUpForm<'_>,
) -> Result<AccountId, AccountError> {
    let email = Email::parse(form.email)?;
    let name = parse_name(form.name)?;
    let password = Password::choose(form.password, &email)?;
    limit(app, "sign_up", client, PER_CLIENT)?;
    let mut salt = [0; 16];
    (app.entropy)(&mut salt);
    let password_hash = hashing(app, move || password::hash(&password, salt)).await?;
    let command = SignUp {
        email,
        name,
        password_hash,
    };
    app.transact(caller, command, sign_up).await
}

/// Checks a password and opens a session; answers its token.
pub async fn sign_in_with(
    app: &App,
    caller: &Caller,
    client: &str,
    user_agent: &str,
    email: &str,
    password: &str,
) -> Result<String, AccountError> {
    // An address that is none has no account: the same answer, as slowly.
    let email = Email::parse(email).ok();
    limit(app, "sign_in_client", client, PER_CLIENT)?;
    if let Some(email) = &email {
        let whom = format!("{}/{}", caller.tenant, email.key());
        limit(app, "sign_in_account", &whom, PER_ACCOUNT)?;
    }
    let found = match email {
        Some(email) => app.read(caller, email, credentials).await?,
        None => None,
    };
    let (account, stored) = found.map_or((None, None), |(id, hash)| (Some(id), Some(hash)));
    let given = Password::given(password);
    let right = hashing(app, move || password::verify(&given, stored.as_deref())).await?;
    let account = account.filter(|_| right);
    let command = OpenSession {
        account: account.ok_or(AccountError::WrongCredentials)?,
        user_agent: user_agent.to_owned(),
        limits: app.config.sessions.clone(),
    };
    app.transact(caller, command, open_session).await
}

/// What asks for another address: three at once, then one in twenty minutes.
const PER_ASKING: Rate = Rate {
    burst: 3,
    refill_ms: 1_200_000,
};

/// Checks the password of who is signed in, and asks for another address of their account.
pub async fn ask_address_with(
    app: &App,
    caller: &Caller,
    client: &str,
    (email, password): (&str, &str),
) -> Result<AddressChange, AccountError> {
    let new = Email::parse(email)?;
    let account = caller.account.ok_or(Denied {
        capability: Capability::Buy,
        signed_in: false,
    })?;
    limit(app, "sign_in_client", client, PER_CLIENT)?;
    let found = app.read(caller, account, find_account).await?;
    let own = found.ok_or(AccountError::NotFound)?.email;
    let whom = format!("{}/{}", caller.tenant, own.key());
    limit(app, "sign_in_account", &whom, PER_ACCOUNT)?;
    let same = own == new;
    let found = app.read(caller, own, credentials).await?;
    let stored = found.filter(|(id, _)| *id == account).map(|(_, hash)| hash);
    let given = Password::given(password);
    if !hashing(app, move || password::verify(&given, stored.as_deref())).await? {
        return Err(AccountError::WrongCredentials);
    }
    if same {
        return Err(AccountError::EmailSame);
    }
    // Mails go to mailboxes that may be anybody's: few for each account, and few to each.
    limit(app, "address_account", &account.to_string(), PER_ASKING)?;
    let target = format!("{}/{}", caller.tenant, new.mailbox());
    limit(app, "address_target", &target, PER_ASKING)?;
    app.transact(caller, AskAddress { email: new }, ask_address)
        .await
}

fn credentials(
    cx: &mut ReadCx<'_>,
    email: &Email,
) -> Result<Option<(AccountId, String)>, AccountError> {
    Ok(sql::credentials(cx.tx, cx.caller.tenant, email)?)
}

fn limit(app: &App, what: &'static str, whom: &str, rate: Rate) -> Result<(), AccountError> {
    let taken = app.limits.take(what, whom, rate, app.now());
    taken.map_err(|seconds| AccountError::TooMany { seconds })
}

/// Runs `work` on a thread that may be busy for long, few at a time: each takes 19 MiB.
async fn hashing<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AccountError> {
    let broken = |what: String| AccountError::Store(crate::store::StoreError::shape(what));
    let permit = app.hashing.clone().acquire_owned().await;
    let permit = permit.map_err(|error| broken(error.to_string()))?;
    let task = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(permit);
        done
    });
    task.await.map_err(|error| broken(error.to_string()))
}
