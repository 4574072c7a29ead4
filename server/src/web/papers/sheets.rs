//! What is printed on an invoice and on a credit note, in the words of a page's language.

use crate::domains::fulfilment::{CreditPaper, InvoicePaper};
use crate::domains::invoicing::{
    CreditKind, CreditLine, CreditNote, InvoiceLine, Parties, Party, Sold, State, TaxSnapshot,
};
use crate::print::{Column, Sheet};
use crate::text::Value;
use crate::web::page::Page;
use mintreu::{Currency, Money};

/// Everything printed on an invoice.
pub fn invoice_sheet(page: &Page, found: &InvoicePaper) -> Sheet {
    let invoice = &found.invoice;
    let date = |at| page.format.date(at);
    let state = match invoice.state {
        State::Open => "invoice-open",
        State::Paid => "invoice-paid",
        State::Void => "invoice-void",
    };
    let mut facts = vec![
        (page.say("invoice-date"), date(invoice.finalized_at)),
        (page.say("paper-supplied"), period(page, invoice.period)),
        (page.say("invoice-due"), date(invoice.due_at)),
    ];
    let paid = invoice
        .paid_at
        .map(|at| (page.say("invoice-paid"), date(at)));
    facts.extend(paid);
    let license = invoice.license.map(|license| license.to_string());
    facts.extend(license.map(|license| (page.say("invoice-license"), license)));
    let order = invoice.order.map(|order| order.to_string());
    facts.extend(order.map(|order| (page.say("paper-order"), order)));
    let sold = found.lines.iter().any(|line| line.sold.is_some());
    let (columns, rows) = match sold {
        true => (sold_columns(page), sold_rows(page, &found.lines)),
        false => (rated_columns(page), rated_rows(page, &found.lines)),
    };
    let taxes = taxes(found);
    let mut sums = match taxes.is_empty() {
        true => Vec::new(),
        false => tax_sums(page, found.invoice.total, &taxes),
    };
    sums.push((page.say("invoice-total"), page.format.money(invoice.total)));
    Sheet {
        title: page.say_one("invoice-heading", "number", invoice.number_text()),
        state: page.say(state),
        parties: parties(page, &found.parties),
        facts,
        columns,
        rows,
        sums,
        notes: tax_notes(page, &taxes),
        ..blank(page)
    }
}

/// A sheet of the page's language.
pub fn blank(page: &Page) -> Sheet {
    Sheet {
        lang: page.lang().to_owned(),
        rtl: page.dir() == "rtl",
        ..Sheet::default()
    }
}

/// `Page 2 of 3`.
pub fn page_of(page: &Page, number: usize, total: usize) -> String {
    let count = |n: usize| Value::from(i64::try_from(n).unwrap_or(i64::MAX));
    let values = [("number", count(number)), ("total", count(total))];
    page.words.say_with("paper-page", values)
}

/// From when to when; one day for what was sold for good.
fn period(page: &Page, (from, until): (mintreu::Timestamp, mintreu::Timestamp)) -> String {
    if from == until {
        return page.format.date(from);
    }
    let values = [
        ("from", page.format.date(from).into()),
        ("until", page.format.date(until).into()),
    ];
    page.words.say_with("usage-period", values)
}

/// Both parties under their headings.
pub fn parties(page: &Page, parties: &Parties) -> Vec<(String, Vec<String>)> {
    let issuer = parties.issuer.clone().unwrap_or_else(|| Party {
        name: page.say("shop-name"),
        ..Party::default()
    });
    let mut both = vec![(page.say("paper-from"), party_lines(page, &issuer))];
    let buyer = parties.buyer.as_ref();
    both.extend(buyer.map(|buyer| (page.say("paper-to"), party_lines(page, buyer))));
    both
}

fn party_lines(page: &Page, party: &Party) -> Vec<String> {
    let mut lines = vec![party.name.clone()];
    lines.extend(party.address.lines().map(str::to_owned));
    lines.push(party.email.clone());
    if !party.tax_number.is_empty() {
        lines.push(page.say_one("paper-tax-number", "number", party.tax_number.as_str()));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn rated_columns(page: &Page) -> Vec<Column> {
    vec![
        Column::words(page.say("invoice-what"), 6),
        Column::figures(page.say("invoice-quantity"), 3),
        Column::figures(page.say("invoice-unit"), 3),
        Column::figures(page.say("invoice-amount"), 3),
    ]
}

fn rated_rows(page: &Page, lines: &[InvoiceLine]) -> Vec<Vec<String>> {
    let row = |line: &InvoiceLine| {
        let unit = line.unit_price_nanos.map(|nanos| {
            let currency: Currency = line.amount.currency();
            page.format.unit_price(nanos, currency)
        });
        vec![
            what(page, line),
            quantity(page, line),
            unit.unwrap_or_default(),
            page.format.money(line.amount),
        ]
    };
    let used = lines.iter().filter(|line| line.kind != "tax");
    used.map(row).collect()
}

/// What a rated line is about.
fn what(page: &Page, line: &InvoiceLine) -> String {
    let key = match line.kind.as_str() {
        "free" => "line-free",
        "minimum" => "line-minimum",
        "maximum" => "line-maximum",
        "prepaid" => "line-prepaid",
        "commitment" => "line-commitment",
        "credit" => "line-credit",
        "already_invoiced" => "line-already",
        _ => "line-usage",
    };
    let meter = line.meter.clone().unwrap_or_default();
    page.words.say_one(key, "meter", meter)
}

fn quantity(page: &Page, line: &InvoiceLine) -> String {
    match u64::try_from(line.quantity).unwrap_or(0) {
        0 => String::new(),
        quantity => page.format.number(quantity),
    }
}

fn sold_columns(page: &Page) -> Vec<Column> {
    vec![
        Column::words(page.say("invoice-what"), 8),
        Column::figures(page.say("invoice-quantity"), 3),
        Column::figures(page.say("paper-price"), 4),
        Column::figures(page.say("paper-discount"), 4),
        Column::figures(page.say("paper-tax"), 5),
        Column::figures(page.say("invoice-amount"), 4),
    ]
}

fn sold_rows(page: &Page, lines: &[InvoiceLine]) -> Vec<Vec<String>> {
    let row = |line: &InvoiceLine| {
        let sold = line.sold.as_ref()?;
        let discount = match sold.discount.minor() {
            0 => String::new(),
            _ => page.format.money(negated(sold.discount)),
        };
        Some(vec![
            sold.title.clone(),
            quantity(page, line),
            page.format.money(sold.gross),
            discount,
            tax(page, &sold.tax),
            page.format.money(line.amount),
        ])
    };
    lines.iter().filter_map(row).collect()
}

fn negated(amount: Money) -> Money {
    Money::new(amount.minor().saturating_neg(), amount.currency())
}

/// `19% €7.82`.
fn tax(page: &Page, tax: &TaxSnapshot) -> String {
    let values = [
        ("rate", percent(tax.bps).into()),
        ("amount", page.format.money(tax.amount).into()),
    ];
    page.words.say_with("paper-tax-of", values)
}

/// Basis points as percent, with no more digits than needed.
fn percent(bps: u32) -> String {
    let text = format!("{}.{:02}", bps / 100, bps % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The taxes of an invoice: of each line that was sold, or of all that was used.
fn taxes(found: &InvoicePaper) -> Vec<&TaxSnapshot> {
    let sold = found.lines.iter().filter_map(|line| line.sold.as_ref());
    sold.map(|sold| &sold.tax).chain(&found.tax).collect()
}

/// What it comes to before tax, and the tax of each rate and jurisdiction.
fn tax_sums(page: &Page, total: Money, all: &[&TaxSnapshot]) -> Vec<(String, String)> {
    let zero = Money::zero(total.currency());
    let (mut net, mut taxes) = (total, Vec::<(String, Money)>::new());
    for tax in all {
        net = net.checked_sub(tax.amount).unwrap_or(zero);
        let values = [
            ("rate", percent(tax.bps).into()),
            ("where", tax.jurisdiction.as_str().into()),
        ];
        let key = match tax.jurisdiction.is_empty() {
            true => "paper-tax-rate",
            false => "paper-tax-rate-where",
        };
        let name = page.words.say_with(key, values);
        match taxes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = sum.checked_add(tax.amount).unwrap_or(*sum),
            None => taxes.push((name, tax.amount)),
        }
    }
    let mut sums = vec![(page.say("paper-net"), page.format.money(net))];
    let money = |(name, sum): (String, Money)| (name, page.format.money(sum));
    sums.extend(taxes.into_iter().map(money));
    sums
}

/// Why each line is taxed as it is, each reason once.
fn tax_notes(page: &Page, taxes: &[&TaxSnapshot]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for tax in taxes {
        let note = page.say_one("paper-tax-reason", "reason", tax.reason.as_str());
        let included = tax.inclusive.then(|| page.say("paper-tax-inclusive"));
        for note in [Some(note), included].into_iter().flatten() {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// `Credit note CN-000001`, or the correction of one.
pub fn credit_title(page: &Page, note: &CreditNote) -> String {
    let key = match note.kind {
        CreditKind::Credit => "paper-credit-heading",
        CreditKind::Correction => "paper-correction-heading",
    };
    page.say_one(key, "number", note.number_text())
}

/// Everything printed on a credit note or a correction.
pub fn credit_sheet(page: &Page, found: &CreditPaper) -> Sheet {
    let (note, view) = (&found.view.note, &found.view);
    let invoice = &view.invoice;
    let values = [
        ("number", invoice.number_text().into()),
        ("date", page.format.date(invoice.finalized_at).into()),
    ];
    let mut facts = vec![
        (page.say("invoice-date"), page.format.date(note.issued_at)),
        (
            page.say("paper-about"),
            page.words.say_with("paper-about-of", values),
        ),
    ];
    let corrects = view.corrects.clone();
    facts.extend(corrects.map(|number| (page.say("paper-corrects"), number)));
    facts.push((page.say("paper-reason"), reason(page, &note.reason)));
    if !note.note.is_empty() {
        facts.push((page.say("paper-note"), note.note.clone()));
    }
    let row = |(line, sold): &(CreditLine, Option<Sold>)| {
        let title = sold.as_ref().map(|sold| sold.title.clone());
        vec![
            title.unwrap_or_else(|| page.say("paper-usage")),
            page.format.money(line.tax),
            page.format.money(line.amount),
        ]
    };
    let total = match note.kind {
        CreditKind::Credit => "paper-credited",
        CreditKind::Correction => "paper-corrected",
    };
    Sheet {
        title: credit_title(page, note),
        state: page.say("paper-issued"),
        parties: parties(page, &found.parties),
        facts,
        columns: vec![
            Column::words(page.say("invoice-what"), 6),
            Column::figures(page.say("paper-tax-in"), 3),
            Column::figures(page.say("invoice-amount"), 3),
        ],
        rows: view.lines.iter().map(row).collect(),
        sums: vec![(page.say(total), page.format.money(note.total))],
        ..blank(page)
    }
}

/// Why something was credited, in words.
pub fn reason(page: &Page, code: &str) -> String {
    let key = match code {
        "requested_by_customer" => "paper-reason-requested",
        "duplicate" => "paper-reason-duplicate",
        "defective" => "paper-reason-defective",
        "fraud" => "paper-reason-fraud",
        "withdrawal" => "paper-reason-withdrawal",
        "chargeback" => "paper-reason-chargeback",
        "void" => "paper-reason-void",
        _ => "paper-reason-other",
    };
    page.say(key)
}
