//! The demo's past: six weeks of sales, renewals, refunds, disputes and payouts, each at its day.
//!
//! The clock of a new demo begins in the past and is moved to the present, so that everything here
//! is done by the use cases that people use, when they would have used them, and what follows from
//! it (releases, renewals, weekly payouts) comes by itself on the way.

use super::travel::travel;
use super::{People, SeedError};
use crate::app::App;
use crate::caller::Caller;
use crate::domains::affiliates::{
    Click, Join, Referred, SetProgramme, Terms, click, join, set_programme,
};
use crate::domains::catalog::Product;
use crate::domains::catalog::model::PriceModel;
use crate::domains::catalog::ops::{ProductAt, product_at};
use crate::domains::fulfilment::{Item, Purchase, Wanted, quote_of, start};
use crate::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use crate::domains::payouts::{SetSeller, SetSettings, set_seller, set_settings};
use crate::domains::promotions::{Amount, CreateCoupon, Lasts, Rule, create_coupon};
use crate::domains::refunds::{AskRefund, Reason, RefundSale, refund_sale};
use crate::domains::subscriptions::{
    ChangeMethod, Mine, SetTrial, StartTrial, change_method, mine, set_trial, start_trial,
};
use crate::domains::tenants;
use crate::domains::wishes::{OpenWish, OwnOrder, ViewWithdrawal, open_wish, view_withdrawal};
use crate::gateways::sandbox::model::Choice;
use crate::gateways::sandbox::ops::{Choose, choose};
use crate::text::Locale;
use mintreu::id::{OrderId, PriceId};
use mintreu::{Currency, Timestamp};
use std::sync::Arc;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long ago a new demo begins: six weeks.
pub const PAST_MS: i64 = 42 * DAY_MS;

const OWNER: &str = "ines@mintreu.example";
const MARA: &str = "mara@lichen.example";
const TOMASZ: &str = "tomasz@northbeam.example";
const ADAEZE: &str = "adaeze@paperlane.example";
const PRIYA: &str = "priya@customer.example";
const JONAS: &str = "jonas@customer.example";

/// Who is paid out in euro, and to which account of the provider.
const ACCOUNTS: [(&str, &str); 3] = [
    (MARA, "acct_lichen"),
    (TOMASZ, "acct_northbeam"),
    (ADAEZE, "acct_returns"),
];

/// Who comes by a link of Priya's, who recommends what Mara sells.
const BROUGHT: [&str; 5] = [
    "alan@reader.example",
    "emmy@reader.example",
    "mary@reader.example",
    "max@reader.example",
    "rosa@reader.example",
];

/// What happens on a day, counted from the beginning.
enum Deed {
    /// Somebody buys, perhaps with a code, by a card.
    Buy(&'static str, &'static str, &'static str, Choice),
    /// The seller of the newest purchase of a product gives so much back; 0 is all of it.
    Refund(&'static str, &'static str, i64, Reason, &'static str),
    /// Somebody's subscription is to be charged by a method that has no money.
    Empty(&'static str),
    /// Somebody tries a product.
    Try(&'static str, &'static str),
    /// Somebody asks for money back of what they bought, in these words.
    Wish(&'static str, &'static str),
}

use Deed::{Buy, Empty, Refund, Try, Wish};

const DEEDS: &[(i64, Deed)] = &[
    (
        1,
        Buy("ada@reader.example", "lichen-darkroom", "", Choice::Succeed),
    ),
    (1, Buy(PRIYA, "atlas-geocoder", "", Choice::Succeed)),
    (2, Buy(JONAS, "roster", "", Choice::Challenge)),
    (
        4,
        Buy(
            "grace@reader.example",
            "hush",
            "SPRING20",
            Choice::Duplicate,
        ),
    ),
    (
        6,
        Buy(
            "alan@reader.example",
            "lichen-darkroom",
            "",
            Choice::Succeed,
        ),
    ),
    (
        9,
        Buy(
            "edith@reader.example",
            "paperlane-scan",
            "",
            Choice::Delayed,
        ),
    ),
    (
        11,
        Refund(
            MARA,
            "hush",
            1_000,
            Reason::Defective,
            "For the missing presets, with apologies.",
        ),
    ),
    (
        16,
        Buy(
            "mary@reader.example",
            "lichen-darkroom",
            "WELCOME",
            Choice::Succeed,
        ),
    ),
    (
        18,
        Buy("kurt@reader.example", "webhook-relay", "", Choice::Succeed),
    ),
    (20, Empty(JONAS)),
    (
        22,
        Buy(
            "emmy@reader.example",
            "lichen-darkroom",
            "",
            Choice::Reordered,
        ),
    ),
    (
        24,
        Refund(MARA, "lichen-darkroom", 0, Reason::RequestedByCustomer, ""),
    ),
    (27, Buy("max@reader.example", "hush", "", Choice::Succeed)),
    (
        33,
        Buy(
            "rosa@reader.example",
            "lichen-darkroom",
            "",
            Choice::Disputed,
        ),
    ),
    (36, Buy("hedy@reader.example", "hush", "", Choice::Warned)),
    (37, Try(PRIYA, "webhook-relay")),
    (
        40,
        Buy(
            "olga@reader.example",
            "lichen-darkroom",
            "SPRING20",
            Choice::Succeed,
        ),
    ),
    (
        41,
        Wish(
            "atlas-geocoder",
            "Half of our addresses in Tallinn came back empty. Could you give back the first month?",
        ),
    ),
];

/// Tells the past of a demo that was just filled, and leaves its clock in the present.
pub async fn season(app: &Arc<App>, people: &People) -> Result<(), SeedError> {
    let begun = app.now();
    let mut told = Season {
        app,
        people,
        bought: Vec::new(),
        code: String::new(),
    };
    told.open().await?;
    told.recommend().await?;
    for (day, deed) in DEEDS {
        travel(app, tenants::DEFAULT, begun.plus_ms(day * DAY_MS)).await?;
        told.act(deed).await?;
    }
    to_the_present(app).await
}

/// Moves a clock that is behind the machine's to where the machine's is.
pub async fn to_the_present(app: &Arc<App>) -> Result<(), SeedError> {
    if let Some(clock) = &app.sandbox_clock
        && clock.ahead_ms() < 0
    {
        travel(app, tenants::DEFAULT, clock.machine()).await?;
    }
    Ok(())
}

struct Season<'a> {
    app: &'a Arc<App>,
    people: &'a People,
    /// What was bought, by whom, the newest last.
    bought: Vec<(&'static str, OrderId, Caller)>,
    /// What Priya's links carry.
    code: String,
}

impl Season<'_> {
    /// What stands before anybody buys: accounts to pay out to, coupons, trials.
    async fn open(&self) -> Result<(), SeedError> {
        let owner = self.people.owner(OWNER)?;
        for (email, account) in ACCOUNTS {
            let seller = self.people.seller(email)?;
            let command = SetSeller {
                seller: seller.account.ok_or(SeedError::Incomplete("a seller"))?,
                verified: Some(true),
                pause: None,
            };
            self.app.transact(&owner, command, set_seller).await?;
            let command = SetSettings {
                currency: Currency::EUR,
                provider: Some("sandbox"),
                destination: account.to_owned(),
                threshold_minor: None,
                paused: false,
            };
            self.app.transact(&seller, command, set_settings).await?;
        }
        for (email, code, rule) in coupons(self.app.now()) {
            let command = CreateCoupon {
                code: code.to_owned(),
                rule,
            };
            let seller = self.people.seller(email)?;
            self.app.transact(&seller, command, create_coupon).await?;
        }
        let seller = self.people.seller(TOMASZ)?;
        let price = self.first_price(&seller, "webhook-relay").await?;
        let command = SetTrial {
            price,
            days: 14,
            without_method: false,
        };
        Ok(self.app.transact(&seller, command, set_trial).await?)
    }

    /// Mara opens a programme, and Priya joins it.
    async fn recommend(&mut self) -> Result<(), SeedError> {
        let (mara, priya) = (self.people.seller(MARA)?, self.people.caller(PRIYA)?);
        let terms = Terms {
            open: true,
            ..Terms::default()
        };
        self.app
            .transact(&mara, SetProgramme(terms), set_programme)
            .await?;
        let command = Join {
            seller: mara.account.ok_or(SeedError::Incomplete("a seller"))?,
            agreed: true,
        };
        self.code = self.app.transact(&priya, command, join).await?.code;
        Ok(())
    }

    /// Who brought somebody: a click on Priya's link, or nobody.
    async fn referred(&self, who: &str, caller: &Caller) -> Result<Referred, SeedError> {
        if !BROUGHT.contains(&who) {
            return Ok(Referred::default());
        }
        let command = Click {
            code: self.code.clone(),
            network: who.to_owned(),
        };
        let clicked = self.app.transact(caller, command, click).await?;
        Ok(Referred {
            clicks: clicked.into_iter().collect(),
            code: None,
        })
    }

    async fn act(&mut self, deed: &Deed) -> Result<(), SeedError> {
        match deed {
            Buy(who, slug, code, card) => self.buy(who, (slug, code), *card).await,
            Refund(seller, slug, minor, reason, note) => {
                self.refund(seller, slug, (*minor, *reason), note).await
            }
            Empty(who) => self.empty(who).await,
            Try(who, slug) => self.try_out(who, slug).await,
            Wish(slug, words) => self.wish(slug, words).await,
        }
    }

    async fn product(&self, caller: &Caller, slug: &str) -> Result<Product, SeedError> {
        let slug = slug.to_owned();
        Ok(self
            .app
            .read(caller, ProductAt { slug }, product_at)
            .await?)
    }

    async fn first_price(&self, caller: &Caller, slug: &str) -> Result<PriceId, SeedError> {
        let product = self.product(caller, slug).await?;
        let first = product.prices.first().map(|price| price.id);
        first.ok_or(SeedError::Incomplete("a price"))
    }

    async fn buy(
        &mut self,
        who: &'static str,
        (slug, code): (&'static str, &str),
        card: Choice,
    ) -> Result<(), SeedError> {
        let known = self.people.caller(who).ok();
        let email = known.is_none().then(|| who.to_owned());
        let caller = known.unwrap_or_else(|| Caller::guest(tenants::DEFAULT));
        let product = self.product(&caller, slug).await?;
        let mut paid = product.prices.iter();
        let price = paid.find(|price| price.model != PriceModel::Free);
        let price = price.ok_or(SeedError::Incomplete("a price"))?;
        let codes = (!code.is_empty()).then(|| code.to_owned());
        let wanted = Wanted {
            items: vec![Item::new(price.id, 1)],
            codes: codes.into_iter().collect(),
            referred: self.referred(who, &caller).await?,
            ..Wanted::default()
        };
        let quoted = quote_of(self.app, &caller, wanted.clone(), email.clone()).await?;
        let purchase = Purchase {
            wanted,
            seen: quoted.total,
            email,
            traffic: Traffic::Marketplace,
            network: None,
            provider: None,
        };
        let started = start(self.app, &caller, None, purchase).await?;
        self.pay(&caller, started.pay_url.as_deref(), card).await?;
        self.bought.push((slug, started.order, caller));
        Ok(())
    }

    async fn pay(&self, caller: &Caller, url: Option<&str>, card: Choice) -> Result<(), SeedError> {
        let session = url.and_then(|url| url.rsplit('/').next());
        let session = session.ok_or(SeedError::Incomplete("a payment page"))?;
        let answers = [card, Choice::Confirm];
        let asked = if card == Choice::Challenge { 2 } else { 1 };
        for choice in answers.into_iter().take(asked) {
            let session = session.to_owned();
            let command = Choose {
                session,
                choice,
                country: None,
            };
            self.app.transact(caller, command, choose).await?;
        }
        Ok(())
    }

    /// The newest order of a product, and who placed it.
    fn newest(&self, slug: &str) -> Result<(OrderId, &Caller), SeedError> {
        let mut newest = self.bought.iter().rev();
        let bought = newest.find(|(bought, ..)| *bought == slug);
        let (_, order, caller) = bought.ok_or(SeedError::Incomplete("a sale"))?;
        Ok((*order, caller))
    }

    async fn wish(&self, slug: &str, words: &str) -> Result<(), SeedError> {
        let (order, caller) = self.newest(slug)?;
        let of = OwnOrder { order, token: None };
        let query = ViewWithdrawal { order, token: None };
        let seen = self.app.read(caller, query, view_withdrawal).await?;
        let line = seen.lines.first().ok_or(SeedError::Incomplete("a line"))?;
        let command = OpenWish {
            of,
            line: line.line,
            reason: Reason::RequestedByCustomer,
            words: words.to_owned(),
            amount_minor: None,
        };
        self.app.transact(caller, command, open_wish).await?;
        Ok(())
    }

    async fn refund(
        &self,
        seller: &str,
        slug: &str,
        (minor, reason): (i64, Reason),
        note: &str,
    ) -> Result<(), SeedError> {
        let (order, _) = self.newest(slug)?;
        let command = RefundSale(AskRefund {
            order,
            line: None,
            amount_minor: (minor > 0).then_some(minor),
            reason,
            note: note.to_owned(),
            keeps_license: false,
            ends_subscription: false,
            seen_left_minor: None,
        });
        let seller = self.people.seller(seller)?;
        self.app.transact(&seller, command, refund_sale).await?;
        Ok(())
    }

    async fn empty(&self, who: &str) -> Result<(), SeedError> {
        let caller = self.people.caller(who)?;
        let query = Mine {
            before: None,
            limit: 1,
        };
        let held = self.app.read(&caller, query, mine).await?;
        let newest = held
            .first()
            .ok_or(SeedError::Incomplete("a subscription"))?;
        let command = ChangeMethod {
            subscription: newest.id,
            provider: "sandbox".to_owned(),
            method: "sbm_insufficient_funds".to_owned(),
        };
        Ok(self.app.transact(&caller, command, change_method).await?)
    }

    async fn try_out(&self, who: &str, slug: &str) -> Result<(), SeedError> {
        let caller = self.people.caller(who)?;
        let command = StartTrial {
            price: self.first_price(&caller, slug).await?,
            seen: None,
            country: None,
            locale: Locale::English,
            zone: String::new(),
            provider: "sandbox".to_owned(),
            method: Some("sbm_pays".to_owned()),
            traffic: Traffic::Marketplace,
            fees: FeePolicy::default(),
            tariff: PaymentTariff::default(),
        };
        self.app.transact(&caller, command, start_trial).await?;
        Ok(())
    }
}

/// Whose coupons there are, by code.
fn coupons(now: Timestamp) -> [(&'static str, &'static str, Rule); 4] {
    let off = |amount_minor| Amount {
        amount_minor,
        currency: "EUR".to_owned(),
    };
    let none = Rule {
        percent_bps: None,
        off: Vec::new(),
        products: Vec::new(),
        starts_at: None,
        ends_at: None,
        max_units: None,
        max_per_customer: None,
        min_quantity: 1,
        min_spend: Vec::new(),
        lasts: Lasts::Once,
    };
    let spring = Rule {
        percent_bps: Some(2_000),
        max_units: Some(200),
        ..none.clone()
    };
    let welcome = Rule {
        off: vec![off(500)],
        max_per_customer: Some(1),
        min_spend: vec![off(3_000)],
        ..none.clone()
    };
    let launch = Rule {
        percent_bps: Some(1_500),
        ends_at: Some(now.plus_ms(14 * DAY_MS).ms()),
        ..none.clone()
    };
    let student = Rule {
        percent_bps: Some(5_000),
        lasts: Lasts::Cycles(6),
        ..none
    };
    [
        (MARA, "SPRING20", spring),
        (MARA, "WELCOME", welcome),
        (MARA, "LAUNCH", launch),
        (ADAEZE, "STUDENT", student),
    ]
}
