//! Who brings buyers: programmes to join, one's links, and what came of them.

use super::ask::{Answer, Ask, go_to, html, refused};
use super::page::Page;
use super::parts::{Badge, Notice, Tone};
use crate::domains::affiliates::views::Shown;
use crate::domains::affiliates::{
    AffiliateError, Join, Leave, Mine, MyReferrals, OpenProgramme, OpenProgrammes, Partner,
    ReferralState, Standing, Terms, join, leave, mine, my_referrals, open_programmes,
};
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, Query};
use askama::Template;
use mintreu::id::{AccountId, AffiliationId, OrderLineId};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "affiliate.html")]
struct AffiliatePage {
    page: Page,
    notices: Vec<Notice>,
    mine: Vec<MineRow>,
    open: Vec<OpenRow>,
    referrals: Vec<ReferralRow>,
    next: Option<String>,
}

struct MineRow {
    id: String,
    seller_id: String,
    seller: String,
    link: String,
    hint: String,
    facts: Vec<(String, String)>,
    state: Badge,
    active: bool,
    left: bool,
}

struct OpenRow {
    seller_id: String,
    seller: String,
    rate: String,
    window: String,
    renewals: String,
}

/// One line that somebody brought, for either side.
pub(super) struct ReferralRow {
    pub when: String,
    pub product: String,
    pub how: String,
    pub state: Badge,
    pub why: String,
    pub commission: String,
    pub back: String,
}

/// Basis points as people write them: `8 %`, `7.5 %`.
pub(crate) fn percent(bps: i64) -> String {
    match bps % 100 {
        0 => format!("{} %", bps / 100),
        part => format!("{}.{part:02} %", bps / 100),
    }
}

pub(super) fn renewals(page: &Page, terms: &Terms) -> String {
    match terms.renewal_months {
        None => page.say("affiliate-renewals-forever"),
        Some(0) => page.say("affiliate-renewals-first"),
        Some(months) => page.say_one(
            "affiliate-renewals-months",
            "months",
            page.format.signed(months),
        ),
    }
}

pub(super) fn referral_row(page: &Page, (referral, state, product): &Shown) -> ReferralRow {
    let tone = match state {
        ReferralState::Placed => Tone::Plain,
        ReferralState::Pending | ReferralState::InReview => Tone::Wait,
        ReferralState::Approved | ReferralState::Paid => Tone::Good,
        ReferralState::Reversed | ReferralState::Refused => Tone::Bad,
    };
    let why = referral
        .refusal
        .map(|why| page.say(&format!("affiliate-refusal-{}", why.code())));
    ReferralRow {
        when: page.format.date(referral.placed_at),
        product: product.clone(),
        how: page.say(&format!("affiliate-via-{}", referral.via.code())),
        state: Badge::new(tone, page.say(&format!("affiliate-state-{}", state.code()))),
        why: why.unwrap_or_default(),
        commission: page.format.money(referral.commission),
        back: match referral.reversed.minor() {
            0 => String::new(),
            _ => page.format.money(referral.reversed),
        },
    }
}

pub(super) fn standing(page: &Page, standing: Standing) -> Badge {
    let tone = match standing {
        Standing::Active => Tone::Good,
        Standing::Left => Tone::Plain,
        Standing::Suspended => Tone::Bad,
    };
    let key = format!("affiliate-standing-{}", standing.code());
    Badge::new(tone, page.say(&key))
}

/// What somebody earned, a currency after the other.
pub(super) fn earned(page: &Page, partner: &Partner) -> String {
    let amounts = partner.earned.iter();
    let amounts: Vec<_> = amounts.map(|amount| page.format.money(*amount)).collect();
    match amounts.is_empty() {
        true => "–".to_owned(),
        false => amounts.join(", "),
    }
}

fn mine_row(ask: &Ask, page: &Page, partner: &Partner) -> MineRow {
    let of = &partner.affiliation;
    let signed = |value: i64| page.format.signed(value);
    MineRow {
        id: of.id.to_string(),
        seller_id: of.seller.to_string(),
        seller: partner.name.clone(),
        link: format!("{}/?via={}", ask.base(), of.code),
        hint: page.say_one("affiliate-link-hint", "code", of.code.as_str()),
        facts: vec![
            (page.say("affiliate-rate"), percent(partner.terms.rate_bps)),
            (page.say("affiliate-clicks"), signed(of.clicks)),
            (page.say("affiliate-sales"), signed(partner.sales)),
            (page.say("affiliate-earned"), earned(page, partner)),
        ],
        state: standing(page, of.standing),
        active: of.standing == Standing::Active,
        left: of.standing == Standing::Left && partner.terms.open,
    }
}

fn open_row(page: &Page, one: &OpenProgramme) -> OpenRow {
    let days = page.format.signed(one.terms.window_days);
    OpenRow {
        seller_id: one.seller.to_string(),
        seller: one.name.clone(),
        rate: percent(one.terms.rate_bps),
        window: page.say_one("affiliate-days", "days", days),
        renewals: renewals(page, &one.terms),
    }
}

/// Where the list goes on, and whether somebody has just joined.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    before: Option<String>,
    joined: Option<String>,
}

/// `GET /affiliate`.
pub async fn show(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    let Query(which) = which?;
    html(&draw(&ask, &which, None).await?)
}

async fn draw(ask: &Ask, which: &Which, wrong: Option<&str>) -> Result<AffiliatePage, PageProblem> {
    let account = ask.account()?;
    let before = which.before.as_deref().map(OrderLineId::parse).transpose();
    let before = before.map_err(|_| Problem::not_found("There is no such referral."))?;
    let (app, caller) = (&ask.app, &ask.visitor.caller);
    let parts = app.read(caller, Mine, mine).await;
    let parts = parts.map_err(Problem::from)?;
    let open = app
        .read(caller, OpenProgrammes::default(), open_programmes)
        .await;
    let mut open = open.map_err(Problem::from)?;
    open.retain(|one| {
        let known = parts
            .iter()
            .any(|part| part.affiliation.seller == one.seller);
        one.seller != account && !known
    });
    let query = MyReferrals { before, limit: 50 };
    let listed = app.read(caller, query, my_referrals).await;
    let (referrals, next) = listed.map_err(Problem::from)?;
    let page = ask.page("affiliate-title");
    let mut notices = Vec::new();
    if let Some(key) = wrong {
        notices.push(Notice::new(Tone::Bad, page.say(key)));
    }
    if which.joined.is_some() {
        notices.push(Notice::new(Tone::Good, page.say("affiliate-joined")));
    }
    Ok(AffiliatePage {
        notices,
        mine: parts
            .iter()
            .map(|part| mine_row(ask, &page, part))
            .collect(),
        open: open.iter().map(|one| open_row(&page, one)).collect(),
        referrals: referrals
            .iter()
            .map(|one| referral_row(&page, one))
            .collect(),
        next: next.map(|next| format!("/affiliate?before={next}")),
        page,
    })
}

/// What joining sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct JoinForm {
    seller: String,
    agree: String,
}

/// `POST /affiliate/join`.
pub async fn enter(ask: Ask, form: Result<CsrfForm<JoinForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    let missing = || Problem::not_found("There is no such programme.");
    let command = Join {
        seller: AccountId::parse(&form.seller).map_err(|_| missing())?,
        agreed: !form.agree.is_empty(),
    };
    match ask.app.transact(&ask.visitor.caller, command, join).await {
        Ok(_) => go_to("/affiliate?joined=1"),
        Err(AffiliateError::ConsentMissing) => {
            let wrong = Some("affiliate-agree-missing");
            refused(422, &draw(&ask, &Which::default(), wrong).await?)
        }
        Err(error) => Err(Problem::from(error).into()),
    }
}

/// What leaving sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LeaveForm {
    affiliation: String,
}

/// `POST /affiliate/leave`.
pub async fn quit(ask: Ask, form: Result<CsrfForm<LeaveForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    let missing = || Problem::not_found("There is no such programme.");
    let affiliation = AffiliationId::parse(&form.affiliation).map_err(|_| missing())?;
    let left = ask
        .app
        .transact(&ask.visitor.caller, Leave { affiliation }, leave);
    left.await.map_err(Problem::from)?;
    go_to("/affiliate")
}
