//! The seller's page of licenses in bulk, as a browser without scripts sees it.

use crate::batch_seller::csv_lines;
use mintreu_server::demo::{self, PASSWORD};
use mintreu_tests::{Browser, TestApp};
use reqwest::{Method, StatusCode};

const DEVELOPER: &str = "tomasz@northbeam.example";
const OTHER: &str = "priya@customer.example";

async fn page(browser: &Browser, path: &str) -> String {
    let response = browser.get(path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    response.text().await.expect("a body")
}

/// What stands between two texts, of their first occurrence.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).expect(start).1;
    rest.split(end).next().expect(end)
}

fn token(text: &str) -> String {
    between(text, "name=\"csrf\" value=\"", "\"").to_owned()
}

async fn send(
    browser: &Browser,
    from: &str,
    action: &str,
    fields: &[(&str, &str)],
) -> (StatusCode, String) {
    let csrf = token(&page(browser, from).await);
    let mut form = vec![("csrf", csrf.as_str())];
    form.extend_from_slice(fields);
    let sent = browser
        .request(Method::POST, action)
        .form(&form)
        .send()
        .await;
    let answer = sent.expect("an answer");
    (answer.status(), answer.text().await.expect("a body"))
}

async fn sign_in(browser: &Browser, email: &str) {
    let fields = [("email", email), ("password", PASSWORD)];
    let (status, text) = send(browser, "/sign-in", "/sign-in", &fields).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
}

async fn import(browser: &Browser, base: &str, keys: &str) -> (StatusCode, String) {
    let csrf = token(&page(browser, base).await);
    let part = |name: &str, value: &str| {
        format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts = [
        part("csrf", &csrf),
        part("import_label", "old shop"),
        part("keys", keys),
    ];
    let request = browser.request(Method::POST, &format!("{base}/import"));
    let request = request.header("content-type", "multipart/form-data; boundary=x");
    let body = format!("{}--x--\r\n", parts.concat());
    let answer = request.body(body).send().await.expect("an answer");
    (answer.status(), answer.text().await.expect("a body"))
}

#[tokio::test]
async fn a_seller_issues_imports_downloads_and_withdraws() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        test.drain().await;
        let server = test.serve().await;
        let seller = server.browser();
        sign_in(&seller, DEVELOPER).await;
        let products = page(&seller, "/sell/products").await;
        let id = between(&products, "href=\"/sell/products/prd_", "\"");
        let product = format!("/sell/products/prd_{id}");
        let base = format!("{product}/licenses");
        assert!(
            page(&seller, &product).await.contains(&base),
            "the product leads there"
        );
        let empty = page(&seller, &base).await;
        assert!(empty.contains("Licenses for boxes, classrooms and resellers"));

        // A mistake stands at its field, and what was typed stays.
        let issue = format!("{base}/issue");
        let typed = [("count", "many"), ("label", "Autumn crate"), ("key", "a")];
        let (status, wrong) = send(&seller, &base, &issue, &typed).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.contains("id=\"count-error\"") && wrong.contains("value=\"many\""));
        assert!(wrong.contains("value=\"Autumn crate\""));
        let past = [("count", "3"), ("expires", "2001-01-01"), ("key", "a")];
        let (status, wrong) = send(&seller, &base, &issue, &past).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.contains("id=\"expires-error\""));
        // Sent twice it is issued once.
        let typed = [("count", "3"), ("label", "Autumn crate"), ("key", "b")];
        for _ in 0..2 {
            assert_eq!(
                send(&seller, &base, &issue, &typed).await.0,
                StatusCode::SEE_OTHER
            );
        }
        let shown = page(&seller, &base).await;
        assert_eq!(shown.matches("Autumn crate").count(), 1);
        assert!(shown.contains("3 of 3"), "{shown}");
        let batch = between(&shown, &format!("href=\"{base}/bat_"), "/codes.csv").to_owned();
        let batch = format!("{base}/bat_{batch}");
        let file = seller.get(&format!("{batch}/codes.csv")).await;
        assert_eq!(file.headers()["cache-control"], "no-store");
        let lines = csv_lines(&file.text().await.expect("a file"));
        assert_eq!(lines.len(), 4);

        // Keys are pasted; the report names each line that was refused.
        let (status, wrong) = import(&seller, &base, "license\nabc").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.contains("id=\"keys-error\"") && wrong.contains("license\nabc"));
        let key = "38B1460A-51044067-A91D77B8-72934D51";
        let (status, report) = import(&seller, &base, &format!("key\r\n{key}\r\nabc\r\n")).await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            report.contains("A key has at least 6 characters."),
            "{report}"
        );
        assert!(report.contains("old shop"));

        // The link names the product; a customer types the key.
        let link = between(&report, "/redeem?product=", "\"").to_owned();
        let guest = server.browser();
        let form = format!("/redeem?product={link}");
        assert!(
            page(&guest, &form)
                .await
                .contains(&format!("value=\"{link}\""))
        );
        let typed = [("code", key), ("product", link.as_str())];
        let (status, found) = send(&guest, &form, "/redeem", &typed).await;
        assert!(status == StatusCode::OK && found.contains("BEGIN MINTREU LICENSE"));
        let typed = [("code", "no such key at all"), ("product", link.as_str())];
        let (status, wrong) = send(&guest, &form, "/redeem", &typed).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.contains("id=\"code-error\"") && wrong.contains("no such key at all"));

        // Nobody else gets near it.
        let other = server.browser();
        sign_in(&other, OTHER).await;
        for path in [&base, &format!("{batch}/codes.csv")] {
            assert_ne!(other.get(path).await.status(), StatusCode::OK, "{path}");
            assert_ne!(guest.get(path).await.status(), StatusCode::OK, "{path}");
        }
        let why = [("reason", "The box was stolen")];
        let revoke = format!("{batch}/revoke");
        assert_eq!(
            send(&seller, &base, &revoke, &why).await.0,
            StatusCode::SEE_OTHER
        );
        assert!(page(&seller, &base).await.contains("Being withdrawn"));
        test.drain().await;
        let code = lines[1].split(',').next().expect("a code");
        let (_, text) = send(&guest, "/redeem", "/redeem", &[("code", code)]).await;
        assert!(text.contains("The license of this key was withdrawn."));
        server.stop().await;
    })
    .await;
}
