//! Tax on every sale, over HTTP: who pays it, what is kept of it, what goes back, what is owed.

use crate::metered::{CUSTOMER, Device, report, sold};
use crate::money_back::Desk;
use crate::shop::{Bought, SELLER, bought, choose, person};
use crate::subscriptions::travel;
use mintreu::id::PriceId;
use mintreu_server::caller::Role;
use mintreu_server::domains::accounts::{MakeAdminLink, make_admin_link};
use mintreu_server::domains::billing::{BillNow, Billed, bill_now};
use mintreu_server::domains::catalog;
use mintreu_server::domains::catalog::ops::{
    AddCategory, CreateProduct, OpenShop, PublishProduct, add_category, create_product, open_shop,
    publish_product,
};
use mintreu_server::domains::invoicing::{ListPapers, Paper, PaperId, papers};
use mintreu_server::domains::refunds::{RefundSale, refund_sale};
use mintreu_server::domains::taxes::{
    Buyer, Place, Policy, SetOwnPlace, SetPolicy, set_own_place, set_policy,
};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_server::store::{Attempt, Row, StoreError, Tx};
use mintreu_tests::{Browser, TestApp, TestServer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const PASSWORD: &str = "a tame raven sings";

/// What is for sale here, once: 49.00 EUR, 20.00 USD, 1100 JPY; and 10.00 EUR a month.
pub struct Market {
    pub eur: PriceId,
    pub usd: PriceId,
    pub jpy: PriceId,
    pub monthly: PriceId,
}

pub async fn market(test: &TestApp) -> Market {
    let app = &test.app;
    let seller = person(test, SELLER, Role::Developer);
    let open: OpenShop = serde_json::from_str(r#"{"name":"Acme"}"#).expect("a shop");
    app.transact(&seller, open, open_shop).await.expect("opens");
    let tools: AddCategory =
        serde_json::from_str(r#"{"path":"tools","name":"Tools"}"#).expect("a category");
    let added = app.transact(&test.system(), tools, add_category).await;
    added.expect("is added");
    let once = |minor: i64, currency: &str| json!({"model": "one_time", "amount_minor": minor, "currency": currency});
    let editor = json!([once(4900, "EUR"), once(2000, "USD"), once(1100, "JPY")]);
    let club = json!([{"model": "recurring", "period": "monthly", "amount_minor": 1000, "currency": "EUR"}]);
    let mut prices = Vec::new();
    for (code, kind, name, list) in [
        ("acme.editor", "download", "Acme Editor", editor),
        ("acme.club", "subscription", "Acme Club", club),
    ] {
        let draft = serde_json::from_value(json!({
            "code": code, "kind": kind, "name": name, "summary": "Edits.",
            "categories": ["tools"], "prices": list, "terms": {"seats": 1, "entitlements": []},
        }));
        let draft = draft.expect("a draft");
        let made = app.transact(&seller, CreateProduct { draft }, create_product);
        let product = made.await.expect("is written").id;
        let published = app.transact(&seller, PublishProduct { product }, publish_product);
        published.await.expect("is published");
        let tenant = test.tenant();
        let found = app
            .store
            .read(move |tx| catalog::product(tx, tenant, product));
        let found = found.await.expect("reads").expect("reads");
        prices.extend(found.expect("is there").prices.iter().map(|price| price.id));
    }
    Market {
        eur: prices[0],
        usd: prices[1],
        jpy: prices[2],
        monthly: prices[3],
    }
}

async fn put(browser: &Browser, path: &str, body: &Value) -> (StatusCode, Value) {
    let sent = browser.request(Method::PUT, path).json(body).send().await;
    mintreu_tests::test_server::answer(sent.expect("an answer")).await
}

pub async fn signed_in(server: &TestServer, email: &str) -> Browser {
    let browser = server.browser();
    let account = json!({ "email": email, "name": "Ada", "password": PASSWORD });
    assert_eq!(browser.post_json("/v1/accounts", &account).await.0, 201);
    let door = json!({ "email": email, "password": PASSWORD });
    assert_eq!(browser.post_json("/v1/sessions", &door).await.0, 201);
    browser
}

/// Somebody who runs the platform, and says that it is registered in Germany.
pub async fn owner(test: &TestApp, server: &TestServer, inclusive: bool) -> Browser {
    let owner = signed_in(server, "owner@example.org").await;
    let house = test.system();
    let made = test.app.transact(&house, MakeAdminLink, make_admin_link);
    let token = json!({ "token": made.await.expect("a token") });
    assert_eq!(owner.post_json("/v1/me/admin", &token).await.0, 204);
    let policy = json!({ "country": "DE", "prices_include_tax": inclusive });
    let (status, kept) = put(&owner, "/v1/tax/policy", &policy).await;
    assert_eq!((status, &kept), (StatusCode::OK, &policy));
    owner
}

pub async fn quote(browser: &Browser, price: PriceId, more: Value) -> Value {
    let mut body = json!({ "items": [{ "price_id": price.to_string() }] });
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    let (status, quoted) = browser.post_json("/v1/quotes", &body).await;
    assert_eq!(status, StatusCode::OK, "{quoted}");
    quoted
}

async fn confirm(browser: &Browser, quoted: &Value) -> (StatusCode, Value) {
    let body = json!({
        "quote": quoted["quote"], "email": "guest@example.org", "accepted": ["withdrawal_waiver"],
    });
    browser.post_json("/v1/quotes/confirmations", &body).await
}

/// Buys and pays with a card of a country; answers the order.
async fn buy(test: &TestApp, browser: &Browser, price: PriceId, more: Value) -> (Bought, Value) {
    let quoted = quote(browser, price, more).await;
    let (status, started) = confirm(browser, &quoted).await;
    assert_eq!(status, StatusCode::CREATED, "{started}");
    let bought = bought(&started);
    choose(browser, &bought, "succeed").await;
    test.drain().await;
    let (status, order) = browser.get_json(&bought.path()).await;
    assert_eq!((status.as_u16(), &order["state"]), (200, &json!("paid")));
    (bought, order)
}

/// The first line's tax: code, hundredths of a percent, whose, base, tax, and what is paid.
fn tax(order: &Value) -> Value {
    let line = &order["lines"][0];
    json!([
        line["tax_code"],
        line["tax_bps"],
        line["tax_jurisdiction"],
        line["tax_base_minor"],
        line["tax_minor"],
        line["amount_minor"]
    ])
}

async fn rows(test: &TestApp, sql: &'static str) -> Vec<Row> {
    let read = move |tx: &mut dyn Tx| tx.query(sql, &[]);
    let rows = test.app.store.read(read).await.expect("reads");
    rows.expect("rows")
}

#[tokio::test]
async fn each_buyer_is_taxed_where_they_are_and_the_owner_sees_what_is_due() {
    TestApp::both(async |test| {
        let (market, server) = (market(test).await, test.serve().await);
        let guest = server.browser();
        // Not registered: a zero with that reason, and nobody is asked where they are.
        let (_, before) = buy(test, &guest, market.eur, json!({})).await;
        assert_eq!(
            tax(&before),
            json!(["not_registered", 0, "", 4900, 0, 4900])
        );
        let owner = owner(test, &server, true).await;
        let (german, order) = buy(test, &guest, market.eur, json!({"country": "DE"})).await;
        assert_eq!(
            tax(&order),
            json!(["standard", 1900, "DE", 4118, 782, 4900])
        );
        let business = json!({"country": "FR", "vat_id": "FR 40 303 265 045"});
        let (french, order) = buy(test, &guest, market.eur, business).await;
        assert_eq!(
            tax(&order),
            json!(["reverse_charge", 0, "FR", 4900, 0, 4900])
        );
        let sentence = order["lines"][0]["tax_reason"].as_str().expect("a reason");
        assert!(sentence.starts_with("Reverse charge"), "{sentence}");
        let (_, order) = buy(test, &guest, market.usd, json!({"country": "US"})).await;
        assert_eq!(tax(&order), json!(["no_tax", 0, "US", 2000, 0, 2000]));
        let (_, order) = buy(test, &guest, market.jpy, json!({"country": "JP"})).await;
        assert_eq!(
            tax(&order),
            json!(["standard", 1000, "JP", 1000, 100, 1100])
        );
        // The Azores have a rate of their own.
        let azores = json!({"country": "PT", "region": "20"});
        let quoted = quote(&guest, market.eur, azores).await;
        assert_eq!(quoted["tax"]["rate_bps"], 1600);
        assert_eq!(quoted["tax"]["jurisdiction"], "PT-20");

        let path = "/v1/tax/report?from=2027-01";
        let (status, report) = owner.get_json(path).await;
        assert_eq!(status, StatusCode::OK, "{report}");
        let due: Vec<_> = (report["lines"].as_array().expect("lines").iter())
            .map(|line| {
                json!([
                    line["jurisdiction"],
                    line["code"],
                    line["currency"],
                    line["sales_base_minor"],
                    line["net_tax_minor"]
                ])
            })
            .collect();
        assert_eq!(
            due,
            [
                json!(["DE", "standard", "EUR", 4118, 782]),
                json!(["FR", "reverse_charge", "EUR", 4900, 0]),
                json!(["JP", "standard", "JPY", 1000, 100]),
                json!(["US", "no_tax", "USD", 2000, 0]),
            ]
        );
        let csv = owner
            .get("/v1/tax/report.csv?from=2027-01&until=2027-02")
            .await;
        assert_eq!(csv.headers()["content-type"], "text/csv; charset=utf-8");
        let csv = csv.text().await.expect("a body");
        let line = "2027-01,DE,standard,1900,EUR,4118,782,0,0,4118,782";
        assert!(csv.lines().any(|one| one == line), "{csv}");

        // What is known of where they are, for the owner alone.
        let path = format!("/v1/tax/evidence/{}", french.order);
        let (_, evidence) = owner.get_json(&path).await;
        assert_eq!(evidence["declared"]["vat_id"], "FR40303265045");
        for (browser, path, status) in [
            (&guest, path.as_str(), 401),
            (&guest, "/v1/tax/report?from=2027-01", 401),
            (&guest, "/v1/tax/rates", 401),
            (&guest, "/v1/tax/policy", 401),
            (&owner, "/v1/tax/report?from=2027-13", 422),
            (&owner, "/v1/tax/report?from=2027-01&until=2026-12", 422),
        ] {
            assert_eq!(browser.get_json(path).await.0, status, "{path}");
        }
        let (status, _) = put(
            &guest,
            "/v1/tax/policy",
            &json!({"prices_include_tax": true}),
        )
        .await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(german.order.starts_with("ord_"));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_declared_must_hold_and_what_changed_is_told() {
    TestApp::both(async |test| {
        let (market, server) = (market(test).await, test.serve().await);
        let (guest, owner) = (server.browser(), owner(test, &server, false).await);
        let item = json!([{ "price_id": market.eur.to_string() }]);
        for (more, code) in [
            (
                json!({"country": "FR", "vat_id": "FR41303265045"}),
                "vat_id_wrong",
            ),
            (
                json!({"country": "DE", "vat_id": "FR40303265045"}),
                "vat_id_wrong",
            ),
            (json!({"country": "XX"}), "country_unknown"),
        ] {
            let mut body = json!({ "items": item });
            for (name, value) in more.as_object().expect("fields") {
                body[name] = value.clone();
            }
            let (status, problem) = guest.post_json("/v1/quotes", &body).await;
            assert_eq!((status.as_u16(), &problem["code"]), (422, &json!(code)));
        }
        // On top here; nobody said where they are, so it is where the seller of record is.
        let quoted = quote(&guest, market.eur, json!({})).await;
        assert_eq!(
            (&quoted["country"], &quoted["total_minor"]),
            (&json!("DE"), &json!(5831))
        );
        let rate = json!({"place": "DE", "rate_bps": 2000, "note": "a new law"});
        let (status, rates) = owner.post_json("/v1/tax/rates", &rate).await;
        assert_eq!(status, StatusCode::OK, "{rates}");
        assert_eq!(rates["own"][0]["rate_bps"], 2000);
        let (status, problem) = confirm(&guest, &quoted).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (409, &json!("quote_changed"))
        );
        assert_eq!(
            problem["changes"],
            json!([{"title": "Acme Editor", "what": "tax", "was_minor": 931, "now_minor": 980}])
        );
        let (status, started) = confirm(&guest, &problem["quote"]).await;
        assert_eq!(status, StatusCode::CREATED, "{started}");
        let bought = bought(&started);
        choose(&guest, &bought, "succeed").await;
        test.drain().await;
        let (_, order) = guest.get_json(&bought.path()).await;
        assert_eq!(
            tax(&order),
            json!(["own_rate", 2000, "DE", 4900, 980, 5880])
        );
        // Within a price, the same change leaves what is paid; it is told all the same.
        let policy = json!({ "country": "DE", "prices_include_tax": true });
        put(&owner, "/v1/tax/policy", &policy).await;
        let quoted = quote(&guest, market.eur, json!({"country": "DE"})).await;
        assert_eq!(quoted["total_minor"], 4900);
        let later = json!({"place": "DE", "rate_bps": 2100, "from_at": test.app.now().ms() + 1000});
        assert_eq!(owner.post_json("/v1/tax/rates", &later).await.0, 200);
        test.clock.advance(1000);
        assert_eq!(confirm(&guest, &quoted).await.0, StatusCode::CONFLICT);
        for wrong in [
            json!({"place": "DE", "rate_bps": 10_001}),
            json!({"place": "de", "rate_bps": 1}),
            json!({"place": "DE", "rate_bps": 1, "from_at": 0}),
            json!({"place": "DE", "rate_bps": 1, "note": "x".repeat(201)}),
        ] {
            assert_eq!(
                owner.post_json("/v1/tax/rates", &wrong).await.0,
                422,
                "{wrong}"
            );
        }
        // The owner goes back to the table.
        let table = json!({"place": "DE", "rate_bps": null});
        assert_eq!(owner.post_json("/v1/tax/rates", &table).await.0, 200);
        let quoted = quote(&guest, market.eur, json!({"country": "DE"})).await;
        assert_eq!(quoted["tax"]["rate_bps"], 1900);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn pieces_of_evidence_that_disagree_are_flagged() {
    TestApp::both(async |test| {
        let (market, server) = (market(test).await, test.serve().await);
        let (guest, owner) = (server.browser(), owner(test, &server, true).await);
        for (card, pieces, disagrees) in [("", 1, false), ("de", 2, false), ("FR", 2, true)] {
            let quoted = quote(&guest, market.eur, json!({"country": "DE"})).await;
            let (_, started) = confirm(&guest, &quoted).await;
            let bought = bought(&started);
            let form = [("choice", "succeed"), ("country", card)];
            let sent = guest.client.post(&bought.pay_url).form(&form).send().await;
            assert_eq!(sent.expect("an answer").status(), 303);
            test.drain().await;
            let path = format!("/v1/tax/evidence/{}", bought.order);
            let (_, evidence) = owner.get_json(&path).await;
            assert_eq!(
                (&evidence["pieces"], &evidence["disagrees"]),
                (&json!(pieces), &json!(disagrees)),
                "{card}: {evidence}"
            );
        }
        server.stop().await;
    })
    .await;
}

/// Registers the platform without going through HTTP.
pub async fn register(test: &TestApp, inclusive: bool) {
    let policy = Policy {
        home: Some(Place::parse("DE").expect("a place")),
        inclusive,
    };
    let house = test.system();
    let set = test.app.transact(&house, SetPolicy { policy }, set_policy);
    set.await.expect("is set");
}

/// Tax of sales, and of what went back.
pub async fn moved(test: &TestApp) -> (i64, i64) {
    let rows = rows(test, "SELECT kind, tax_minor FROM tax_movement").await;
    let of = |kind: &str| {
        let own = rows
            .iter()
            .filter(|row| row.text("kind").expect("a kind") == kind);
        own.map(|row| row.int("tax_minor").expect("an amount"))
            .sum()
    };
    (of("sale"), of("refund"))
}

#[tokio::test]
async fn what_goes_back_takes_its_tax_along_and_all_of_it_at_the_end() {
    TestApp::both(async |test| {
        register(test, true).await;
        let desk = Desk::open(test).await;
        let paid = desk.buy(1).await;
        assert_eq!(moved(test).await, (782, 0));
        desk.refund(Desk::wish(&paid, Some(1_633)))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        // A third of 49.00, less a third of a cent: 782 × 1633 / 4900 is 260.6.
        assert_eq!(moved(test).await, (782, 261));
        desk.refund(Desk::wish(&paid, None))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        assert_eq!(moved(test).await, (782, 782));
        assert_eq!(desk.state(&paid).await, "refunded");
        // Refunds that fail afterwards: the tax is owed again.
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        assert_eq!(moved(test).await, (782, 0));
        // A bank that takes the money takes the tax along, and brings it back.
        let disputed = desk.buy(1).await;
        assert!(desk.raise(&disputed, ObjectState::Opened).await);
        desk.hand_over_all().await;
        assert_eq!(moved(test).await, (1_564, 782));
        assert!(desk.decide(&disputed, ObjectState::Won).await);
        desk.hand_over_all().await;
        assert_eq!(moved(test).await, (1_564, 0));
        let wish = RefundSale(Desk::wish(&paid, Some(4_901)));
        let refused = test
            .app
            .transact(&desk.shop.seller, wish, refund_sale)
            .await;
        assert!(refused.is_err(), "more than was paid");
    })
    .await;
}

/// The newest order of whoever is signed in.
async fn newest(browser: &Browser) -> Value {
    let (_, page) = browser.get_json("/v1/orders").await;
    page["orders"][0].clone()
}

#[tokio::test]
async fn a_renewal_bears_the_rate_of_its_day_and_of_where_its_buyer_is_then() {
    TestApp::both(async |test| {
        let (market, server) = (market(test).await, test.serve().await);
        let owner = owner(test, &server, true).await;
        let ada = signed_in(&server, "ada@example.org").await;
        let (_, first) = buy(test, &ada, market.monthly, json!({"country": "DE"})).await;
        assert_eq!(tax(&first), json!(["standard", 1900, "DE", 840, 160, 1000]));
        let (_, place) = ada.get_json("/v1/me/tax").await;
        assert_eq!(place["country"], "DE");
        // Announced for the first of February: the bill of the fifteenth bears it.
        let from: jiff::Timestamp = "2027-02-01T00:00:00Z".parse().expect("an instant");
        let rate = json!({"place": "DE", "rate_bps": 2500, "from_at": from.as_millisecond()});
        assert_eq!(owner.post_json("/v1/tax/rates", &rate).await.0, 200);
        travel(test, "2027-02-15").await;
        let ada = again(&server, "ada@example.org").await;
        let renewed = newest(&ada).await;
        assert_ne!(renewed["order_id"], first["order_id"]);
        assert_eq!(
            tax(&renewed),
            json!(["own_rate", 2500, "DE", 800, 200, 1000])
        );
        let kept = ada
            .get_json(&format!("/v1/orders/{}", text(&first["order_id"])))
            .await
            .1;
        assert_eq!(tax(&kept), tax(&first), "what was sold keeps its own");
        // The buyer moves.
        let france = json!({"country": "FR", "region": null, "vat_id": null});
        assert_eq!(put(&ada, "/v1/me/tax", &france).await.0, 200);
        travel(test, "2027-03-15").await;
        let ada = again(&server, "ada@example.org").await;
        assert_eq!(
            tax(&newest(&ada).await),
            json!(["standard", 2000, "FR", 833, 167, 1000])
        );
        let guest = server.browser();
        assert_eq!(put(&guest, "/v1/me/tax", &france).await.0, 401);
        server.stop().await;
    })
    .await;
}

/// Signs in once more: sessions end while the clock runs on.
async fn again(server: &TestServer, email: &str) -> Browser {
    let browser = server.browser();
    let door = json!({ "email": email, "password": PASSWORD });
    assert_eq!(browser.post_json("/v1/sessions", &door).await.0, 201);
    browser
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[tokio::test]
async fn a_usage_invoice_bears_tax_on_top_or_within() {
    for (inclusive, total, base, due) in [(false, 595, 500, 95), (true, 500, 420, 80)] {
        TestApp::both(async |test| {
            register(test, inclusive).await;
            let sold = sold(test, ["EUR per_unit 0.01; free 0", "EUR per_unit 0.00"]).await;
            let buyer = Buyer::declared(Some("DE"), None, None).expect("a buyer");
            let place = SetOwnPlace { buyer };
            let customer = person(test, CUSTOMER, Role::Customer);
            let set = test.app.transact(&customer, place, set_own_place).await;
            set.expect("is set");
            let mut device = Device::activated(test, 1, sold.license).await;
            let segment = device.seal(test, 500, 0);
            report(test, &segment).await.expect("is taken");
            let command = BillNow {
                license: sold.license,
            };
            let billed = test.app.transact(&sold.customer, command, bill_now).await;
            let Billed::Invoiced(invoice) = billed.expect("is billed") else {
                panic!("nothing was billed");
            };
            assert_eq!(invoice.total.minor(), total);
            let kept = rows(
                test,
                "SELECT tax_code, tax_base, tax_amount FROM invoice_tax",
            )
            .await;
            let kept = kept.first().expect("a snapshot");
            assert_eq!(kept.text("tax_code").expect("a code"), "standard");
            assert_eq!(kept.int("tax_base").expect("a base"), base);
            assert_eq!(kept.int("tax_amount").expect("a tax"), due);
            assert_eq!(moved(test).await, (due, 0));
            let query = ListPapers {
                as_seller: false,
                within: None,
                after: None,
                limit: 10,
            };
            for (caller, as_seller) in [(&sold.customer, false), (&sold.seller, true)] {
                let asked = ListPapers { as_seller, ..query };
                let listed = test.app.read(caller, asked, papers).await.expect("a list");
                let of = |paper: &&Paper| matches!(paper.id, PaperId::Invoice(id, _) if id == invoice.id);
                let paper = listed.papers.iter().find(of).expect("the invoice");
                assert_eq!(paper.tax.minor(), due, "as seller: {as_seller}");
            }
        })
        .await;
    }
}

async fn page(browser: &Browser, path: &str) -> String {
    let response = browser.get(path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    response.text().await.expect("a body")
}

#[tokio::test]
async fn the_pages_ask_where_the_buyer_is_and_show_the_tax_before_paying() {
    TestApp::both(async |test| {
        let (market, server) = (market(test).await, test.serve().await);
        let guest = server.browser();
        let address = format!("/checkout/acme-editor?price={}", market.eur);
        let before = page(&guest, &address).await;
        assert!(before.contains("no tax is collected") && !before.contains("name=\"vat_id\""));
        register(test, true).await;
        let asked = guest
            .request(Method::GET, &address)
            .header("accept-language", "en-AT,en;q=0.8");
        let drawn = asked.send().await.expect("an answer").text().await;
        let drawn = drawn.expect("a body");
        assert!(drawn.contains("included: 20 % in Austria"), "{drawn}");
        assert!(drawn.contains("value=\"AT\" selected"), "{drawn}");
        let csrf = hidden(&drawn, "csrf");
        let price = market.eur.to_string();
        let send = async |country: &str, vat_id: &str| {
            let form = [
                ("csrf", csrf.as_str()),
                ("price", &price),
                ("country", country),
                ("vat_id", vat_id),
                ("act", "apply"),
            ];
            let sent = guest
                .request(Method::POST, "/checkout/acme-editor")
                .form(&form);
            let answer = sent.send().await.expect("an answer");
            answer.text().await.expect("a body")
        };
        assert!(send("FR", "").await.contains("included: 20 % in France"));
        assert!(send("FR", "FR40303265045").await.contains("reverse charge"));
        assert!(send("FR", "FR41303265045").await.contains("no VAT ID"));
        assert!(
            send("DE", "FR40303265045")
                .await
                .contains("VAT ID is of France")
        );
        assert!(
            send("US", "")
                .await
                .contains("no tax is collected in United States")
        );
        // The cart says it too.
        let form = [("csrf", csrf.as_str()), ("price", &price)];
        let added = guest
            .request(Method::POST, "/cart/add")
            .form(&form)
            .send()
            .await;
        assert!(added.expect("an answer").status().is_redirection());
        let cart = page(&guest, "/cart").await;
        assert!(cart.contains("included: 19 % in Germany"), "{cart}");
        server.stop().await;
    })
    .await;
}

/// The value of a hidden field.
fn hidden(text: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = text.split_once(&start).expect("the field").1;
    rest.split('"').next().expect("its end").to_owned()
}

#[tokio::test]
async fn the_audit_sees_tax_that_nobody_is_owed() {
    let test = TestApp::sqlite().await;
    register(&test, true).await;
    let desk = Desk::open(&test).await;
    desk.buy(1).await;
    let written = test.app.store.write(Vec::new(), |tx| {
        match tx.execute("UPDATE tax_movement SET tax_minor = tax_minor + 1", &[]) {
            Ok(_) => Attempt::Commit(Ok::<_, StoreError>(())),
            Err(error) => Attempt::Rollback(Err(error)),
        }
    });
    written.await.expect("writes").expect("writes");
    test.finish_expecting("the books owe tax").await;
}
