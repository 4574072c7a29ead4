//! Verifying usage on the server, as a browser without scripts does it.

use mintreu::Timestamp;
use mintreu::document::SigningKey;
use mintreu::id::LicenseId;
use mintreu::meter::{
    CellKey, ChainHash, Condition, Export, GENESIS, Segment, TimeQuality, Total, chain_hash,
    seal_segment, stream_id,
};
use mintreu_tests::{Browser, TestApp};
use reqwest::Method;

/// An export of three segments, without an activation.
fn usage() -> Export {
    let device = SigningKey::from_seed(&[5; 32]);
    let license = LicenseId::from_bytes([6; 16]);
    let mut prev: ChainHash = GENESIS;
    let segments = (1..=3).map(|seq| {
        let segment = Segment {
            product: "acme.api".to_owned(),
            device: *device.public(),
            license,
            stream: stream_id(device.public(), license),
            epoch: 1,
            seq,
            prev,
            totals: vec![Total {
                key: CellKey::new("renders").expect("a name"),
                units: seq * 411,
            }],
            events: Vec::new(),
            disputed_events: Vec::new(),
            condition: Condition::default(),
            sealed_at: Timestamp::from_secs(1_795_000_000),
            time_quality: TimeQuality::Plausible,
            opening: None,
        };
        let document = seal_segment(&segment, &device).expect("seals");
        prev = chain_hash(&document);
        document
    });
    Export {
        segments: segments.collect(),
        device: *device.public().as_bytes(),
        activation: None,
        checkpoints: vec![],
        receipts: Vec::new(),
    }
}

async fn judge(browser: &Browser, trust: &str, file: &[u8]) -> (u16, String) {
    let boundary = "a-line-between-parts";
    let mut body = Vec::new();
    let mut part = |head: &str, bytes: &[u8]| {
        body.extend(
            format!("--{boundary}\r\ncontent-disposition: form-data; {head}\r\n\r\n").bytes(),
        );
        body.extend(bytes);
        body.extend(b"\r\n");
    };
    part("name=\"trust\"", trust.as_bytes());
    part("name=\"file\"; filename=\"usage.mtu\"", file);
    body.extend(format!("--{boundary}--\r\n").bytes());
    let kind = format!("multipart/form-data; boundary={boundary}");
    let request = browser.request(Method::POST, "/verify-usage");
    let sent = request.header("content-type", kind).body(body).send().await;
    let answer = sent.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("a page"))
}

#[tokio::test]
async fn anybody_verifies_usage_without_an_account_and_without_scripts() {
    let test = TestApp::sqlite().await;
    let server = test.serve().await;
    let browser = server.browser();
    let shown = browser.get("/verify-usage").await;
    assert_eq!(shown.status(), 200);
    let policy = shown.headers()["content-security-policy"].to_str();
    let policy = policy.expect("text").to_owned();
    assert!(
        policy.contains("script-src 'self' 'wasm-unsafe-eval'"),
        "{policy}"
    );
    let elsewhere = browser.get("/search").await;
    let policy = elsewhere.headers()["content-security-policy"].to_str();
    assert!(
        !policy.expect("text").contains("wasm"),
        "on this one page only"
    );

    let mut export = usage();
    let (status, page) = judge(&browser, "", &export.to_bytes()).await;
    assert_eq!(status, 200);
    assert!(page.contains("The usage holds."), "{page}");
    assert!(page.contains("1,233"), "the sum of the meter: {page}");
    assert!(
        page.contains("sent to the server and judged there"),
        "it says where"
    );
    export.segments.remove(1);
    let (_, page) = judge(&browser, "", &export.to_bytes()).await;
    assert!(page.contains("The usage does not hold."), "{page}");
    assert!(page.contains("epoch 1 number 3"), "where: {page}");
    let root = SigningKey::from_seed(&[1; 32]).public().to_string();
    let (_, page) = judge(&browser, &root, &usage().to_bytes()).await;
    assert!(page.contains("device_not_activated"), "{page}");
    let (status, page) = judge(&browser, "<rubbish>", &usage().to_bytes()).await;
    assert_eq!(status, 200);
    assert!(page.contains("That is no root key"), "{page}");
    assert!(!page.contains("<rubbish>"), "escaped");
    let (_, page) = judge(&browser, "", b"not an export").await;
    assert!(page.contains("usage_malformed"), "{page}");
    server.stop().await;
    test.finish().await;
}
