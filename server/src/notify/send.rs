//! The job that sends: look up, hand over, note; the network only between transactions.

use super::ops::{ComposeMail, MailJob, NoteSent, compose, note_sent};
use super::transport::{Envelope, MailOptions, Mailer};
use crate::app::App;
use crate::caller::Caller;
use crate::queue::JobError;
use std::sync::Arc;

/// Sends the mail of a fact, once; a server that is away is asked again by the queue.
pub async fn send_mail(app: Arc<App>, house: Caller, job: MailJob) -> Result<(), JobError> {
    let Some(options) = MailOptions::of(&app.config) else {
        // Serving strangers needs a mailer; tools and tests that set none send none.
        tracing::warn!(event = job.event, "mail.url is not set: a mail is not sent");
        return Ok(());
    };
    let mailer = Mailer::open(&options)?;
    let command = ComposeMail {
        event: job.event,
        to: job.to,
        base_url: mailer.base_url().to_owned(),
    };
    let Some(mail) = app.transact(&house, command, compose).await? else {
        return Ok(());
    };
    let envelope = Envelope {
        to: &mail.to,
        reference: &mail.reference,
        at: app.now(),
        letter: &mail.letter,
    };
    let message_id = mailer.deliver(&envelope).await?;
    let sent = NoteSent {
        fact: mail.fact,
        subject: mail.subject,
        message_id,
    };
    Ok(app.transact(&house, sent, note_sent).await?)
}
