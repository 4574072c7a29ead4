//! Handing mail over: to an SMTP server, or to a folder of `.eml` files.

use super::letter::Letter;
use crate::config::Config;
use crate::queue::JobError;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use mintreu::Timestamp;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How long a mail server may take: well below a job's lease.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where mail goes, and whom it comes from.
#[derive(Clone)]
pub struct MailOptions {
    /// `smtp://user:password@host:25`, `smtps://…`, or `file:folder`.
    pub url: String,
    /// The sender: `Mintreu <shop@example.org>`.
    pub from: String,
    /// What links in mail begin with: `https://shop.example.org`, no slash at the end.
    pub base_url: String,
}

impl std::fmt::Debug for MailOptions {
    /// The address may hold a password, so only its kind is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.url.split(':').next().unwrap_or_default();
        f.debug_struct("MailOptions")
            .field("url", &kind)
            .field("from", &self.from)
            .field("base_url", &self.base_url)
            .finish()
    }
}

impl MailOptions {
    /// As the settings say; `None` while no mailer is set.
    pub fn of(config: &Config) -> Option<Self> {
        let url = config.mail.url.reveal();
        (!url.is_empty()).then(|| Self {
            url: url.to_owned(),
            from: config.mail.from.clone(),
            base_url: config.server.base_url.clone(),
        })
    }
}

/// Why mail can't be handed over.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The settings can't work.
    #[error("mail.{setting}: {detail}")]
    Settings {
        /// Which one.
        setting: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The letter has no valid form: an address that is none.
    #[error("the mail can't be made: {0}")]
    Letter(String),
    /// The server refused it for good.
    #[error("the mail server refused: {0}")]
    Refused(smtp::Error),
    /// The server was away, or asks to come back.
    #[error("the mail server is not ready: {0}")]
    NotReady(smtp::Error),
    /// The folder can't be written.
    #[error("the mail folder can't be written: {0}")]
    Folder(std::io::Error),
}

impl From<TransportError> for JobError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Letter(_) | TransportError::Refused(_) => JobError::fail(error),
            TransportError::Settings { .. }
            | TransportError::NotReady(_)
            | TransportError::Folder(_) => JobError::retry(error),
        }
    }
}

enum Road {
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    Folder(PathBuf),
}

/// The mailer: made once, from settings.
pub struct Mailer {
    road: Road,
    from: Mailbox,
    base_url: String,
}

/// One letter on its way.
pub struct Envelope<'a> {
    /// To whom.
    pub to: &'a str,
    /// The same for every copy: what comes before the `@` of the Message-ID, and the file's name.
    pub reference: &'a str,
    /// When it was made.
    pub at: Timestamp,
    /// What it says.
    pub letter: &'a Letter,
}

/// Says that no person wrote this (RFC 3834), so that no person's robot answers it.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Mailer {
    /// Reads the settings; the folder is made when it isn't there.
    pub fn open(options: &MailOptions) -> Result<Self, TransportError> {
        let from = options.from.parse().map_err(|e| TransportError::Settings {
            setting: "from",
            detail: format!("{:?} is no sender: {e}", options.from),
        })?;
        let road = match options.url.strip_prefix("file:") {
            Some(path) => {
                std::fs::create_dir_all(path).map_err(TransportError::Folder)?;
                Road::Folder(path.into())
            }
            None => Road::Smtp(Box::new(smtp_transport(&options.url)?)),
        };
        Ok(Self {
            road,
            from,
            base_url: options.base_url.trim_end_matches('/').to_owned(),
        })
    }

    /// What links in mail begin with.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Hands one letter over; answers its Message-ID.
    pub async fn deliver(&self, envelope: &Envelope<'_>) -> Result<String, TransportError> {
        let id = format!("<{}@{}>", envelope.reference, self.from.email.domain());
        let message = self.message(envelope, &id)?;
        match &self.road {
            Road::Smtp(server) => {
                let sent = server.send(message).await;
                sent.map_err(|error| match error.is_permanent() {
                    true => TransportError::Refused(error),
                    false => TransportError::NotReady(error),
                })?;
            }
            Road::Folder(folder) => {
                let path = folder.join(format!("{}.eml", envelope.reference));
                let written = tokio::fs::write(path, message.formatted()).await;
                written.map_err(TransportError::Folder)?;
            }
        }
        Ok(id)
    }

    fn message(&self, envelope: &Envelope<'_>, id: &str) -> Result<Message, TransportError> {
        let unsound = |error: &dyn std::fmt::Display| TransportError::Letter(error.to_string());
        let letter = envelope.letter;
        // The address itself stays out of the error, and so out of the log.
        let address = envelope
            .to
            .parse()
            .map_err(|_| unsound(&"the address is none"))?;
        let sender = self
            .from
            .name
            .clone()
            .unwrap_or_else(|| self.from.email.to_string());
        let plain = letter.to_plain(&sender).map_err(|e| unsound(&e))?;
        let html = letter.to_html(&sender).map_err(|e| unsound(&e))?;
        let ms = u64::try_from(envelope.at.ms()).unwrap_or(0);
        let part = |kind, body| SinglePart::builder().header(kind).body(body);
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(&letter.subject)
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(ms))
            .message_id(Some(id.to_owned()))
            .header(AutoSubmitted)
            .multipart(
                MultiPart::alternative()
                    .singlepart(part(ContentType::TEXT_PLAIN, plain))
                    .singlepart(part(ContentType::TEXT_HTML, html)),
            )
            .map_err(|e| unsound(&e))
    }
}

fn smtp_transport(url: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, TransportError> {
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
    let builder = builder.map_err(|error| TransportError::Settings {
        setting: "url",
        // The address may hold a password, so it isn't repeated.
        detail: format!("expected smtp://, smtps:// or file: ({error})"),
    })?;
    Ok(builder.timeout(Some(PATIENCE)).build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Locale;

    fn options(url: &str) -> MailOptions {
        MailOptions {
            url: url.to_owned(),
            from: "Mintreu <shop@shop.example>".to_owned(),
            base_url: "https://shop.example/".to_owned(),
        }
    }

    #[test]
    fn settings_that_cannot_work_are_named_without_secrets() {
        let bad = options("gopher://user:hunter2@host");
        let error = Mailer::open(&bad).err().expect("no such road").to_string();
        assert!(
            error.contains("mail.url") && !error.contains("hunter2"),
            "{error}"
        );
        assert!(!format!("{bad:?}").contains("hunter2"));
        let nobody = MailOptions {
            from: "nobody".to_owned(),
            ..options("smtp://localhost")
        };
        let error = Mailer::open(&nobody).err().expect("no sender").to_string();
        assert!(error.contains("mail.from"), "{error}");
    }

    #[tokio::test]
    async fn a_folder_keeps_one_file_a_mail() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("file:{}", folder.path().join("mail").display());
        let mailer = Mailer::open(&options(&url)).expect("opens");
        let mut letter = Letter::new(Locale::English, "Grüße\r\nBcc: all@example.org".into());
        letter.intro.push("Hello".into());
        let envelope = Envelope {
            to: "ada@buyer.example",
            reference: "evt_1",
            at: Timestamp::from_secs(1_800_000_000),
            letter: &letter,
        };
        let id = mailer.deliver(&envelope).await.expect("written");
        assert_eq!(id, "<evt_1@shop.example>");
        mailer.deliver(&envelope).await.expect("written again");
        let files: Vec<_> = std::fs::read_dir(folder.path().join("mail"))
            .expect("there")
            .collect();
        assert_eq!(files.len(), 1);
        let text = std::fs::read_to_string(folder.path().join("mail/evt_1.eml")).expect("text");
        let head = text.split("\r\n\r\n").next().expect("a head");
        for line in [
            "To: ada@buyer.example",
            "Message-ID: <evt_1@shop.example>",
            "Auto-Submitted: auto-generated",
            "Date: Fri, 15 Jan 2027 08:00:00 +0000",
        ] {
            assert!(head.contains(line), "{line} in {head}");
        }
        assert!(!head.lines().any(|line| line.starts_with("Bcc:")), "{head}");
        assert!(text.contains("text/plain") && text.contains("text/html"));
        let lost = Envelope {
            to: "nobody\r\nRCPT TO:<all@example.org>",
            ..envelope
        };
        assert!(matches!(
            mailer.deliver(&lost).await,
            Err(TransportError::Letter(_))
        ));
    }
}
