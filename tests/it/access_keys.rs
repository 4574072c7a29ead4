//! Customers' keys for a seller's API: whose they are, how long they hold, what they count.

use crate::licensing_keys::tamper;
use crate::metered::{SELLER, Sold, person, sold};
use crate::web_pages::{page, send};
use axum::http::StatusCode;
use mintreu::id::{AccountId, LicenseId};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::{Caller, Capability, Role};
use mintreu_server::domains::access::{
    AccessError, Ask, ChangeApiKey, Check, Checked, CreateApiKey, DeleteApiKey, Identify,
    NewApiKey, RotateApiKey, Wanted, api_keys, change_api_key, check, create_api_key,
    delete_api_key, identify, rotate_api_key,
};
use mintreu_server::domains::accounts::tokens::{MakeToken, make_token};
use mintreu_server::domains::catalog::model::{
    Entitlement, EntitlementValue, LicenseTerms, Quota, Window,
};
use mintreu_server::domains::licensing::{Grant, LicensingError, issue};
use mintreu_server::domains::metering;
use mintreu_tests::{Browser, TestApp};
use serde_json::{Value, json};

/// A license with a quota of calls a day.
pub struct WithQuota {
    sold: Sold,
    quota: Quota,
    seats: i64,
}

impl Command for WithQuota {
    const NAME: &'static str = "test.with_quota";
    const CAPABILITY: Capability = Capability::Operate;
}

fn with_quota(cx: &mut Cx<'_>, cmd: &WithQuota) -> Result<LicenseId, LicensingError> {
    let grant = Grant {
        source: "orl_quota".to_owned(),
        product: cmd.sold.product,
        product_code: "acme.api".to_owned(),
        seller: SELLER,
        owner: cmd.sold.customer.account,
        terms: LicenseTerms {
            quotas: vec![cmd.quota.clone()],
            entitlements: vec![Entitlement {
                name: "pro".to_owned(),
                value: EntitlementValue::Flag(true),
            }],
            ..LicenseTerms::default()
        },
        seats: cmd.seats,
        expires_at: None,
        grace_secs: 0,
    };
    Ok(issue(cx, &grant)?.license.id)
}

/// A customer with a key, and the seller's token.
pub struct Keyed {
    pub sold: Sold,
    pub license: LicenseId,
    pub key: NewApiKey,
    pub token: String,
}

pub async fn keyed(test: &TestApp, limit: i64) -> Keyed {
    keyed_with(test, Quota::new("calls", limit, Window::Day), 1).await
}

/// As [`keyed`], with this quota and so many seats.
pub async fn keyed_with(test: &TestApp, quota: Quota, seats: i64) -> Keyed {
    let first = sold(test, ["EUR per_unit 0.01", "EUR per_unit 0.01"]).await;
    let again = Sold {
        seller: first.seller.clone(),
        customer: first.customer.clone(),
        product: first.product,
        license: first.license,
        trust: first.trust.clone(),
    };
    let command = WithQuota {
        sold: again,
        quota,
        seats,
    };
    let license = test.app.transact(&test.system(), command, with_quota).await;
    let license = license.expect("a license");
    let command = CreateApiKey {
        license,
        name: "CI".to_owned(),
        rate: None,
    };
    let key = test
        .app
        .transact(&first.customer, command, create_api_key)
        .await;
    seller_s_account(test).await;
    let command = MakeToken {
        name: "backend".to_owned(),
    };
    let token = test.app.transact(&first.seller, command, make_token).await;
    Keyed {
        key: key.expect("a key"),
        token: token.expect("a token").secret,
        sold: first,
        license,
    }
}

/// A token is nobody's without its seller's account.
async fn seller_s_account(test: &TestApp) {
    let sql = "INSERT INTO account (account_id, tenant_id, email, email_key, name, password_hash,
            created_at)
        VALUES (:account, :tenant, 'seller@example.org', 'seller@example.org', 'A seller', '-', 0)";
    let params = vec![
        ("account", SELLER.as_bytes().into()),
        ("tenant", test.tenant().as_bytes().into()),
    ];
    assert_eq!(tamper(test, sql, params).await, 1);
}

/// A question of the seller's, without HTTP between.
pub async fn question(
    test: &TestApp,
    keyed: &Keyed,
    key: &str,
    units: i64,
    ask: Ask,
) -> Result<(Caller, Check), AccessError> {
    let who = Identify::read(&test.app.keys, &keyed.token, Some(key))?;
    let found = test.app.read(&test.guest(), who, identify).await?;
    let key = found.key.ok_or(AccessError::KeyUnknown)?;
    let wanted = Wanted {
        meter: "calls".to_owned(),
        units,
        ask,
        entitlements: vec!["*".to_owned()],
    };
    let mac = who.key_mac().ok_or(AccessError::KeyUnknown)?;
    Ok((found.seller, Check::new(mac, key.license, wanted)?))
}

/// Asks it.
pub async fn ask(
    test: &TestApp,
    keyed: &Keyed,
    key: &str,
    units: i64,
    how: Ask,
) -> Result<Checked, AccessError> {
    let (seller, command) = question(test, keyed, key, units, how).await?;
    test.app.transact(&seller, command, check).await
}

/// What the license has counted under one key.
pub async fn counted(test: &TestApp, keyed: &Keyed) -> Vec<(String, i64)> {
    let license = keyed.license;
    let system = test.system();
    let cells = test.app.read(&system, license, |cx, license| {
        metering::breakdown(cx.tx, cx.caller.tenant, *license, 100)
    });
    let cells = cells.await.expect("cells");
    let pair = |cell: metering::CellUnits| (cell.key.subject_id().to_owned(), cell.units);
    cells.into_iter().map(pair).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_overlaps_and_keeps_its_counters() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 100).await;
        let old = keyed.key.secret.reveal().to_owned();
        let id = keyed.key.key.id;
        let first = ask(test, &keyed, &old, 3, Ask::Count)
            .await
            .expect("allowed");
        assert_eq!(first.allowance.expect("a quota").remaining, 97);
        assert_eq!(first.entitlements["pro"], EntitlementValue::Flag(true));
        let rotate = RotateApiKey {
            key: id,
            overlap_secs: 60,
        };
        let new = test
            .app
            .transact(&keyed.sold.customer, rotate, rotate_api_key)
            .await;
        let new = new.expect("rotates").secret.reveal().to_owned();
        assert_ne!(old, new);
        for key in [&old, &new] {
            ask(test, &keyed, key, 1, Ask::Count)
                .await
                .expect("both hold");
        }
        test.clock.advance(60_000);
        let gone = ask(test, &keyed, &old, 1, Ask::Count).await;
        assert!(matches!(gone, Err(AccessError::KeyUnknown)), "{gone:?}");
        let last = ask(test, &keyed, &new, 1, Ask::Count).await.expect("holds");
        assert_eq!(last.allowance.expect("a quota").remaining, 94);
        assert_eq!(counted(test, &keyed).await, [(id.to_string(), 6)]);
        // A second rotation at once leaves one secret, and a longer overlap revives none.
        for overlap_secs in [0, 3600] {
            let rotate = RotateApiKey {
                key: id,
                overlap_secs,
            };
            test.app
                .transact(&keyed.sold.customer, rotate, rotate_api_key)
                .await
                .expect("rotates");
            assert!(ask(test, &keyed, &old, 1, Ask::Count).await.is_err());
            assert!(ask(test, &keyed, &new, 1, Ask::Count).await.is_err());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_its_owner_s_alone_to_change() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 100).await;
        let secret = keyed.key.secret.reveal().to_owned();
        let (app, id) = (&test.app, keyed.key.key.id);
        let stranger = person(test, AccountId::from_bytes([9; 16]), Role::Customer);
        let change = |disabled| ChangeApiKey {
            key: id,
            name: Some(" Nightly ".to_owned()),
            rate: Some("5/second".to_owned()),
            disabled: Some(disabled),
        };
        for who in [&stranger, &keyed.sold.seller] {
            let refused = app.transact(who, change(true), change_api_key).await;
            assert!(matches!(refused, Err(AccessError::NotFound)), "{refused:?}");
            let rotate = RotateApiKey {
                key: id,
                overlap_secs: 0,
            };
            assert!(app.transact(who, rotate, rotate_api_key).await.is_err());
            let delete = DeleteApiKey { key: id };
            assert!(app.transact(who, delete, delete_api_key).await.is_err());
            assert!(app.read(who, keyed.license, api_keys).await.is_err());
        }
        ask(test, &keyed, &secret, 1, Ask::Count)
            .await
            .expect("nothing was changed");
        let owner = &keyed.sold.customer;
        let changed = app.transact(owner, change(true), change_api_key).await;
        let changed = changed.expect("changes");
        assert_eq!((changed.name.as_str(), changed.shown.len()), ("Nightly", 9));
        let off = ask(test, &keyed, &secret, 1, Ask::Count).await;
        assert!(matches!(off, Err(AccessError::KeyDisabled)), "{off:?}");
        app.transact(owner, change(false), change_api_key)
            .await
            .expect("on");
        ask(test, &keyed, &secret, 1, Ask::Count)
            .await
            .expect("on again");
        let delete = DeleteApiKey { key: id };
        app.transact(owner, delete, delete_api_key)
            .await
            .expect("deletes");
        let gone = ask(test, &keyed, &secret, 1, Ask::Count).await;
        assert!(matches!(gone, Err(AccessError::KeyUnknown)), "{gone:?}");
        assert!(
            app.read(owner, keyed.license, api_keys)
                .await
                .expect("none")
                .is_empty()
        );
        assert_eq!(
            counted(test, &keyed).await,
            [(id.to_string(), 2)],
            "what was counted stays"
        );
    })
    .await;
}

/// Every statement of access prepares, with parameters of the three types.
#[tokio::test]
async fn every_statement_of_access_prepares() {
    use mintreu_server::domains::access;
    TestApp::both(async |test| {
        for statement in access::sql::ALL.iter().flat_map(|list| list.iter()) {
            let prepared = test.app.store.prepare(statement).await;
            assert!(prepared.is_ok(), "{statement}: {prepared:?}");
        }
    })
    .await;
}

/// The customer of the license, in a browser.
async fn owner_s_browser(test: &TestApp, keyed: &Keyed, browser: &Browser) {
    let body =
        json!({"email": "ada@example.org", "name": "Ada", "password": "a long enough password"});
    let (status, account) = browser.post_json("/v1/accounts", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{account}");
    let (status, session) = browser.post_json("/v1/sessions", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{session}");
    let id = account["account_id"].as_str().expect("an id");
    let owner: AccountId = id.parse().expect("an id");
    let sql = "UPDATE license SET owner_id = :owner WHERE license_id = :license";
    let params = vec![
        ("owner", owner.as_bytes().into()),
        ("license", keyed.license.as_bytes().into()),
    ];
    assert_eq!(tamper(test, sql, params).await, 1);
}

fn secrets(text: &str) -> Vec<String> {
    let found = text.split("mtk_").skip(1).filter_map(|rest| rest.get(..32));
    let whole = found.filter(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric()));
    whole.map(|rest| format!("mtk_{rest}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_kept_on_the_license_s_page_and_by_the_api() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 100).await;
        let server = test.serve().await;
        let (ada, guest) = (server.browser(), server.browser());
        let home = format!("/licenses/{}", keyed.license);
        owner_s_browser(test, &keyed, &ada).await;
        let shown = page(&ada, &home).await;
        assert!(
            shown.contains("API keys") && shown.contains(keyed.key.secret.shown()),
            "{shown}"
        );
        assert!(secrets(&shown).is_empty(), "a secret is shown once");
        let action = format!("{home}/api-keys");
        for (name, rate) in [("", ""), ("Mine", "often")] {
            let (status, _, body) =
                send(&ada, &home, &action, &[("name", name), ("rate", rate)]).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        }
        let fields = [("name", "Mine <b>"), ("rate", "5/minute")];
        let (status, _, body) = send(&ada, &home, &action, &fields).await;
        assert_eq!(status, StatusCode::OK);
        let secret = secrets(&body).pop().expect("the secret");
        assert!(!body.contains("Mine <b>"), "escaped");
        ask(test, &keyed, &secret, 1, Ask::Count)
            .await
            .expect("it works");
        // The same keys by the API.
        let path = format!("/v1/licenses/{}/api-keys", keyed.license);
        let (status, listed) = ada.get_json(&path).await;
        assert_eq!(
            (status, listed["keys"].as_array().map(Vec::len)),
            (StatusCode::OK, Some(2))
        );
        let rates = listed["keys"]
            .as_array()
            .expect("keys")
            .iter()
            .map(|key| &key["rate"]);
        assert!(rates.clone().any(|rate| rate == "5/minute") && rates.clone().any(Value::is_null));
        assert!(secrets(&listed.to_string()).is_empty());
        assert_eq!(guest.get_json(&path).await.0, StatusCode::NOT_FOUND);
        let (status, made) = ada.post_json(&path, &json!({"name": "Third"})).await;
        assert_eq!(status, StatusCode::CREATED);
        let third = made["api_key_id"].as_str().expect("an id").to_owned();
        let (status, _) = guest.post_json(&path, &json!({"name": "Theirs"})).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let rotate = format!("/v1/api-keys/{third}/rotate");
        let (status, turned) = ada.post_json(&rotate, &json!({"overlap_secs": 60})).await;
        assert_eq!(status, StatusCode::CREATED);
        assert_ne!(turned["secret"], made["secret"]);
        // On the page: off, then gone.
        let act = format!("{home}/api-keys/{third}");
        let (status, to, _) = send(&ada, &home, &act, &[("act", "disable")]).await;
        assert_eq!(
            (status, to.as_str()),
            (StatusCode::SEE_OTHER, home.as_str())
        );
        let secret = turned["secret"].as_str().expect("text").to_owned();
        let off = ask(test, &keyed, &secret, 1, Ask::Count).await;
        assert!(matches!(off, Err(AccessError::KeyDisabled)), "{off:?}");
        assert_eq!(
            ada.delete(&format!("/v1/api-keys/{third}")).await,
            StatusCode::NO_CONTENT
        );
        let (_, listed) = ada.get_json(&path).await;
        assert_eq!(listed["keys"].as_array().map(Vec::len), Some(2));
        server.stop().await;
    })
    .await;
}
