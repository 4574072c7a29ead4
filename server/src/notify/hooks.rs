//! The job that tells a seller's server: look up, sign, send, note; the network only between
//! transactions.

use crate::app::App;
use crate::caller::Caller;
use crate::domains::webhooks::{
    self, Due, NoteAttempt, Outgoing, SendJob, TryOutcome, due, note_attempt,
};
use crate::net::{self, Answer, Post, PostError, SystemNames};
use crate::queue::JobError;
use mintreu::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// How long an endpoint may take to answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How the endpoint sees us.
const AGENT: &str = concat!("Mintreu-Webhooks/", env!("CARGO_PKG_VERSION"));

/// Makes one try of a delivery; what comes of it decides what follows, so the job itself is done.
pub async fn send_webhook(app: Arc<App>, house: Caller, job: SendJob) -> Result<(), JobError> {
    let asked = Due::of(&job)?;
    let Some(outgoing) = app.read(&house, asked, due).await? else {
        return Ok(());
    };
    let at = app.now();
    let post = signed(&app, &outgoing, at)?;
    let reach = webhooks::http::reach(&app);
    let sent = net::post(&SystemNames, &outgoing.url, reach, post).await;
    let now = app.now();
    let retry_after = sent.as_ref().ok().and_then(|a| a.retry_after.as_deref());
    let note = NoteAttempt {
        delivery: asked.delivery,
        endpoint: outgoing.endpoint,
        number: asked.number,
        outcome: outcome(&sent),
        status: sent.as_ref().ok().map(|answer| answer.status),
        retry_after_ms: retry_after.and_then(|text| webhooks::retry_after_ms(text, now)),
        duration_ms: now.since_ms(at).max(0),
        answer: match sent {
            Ok(answer) => answer.text,
            Err(error) => error.to_string(),
        },
        at,
    };
    Ok(app.transact(&house, note, note_attempt).await?)
}

fn signed(app: &App, outgoing: &Outgoing, at: Timestamp) -> Result<Post, JobError> {
    Ok(Post {
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("user-agent", AGENT.to_owned()),
            ("webhook-id", outgoing.id.clone()),
            ("webhook-timestamp", at.secs().to_string()),
            ("webhook-signature", outgoing.signature(&app.keys, at)?),
        ],
        body: outgoing.body.clone(),
        timeout: TIMEOUT,
        most_answer: webhooks::model::MAX_ANSWER,
    })
}

fn outcome(sent: &Result<Answer, PostError>) -> TryOutcome {
    match sent {
        Ok(answer) if (200..300).contains(&answer.status) => TryOutcome::Delivered,
        Ok(_) => TryOutcome::Answered,
        Err(PostError::Refused(_)) => TryOutcome::AddressRefused,
        Err(PostError::TimedOut) => TryOutcome::TimedOut,
        Err(PostError::Unreachable(_)) => TryOutcome::Unreachable,
    }
}
