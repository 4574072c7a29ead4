//! The log of issued licenses: every license in it once, proofs that hold with the key alone, and
//! rewriting that is found.

use crate::shop::{CODE, Shop, person, shop};
use mintreu::document::{PublicKey, from_text};
use mintreu::id::{AccountId, LicenseId};
use mintreu::log::{Frontier, Hash, Leaf, LogReceipt, TreeHead, document_hash, verify_consistency};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::{Capability, Role};
use mintreu_server::domains::licensing::{self, Grant, Issued, LicensingError};
use mintreu_server::domains::transparency::model::from_hex;
use mintreu_server::domains::transparency::{
    self, LogError, OwnWanted, StateOwn, append, statement,
};
use mintreu_server::store::StoreError;
use mintreu_tests::{Browser, TestApp, audit};
use serde_json::Value;
use tokio::task::JoinSet;

const OTHER: AccountId = AccountId::from_bytes(*b"transparency oth");

/// Issues for a cause, as settling an order does.
struct Issue(Grant);

impl Command for Issue {
    const NAME: &'static str = "test.issue";
    const CAPABILITY: Capability = Capability::Operate;
}

fn issue(cx: &mut Cx<'_>, command: &Issue) -> Result<Issued, LicensingError> {
    licensing::issue(cx, &command.0)
}

async fn grant(test: &TestApp, shop: &Shop, source: &str) -> Grant {
    let (tenant, slug) = (test.tenant(), "acme-editor");
    let found = test
        .app
        .store
        .read(move |tx| mintreu_server::domains::catalog::product_by_slug(tx, tenant, slug));
    let product = found
        .await
        .expect("reads")
        .expect("reads")
        .expect("is there");
    Grant {
        source: source.to_owned(),
        product: product.id,
        product_code: CODE.to_owned(),
        seller: shop.seller.account.expect("a seller"),
        owner: None,
        terms: product.terms,
        seats: 2,
        expires_at: None,
        grace_secs: 0,
    }
}

async fn issued(test: &TestApp, shop: &Shop, source: &str) -> licensing::License {
    let command = Issue(grant(test, shop, source).await);
    let issued = test.app.transact(&test.system(), command, issue).await;
    issued.expect("issues").license
}

/// The log's key and the signed head in an answer, verified.
fn head_of(answer: &Value) -> (PublicKey, TreeHead) {
    let text = |name: &str| answer[name].as_str().expect("a text");
    let key: PublicKey = text("key").parse().expect("a key");
    let document = from_text(text("head")).expect("a document");
    let head = TreeHead::verify(&document, &key).expect("verifies");
    assert_eq!(answer["size"], head.size);
    assert_eq!(from_hex(text("root")), Some(head.root));
    (key, head)
}

async fn hashes(guest: &Browser, path: &str) -> Vec<Hash> {
    let (status, answer) = guest.get_json(path).await;
    assert_eq!(status, 200, "{answer}");
    let hashes = answer["hashes"].as_array().expect("a list").iter();
    let read = |hash: &Value| from_hex(hash.as_str().expect("a text")).expect("a hash");
    hashes.map(read).collect()
}

#[tokio::test]
async fn receipts_hold_with_the_key_alone_while_the_log_grows() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (key, empty) = head_of(&guest.get_json("/v1/log").await.1);
        assert_eq!((empty.size, empty.root), (0, Frontier::default().root()));
        let (mut heads, mut licenses) = (vec![empty], Vec::new());
        for round in 0..5 {
            for number in 0..=round {
                licenses.push(issued(test, &shop, &format!("round {round}, {number}")).await);
            }
            let newest = licenses.last().expect("one").id;
            let early = test
                .app
                .read(&shop.seller, newest, licensing::receipt)
                .await;
            assert!(matches!(early, Err(LogError::Pending)), "{early:?}");
            test.drain().await;
            let (same_key, head) = head_of(&guest.get_json("/v1/log").await.1);
            assert_eq!((same_key, head.size), (key, licenses.len() as u64));
            heads.push(head);
        }
        let newest = heads.last().expect("a head");
        for old in &heads {
            let (from, to) = (old.size, newest.size);
            let path = format!("/v1/log/consistency?from={from}&to={to}");
            let path = hashes(&guest, &path).await;
            let judged = verify_consistency((from, &old.root), (to, &newest.root), &path);
            judged.expect("the log only grew");
            let (_, stored) = guest.get_json(&format!("/v1/log/heads/{from}")).await;
            assert_eq!(head_of(&stored).1, *old);
        }
        for license in &licenses {
            let receipt = test.app.read(&shop.seller, license.id, licensing::receipt);
            let text = receipt.await.expect("a receipt").to_text().expect("a text");
            let receipt = LogReceipt::from_text(&text).expect("reads");
            assert_eq!(&receipt.verify(&key).expect("verifies"), newest);
            receipt.check_license(&license.document).expect("of it");
        }
        let entries = format!("/v1/log/entries?from=0&to={}", newest.size);
        let mut rebuilt = Frontier::default();
        for hash in hashes(&guest, &entries).await {
            rebuilt.push(hash).expect("fits");
        }
        assert_eq!(rebuilt.root(), newest.root);
        for wrong in ["consistency?from=2&to=1", "entries?from=0&to=99"] {
            let (status, problem) = guest.get_json(&format!("/v1/log/{wrong}")).await;
            assert_eq!(status, 422, "{problem}");
            assert_eq!(problem["code"], "log_range_malformed");
        }
        assert_eq!(guest.get_json("/v1/log/heads/2").await.0, 404);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn sellers_see_their_own_leaves_under_a_signed_word_and_nobody_else_does() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let mut licenses = Vec::new();
        for number in 0..70 {
            licenses.push(issued(test, &shop, &format!("sale {number}")).await);
        }
        test.drain().await;
        let wanted = OwnWanted {
            from: 0,
            limit: 500,
        };
        let own = test.app.read(&shop.seller, wanted, transparency::own).await;
        let own = own.expect("the own leaves");
        let found: Vec<LicenseId> = own.iter().map(|one| one.leaf.license()).collect();
        let mut sold: Vec<LicenseId> = licenses.iter().map(|license| license.id).collect();
        let mut sorted = found;
        sorted.sort();
        sold.sort();
        assert_eq!(sorted, sold);
        let log = test.app.transact(&shop.seller, StateOwn, statement).await;
        let log = log.expect("a statement");
        let head = TreeHead::verify(&log.head.document, &log.key).expect("verifies");
        let part = head.part.expect("a part");
        assert_eq!(part.of, shop.seller.account.expect("a seller").to_string());
        let mut tree = Frontier::default();
        for one in &own {
            tree.push(one.leaf.hash().expect("hashes")).expect("fits");
        }
        assert_eq!((part.size, part.root), (70, tree.root()));
        let other = person(test, OTHER, Role::Developer);
        let theirs = test.app.read(&other, wanted, transparency::own).await;
        assert!(theirs.expect("an empty list").is_empty());
        let theirs = test.app.transact(&other, StateOwn, statement).await;
        let theirs = TreeHead::verify(&theirs.expect("signed").head.document, &log.key);
        assert_eq!(theirs.expect("verifies").part.expect("a part").size, 0);
        for stranger in [other, test.guest(), person(test, OTHER, Role::Customer)] {
            let read = test.app.read(&stranger, sold[0], licensing::receipt).await;
            assert!(matches!(read, Err(LogError::NotFound)), "{read:?}");
        }
        for stranger in [test.guest(), person(test, OTHER, Role::Customer)] {
            let read = test.app.read(&stranger, wanted, transparency::own).await;
            assert!(matches!(read, Err(LogError::Denied(_))), "{read:?}");
            let signed = test.app.transact(&stranger, StateOwn, statement).await;
            assert!(matches!(signed, Err(LogError::Denied(_))), "{signed:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn licenses_issued_at_the_same_time_have_one_place_each_without_gaps() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        issued(test, &shop, "the first makes the keys").await;
        let mut work = JoinSet::new();
        let each = grant(test, &shop, "").await;
        for number in 0..100 {
            let (app, system) = (test.app.clone(), test.system());
            // Each cause is asked for twice.
            let mut grant = each.clone();
            grant.source = format!("cause {}", number / 2);
            work.spawn(async move {
                let mut outcome = app.transact(&system, Issue(grant.clone()), issue).await;
                while let Err(LicensingError::Store(StoreError::Retry)) = outcome {
                    outcome = app.transact(&system, Issue(grant.clone()), issue).await;
                }
                outcome.map(|_| 0).map_err(|error| error.to_string())
            });
            if number % 20 == 0 {
                let app = test.app.clone();
                let table = std::sync::Arc::new(mintreu_server::worker::table());
                work.spawn(async move {
                    let done = mintreu_server::worker::drain(&app, &table).await;
                    done.map_err(|error| error.to_string())
                });
            }
        }
        for outcome in work.join_all().await {
            outcome.expect("done");
        }
        test.drain().await;
        // A job that lost every race is tried again later.
        test.clock.advance(60_000);
        test.drain().await;
        let wanted = OwnWanted {
            from: 0,
            limit: 500,
        };
        let own = test.app.read(&shop.seller, wanted, transparency::own).await;
        let places: Vec<u64> = own.expect("leaves").iter().map(|one| one.index).collect();
        assert_eq!(places, (0..51).collect::<Vec<u64>>());
        let complaints = audit::complaints(test).await;
        assert!(complaints.is_empty(), "{complaints:#?}");
    })
    .await;
}

/// Appends a leaf of this document for a license that is there.
struct Append(licensing::License, Hash);

impl Command for Append {
    const NAME: &'static str = "test.append";
    const CAPABILITY: Capability = Capability::Operate;
}

fn append_again(cx: &mut Cx<'_>, command: &Append) -> Result<(), LicensingError> {
    let Append(license, document) = command;
    let leaf = Leaf::new(CODE, license.id, license.issued_at, *document);
    Ok(append(cx, license.seller, leaf.expect("a leaf"))?)
}

#[tokio::test]
async fn a_license_signed_again_is_a_new_leaf_and_the_same_document_is_not() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let license = issued(test, &shop, "a sale").await;
        let same = document_hash(&license.document).expect("a bundle");
        for (document, expected) in [(same, 1), ([7; 32], 2), (same, 2), ([7; 32], 2)] {
            let command = Append(license.clone(), document);
            let appended = test
                .app
                .transact(&test.system(), command, append_again)
                .await;
            appended.expect("appends");
            test.drain().await;
            let wanted = OwnWanted {
                from: 0,
                limit: 500,
            };
            let own = test.app.read(&shop.seller, wanted, transparency::own).await;
            assert_eq!(own.expect("leaves").len(), expected);
        }
    })
    .await;
}

/// Statements of somebody who has the database.
struct Tamper(&'static str);

impl Command for Tamper {
    const NAME: &'static str = "test.tamper";
    const CAPABILITY: Capability = Capability::Operate;
}

fn tamper(cx: &mut Cx<'_>, command: &Tamper) -> Result<(), LicensingError> {
    let zeros = [("zeros", [0_u8; 32].as_slice().into())];
    let params: &[_] = if command.0.contains(":zeros") {
        &zeros
    } else {
        &[]
    };
    let changed = cx.tx.execute(command.0, params)?;
    assert!(changed > 0, "{} changes something", command.0);
    Ok(())
}

#[tokio::test]
async fn whoever_rewrites_the_log_is_found() {
    let cases = [
        (
            "UPDATE log_node SET hash = :zeros WHERE level = 0 AND position = 2",
            "leaf 2 of the log was rewritten",
        ),
        (
            "UPDATE log_leaf SET product_code = 'acme.other' WHERE leaf_index = 1",
            "leaf 1 of the log was rewritten",
        ),
        (
            "DELETE FROM log_leaf WHERE leaf_index = 3",
            "is not in the log",
        ),
        (
            "UPDATE log_leaf SET leaf_index = 7 WHERE leaf_index = 4",
            "a gap before its leaf 4",
        ),
        (
            "UPDATE log_head SET root = :zeros WHERE size = 5",
            "the head of 5 is not that of the leaves",
        ),
        ("DELETE FROM log_head", "the newest head is of 0 of 5"),
    ];
    for (sql, expected) in cases {
        let test = TestApp::sqlite().await;
        let shop = shop(&test).await;
        for number in 0..5 {
            issued(&test, &shop, &format!("sale {number}")).await;
        }
        test.drain().await;
        assert!(audit::complaints(&test).await.is_empty());
        let done = test.app.transact(&test.system(), Tamper(sql), tamper).await;
        done.expect("the database has no guard against its owner");
        test.finish_expecting(expected).await;
    }
}

#[tokio::test]
async fn a_rewritten_leaf_breaks_receipts_and_consistency_for_who_kept_the_head() {
    let test = TestApp::sqlite().await;
    let shop = shop(&test).await;
    let server = test.serve().await;
    let guest = server.browser();
    for number in 0..5 {
        issued(&test, &shop, &format!("sale {number}")).await;
    }
    test.drain().await;
    let (key, kept) = head_of(&guest.get_json("/v1/log").await.1);
    let wanted = OwnWanted { from: 0, limit: 1 };
    let own = test.app.read(&shop.seller, wanted, transparency::own).await;
    let first = own.expect("the own leaves")[0].leaf.license();
    let before = test.app.read(&shop.seller, first, licensing::receipt);
    let before = before.await.expect("a receipt");
    before.verify(&key).expect("verifies");
    // The leaf beside it is exchanged, and the log goes on as if nothing were.
    let sql = "UPDATE log_node SET hash = :zeros WHERE level = 0 AND position = 1";
    let done = test.app.transact(&test.system(), Tamper(sql), tamper).await;
    done.expect("tampers");
    issued(&test, &shop, "one more").await;
    test.drain().await;
    let after = test.app.read(&shop.seller, first, licensing::receipt);
    let refused = after.await.expect("an answer").verify(&key);
    assert_eq!(refused.expect_err("refused").code(), "not_in_log");
    let (_, grown) = head_of(&guest.get_json("/v1/log").await.1);
    let mut rebuilt = Frontier::default();
    for hash in hashes(&guest, "/v1/log/entries?from=0&to=5").await {
        rebuilt.push(hash).expect("fits");
    }
    assert_ne!(rebuilt.root(), kept.root, "the kept head no longer fits");
    // A tree that was built anew from the changed leaves can't be proved to begin with the old.
    let sixth = hashes(&guest, "/v1/log/entries?from=5&to=6").await;
    rebuilt.push(sixth[0]).expect("fits");
    let path = hashes(&guest, "/v1/log/consistency?from=5&to=6").await;
    let judged = verify_consistency((5, &kept.root), (6, &rebuilt.root()), &path);
    assert_eq!(judged.expect_err("refused").code(), "log_rewritten");
    assert_eq!(grown.size, 6);
    before
        .verify(&key)
        .expect("the old receipt still proves what was");
    server.stop().await;
    test.finish_expecting("leaf 1 of the log was rewritten")
        .await;
}
