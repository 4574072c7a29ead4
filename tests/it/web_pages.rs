//! The storefront as a browser without scripts sees it: pages, forms, languages, links.

use mintreu_server::demo::{self, PASSWORD};
use mintreu_tests::{Browser, TestApp};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Method, StatusCode};
use std::collections::BTreeSet;

pub const DEVELOPER: &str = "tomasz@northbeam.example";
const CUSTOMER: &str = "priya@customer.example";

/// The text of a page that must be there.
pub async fn page(browser: &Browser, path: &str) -> String {
    let response = browser.get(path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    response.text().await.expect("a body")
}

/// The value of the first `name="…"` input of a page.
pub fn hidden(text: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = text.split_once(&start).expect("the input is there").1;
    rest.split('"').next().expect("its value").to_owned()
}

/// Sends a form with the token of the page at `path`; the status, where to go, and the body.
pub async fn send(
    browser: &Browser,
    path: &str,
    action: &str,
    fields: &[(&str, &str)],
) -> (StatusCode, String, String) {
    let token = hidden(&page(browser, path).await, "csrf");
    let mut form = vec![("csrf", token.as_str())];
    form.extend_from_slice(fields);
    let sent = browser
        .request(Method::POST, action)
        .form(&form)
        .send()
        .await;
    let response = sent.expect("an answer");
    let location = response.headers().get(LOCATION);
    let location = location
        .map(|to| to.to_str().expect("text").to_owned())
        .unwrap_or_default();
    (
        response.status(),
        location,
        response.text().await.expect("a body"),
    )
}

pub async fn sign_in(browser: &Browser, email: &str) {
    let fields = [
        ("email", email),
        ("password", PASSWORD),
        ("next", "/licenses"),
    ];
    let (status, location, _) = send(browser, "/sign-in", "/sign-in", &fields).await;
    assert_eq!(
        (status, location.as_str()),
        (StatusCode::SEE_OTHER, "/licenses")
    );
}

/// The path within the shop of an address that may be absolute.
pub fn path_of(address: &str) -> String {
    match address.split_once("://") {
        Some((_, rest)) => format!("/{}", rest.split_once('/').map_or("", |(_, path)| path)),
        None => address.to_owned(),
    }
}

/// What people read of a page: the text between tags, and the attributes that are read out.
fn visible(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let body = text.split_once("<body>").expect("a body").1;
    for piece in body.split('<').skip(1) {
        let (tag, after) = piece.split_once('>').unwrap_or((piece, ""));
        for attribute in ["aria-label=\"", "placeholder=\"", "title=\""] {
            let value = tag
                .split_once(attribute)
                .map(|(_, rest)| rest.split('"').next());
            found.extend(value.flatten().map(str::to_owned));
        }
        found.push(after.to_owned());
    }
    found.retain(|text| text.chars().any(char::is_alphabetic));
    found
}

/// Addresses within the shop that a page links to.
fn links(text: &str) -> BTreeSet<String> {
    let parts = text.split("href=\"").skip(1);
    let hrefs = parts.filter_map(|rest| rest.split('"').next());
    hrefs
        .filter(|href| href.starts_with('/'))
        .map(|href| href.replace("&amp;", "&").replace("&#38;", "&"))
        .collect()
}

#[tokio::test]
async fn a_guest_buys_without_scripts_and_gets_a_key_and_its_files() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        let server = test.serve().await;
        let guest = server.browser();
        let product = page(&guest, "/p/hush").await;
        assert!(
            product.contains("€49.00") && product.contains("Hush"),
            "{product}"
        );
        let checkout = page(&guest, "/checkout/hush").await;
        let quote = hidden(&checkout, "quote");
        let price = hidden(&checkout, "price");
        let fields = |email| {
            [
                ("price", price.as_str()),
                ("quote", quote.as_str()),
                ("waiver", "yes"),
                ("email", email),
            ]
        };
        let bad = send(
            &guest,
            "/checkout/hush",
            "/checkout/hush",
            &fields("nobody"),
        )
        .await;
        assert_eq!(bad.0, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(bad.2.contains("value=\"nobody\""), "what was typed is kept");
        assert!(bad.2.contains("aria-invalid=\"true\""));
        let bought = send(
            &guest,
            "/checkout/hush",
            "/checkout/hush",
            &fields("ada@example.org"),
        )
        .await;
        assert_eq!(bought.0, StatusCode::SEE_OTHER, "{}", bought.2);
        let pay = path_of(&bought.1);
        let sheet = page(&guest, &pay).await;
        assert!(sheet.contains("/assets/site.css"), "{sheet}");
        let paid = guest
            .request(Method::POST, &pay)
            .form(&[("choice", "succeed")])
            .send()
            .await;
        let paid = paid.expect("an answer");
        let order = path_of(paid.headers()[LOCATION].to_str().expect("text"));
        test.drain().await;
        let done = page(&guest, &order).await;
        assert!(done.contains("It’s yours"), "{done}");
        assert!(
            !done.contains("http-equiv=\"refresh\""),
            "a paid order stands still"
        );
        assert!(done.contains("<output id=\"key-1\""), "the key is shown");
        let license = links(&done)
            .into_iter()
            .find(|link| link.contains("license.mtl"));
        let license = license.expect("the file is linked");
        for (ending, kind) in [
            ("mtl", "application/octet-stream"),
            ("txt", "text/plain"),
            ("svg", "image/svg+xml"),
        ] {
            let file = guest
                .get(&license.replace("license.mtl", &format!("license.{ending}")))
                .await;
            assert_eq!(file.status(), StatusCode::OK, "{ending}");
            assert!(
                file.headers()[CONTENT_TYPE]
                    .to_str()
                    .expect("text")
                    .starts_with(kind)
            );
        }
        let text = async |name: &str| {
            let path = license.replace("license.mtl", name);
            guest.get(&path).await.text().await.expect("a body")
        };
        let receipt = mintreu::log::LogReceipt::from_text(&text("receipt.txt").await);
        let receipt = receipt.expect("a receipt");
        let bundle = mintreu::document::from_text(&text("license.txt").await);
        let of_it = receipt.check_license(&bundle.expect("a license"));
        of_it.expect("the receipt is for this license");
        let own = license.replace("/license.mtl", "");
        let shown = page(&guest, &own).await;
        assert!(shown.contains("License key") && shown.contains("receipt.txt"));
        let seller = server.browser();
        sign_in(&seller, DEVELOPER).await;
        let key = seller.get_json("/v1/log").await.1["key"].clone();
        let overview = page(&seller, "/sell").await;
        assert!(
            overview.contains(key.as_str().expect("a key")),
            "the log's key is shown"
        );
        // Without the token there is nothing to see, as if it weren't there.
        let other = server.browser();
        sign_in(&other, CUSTOMER).await;
        let bare = own.split('?').next().expect("a path");
        assert_eq!(other.get(bare).await.status(), StatusCode::NOT_FOUND);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn every_link_of_every_page_leads_somewhere() {
    let test = TestApp::sqlite().await;
    demo::seed(&test.app).await.expect("the shop is filled");
    let server = test.serve().await;
    let browser = server.browser();
    sign_in(&browser, DEVELOPER).await;
    let mut open: Vec<String> = vec![
        "/".into(),
        "/sell".into(),
        "/sell/products/new".into(),
        "/sell/keys".into(),
    ];
    let mut seen: BTreeSet<String> = open.iter().cloned().collect();
    while let Some(path) = open.pop() {
        let response = browser.get(&path).await;
        let status = response.status();
        assert!(
            status.is_success() || status.is_redirection(),
            "{path}: {status}"
        );
        let html = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind == "text/html; charset=utf-8");
        let text = response.text().await.unwrap_or_default();
        for link in links(&text).into_iter().filter(|_| html) {
            // Filters multiply without end; one step into them is enough.
            if link.matches('&').count() < 1 && seen.len() < 300 && seen.insert(link.clone()) {
                open.push(link);
            }
        }
    }
    assert!(seen.len() > 60, "only {} pages were found", seen.len());
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn in_the_pseudo_locale_every_sentence_is_translated_and_mirrored() {
    let test = TestApp::sqlite().await;
    let server = test.serve().await;
    let guest = server.browser();
    // An empty shop holds nothing but our own sentences.
    for path in [
        "/",
        "/search",
        "/sign-in",
        "/sign-up",
        "/activate",
        "/redeem",
        "/sell",
    ] {
        let text = page(&guest, &format!("{path}?lang=qps-plocm")).await;
        assert!(
            text.contains("<html lang=\"qps-plocm\" dir=\"rtl\">"),
            "{path}"
        );
        for piece in visible(&text) {
            let ours = piece.trim() == "mintreu";
            let bracketed = piece.trim().starts_with('⟦') && piece.trim().ends_with('⟧');
            assert!(ours || bracketed, "{path} says {piece:?}");
        }
    }
    // The choice is kept, and English is there again when asked for.
    assert!(page(&guest, "/").await.contains("dir=\"rtl\""));
    assert!(
        page(&guest, "/?lang=en")
            .await
            .contains("<html lang=\"en\" dir=\"ltr\">")
    );
    let missing = guest.get("/no-such-page?lang=qps-plocm").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert!(
        missing
            .text()
            .await
            .expect("a body")
            .contains("dir=\"rtl\"")
    );
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn forms_without_their_token_change_nothing() {
    let test = TestApp::sqlite().await;
    demo::seed(&test.app).await.expect("the shop is filled");
    let server = test.serve().await;
    let browser = server.browser();
    sign_in(&browser, DEVELOPER).await;
    for action in [
        "/sign-in",
        "/sign-up",
        "/sign-out",
        "/redeem",
        "/checkout/hush",
        "/sell/open",
        "/sell/products/new",
        "/sell/keys/rotate",
        "/sell/keys/revoke",
        "/sell/keys/upload",
    ] {
        for token in ["", "wrong"] {
            let form = [("csrf", token), ("email", "a@b.example"), ("code", "x")];
            let sent = browser
                .request(Method::POST, action)
                .form(&form)
                .send()
                .await;
            let response = sent.expect("an answer");
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{action}");
            let text = response.text().await.expect("a body");
            assert!(
                text.contains("csrf_mismatch") && text.contains("<main"),
                "{action}: {text}"
            );
        }
    }
    let boundary = "x";
    let body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"request\"\r\n\r\nMT1-\r\n--{boundary}--\r\n"
    );
    let sent = browser
        .request(Method::POST, "/activate")
        .header(
            CONTENT_TYPE,
            format!("multipart/form-data; boundary={boundary}"),
        )
        .body(body);
    assert_eq!(
        sent.send().await.expect("an answer").status(),
        StatusCode::FORBIDDEN
    );
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn what_sellers_write_is_never_markup() {
    let test = TestApp::sqlite().await;
    demo::seed(&test.app).await.expect("the shop is filled");
    let server = test.serve().await;
    let browser = server.browser();
    sign_in(&browser, DEVELOPER).await;
    let probe = "<img src=x onerror=alert(1)>\"'</script>";
    let category = hidden_choice(&page(&browser, "/sell/products/new").await);
    let fields = [
        ("action", "publish"),
        ("name", probe),
        ("summary", probe),
        (
            "description",
            "<script>alert(1)</script> [x](javascript:alert(1))",
        ),
        ("kind", "download"),
        ("category", category.as_str()),
        ("code", "probe.one"),
        ("slug", "probe-one"),
        ("price1_model", "one_time"),
        ("price1_amount", "5.00"),
        ("price1_currency", "EUR"),
        ("seats", "1"),
    ];
    let (status, location, text) = send(
        &browser,
        "/sell/products/new",
        "/sell/products/new",
        &fields,
    )
    .await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
    for path in [
        "/",
        "/p/probe-one",
        "/checkout/probe-one",
        "/search",
        location.as_str(),
        "/sell/products",
    ] {
        let text = page(&browser, path).await;
        for bad in ["<img src=x", "<script>alert", "href=\"javascript"] {
            assert!(!text.contains(bad), "{path} holds {bad}");
        }
    }
    let searched = page(&browser, "/search?q=%3Cscript%3Ealert(1)%3C/script%3E%22").await;
    assert!(!searched.contains("<script>alert"));
    server.stop().await;
    test.finish().await;
}

/// The first real category in the product form's list.
fn hidden_choice(text: &str) -> String {
    let list = text.split_once("id=\"category\"").expect("the list").1;
    let values = list.split("<option value=\"").skip(1);
    let mut values = values.filter_map(|rest| rest.split('"').next());
    values
        .find(|value| !value.is_empty())
        .expect("a category")
        .to_owned()
}

#[tokio::test]
async fn the_product_form_keeps_what_was_typed_and_marks_each_mistake() {
    let test = TestApp::sqlite().await;
    demo::seed(&test.app).await.expect("the shop is filled");
    let server = test.serve().await;
    let browser = server.browser();
    sign_in(&browser, DEVELOPER).await;
    let fields = [
        ("action", "save"),
        ("name", "Half a product"),
        ("code", "NOT A CODE"),
        ("price1_model", "one_time"),
        ("price1_currency", "EUR"),
        ("price1_amount", "12.00"),
        ("seats", "1"),
    ];
    let (status, _, text) = send(
        &browser,
        "/sell/products/new",
        "/sell/products/new",
        &fields,
    )
    .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.contains("value=\"Half a product\"") && text.contains("value=\"NOT A CODE\""));
    for field in ["summary", "code", "category"] {
        assert!(
            text.contains(&format!("id=\"{field}-error\"")),
            "{field} isn't marked"
        );
    }
    // A guest is sent to sign in, and comes back.
    let guest = server.browser();
    let sent = guest.get("/sell/products").await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    assert_eq!(sent.headers()[LOCATION], "/sign-in?next=%2Fsell%2Fproducts");
    // Who doesn't sell is told how to begin.
    sign_in(&guest, CUSTOMER).await;
    assert_eq!(
        guest.get("/sell/products").await.status(),
        StatusCode::FORBIDDEN
    );
    assert!(page(&guest, "/sell").await.contains("Open your shop"));
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn search_engines_are_told_what_there_is() {
    let test = TestApp::sqlite().await;
    demo::seed(&test.app).await.expect("the shop is filled");
    let server = test.serve().await;
    let guest = server.browser();
    let robots = page(&guest, "/robots.txt").await;
    assert!(robots.contains("Disallow: /orders/") && robots.contains("/sitemap.xml"));
    let sitemap = page(&guest, "/sitemap.xml").await;
    assert_eq!(sitemap.matches("/p/").count(), 28);
    let product = page(&guest, "/p/hush").await;
    let data = product
        .split_once("application/ld+json\">")
        .expect("data")
        .1;
    let data = data.split("</script>").next().expect("its end");
    let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(data["offers"][0]["price"], "49.00");
    assert_eq!(data["offers"][0]["priceCurrency"], "EUR");
    assert!(product.contains("rel=\"canonical\""));
    for private in ["/search?q=x", "/sign-in", "/checkout/hush", "/activate"] {
        assert!(
            page(&guest, private).await.contains("content=\"noindex\""),
            "{private}"
        );
    }
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn a_key_is_redeemed_and_a_device_activated_without_a_network_of_its_own() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        let server = test.serve().await;
        let owner = server.browser();
        sign_in(&owner, CUSTOMER).await;
        let wrong = send(&owner, "/redeem", "/redeem", &[("code", "no such key")]).await;
        assert_eq!(wrong.0, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.2.contains("value=\"no such key\"") && wrong.2.contains("id=\"code-error\""));
        // What is free is there at once.
        let checkout = "/checkout/pocket-palette";
        let drawn = page(&owner, checkout).await;
        let (price, quote) = (hidden(&drawn, "price"), hidden(&drawn, "quote"));
        let fields = [("price", price.as_str()), ("quote", quote.as_str())];
        let got = send(&owner, checkout, checkout, &fields).await;
        assert_eq!(got.0, StatusCode::SEE_OTHER, "{}", got.2);
        assert!(page(&owner, &got.1).await.contains("It’s yours"));
        let list = page(&owner, "/licenses").await;
        let license = links(&list)
            .into_iter()
            .find(|link| link.starts_with("/licenses/lic_"));
        let license = license.expect("the license is listed");
        let shown = page(&owner, &license).await;
        let key = shown.split_once("<output id=\"code\"").expect("the key").1;
        let key = key.split_once('>').expect("its text").1;
        let key = key.split('<').next().expect("its end").to_owned();
        let redeemed = send(&owner, "/redeem", "/redeem", &[("code", key.as_str())]).await;
        assert_eq!(redeemed.0, StatusCode::OK);
        assert!(
            redeemed.2.contains(&format!("href=\"{license}\"")),
            "{}",
            redeemed.2
        );
        let broken = activate(&owner, "MT1-notadocument").await;
        assert_eq!(broken.0, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(broken.1.contains("MT1-notadocument") && broken.1.contains("id=\"request-error\""));
        server.stop().await;
    })
    .await;
}

/// Sends an activation request as pasted text; the status and the page.
async fn activate(browser: &Browser, request: &str) -> (StatusCode, String) {
    let token = hidden(&page(browser, "/activate").await, "csrf");
    let part = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = format!(
        "{}{}--x--\r\n",
        part("csrf", &token),
        part("request", request)
    );
    let sent = browser
        .request(Method::POST, "/activate")
        .header(CONTENT_TYPE, "multipart/form-data; boundary=x")
        .body(body)
        .send()
        .await
        .expect("an answer");
    (sent.status(), sent.text().await.expect("a body"))
}
