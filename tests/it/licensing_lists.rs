//! Revocation lists: places of licenses, and what devices make of the lists they fetch.

use crate::licensing_keys::{pinned, tamper};
use crate::shop::{CODE, SELLER, Shop, device_key, shop};
use mintreu::Timestamp;
use mintreu::id::LicenseId;
use mintreu::license::{
    ActivationFacts, DeviceFacts, Facts, ListEntry, Revocations, Ring, judge, verify,
};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::Capability;
use mintreu_server::domains::catalog;
use mintreu_server::domains::catalog::model::{Freshness, LicenseTerms, StaleAction};
use mintreu_server::domains::licensing::{
    Grant, License, LicensingError, Reinstate, Revoke, issue, reinstate, revoke,
};
use mintreu_tests::{Browser, TestApp};
use std::collections::BTreeSet;

/// Issues so many licenses of the shop's product in one commit.
pub struct IssueMany {
    pub first: usize,
    pub count: usize,
    pub freshness: Option<Freshness>,
}

impl Command for IssueMany {
    const NAME: &'static str = "test.issue_many";
    const CAPABILITY: Capability = Capability::Operate;
}

fn issue_many(cx: &mut Cx<'_>, many: &IssueMany) -> Result<Vec<License>, LicensingError> {
    let product = catalog::product_by_code(cx.tx, cx.caller.tenant, CODE)?;
    let product = product.ok_or(LicensingError::NotFound)?;
    let mut issued = Vec::new();
    for number in many.first..many.first + many.count {
        let grant = Grant {
            source: format!("test {number}"),
            product: product.id,
            product_code: product.code.clone(),
            seller: SELLER,
            owner: None,
            terms: LicenseTerms {
                freshness: many.freshness,
                ..LicenseTerms::default()
            },
            seats: 2,
            expires_at: None,
            grace_secs: 0,
        };
        issued.push(issue(cx, &grant)?.license);
    }
    Ok(issued)
}

/// Licenses of the shop's product that came otherwise than by an order.
pub async fn issued(test: &TestApp, many: IssueMany) -> Vec<License> {
    let done = test.app.transact(&test.system(), many, issue_many).await;
    done.expect("issues")
}

async fn one(test: &TestApp, freshness: Option<Freshness>) -> License {
    let many = IssueMany {
        first: 0,
        count: 1,
        freshness,
    };
    issued(test, many).await.remove(0)
}

/// A device of one's own that has activated, asking at an instant.
pub fn facts(
    license: LicenseId,
    now: Timestamp,
    ring: &Ring,
    verified: &mintreu::license::VerifiedLicense,
) -> Facts {
    let device = *device_key(1).public();
    let activation = ActivationFacts {
        license,
        device,
        expires_at: None,
        host_matches: true,
    };
    Facts {
        device: Some(DeviceFacts {
            key: device,
            activation: Some(activation),
        }),
        standing: ring.standing(verified),
        ..Facts::at(now)
    }
}

/// What a device with this ring says to the license at an instant.
pub fn verdict(license: &License, ring: &Ring, now: Timestamp) -> (&'static str, bool) {
    let verified = verify(&license.document, ring).expect("verifies");
    let verified = ring.newest(&verified);
    let said = judge(verified, &facts(license.id, now, ring, verified));
    (said.code(), said.is_allowed())
}

fn place(license: &License, ring: &Ring) -> ListEntry {
    let verified = verify(&license.document, ring).expect("verifies");
    verified.claims().status.expect("a place in a list")
}

async fn withdraw(test: &TestApp, shop: &Shop, license: LicenseId) {
    let command = Revoke {
        license,
        reason: "test".to_owned(),
    };
    let done = test.app.transact(&shop.seller, command, revoke).await;
    done.expect("revokes");
}

/// Asks for a list as a device does; the status and the bytes.
async fn fetch(guest: &Browser, list: u64, have: u64, since: i64) -> (u16, Vec<u8>) {
    let path = format!("/v1/revocations?product={CODE}&list={list}&have={have}&since={since}");
    let sent = guest.request(reqwest::Method::GET, &path).send().await;
    let answer = sent.expect("an answer");
    let status = answer.status().as_u16();
    if status == 200 {
        assert_eq!(answer.headers()["content-type"], "application/cose");
        assert_eq!(answer.headers()["cache-control"], "public, max-age=60");
    }
    (status, answer.bytes().await.expect("a body").to_vec())
}

#[tokio::test]
async fn a_withdrawn_license_is_found_in_the_next_list_and_freed_by_the_one_after() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let license = one(test, None).await;
        let mut ring = Ring::new(pinned(test).await);
        let entry = place(&license, &ring);
        let server = test.serve().await;
        let guest = server.browser();
        let now = test.app.now();
        let (status, first) = fetch(&guest, entry.list, 0, 0).await;
        assert_eq!(status, 200);
        assert_eq!(ring.install_revocations(&first), Ok(true));
        assert_eq!(verdict(&license, &ring, now), ("valid", true));

        withdraw(test, &shop, license.id).await;
        withdraw(test, &shop, license.id).await;
        let (status, second) = fetch(&guest, entry.list, 1, now.secs()).await;
        assert_eq!(status, 200, "withdrawn once more changes nothing");
        assert_eq!(ring.install_revocations(&second), Ok(true));
        assert_eq!(verdict(&license, &ring, now), ("revoked", false));
        let old = ring
            .install_revocations(&first)
            .map_err(|error| error.code());
        assert_eq!(old, Err("list_old"));
        assert_eq!(verdict(&license, &ring, now), ("revoked", false));
        assert_eq!(fetch(&guest, entry.list, 2, now.secs()).await.0, 204);

        let command = Reinstate {
            license: license.id,
        };
        for _ in 0..2 {
            let done = test.app.transact(&shop.seller, command, reinstate).await;
            done.expect("is taken back");
        }
        let (status, third) = fetch(&guest, entry.list, 2, now.secs()).await;
        assert_eq!(status, 200);
        assert_eq!(ring.install_revocations(&third), Ok(true));
        assert_eq!(
            ring.lists().map(Revocations::version).collect::<Vec<_>>(),
            [3]
        );
        assert_eq!(verdict(&license, &ring, now), ("valid", true));
        let foreign = test.app.transact(&test.system(), command, reinstate).await;
        assert!(matches!(foreign, Err(LicensingError::NotFound)));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_list_is_signed_again_after_an_hour_and_says_what_is_not_there() {
    TestApp::both(async |test| {
        shop(test).await;
        let license = one(test, None).await;
        let trust = pinned(test).await;
        let entry = place(&license, &Ring::new(trust.clone()));
        let server = test.serve().await;
        let guest = server.browser();
        let start = test.app.now().secs();
        let (_, first) = fetch(&guest, entry.list, 0, 0).await;
        test.clock.advance(60 * 60 * 1000 - 1);
        assert_eq!(fetch(&guest, entry.list, 0, 0).await.1, first);
        assert_eq!(fetch(&guest, entry.list, 1, start).await.0, 204);
        assert_eq!(
            fetch(&guest, entry.list, 1, start - 1).await.0,
            200,
            "an older copy"
        );
        test.clock.advance(1);
        let (status, second) = fetch(&guest, entry.list, 1, start).await;
        assert_eq!(status, 200);
        let second = Revocations::verify(&second, &trust).expect("verifies");
        assert_eq!(
            (second.version(), second.issued_at().secs()),
            (1, start + 3600)
        );
        let path = format!("/v1/revocations?product={CODE}&list=1");
        let tag = format!("\"1-{}\"", start + 3600);
        let known = guest.request(reqwest::Method::GET, &path);
        let known = known.header("if-none-match", &tag).send().await;
        assert_eq!(known.expect("an answer").status(), 304);
        assert_eq!(fetch(&guest, 2, 0, 0).await.0, 404);
        for path in [
            "/v1/revocations?product=nobody.knows&list=1",
            "/v1/revocations?product=acme.editor&list=18446744073709551615",
        ] {
            assert_eq!(guest.get_json(path).await.0, 404, "{path}");
        }
        assert_eq!(
            guest.get_json("/v1/revocations?product=x&list=-1").await.0,
            400
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_stale_list_warns_then_locks_to_the_second_and_a_fresh_one_unlocks() {
    const DAY: i64 = 24 * 60 * 60;
    TestApp::both(async |test| {
        shop(test).await;
        let lock = Freshness {
            action: StaleAction::Lock,
            days: 2,
            grace_days: 1,
        };
        let license = one(test, Some(lock)).await;
        let mut ring = Ring::new(pinned(test).await);
        let server = test.serve().await;
        let guest = server.browser();
        // The list's own instant counts from when it was signed, not from when it was asked for.
        test.clock.advance(10_000);
        let entry = place(&license, &ring);
        ring.install_revocations(&fetch(&guest, entry.list, 0, 0).await.1)
            .expect("installs");
        let word = test.app.now().secs();
        for (after, expected) in [
            (2 * DAY - 1, ("valid", true)),
            (2 * DAY, ("revocations_stale", true)),
            (3 * DAY - 1, ("revocations_stale", true)),
            (3 * DAY, ("revocations_stale", false)),
        ] {
            let now = Timestamp::from_secs(word + after);
            assert_eq!(verdict(&license, &ring, now), expected, "{after} s later");
        }
        test.clock.advance(3 * 24 * 60 * 60 * 1000);
        let (status, fresh) = fetch(&guest, entry.list, 1, word).await;
        assert_eq!(status, 200);
        assert_eq!(ring.install_revocations(&fresh), Ok(true));
        assert_eq!(verdict(&license, &ring, test.app.now()), ("valid", true));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn places_are_drawn_once_and_a_full_list_is_followed_by_another() {
    TestApp::both(async |test| {
        shop(test).await;
        let ring = Ring::new(pinned(test).await);
        let first = IssueMany {
            first: 0,
            count: 1,
            freshness: None,
        };
        let mut all = issued(test, first).await;
        let begun = place(&all[0], &ring);
        // A list that is nearly full before it is begun.
        let sql = "UPDATE revocation_list SET places = 8, bits = :bits WHERE list = 1";
        assert_eq!(
            tamper(test, sql, vec![("bits", vec![0_u8].into())]).await,
            1
        );
        let sql = "UPDATE license SET list_index = 3 WHERE list = 1";
        assert_eq!(tamper(test, sql, Vec::new()).await, 1);
        let many = IssueMany {
            first: 1,
            count: 40,
            freshness: None,
        };
        all.extend(issued(test, many).await);
        let places: Vec<_> = all[1..]
            .iter()
            .map(|license| place(license, &ring))
            .collect();
        let distinct: BTreeSet<_> = places.iter().map(|at| (at.list, at.index)).collect();
        assert_eq!(distinct.len(), 40, "{places:?}");
        assert!(
            !distinct.contains(&(1, 3)),
            "the place of the first is taken"
        );
        let of_first = distinct.iter().filter(|(list, _)| *list == 1).count();
        assert!((1..=7).contains(&of_first), "{of_first} of 7 free places");
        assert!(
            distinct
                .iter()
                .all(|(list, index)| *list == 2 || *index < 8)
        );
        let indexes: Vec<_> = places
            .iter()
            .filter(|at| at.list == 2)
            .map(|at| at.index)
            .collect();
        assert!(!indexes.is_sorted(), "drawn at random: {indexes:?}");
        assert_eq!(begun.list, 1);
    })
    .await;
}
