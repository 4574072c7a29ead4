//! The books: accounts, entries by account, order and date, and each transaction with its reason.

use super::super::ask::{Answer, Ask, html};
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Crumbs, Field, Tone};
use super::super::sell::Tab;
use super::super::sell::sales::{amount, cell};
use super::{At, Link, must_own, tabs};
use crate::domains::ledger::explore::{
    AccountBalance, EntriesQuery, EntryView, MAX_ROWS, Of, TransactionView, accounts, entries,
    transaction, trial,
};
use crate::domains::ledger::{Account, TrialBalance};
use crate::problem::{PageProblem, Problem};
use crate::web::format::rfc3339;
use crate::web::listing::encoded;
use crate::wire::{Cursor, PathParam, Query};
use askama::Template;
use axum::http::header;
use axum::response::IntoResponse;
use mintreu::Timestamp;
use mintreu::id::{LedgerAccountId, LedgerEntryId, LedgerTransactionId};
use serde::Deserialize;

/// Most pages of a hundred entries in one file.
const MAX_PAGES: usize = 1_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Template)]
#[template(path = "owner/ledger.html")]
struct LedgerPage {
    page: Page,
    tabs: Vec<Tab>,
    sums: Vec<SumRow>,
    rows: Vec<AccountRow>,
    next: Option<String>,
    fields: Vec<Field>,
}

struct SumRow {
    currency: String,
    entries: String,
    sum: String,
    state: Badge,
}

struct AccountRow {
    kind: String,
    address: String,
    owner: String,
    currency: String,
    balance: String,
}

/// Where the list of accounts goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct After {
    after: Option<String>,
}

/// `GET /owner/ledger`: the trial balance and every account.
pub async fn show(ask: Ask, after: Result<Query<After>, Problem>) -> Answer {
    must_own(&ask)?;
    let Query(after) = after?;
    let missing = |_| Problem::not_found("There is no such account.");
    let after = after.after.as_deref().map(LedgerAccountId::parse);
    let after = after.transpose().map_err(missing)?;
    let caller = &ask.visitor.caller;
    let sums = ask.app.read(caller, (), trial).await;
    let sums = sums.map_err(Problem::from)?;
    let found = ask.app.read(caller, after, accounts).await;
    let found = found.map_err(Problem::from)?;
    let page = ask.section_page("owner-ledger", Section::Owner);
    let full = i64::try_from(found.len()) == Ok(MAX_ROWS);
    let next = found.last().filter(|_| full);
    html(&LedgerPage {
        tabs: tabs(&page, At::Ledger),
        sums: sums.iter().map(|sum| sum_row(&page, sum)).collect(),
        rows: found.iter().map(|one| account_row(&page, one)).collect(),
        next: next.map(|last| format!("/owner/ledger?after={}", last.id)),
        fields: fields(&page, &Asked::default()),
        page,
    })
}

fn sum_row(page: &Page, line: &TrialBalance) -> SumRow {
    let (tone, key) = match line.sum.minor() {
        0 => (Tone::Good, "owner-balanced"),
        _ => (Tone::Bad, "owner-not-balanced"),
    };
    SumRow {
        currency: line.sum.currency().code().to_owned(),
        entries: page.format.signed(line.entries),
        sum: page.format.money(line.sum),
        state: Badge::new(tone, page.say(key)),
    }
}

fn account_row(page: &Page, one: &AccountBalance) -> AccountRow {
    AccountRow {
        kind: kind_text(page, one.account),
        address: format!("/owner/ledger/entries?of={}", one.id),
        owner: owner_text(page, one.account),
        currency: one.balance.currency().code().to_owned(),
        balance: page.format.money(one.balance),
    }
}

fn kind_text(page: &Page, account: Account) -> String {
    page.say(&format!("account-kind-{}", account.kind.code()))
}

fn owner_text(page: &Page, account: Account) -> String {
    let platform = || page.say("owner-platform");
    account
        .owner
        .map_or_else(platform, |owner| owner.to_string())
}

/// Which entries, as the address says it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    of: String,
    from: String,
    until: String,
    after: Option<String>,
}

impl Asked {
    fn query(&self) -> Result<EntriesQuery, Problem> {
        let of = self.of.trim();
        let account = LedgerAccountId::parse(of).map(Of::Account);
        let of = account
            .or_else(|_| LedgerTransactionId::parse(of).map(Of::Transaction))
            .unwrap_or_else(|_| Of::Reference(of.to_owned()));
        let mut query = EntriesQuery::of(of);
        query.from = day_of("from", &self.from)?;
        // Up to the end of that day.
        if let Some(until) = day_of("until", &self.until)? {
            query = query.until(until.plus_ms(DAY_MS));
        }
        if let Some(after) = &self.after {
            let cursor: Cursor = after.parse()?;
            query.before = Some((cursor.at, LedgerEntryId::from_bytes(cursor.id)));
        }
        Ok(query)
    }

    /// The address of these entries, without where they go on.
    fn address(&self, path: &str) -> String {
        let mut address = format!("{path}?of={}", encoded(self.of.trim()));
        for (name, value) in [("from", &self.from), ("until", &self.until)] {
            if !value.trim().is_empty() {
                address.push_str(&format!("&{name}={}", encoded(value.trim())));
            }
        }
        address
    }
}

/// `2027-01-15` as its first instant (UTC); nothing for nothing.
pub(super) fn day_of(field: &'static str, text: &str) -> Result<Option<Timestamp>, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let day: Result<jiff::civil::Date, _> = text.parse();
    let instant = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC));
    let wrong = |_| Problem::new(422, "input_invalid", "A day is written 2027-01-15.").at(field);
    let instant = instant.map_err(wrong)?;
    Ok(Some(Timestamp::from_ms(
        instant.timestamp().as_millisecond(),
    )))
}

fn fields(page: &Page, asked: &Asked) -> Vec<Field> {
    vec![
        Field::text("of", page.say("owner-entries-of"))
            .hint(page.say("owner-entries-of-hint"))
            .value(&asked.of)
            .required()
            .max_length(200)
            .full(),
        Field::text("from", page.say("owner-entries-from"))
            .hint(page.say("owner-day-hint"))
            .value(&asked.from)
            .max_length(10),
        Field::text("until", page.say("owner-entries-until"))
            .hint(page.say("owner-day-hint"))
            .value(&asked.until)
            .max_length(10),
    ]
}

#[derive(Template)]
#[template(path = "owner/entries.html")]
struct EntriesPage {
    page: Page,
    crumbs: Crumbs,
    fields: Vec<Field>,
    rows: Vec<EntryRow>,
    file: String,
    next: Option<String>,
}

struct EntryRow {
    at: String,
    why: String,
    transaction: String,
    account: Link,
    reference: Link,
    amount: String,
}

fn reason_text(page: &Page, kind: &str) -> String {
    let key = format!("ledger-reason-{}", kind);
    match page.words.knows(&key) {
        true => page.say(&key),
        false => kind.to_owned(),
    }
}

fn entry_row(page: &Page, entry: &EntryView) -> EntryRow {
    EntryRow {
        at: page.format.instant(entry.at),
        why: reason_text(page, &entry.kind),
        transaction: format!("/owner/ledger/transactions/{}", entry.transaction),
        account: Link {
            text: match entry.account.owner {
                Some(owner) => format!("{} · {owner}", kind_text(page, entry.account)),
                None => kind_text(page, entry.account),
            },
            address: format!("/owner/ledger/entries?of={}", entry.account_id),
        },
        reference: reference_link(&entry.reference),
        amount: page.format.money(entry.amount),
    }
}

fn reference_link(reference: &str) -> Link {
    Link {
        text: reference.to_owned(),
        address: format!("/owner/ledger/entries?of={}", encoded(reference)),
    }
}

async fn read(ask: &Ask, query: EntriesQuery) -> Result<Vec<EntryView>, PageProblem> {
    let found = ask.app.read(&ask.visitor.caller, query, entries).await;
    Ok(found.map_err(Problem::from)?)
}

fn cursor_of(found: &[EntryView]) -> Option<Cursor> {
    let full = i64::try_from(found.len()) == Ok(MAX_ROWS);
    found.last().filter(|_| full).map(|last| Cursor {
        at: last.at,
        id: *last.id.as_bytes(),
    })
}

/// `GET /owner/ledger/entries?of=&from=&until=`.
pub async fn list(ask: Ask, asked: Result<Query<Asked>, Problem>) -> Answer {
    must_own(&ask)?;
    let Query(asked) = asked?;
    let found = read(&ask, asked.query()?).await?;
    let page = ask.section_page("owner-entries", Section::Owner);
    let next = cursor_of(&found);
    let steps = vec![(page.say("owner-ledger"), "/owner/ledger".to_owned())];
    let list = asked.address("/owner/ledger/entries");
    html(&EntriesPage {
        crumbs: page.crumbs(steps, &page.say("owner-entries")),
        fields: fields(&page, &asked),
        rows: found.iter().map(|entry| entry_row(&page, entry)).collect(),
        file: asked.address("/owner/ledger/entries.csv"),
        next: next.map(|next| format!("{list}&after={next}")),
        page,
    })
}

/// `GET /owner/ledger/entries.csv`: the same entries as a file, newest first (RFC 4180).
pub async fn csv(ask: Ask, asked: Result<Query<Asked>, Problem>) -> Answer {
    must_own(&ask)?;
    let Query(asked) = asked?;
    let mut query = asked.query()?;
    let mut text =
        String::from("entry,transaction,at,reason,reference,account,owner,currency,amount\r\n");
    for _ in 0..MAX_PAGES {
        let found = read(&ask, query.clone()).await?;
        found.iter().for_each(|entry| text.push_str(&record(entry)));
        match cursor_of(&found) {
            Some(next) => query.before = Some((next.at, LedgerEntryId::from_bytes(next.id))),
            None => break,
        }
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"entries.csv\"",
        ),
    ];
    Ok((headers, text).into_response())
}

fn record(entry: &EntryView) -> String {
    let owner = entry.account.owner.map(|owner| owner.to_string());
    let fields = [
        entry.id.to_string(),
        entry.transaction.to_string(),
        rfc3339(entry.at),
        entry.kind.clone(),
        cell(&entry.reference),
        entry.account.kind.code().to_owned(),
        owner.unwrap_or_default(),
        entry.amount.currency().code().to_owned(),
        amount(entry.amount),
    ];
    format!("{}\r\n", fields.join(","))
}

#[derive(Template)]
#[template(path = "owner/transaction.html")]
struct TransactionPage {
    page: Page,
    crumbs: Crumbs,
    why: String,
    why_text: String,
    facts: Vec<(String, String)>,
    reference: Link,
    related: Vec<Link>,
    rows: Vec<EntryRow>,
    sums: Vec<String>,
}

/// `GET /owner/ledger/transactions/{id}`: its sides and why.
pub async fn one(ask: Ask, id: Result<PathParam<LedgerTransactionId>, Problem>) -> Answer {
    must_own(&ask)?;
    let PathParam(id) = id?;
    let found = ask.app.read(&ask.visitor.caller, id, transaction).await;
    let found = found.map_err(Problem::from)?;
    let page = ask.section_page("owner-transaction", Section::Owner);
    html(&drawn(page, &found))
}

fn drawn(page: Page, found: &TransactionView) -> TransactionPage {
    let steps = vec![(page.say("owner-ledger"), "/owner/ledger".to_owned())];
    let related = [
        ("owner-reverses", found.reverses),
        ("owner-reversed-by", found.reversed_by),
    ];
    let related = related.into_iter().filter_map(|(key, id)| {
        let id = id?;
        Some(Link {
            text: page.say(key),
            address: format!("/owner/ledger/transactions/{id}"),
        })
    });
    let mut totals: Vec<mintreu::Money> = Vec::new();
    for entry in &found.entries {
        let same = |sum: &&mut mintreu::Money| sum.currency() == entry.amount.currency();
        match totals.iter_mut().find(same) {
            Some(sum) => *sum = sum.checked_add(entry.amount).unwrap_or(*sum),
            None => totals.push(entry.amount),
        }
    }
    TransactionPage {
        crumbs: page.crumbs(steps, &found.id.to_string()),
        why: reason_text(&page, &found.kind),
        why_text: page.say(&format!("ledger-why-{}", found.kind)),
        facts: vec![
            (page.say("owner-when"), page.format.instant(found.at)),
            (page.say("owner-key"), found.key.clone()),
        ],
        reference: reference_link(&found.reference),
        related: related.collect(),
        rows: found
            .entries
            .iter()
            .map(|entry| entry_row(&page, entry))
            .collect(),
        sums: totals.iter().map(|sum| page.format.money(*sum)).collect(),
        page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::ledger::{AccountKind, Reason};
    use crate::text::{Locale, Translator};

    #[test]
    fn every_account_and_reason_has_its_sentence() {
        let english = Translator::of(Locale::English);
        let kinds = AccountKind::ALL.map(|kind| format!("account-kind-{}", kind.code()));
        let reasons = Reason::ALL.map(|why| format!("ledger-reason-{}", why.code()));
        let whys = Reason::ALL.map(|why| format!("ledger-why-{}", why.code()));
        for key in kinds.into_iter().chain(reasons).chain(whys) {
            assert_ne!(english.say(&key), key);
        }
    }

    #[test]
    fn days_are_read_and_what_is_none_is_refused() {
        assert_eq!(day_of("from", "").ok().flatten(), None);
        let day = day_of("from", " 2027-01-15 ").expect("a day");
        assert_eq!(day, Some(Timestamp::from_secs(1_799_971_200)));
        for wrong in ["2027-02-30", "yesterday", "15.01.2027"] {
            assert!(day_of("from", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn filters_stand_in_the_address() {
        let asked = Asked {
            of: "ord_a b".to_owned(),
            from: "2027-01-01".to_owned(),
            ..Asked::default()
        };
        let address = asked.address("/x");
        assert!(address.starts_with("/x?of=ord_a"), "{address}");
        assert!(address.ends_with("&from=2027-01-01"), "{address}");
        assert!(!address.contains(' '), "{address}");
    }
}
