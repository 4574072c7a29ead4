//! Custody: no secret lies open anywhere, and a new key-encryption key takes the place of the old.

use crate::licensing_keys::pinned;
use crate::licensing_lists::{IssueMany, issued};
use crate::shop::{Shop, shop};
use mintreu::document::SigningKey;
use mintreu::id::KeyId;
use mintreu_server::app::{Command, Cx, system_entropy};
use mintreu_server::caller::Capability;
use mintreu_server::custody::Custody;
use mintreu_server::domains::licensing::rewrap::{Rewrap, rewrap};
use mintreu_server::domains::licensing::{
    ExportRoot, License, LicensingError, Redeem, RevokeKey, RotateKey, export_root, keys, redeem,
    reveal_code, revoke_key, rotate_key,
};
use mintreu_server::store::{Attempt, Store, StoreOptions};
use mintreu_tests::TestApp;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every key of the database with its seed, opened.
async fn seeds(test: &TestApp) -> Vec<(KeyId, Vec<u8>, Vec<u8>)> {
    let sql = "SELECT key_id, public_key, seed_sealed FROM seller_key ORDER BY key_id";
    let rows = test.app.store.read(move |tx| tx.query(sql, &[])).await;
    let rows = rows.expect("a read").expect("rows");
    let open = |row: &mintreu_server::store::Row| {
        let key = row.id("key_id", KeyId::from_bytes).expect("an id");
        let sealed = row.blob("seed_sealed").expect("bytes");
        let seed = test
            .app
            .keys
            .unseal(&format!("licensing.seed {key}"), &sealed);
        let public = row.blob("public_key").expect("bytes");
        (key, public, seed.expect("opens").to_vec())
    };
    rows.iter().map(open).collect()
}

struct Reveal(License);

impl Command for Reveal {
    const NAME: &'static str = "test.reveal";
    const CAPABILITY: Capability = Capability::Operate;
}

fn reveal(cx: &mut Cx<'_>, command: &Reveal) -> Result<String, LicensingError> {
    Ok(reveal_code(cx, command.0.id)?.reveal().to_owned())
}

/// Rotates, revokes and exports, so that there are keys of every kind.
async fn story(test: &TestApp) -> (Shop, License, String) {
    let shop = shop(test).await;
    let many = IssueMany {
        first: 0,
        count: 3,
        freshness: None,
    };
    let license = issued(test, many).await.remove(0);
    let command = RotateKey {
        slug: "acme-editor".to_owned(),
    };
    let made = test.app.transact(&shop.seller, command, rotate_key).await;
    let command = RevokeKey {
        key: made.expect("a key").key,
        from: None,
        reason: "test".to_owned(),
    };
    let done = test.app.transact(&shop.seller, command, revoke_key).await;
    done.expect("revokes");
    test.drain().await;
    let (house, asked) = (test.system(), Reveal(license.clone()));
    let code = test.app.transact(&house, asked, reveal).await;
    let code = code.expect("is shown");
    (shop, license, code)
}

/// The same bytes as people write them down.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = mintreu::document::to_text(secret);
    let base64url = text.trim_start_matches("MT1-").to_owned();
    let base64 = base64url.replace('-', "+").replace('_', "/");
    vec![
        secret.to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        base64url.into_bytes(),
        base64.into_bytes(),
    ]
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle)
}

fn files_below(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => all.extend(files_below(&path)),
            false => all.extend(std::fs::read(&path).expect("a file")),
        }
    }
    all
}

#[tokio::test]
async fn no_seed_and_no_code_lies_open_in_files_or_debug_output() {
    let mut file = String::new();
    let test = TestApp::sqlite_with(|options| file.clone_from(&options.url)).await;
    let (shop, license, code) = story(&test).await;
    let seeds = seeds(&test).await;
    assert!(seeds.len() >= 4, "a root, and three keys of the product");
    let view = test.app.read(&shop.seller, (), keys).await.expect("keys");
    let exported = test
        .app
        .transact(&shop.seller, ExportRoot, export_root)
        .await;
    let exported = exported.expect("leaves");
    let printed = format!(
        "{:?} {view:?} {exported:?} {license:?} {:?} {:?}",
        test.app.config,
        test.app.keys,
        SigningKey::from_seed(&exported.seed),
    );
    let database = PathBuf::from(file.trim_start_matches("sqlite:"));
    let mut bytes = files_below(database.parent().expect("a folder"));
    bytes.extend(files_below(test.files.path()));
    for (key, public, seed) in &seeds {
        assert!(holds(&bytes, public), "the search finds what is there");
        for spelling in spellings(seed) {
            assert!(!holds(&bytes, &spelling), "the seed of {key} in a file");
            assert!(
                !holds(printed.as_bytes(), &spelling),
                "the seed of {key} printed"
            );
        }
    }
    for spelling in [code.clone(), code.replace('-', "")] {
        assert!(!holds(&bytes, spelling.as_bytes()), "a code in a file");
    }
    assert!(
        holds(printed.as_bytes(), b"ExportedRoot(MT1K-"),
        "{printed}"
    );
    test.finish().await;
}

fn job<'a>(from: &'a Custody, to: &'a Custody) -> Rewrap<'a> {
    Rewrap {
        from,
        to,
        entropy: system_entropy,
        progress: |_| {},
    }
}

#[tokio::test]
async fn under_a_new_key_everything_works_and_the_old_opens_nothing() {
    for test in [Some(TestApp::sqlite().await), TestApp::postgres().await] {
        let Some(mut test) = test else {
            continue;
        };
        let (_, license, code) = story(&test).await;
        let before = seeds(&test).await;
        let old = test.app.keys.clone();
        let new = Arc::new(Custody::new([8; 32]).succeeding(&old));
        let (from, to) = (old.clone(), new.clone());
        let written = test.app.store.write(Vec::new(), move |tx| {
            Attempt::Commit(rewrap(tx, &job(&from, &to)))
        });
        let done = written.await.expect("a write").expect("runs");
        assert_eq!(
            done,
            Some(before.len() + 3 + 1),
            "each seed and code, and the log's seed"
        );

        // The old key opens nothing, and is told so.
        let (from, to) = (old.clone(), new.clone());
        let written = test.app.store.write(Vec::new(), move |tx| {
            Attempt::Rollback(rewrap(tx, &job(&from, &to)))
        });
        assert_eq!(written.await.expect("a write").expect("runs"), None);
        let wrong = mintreu_server::settle(&test.app.store, Custody::new([7; 32])).await;
        assert_eq!(
            wrong.map(drop).map_err(|error| error.code),
            Err("key_wrong")
        );
        let settled = mintreu_server::settle(&test.app.store, Custody::new([8; 32])).await;
        let settled = settled.expect("the new key is the right one");
        assert_eq!(settled.mac("a", b"b"), old.mac("a", b"b"), "hashes stay");

        let app = Arc::get_mut(&mut test.app).expect("nobody else holds it");
        app.keys = Arc::new(settled);
        assert_eq!(seeds(&test).await, before);
        let command = Redeem::parse(&code).expect("a code");
        let found = test.app.transact(&test.guest(), command, redeem).await;
        assert_eq!(found.expect("redeems").id, license.id);
        let many = IssueMany {
            first: 10,
            count: 1,
            freshness: None,
        };
        let fresh = issued(&test, many).await.remove(0);
        let trust = pinned(&test).await;
        mintreu::license::verify(&fresh.document, &trust).expect("verifies");
        test.finish().await;
    }
}

#[tokio::test]
async fn a_database_knows_its_key_from_its_first_start_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mintreu.db");
    let options = || StoreOptions::new(format!("sqlite:{}", file.display()));
    let store = Store::open(options()).await.expect("opens");
    for (key, right) in [(1, true), (1, true), (2, false)] {
        let settled = mintreu_server::settle(&store, Custody::new([key; 32])).await;
        assert_eq!(settled.is_ok(), right, "key {key}");
    }
}
