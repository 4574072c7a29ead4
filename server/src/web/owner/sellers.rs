//! Sellers: who stands where, and what the owner does about one, with what follows in words.

use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Choice, Crumbs, Field, Notice, Tone};
use super::super::sell::Tab;
use super::{At, must_own, tabs};
use crate::domains::sellers::{
    Change, SellerAt, SellerError, SellerRow, Sellers, SetStanding, Standing, seller_at, sellers,
    set_standing,
};
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, PathParam, Query};
use askama::Template;
use mintreu::id::AccountId;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "owner/sellers.html")]
struct SellersPage {
    page: Page,
    tabs: Vec<Tab>,
    fields: Vec<Field>,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    address: String,
    name: String,
    slug: String,
    state: Badge,
    since: String,
}

#[derive(Template)]
#[template(path = "owner/seller.html")]
struct SellerPage {
    page: Page,
    crumbs: Crumbs,
    name: String,
    base: String,
    state: Badge,
    state_text: String,
    notice: Option<Notice>,
    facts: Vec<(String, String)>,
    moves: Vec<Move>,
    changes: Vec<[String; 4]>,
}

/// What can be done: its heading, what follows, where its reason is typed.
struct Move {
    code: &'static str,
    heading: String,
    follows: Vec<String>,
    reason: Field,
    button: String,
}

/// Which sellers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    standing: String,
    search: String,
    after: String,
}

/// What a form of one seller sends. Each form's reason has a name of its own, so that each label on the
/// page leads to its own field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    standing: String,
    why_active: String,
    why_suspended: String,
    why_closed: String,
}

impl Wish {
    fn reason(&self, standing: Standing) -> &str {
        match standing {
            Standing::Active => &self.why_active,
            Standing::Suspended => &self.why_suspended,
            Standing::Closed => &self.why_closed,
        }
    }
}

const fn reason_field(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "why_active",
        Standing::Suspended => "why_suspended",
        Standing::Closed => "why_closed",
    }
}

/// Whether something was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Told {
    saved: Option<String>,
}

/// `GET /owner/sellers`.
pub async fn list(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    must_own(&ask)?;
    let Query(which) = which?;
    let query = Sellers {
        standing: Standing::parse(&which.standing),
        search: which.search.clone(),
        after: which.after.clone(),
        limit: 0,
    };
    let found = ask.app.read(&ask.visitor.caller, query, sellers).await;
    let found = found.map_err(Problem::from)?;
    let page = ask.section_page("owner-sellers", Section::Owner);
    let next = found.next.map(|next| {
        format!(
            "/owner/sellers?standing={}&search={}&after={next}",
            Standing::parse(&which.standing).map_or("", Standing::name),
            super::super::listing::encoded(&which.search),
        )
    });
    html(&SellersPage {
        tabs: tabs(&page, At::Sellers),
        fields: fields(&page, &which),
        rows: found.rows.iter().map(|row| drawn_row(&page, row)).collect(),
        next,
        page,
    })
}

fn fields(page: &Page, which: &Which) -> Vec<Field> {
    let every = Choice {
        value: String::new(),
        text: page.say("owner-sellers-all"),
    };
    let states = Standing::ALL.iter().map(|standing| Choice {
        value: standing.name().to_owned(),
        text: page.say(&format!("standing-{}", standing.name())),
    });
    let states = std::iter::once(every).chain(states).collect();
    vec![
        Field::text("search", page.say("owner-sellers-search"))
            .hint(page.say("owner-sellers-search-hint"))
            .value(&which.search)
            .max_length(100),
        Field::select("standing", page.say("owner-sellers-standing"), states)
            .value(&which.standing),
    ]
}

fn badge(page: &Page, standing: Standing) -> Badge {
    let tone = match standing {
        Standing::Active => Tone::Good,
        Standing::Suspended => Tone::Bad,
        Standing::Closed => Tone::Plain,
    };
    Badge::new(tone, page.say(&format!("standing-{}", standing.name())))
}

fn drawn_row(page: &Page, row: &SellerRow) -> Row {
    Row {
        address: format!("/owner/sellers/{}", row.seller.account),
        name: row.seller.name.clone(),
        slug: row.seller.slug.clone(),
        state: badge(page, row.seller.standing),
        since: row
            .since
            .map_or(String::new(), |since| page.format.date(since)),
    }
}

/// `GET /owner/sellers/{id}`.
pub async fn show(
    ask: Ask,
    id: Result<PathParam<AccountId>, Problem>,
    told: Result<Query<Told>, Problem>,
) -> Answer {
    let (PathParam(id), Query(told)) = (id?, told?);
    let mut drawn = draw(&ask, id, None).await?;
    if told.saved.is_some() {
        let text = drawn.page.say("owner-seller-saved");
        drawn.notice = Some(Notice::new(Tone::Good, text));
    }
    html(&drawn)
}

/// `POST /owner/sellers/{id}`: suspends, resumes or closes, with a reason.
pub async fn change(
    ask: Ask,
    id: Result<PathParam<AccountId>, Problem>,
    form: Result<CsrfForm<Wish>, Problem>,
) -> Answer {
    let CsrfForm(wish) = form?;
    must_own(&ask)?;
    let PathParam(seller) = id?;
    let unknown = || Problem::new(422, "standing_unknown", "Choose what the seller becomes.");
    let standing = Standing::parse(&wish.standing).ok_or_else(unknown)?;
    let command = SetStanding {
        seller,
        standing,
        reason: wish.reason(standing).to_owned(),
    };
    let done = ask
        .app
        .transact(&ask.visitor.caller, command, set_standing)
        .await;
    match done {
        Ok(_) => go_to(&format!("/owner/sellers/{seller}?saved=1")),
        Err(SellerError::Reason) => refused(422, &draw(&ask, seller, Some(&wish)).await?),
        Err(error) => Err(Problem::from(error).into()),
    }
}

async fn draw(
    ask: &Ask,
    seller: AccountId,
    wrong: Option<&Wish>,
) -> Result<SellerPage, PageProblem> {
    must_own(ask)?;
    let query = SellerAt { seller };
    let found = ask.app.read(&ask.visitor.caller, query, seller_at).await;
    let (row, changes) = found.map_err(Problem::from)?;
    let page = ask.section_page("owner-sellers", Section::Owner);
    let steps = vec![(page.say("owner-sellers"), "/owner/sellers".to_owned())];
    let standing = row.seller.standing;
    let mut facts = vec![
        (page.say("owner-seller-shop"), row.seller.slug.clone()),
        (page.say("owner-seller-account"), seller.to_string()),
    ];
    let since = row.since.map(|since| page.format.instant(since));
    facts.extend(since.map(|since| (page.say("owner-seller-since"), since)));
    Ok(SellerPage {
        crumbs: page.crumbs(steps, &row.seller.name),
        name: row.seller.name.clone(),
        base: format!("/owner/sellers/{seller}"),
        state: badge(&page, standing),
        state_text: page.say(&format!("owner-seller-is-{}", standing.name())),
        notice: None,
        facts,
        moves: moves(&page, standing, wrong),
        changes: changes.iter().map(|change| drawn(&page, change)).collect(),
        page,
    })
}

/// What can follow a standing, each with what it means.
fn moves(page: &Page, standing: Standing, wrong: Option<&Wish>) -> Vec<Move> {
    let next: &[Standing] = match standing {
        Standing::Active => &[Standing::Suspended, Standing::Closed],
        Standing::Suspended => &[Standing::Active, Standing::Closed],
        Standing::Closed => &[Standing::Active],
    };
    let drawn = |next: &Standing| {
        let code = next.name();
        let typed = wrong.filter(|wish| wish.standing == code);
        let reason = Field::text(reason_field(*next), page.say("owner-reason"))
            .hint(page.say("owner-seller-reason-hint"))
            .value(typed.map_or("", |wish| wish.reason(*next)))
            .error(typed.map(|_| page.say("owner-seller-reason-wrong")))
            .required()
            .max_length(500);
        Move {
            code,
            heading: page.say(&format!("owner-seller-to-{code}")),
            follows: (1..=4)
                .map(|number| page.say(&format!("owner-seller-to-{code}-{number}")))
                .collect(),
            reason,
            button: page.say(&format!("owner-seller-do-{code}")),
        }
    };
    next.iter().map(drawn).collect()
}

fn drawn(page: &Page, change: &Change) -> [String; 4] {
    let own = || page.say("owner-seller-own");
    [
        page.format.instant(change.at),
        page.say(&format!("standing-{}", change.standing.name())),
        match change.reason.is_empty() {
            true => own(),
            false => change.reason.clone(),
        },
        change.by.map_or(String::new(), |by| by.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Locale, Translator};

    #[test]
    fn every_standing_and_move_has_its_sentences() {
        let english = Translator::of(Locale::English);
        for standing in Standing::ALL {
            let code = standing.name();
            let mut keys = vec![
                format!("standing-{code}"),
                format!("owner-seller-is-{code}"),
                format!("owner-seller-to-{code}"),
                format!("owner-seller-do-{code}"),
            ];
            keys.extend((1..=4).map(|number| format!("owner-seller-to-{code}-{number}")));
            for key in keys {
                assert_ne!(english.say(&key), key);
            }
        }
    }
}
