//! Gifts: the part of a checkout that says whom it is for, of an order that says whether it was
//! claimed, and the page of who gets one.

use super::ask::{Answer, Ask, go_to, html};
use super::license::Token;
use super::listing::encoded;
use super::order::{Delivered, Nothing, deliver};
use super::page::{Page, Section};
use super::parts::{Badge, Field, Tone};
use crate::domains::fulfilment::{
    ClaimGift, CorrectGift, FulfilmentError, GiftPage, GiftView, ViewGift, claim_gift,
    correct_gift, gift_page,
};
use crate::domains::gifts::{GiftError, GiftState, MAX_MESSAGE, MAX_NAME, NewGift};
use crate::domains::licensing::License;
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::id::{GiftId, OrderId};
use serde::Deserialize;

/// What the checkout's form says of a gift.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GiftForm {
    gift: String,
    gift_email: String,
    gift_sender: String,
    gift_message: String,
    gift_day: String,
}

impl GiftForm {
    /// Whether it shall be one.
    pub fn is_wished(&self) -> bool {
        !self.gift.is_empty()
    }

    /// As it is bought.
    pub(super) fn wish(&self) -> Option<NewGift> {
        self.is_wished().then(|| NewGift {
            email: self.gift_email.clone(),
            sender: self.gift_sender.clone(),
            message: self.gift_message.clone(),
            send_on: self.gift_day.clone(),
        })
    }
}

/// What is wrong with it.
#[derive(Debug, Clone, Default)]
pub(super) struct GiftWrong {
    email: Option<String>,
    sender: Option<String>,
    message: Option<String>,
    day: Option<String>,
    over: Option<String>,
}

impl GiftWrong {
    /// What the buyer can mend is said at its field; the rest is a problem.
    pub(super) fn of(page: &Page, error: GiftError) -> Result<Self, Problem> {
        let mut wrong = Self::default();
        match error {
            GiftError::Address => wrong.email = Some(page.say("gift-email-wrong")),
            GiftError::Sender => wrong.sender = Some(page.say("gift-sender-wrong")),
            GiftError::Message => wrong.message = Some(page.say("gift-message-wrong")),
            GiftError::Day => wrong.day = Some(page.say("gift-day-wrong")),
            GiftError::Free => wrong.over = Some(page.say("gift-free")),
            GiftError::Metered(product) => {
                wrong.over = Some(page.say_one("gift-metered", "product", product));
            }
            other => return Err(other.into()),
        }
        Ok(wrong)
    }
}

/// The part of the checkout that says whom it is for.
pub(super) struct GiftPart {
    pub open: bool,
    pub wished: bool,
    pub over: Option<String>,
    pub fields: Vec<Field>,
}

impl GiftPart {
    pub(super) fn new(page: &Page, form: &GiftForm, wrong: &GiftWrong) -> Self {
        let most = |characters: usize| u32::try_from(characters).unwrap_or(0);
        let fields = vec![
            Field::email("gift_email", page.say("gift-email"))
                .autocomplete("off")
                .max_length(254)
                .value(form.gift_email.trim())
                .error(wrong.email.clone()),
            Field::text("gift_sender", page.say("gift-sender"))
                .hint(page.say("gift-sender-hint"))
                .max_length(most(MAX_NAME))
                .value(form.gift_sender.trim())
                .error(wrong.sender.clone()),
            Field::area("gift_message", page.say("gift-message"))
                .hint(page.say("gift-message-hint"))
                .full()
                .max_length(most(MAX_MESSAGE))
                .value(form.gift_message.trim())
                .error(wrong.message.clone()),
            Field::date("gift_day", page.say("gift-day"))
                .hint(page.say("gift-day-hint"))
                .value(form.gift_day.trim())
                .error(wrong.day.clone()),
        ];
        Self {
            open: form.is_wished() || wrong.over.is_some(),
            wished: form.is_wished(),
            over: wrong.over.clone(),
            fields,
        }
    }
}

/// A gift on its order's page.
pub(super) struct OrderGift {
    pub state: Badge,
    pub facts: Vec<(String, String)>,
    /// What was written to its recipient, line by line.
    pub message: Vec<String>,
    pub text: String,
    /// How to mend the address, while it isn't claimed.
    pub form: Option<AddressForm>,
}

/// The recipient's address, to mend or to send to again.
pub(super) struct AddressForm {
    pub action: String,
    pub email: Field,
    pub label: String,
}

impl OrderGift {
    pub(super) fn new(
        page: &Page,
        gift: &GiftView,
        (action, wrong): (String, Option<&str>),
    ) -> Self {
        let wrong = match wrong {
            Some("email") => Some(page.say("gift-email-wrong")),
            Some("often") => Some(page.say("gift-sent-often")),
            _ => None,
        };
        let (tone, state, text) = match gift.state {
            GiftState::AwaitingPayment => (Tone::Wait, "gift-awaiting-payment", "gift-text-waits"),
            GiftState::Scheduled => (Tone::Wait, "gift-scheduled", "gift-text-waits"),
            GiftState::Sent => (Tone::Wait, "gift-on-its-way", "gift-text-open"),
            GiftState::Claimed => (Tone::Good, "gift-has-it", "gift-text-claimed"),
            GiftState::Void => (Tone::Plain, "gift-taken-back", "gift-text-void"),
        };
        let email = gift.recipient.as_ref().map(|one| one.email.clone());
        let erased = || page.say("gift-erased");
        let mut facts = vec![(page.say("gift-to"), email.clone().unwrap_or_else(erased))];
        facts.push(match gift.sent_at {
            Some(sent) => (page.say("gift-sent"), page.format.instant(sent)),
            None => (page.say("gift-sends"), page.format.date(gift.send_at)),
        });
        if let Some(at) = gift.claimed_at {
            facts.push((page.say("gift-claimed"), page.format.instant(at)));
        }
        let open = matches!(
            gift.state,
            GiftState::AwaitingPayment | GiftState::Scheduled | GiftState::Sent
        );
        let message = gift.recipient.as_ref().map(|one| one.message.lines());
        let message = message.map(|lines| lines.map(str::to_owned).collect());
        Self {
            state: Badge::new(tone, page.say(state)),
            facts,
            message: message.unwrap_or_default(),
            text: page.say(text),
            form: email.filter(|_| open).map(|email| AddressForm {
                action,
                email: Field::email("email", page.say("gift-email"))
                    .autocomplete("off")
                    .required()
                    .max_length(254)
                    .value(email)
                    .error(wrong),
                label: page.say(match gift.state {
                    GiftState::Sent => "gift-send-again",
                    _ => "gift-save",
                }),
            }),
        }
    }
}

/// What the form on an order's page sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AddressSent {
    email: String,
}

/// `POST /orders/{id}/gift?t=…`: mends the address, or sends the link again.
pub async fn send(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
    form: Result<CsrfForm<AddressSent>, Problem>,
) -> Answer {
    let (CsrfForm(form), Query(token)) = (form?, token?);
    let missing = || Problem::not_found("There is no such order.");
    let order = OrderId::parse(&id).map_err(|_| missing())?;
    let command = CorrectGift {
        order,
        token: token.t.clone(),
        email: Some(form.email),
    };
    let caller = &ask.visitor.caller;
    let wrong = match ask.app.transact(caller, command, correct_gift).await {
        // The page says where it stands.
        Ok(()) | Err(FulfilmentError::Gift(GiftError::Claimed | GiftError::Void)) => "",
        Err(FulfilmentError::Gift(GiftError::Address)) => "email",
        Err(FulfilmentError::Gift(GiftError::SentOften)) => "often",
        Err(error) => return Err(error.into()),
    };
    let address = match token.t {
        Some(token) => format!("/orders/{order}?t={}&gift={wrong}", encoded(&token)),
        None => format!("/orders/{order}?gift={wrong}"),
    };
    go_to(&format!("{address}#gift"))
}

#[derive(Template)]
#[template(path = "gift.html")]
struct ReceivedPage {
    page: Page,
    heading: String,
    lead: String,
    /// What its sender wrote, line by line.
    message: Vec<String>,
    /// What it is, with where to read of it.
    lines: Vec<(String, String)>,
    /// Where to claim it or take it in, with what stands on the button and why.
    action: Option<(String, String, String)>,
    /// Where to sign in first.
    sign_in: Option<String>,
    licenses: Vec<Delivered>,
    /// Whether it is among the visitor's own licenses.
    is_own: bool,
}

fn gift_id(text: &str) -> Result<GiftId, Problem> {
    GiftId::parse(text).map_err(|_| Problem::not_found("There is no such gift."))
}

/// `GET /gifts/{id}?t=…`: looking claims nothing.
pub async fn show(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
) -> Answer {
    let (gift, Query(token)) = (gift_id(&id)?, token?);
    let query = ViewGift {
        gift,
        token: token.t.clone(),
    };
    let found = ask.app.read(&ask.visitor.caller, query, gift_page).await?;
    let page = ask.section_page("gift-received", Section::Licenses);
    // What lies in the own account is opened there; the link opens what lies in none.
    let opened: &[License] = match found.is_loose {
        true => &found.licenses,
        false => &[],
    };
    let titles = |license: &License| {
        let at = found.licenses.iter().position(|one| one.id == license.id)?;
        found.lines.get(at).map(|(title, _, _)| title.clone())
    };
    let licenses = deliver(&ask, &page, (opened, &token), titles).await?;
    let own = format!("/gifts/{gift}{}", token.suffix());
    html(&ReceivedPage::new(&ask, page, (&found, licenses), own))
}

impl ReceivedPage {
    fn new(
        ask: &Ask,
        page: Page,
        (found, licenses): (&GiftPage, Vec<Delivered>),
        own: String,
    ) -> Self {
        let name = ask.visitor.name.as_deref();
        let open = matches!(found.state, GiftState::Scheduled | GiftState::Sent);
        let (heading, lead) = match (found.state, found.is_own || found.is_loose) {
            (GiftState::Claimed, true) => ("gift-yours", "gift-yours-text"),
            (GiftState::Claimed, false) => ("gift-gone-title", "gift-gone-text"),
            (GiftState::Void, _) => ("gift-void-title", "gift-void-text"),
            _ => ("gift-received", "gift-received-text"),
        };
        let heading = match open && !found.sender.is_empty() {
            true => page.say_one("gift-received-from", "sender", found.sender.as_str()),
            false => page.say(heading),
        };
        let claim = || match name {
            Some(name) => page.say_one("gift-claim-as", "name", name),
            None => page.say("gift-claim"),
        };
        let action = match (open, found.is_loose, name) {
            (true, _, _) => Some((own.clone(), claim(), page.say("gift-claim-how"))),
            (_, true, Some(_)) => {
                let label = page.say("gift-take-in");
                Some((own.clone(), label, page.say("gift-take-in-text")))
            }
            _ => None,
        };
        let sign_in = format!("/sign-in?next={}", encoded(&own));
        let line = |(title, quantity, slug): &(String, i64, String)| {
            let text = match quantity {
                1 => title.clone(),
                count => format!("{} × {title}", page.format.signed(*count)),
            };
            (text, format!("/p/{slug}"))
        };
        Self {
            heading,
            lead: page.say(lead),
            message: found.message.lines().map(str::to_owned).collect(),
            lines: found.lines.iter().map(line).collect(),
            sign_in: (open && name.is_none()).then_some(sign_in),
            action,
            licenses,
            is_own: found.is_own,
            page,
        }
    }
}

/// `POST /gifts/{id}?t=…`: claims it.
pub async fn claim(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
    form: Result<CsrfForm<Nothing>, Problem>,
) -> Answer {
    form?;
    let (gift, Query(token)) = (gift_id(&id)?, token?);
    let command = ClaimGift {
        gift,
        token: token.t.clone(),
    };
    let caller = &ask.visitor.caller;
    match ask.app.transact(caller, command, claim_gift).await {
        // The page says what became of it.
        Ok(()) | Err(FulfilmentError::Gift(GiftError::Claimed | GiftError::Void)) => {
            go_to(&format!("/gifts/{gift}{}", token.suffix()))
        }
        Err(error) => Err(error.into()),
    }
}
