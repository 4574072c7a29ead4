//! Activation without internet: a device's request goes in, the signed answer comes out as text,
//! file and code. No account is needed: the request proves itself.

use super::ask::{Answer, Ask, html, refused};
use super::page::{Page, Section};
use super::parts::{Field, Qr};
use crate::domains::licensing::http::activate_asked;
use crate::domains::licensing::{self, Carried, LicensingError};
use crate::problem::Problem;
use askama::Template;
use axum::extract::Multipart;
use axum::extract::multipart::MultipartError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mintreu::document;

/// Largest request read, in bytes; real ones have a few hundred.
const MAX_REQUEST: usize = 64 * 1024;

#[derive(Template)]
#[template(path = "activate.html")]
struct ActivatePage {
    page: Page,
    field: Field,
    answer: Option<Signed>,
}

/// The answer in every form that can be carried to the device.
struct Signed {
    /// What it is, and what to do with it.
    title: String,
    armor: String,
    base64: String,
    qr: Vec<Qr>,
}

/// What the form sends.
#[derive(Default)]
struct Sent {
    csrf: String,
    request: String,
    file: Vec<u8>,
}

fn field(page: &Page, typed: &str, error: Option<String>) -> Field {
    Field::area("request", page.say("activate-request"))
        .hint(page.say("activate-request-hint"))
        .value(typed)
        .error(error)
}

/// `GET /activate`.
pub async fn show(ask: Ask) -> Answer {
    let page = ask.section_page("activate-title", Section::Activate);
    let field = field(&page, "", None);
    html(&ActivatePage {
        page,
        field,
        answer: None,
    })
}

/// `POST /activate`.
pub async fn activate(ask: Ask, form: Multipart) -> Answer {
    let sent = read(form).await?;
    if !ask.visitor.csrf_matches(&sent.csrf) {
        let detail = "This form is too old or came from elsewhere; please load it again.";
        return Err(Problem::new(403, "csrf_mismatch", detail).into());
    }
    let page = ask.section_page("activate-title", Section::Activate);
    match answered(&ask, &sent).await {
        Ok((title, document)) => {
            let armor = document::to_armor(&document)?;
            let answer = Some(Signed {
                title: page.say(title),
                base64: STANDARD.encode(&armor),
                armor,
                qr: Qr::parts(&document),
            });
            let field = field(&page, "", None);
            html(&ActivatePage {
                page,
                field,
                answer,
            })
        }
        Err(error) => {
            let key = sentence(&error);
            let problem = Problem::from(error);
            let Some(key) = key else {
                return Err(problem.into());
            };
            let field = field(&page, &sent.request, Some(page.words.say(key)));
            refused(
                problem.status,
                &ActivatePage {
                    page,
                    field,
                    answer: None,
                },
            )
        }
    }
}

/// What was sent, whether it asks for a seat, gives one back or asks for the time; a file wins over
/// pasted text, since it was chosen on purpose. Gives the title of the answer, and its bytes.
async fn answered(ask: &Ask, sent: &Sent) -> Result<(&'static str, Vec<u8>), LicensingError> {
    let carried = match sent.file.as_slice() {
        [] => Carried::from_text(sent.request.trim())?,
        file => match std::str::from_utf8(file) {
            Ok(text) if text.is_ascii() => Carried::from_text(text.trim())?,
            _ => Carried::from_bytes(file)?,
        },
    };
    let (app, caller) = (&ask.app, &ask.visitor.caller);
    match carried {
        Carried::Seat(wanted) => {
            let done = activate_asked(app, &ask.visitor, wanted).await?;
            Ok(("activate-answer", done.document))
        }
        Carried::GivenBack(said) => {
            let heard = app.transact(caller, said, licensing::give_back).await?;
            Ok(("activate-given-back", heard))
        }
        Carried::Time(asked) => {
            let told = app.transact(caller, asked, licensing::answer_time).await?;
            Ok(("activate-time", told))
        }
    }
}

/// What a person can do about it; `None` for what is ours to mend.
fn sentence(error: &LicensingError) -> Option<&'static str> {
    match error {
        LicensingError::RequestMalformed(_) => Some("activate-malformed"),
        LicensingError::CodeUnknown
        | LicensingError::KeyUnknown { .. }
        | LicensingError::NotFound => Some("activate-unknown"),
        LicensingError::CodeMistyped(_) => Some("redeem-mistyped"),
        LicensingError::TooFast { .. } => Some("redeem-too-fast"),
        LicensingError::Revoked => Some("activate-revoked"),
        LicensingError::Expired => Some("activate-expired"),
        LicensingError::SeatsExhausted { .. } => Some("activate-seats"),
        LicensingError::SeatsDelegated { .. } => Some("activate-delegated"),
        LicensingError::WrongProduct => Some("activate-wrong-product"),
        LicensingError::TooManyMoves { .. } => Some("activate-moves"),
        _ => None,
    }
}

async fn read(mut form: Multipart) -> Result<Sent, Problem> {
    let unreadable = |error: MultipartError| {
        let status = error.status().as_u16();
        Problem::new(
            status,
            "form_malformed",
            format!("The form can't be read: {error}."),
        )
    };
    let mut sent = Sent::default();
    while let Some(part) = form.next_field().await.map_err(unreadable)? {
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(unreadable)?;
        if bytes.len() > MAX_REQUEST {
            let detail = "An activation request has at most 64 KiB.";
            return Err(Problem::new(413, "body_too_large", detail));
        }
        let text = || String::from_utf8_lossy(&bytes).into_owned();
        match name.as_str() {
            "csrf" => sent.csrf = text(),
            "request" => sent.request = text(),
            "file" => sent.file = bytes.to_vec(),
            _ => {}
        }
    }
    Ok(sent)
}
