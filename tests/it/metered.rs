//! A product with a meter, sold and activated, and the device that reports its usage.

use mintreu::Timestamp;
use mintreu::activation::{Fingerprint, Request, Wanted};
use mintreu::document::SigningKey;
use mintreu::id::{AccountId, LicenseId, ProductId};
use mintreu::license::Trust;
use mintreu::meter::{
    CellKey, ChainHash, Condition, Event, GENESIS, Opening, Segment, TimeQuality, Total,
    chain_hash, seal_segment, stream_id,
};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::{Caller, Capability, Role};
use mintreu_server::domains::billing::{BillingError, StartPlan, start_plan};
use mintreu_server::domains::catalog::model::{LicenseTerms, Quota};
use mintreu_server::domains::catalog::ops::{
    AddCategory, CreateProduct, OpenShop, PublishProduct, add_category, create_product, open_shop,
    publish_product,
};
use mintreu_server::domains::licensing::{
    Activate, Grant, LicensingError, TrustText, activate, issue, trust,
};
use mintreu_server::domains::metering::{AcceptSegment, Answer, MeteringError};
use mintreu_server::domains::meters::ops::accept_segment;
use mintreu_tests::TestApp;

pub const SELLER: AccountId = AccountId::from_bytes(*b"a seller account");
pub const CUSTOMER: AccountId = AccountId::from_bytes(*b"customer account");

/// Who sells, who buys, what was sold.
pub struct Sold {
    pub seller: Caller,
    pub customer: Caller,
    pub product: ProductId,
    pub license: LicenseId,
    pub trust: Trust,
}

pub fn person(test: &TestApp, account: AccountId, role: Role) -> Caller {
    Caller {
        tenant: test.tenant(),
        account: Some(account),
        roles: vec![role],
    }
}

/// A published product whose meters `calls` and `renders` have these tariffs, and one license.
pub async fn sold(test: &TestApp, tariffs: [&str; 2]) -> Sold {
    sold_to(test, tariffs, CUSTOMER).await
}

/// As [`sold`], to this account.
pub async fn sold_to(test: &TestApp, tariffs: [&str; 2], customer: AccountId) -> Sold {
    let deal = Deal {
        tariffs,
        customer,
        seller: SELLER,
        currency: "EUR",
    };
    sold_as(test, deal).await
}

/// What is sold by whom to whom.
#[derive(Clone, Copy)]
pub struct Deal<'a> {
    pub tariffs: [&'a str; 2],
    pub customer: AccountId,
    pub seller: AccountId,
    pub currency: &'a str,
}

/// As [`sold`], on these terms.
pub async fn sold_as(test: &TestApp, deal: Deal<'_>) -> Sold {
    let app = &test.app;
    let (tariffs, customer) = (deal.tariffs, deal.customer);
    let seller = person(test, deal.seller, Role::Developer);
    let shop: OpenShop = serde_json::from_str(r#"{"name":"Acme"}"#).expect("a shop");
    app.transact(&seller, shop, open_shop).await.expect("opens");
    let tools = r#"{"path":"tools","name":"Tools"}"#;
    let tools: AddCategory = serde_json::from_str(tools).expect("a category");
    app.transact(&test.system(), tools, add_category)
        .await
        .expect("is added");
    let draft = serde_json::json!({
        "code": "acme.api", "kind": "api", "name": "Acme API", "summary": "Renders.",
        "categories": ["tools"],
        "prices": [{"model": "metered", "currency": deal.currency}],
        "meters": [
            {"name": "calls", "unit": "call", "tariff": tariffs[0]},
            {"name": "renders", "unit": "render", "tariff": tariffs[1]},
        ],
    });
    let draft = serde_json::from_value(draft).expect("a draft");
    let product = app
        .transact(&seller, CreateProduct { draft }, create_product)
        .await;
    let product = product.expect("is written").id;
    app.transact(&seller, PublishProduct { product }, publish_product)
        .await
        .expect("published");
    let license = app
        .transact(
            &test.system(),
            Sell {
                product,
                seller: deal.seller,
                customer,
                source: "orl_test",
                quotas: Vec::new(),
            },
            sell,
        )
        .await
        .expect("sold");
    let slug = TrustText {
        slug: "acme-api".to_owned(),
    };
    let trust = app.transact(&seller, slug, trust).await.expect("a root");
    Sold {
        customer: person(test, customer, Role::Customer),
        seller,
        product,
        license,
        trust,
    }
}

/// One more license of a product that [`sold`] made.
pub async fn sell_again(test: &TestApp, product: ProductId, customer: AccountId) -> LicenseId {
    let source = "orl_again";
    let sell = Sell {
        product,
        seller: SELLER,
        customer,
        source,
        quotas: Vec::new(),
    };
    let sold = test.app.transact(&test.system(), sell, self::sell).await;
    sold.expect("sold")
}

/// One more license, whose use these quotas limit.
pub async fn sell_with(test: &TestApp, sold: &Sold, quotas: Vec<Quota>) -> LicenseId {
    let sell = Sell {
        product: sold.product,
        seller: SELLER,
        customer: sold.customer.account.expect("an account"),
        source: "orl_quotas",
        quotas,
    };
    let sold = test.app.transact(&test.system(), sell, self::sell).await;
    sold.expect("sold")
}

struct Sell {
    product: ProductId,
    seller: AccountId,
    customer: AccountId,
    source: &'static str,
    quotas: Vec<Quota>,
}

impl Command for Sell {
    const NAME: &'static str = "test.sell";
    const CAPABILITY: Capability = Capability::Operate;
}

fn sell(cx: &mut Cx<'_>, sell: &Sell) -> Result<LicenseId, SaleError> {
    let grant = Grant {
        source: sell.source.to_owned(),
        product: sell.product,
        product_code: "acme.api".to_owned(),
        seller: sell.seller,
        owner: Some(sell.customer),
        terms: LicenseTerms {
            quotas: sell.quotas.clone(),
            ..LicenseTerms::default()
        },
        seats: 20,
        expires_at: None,
        grace_secs: 0,
    };
    let license = issue(cx, &grant)?.license.id;
    let plan = StartPlan {
        license,
        customer: Some(sell.customer),
        order: None,
        product: sell.product,
    };
    start_plan(cx, &plan)?;
    start_plan(cx, &plan)?;
    Ok(license)
}

#[derive(Debug, thiserror::Error)]
enum SaleError {
    #[error(transparent)]
    Licensing(#[from] LicensingError),
    #[error(transparent)]
    Billing(#[from] BillingError),
    #[error(transparent)]
    Denied(#[from] mintreu_server::caller::Denied),
    #[error(transparent)]
    Store(#[from] mintreu_server::store::StoreError),
}

/// A device with its chain, as the engine keeps it.
#[derive(Clone)]
pub struct Device {
    pub key: std::sync::Arc<SigningKey>,
    pub license: LicenseId,
    pub epoch: u64,
    pub seq: u64,
    pub head: ChainHash,
}

impl Device {
    /// A device that isn't activated.
    pub fn new(seed: u8, license: LicenseId) -> Self {
        Self {
            key: SigningKey::from_seed(&[seed; 32]).into(),
            license,
            epoch: 1,
            seq: 0,
            head: GENESIS,
        }
    }

    /// A device that took a seat.
    pub async fn activated(test: &TestApp, seed: u8, license: LicenseId) -> Self {
        let device = Self::new(seed, license);
        let request = Request {
            product: "acme.api".to_owned(),
            issued_at: test.app.now(),
            nonce: [seed; 16],
            wanted: Wanted::License(license),
            fingerprint: Fingerprint::default(),
            version: None,
            renews: None,
            lend_secs: None,
        };
        let bytes = request.seal(&device.key).expect("seals");
        let command = Activate::from_bytes(&bytes).expect("reads");
        test.app
            .transact(&test.guest(), command, activate)
            .await
            .expect("a seat");
        device
    }

    /// Seals the next segment: cumulative totals of `calls` and `renders`.
    pub fn seal(&mut self, test: &TestApp, calls: u64, renders: u64) -> Vec<u8> {
        self.seal_opening(test, calls, renders, None)
    }

    /// As [`Device::seal`], with the opening of an epoch.
    pub fn seal_opening(
        &mut self,
        test: &TestApp,
        calls: u64,
        renders: u64,
        opening: Option<Opening>,
    ) -> Vec<u8> {
        let total = |meter, units| Total {
            key: CellKey::new(meter).expect("a key"),
            units,
        };
        self.seal_totals(
            test,
            vec![total("calls", calls), total("renders", renders)],
            opening,
        )
    }

    /// Seals cumulative totals of `calls`, split by one dimension.
    pub fn seal_split(
        &mut self,
        test: &TestApp,
        dimension: &str,
        split: &[(&str, u64)],
    ) -> Vec<u8> {
        let total = |(value, units): &(&str, u64)| {
            let key = CellKey::new("calls").expect("a key");
            Total {
                key: key.dimension(dimension, *value).expect("a key"),
                units: *units,
            }
        };
        let mut totals: Vec<Total> = split.iter().map(total).collect();
        totals.sort_by_key(|total| total.key.to_bytes());
        self.seal_totals(test, totals, None)
    }

    fn seal_totals(
        &mut self,
        test: &TestApp,
        totals: Vec<Total>,
        opening: Option<Opening>,
    ) -> Vec<u8> {
        let said = (test.app.now(), TimeQuality::Plausible);
        self.seal_with(said, (totals, Vec::new()), opening)
    }

    /// Seals what it counted, at the time it says.
    pub fn seal_with(
        &mut self,
        (sealed_at, time_quality): (Timestamp, TimeQuality),
        (totals, events): (Vec<Total>, Vec<Event>),
        opening: Option<Opening>,
    ) -> Vec<u8> {
        self.seq += 1;
        let segment = Segment {
            product: "acme.api".to_owned(),
            device: *self.key.public(),
            license: self.license,
            stream: stream_id(self.key.public(), self.license),
            epoch: self.epoch,
            seq: self.seq,
            prev: self.head,
            totals,
            sealed_at,
            time_quality,
            opening,
            events,
            disputed_events: Vec::new(),
            condition: Condition::default(),
        };
        let bytes = seal_segment(&segment, &self.key).expect("seals");
        self.head = chain_hash(&bytes);
        bytes
    }
}

/// Brings a segment to the server, as whoever carries it.
pub async fn report(test: &TestApp, bytes: &[u8]) -> Result<Answer, MeteringError> {
    let command = AcceptSegment::read(bytes.to_vec())?;
    test.app
        .transact(&test.guest(), command, accept_segment)
        .await
}
