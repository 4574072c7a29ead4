//! Orders, licenses and usage under way, made as buyers and their programs make them.
//!
//! Purchases go through the sandbox's page and its webhooks, so they are paid a moment after the
//! server answers. The devices are real engines with journals in the demo's folder.

use super::measure::measure;
use super::{People, SeedError};
use crate::app::App;
use crate::caller::Caller;
use crate::domains::billing::{BillNow, bill_now};
use crate::domains::catalog::model::PriceModel;
use crate::domains::catalog::ops::{ProductAt, product_at};
use crate::domains::fulfilment::{
    Item, Network, Purchase, Started, ViewOrder, Wanted, order_page, start,
};
use crate::domains::ledger::Traffic;
use crate::domains::licensing::{
    Activate, AskTime, License, TrustText, activate, answer_time, trust,
};
use crate::domains::metering::AcceptSegment;
use crate::domains::meters::ops::accept_segment;
use crate::gateways::sandbox::model::Choice;
use crate::gateways::sandbox::ops::{Choose, choose};
use mintreu::document::to_text;
use mintreu::engine::{Engine, Options};
use mintreu::meter::split_batch;
use mintreu::sync::{ACTIVATIONS, SEGMENTS, TIME};
use std::path::Path;

/// Most answers that a device waits for in a row: its activation, a few segments, and the news.
const MAX_SYNC: usize = 16;

/// Who buys what, and which card is drawn.
const PURCHASES: &[(&str, &str, Choice)] = &[
    ("priya@customer.example", "lichen-darkroom", Choice::Succeed),
    ("priya@customer.example", "hush", Choice::Duplicate),
    ("jonas@customer.example", "mutant", Choice::Succeed),
    ("jonas@customer.example", "paperlane-desk", Choice::Delayed),
    ("jonas@customer.example", "sieve", Choice::Decline),
    ("tomasz@northbeam.example", "tabular-py", Choice::Succeed),
];

/// Who meters what: the meter, the units of each session, and whether a bill is asked for.
const USAGE: &[(&str, &str, &str, &[u64], bool)] = &[
    (
        "priya@customer.example",
        "northbeam-translate",
        "characters",
        &[212_480, 640_115, 431_905],
        true,
    ),
    (
        "jonas@customer.example",
        "watchtower",
        "checks",
        &[64, 112, 41],
        false,
    ),
    (
        "jonas@customer.example",
        "northbeam-speech",
        "audio.seconds",
        &[2_710],
        false,
    ),
];

/// Buys, activates, counts and reports; `folder` keeps the devices' journals.
pub async fn trade(app: &App, people: &People, folder: &Path) -> Result<(), SeedError> {
    for (email, slug, choice) in PURCHASES {
        let started = buy(app, &people.caller(email)?, slug).await?;
        if let Some(session) = started
            .pay_url
            .as_deref()
            .and_then(|url| url.rsplit('/').next())
        {
            let session = session.to_owned();
            let command = Choose {
                session,
                choice: *choice,
                country: None,
            };
            app.transact(&people.caller(email)?, command, choose)
                .await?;
        }
    }
    for (email, slug, meter, sessions, billed) in USAGE {
        let caller = people.caller(email)?;
        let license = subscribe(app, &caller, slug).await?;
        let id = license.id;
        let device = open_device(app, &caller, slug, &folder.join("devices").join(slug)).await?;
        device.install(&to_text(&license.document))?;
        sync(app, &caller, &device).await?;
        for units in *sessions {
            device.record(meter, *units)?;
            sync(app, &caller, &device).await?;
        }
        if *billed {
            app.transact(&caller, BillNow { license: id }, bill_now)
                .await?;
        }
    }
    measure(app, people).await
}

/// Orders the first price of a product at what it costs.
async fn buy(app: &App, caller: &Caller, slug: &str) -> Result<Started, SeedError> {
    let slug = slug.to_owned();
    let product = app.read(caller, ProductAt { slug }, product_at).await?;
    let price = product
        .prices
        .iter()
        .find(|price| price.model != PriceModel::Free);
    let price = price
        .or(product.prices.first())
        .ok_or(SeedError::Incomplete("a price"))?;
    let purchase = Purchase {
        wanted: Wanted {
            items: vec![Item::new(price.id, 1)],
            country: Some("DE".to_owned()),
            ..Wanted::default()
        },
        seen: price.amount,
        email: None,
        network: Some(Network {
            country: None,
            address: Some("198.51.100.7".to_owned()),
        }),
        traffic: Traffic::Marketplace,
        provider: None,
    };
    Ok(start(app, caller, None, purchase).await?)
}

/// Orders what costs nothing now and answers its license, which is there at once.
async fn subscribe(app: &App, caller: &Caller, slug: &str) -> Result<License, SeedError> {
    let order = buy(app, caller, slug).await?.order;
    let query = ViewOrder { order, token: None };
    let page = app.read(caller, query, order_page).await?;
    page.licenses
        .into_iter()
        .next()
        .ok_or(SeedError::Incomplete("a license"))
}

async fn open_device(
    app: &App,
    caller: &Caller,
    slug: &str,
    folder: &Path,
) -> Result<Engine, SeedError> {
    let slug = slug.to_owned();
    let trust = app.transact(caller, TrustText { slug }, trust).await?;
    std::fs::create_dir_all(folder)?;
    let options = Options {
        clock: app.clock.clone(),
        ..Options::default()
    };
    Ok(Engine::open_with(folder, trust, options)?)
}

/// Hands the device's requests to the use cases that the routes hand them to.
async fn sync(app: &App, caller: &Caller, device: &Engine) -> Result<(), SeedError> {
    for _ in 0..MAX_SYNC {
        let Some(request) = device.next_request()? else {
            return Ok(());
        };
        let answer = match request.path.as_str() {
            ACTIVATIONS => {
                let command = Activate::from_bytes(&request.body)?;
                app.transact(caller, command, activate).await?.document
            }
            SEGMENTS => {
                let mut receipt = Vec::new();
                for segment in split_batch(&request.body)? {
                    let command = AcceptSegment::read(segment.to_vec())?;
                    let answer = app.transact(caller, command, accept_segment).await?;
                    receipt = answer.receipt;
                }
                receipt
            }
            TIME => {
                let command = AskTime::from_bytes(&request.body)?;
                app.transact(caller, command, answer_time).await?
            }
            // There is no news yet of keys and withdrawn licenses.
            _ => {
                device.on_response(204, &[])?;
                continue;
            }
        };
        device.on_response(200, &answer)?;
    }
    Err(SeedError::Incomplete("a device in step"))
}
