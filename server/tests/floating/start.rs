//! What a host refuses to start with, each by its own code.

use crate::common::{Place, Shop, command, days, now};
use mintreu::document::{Kind, SigningKey};
use mintreu::id::LicenseId;
use mintreu::license::{Binding, OnExpiry};
use std::time::{Duration, Instant};

/// A change to what the shop gives, and the code it is refused with.
pub type Case = (&'static str, fn(&mut Shop));

pub const CASES: [Case; 13] = [
    ("license_expired", |shop| {
        shop.license.expires_at = Some(days(now(), -1));
    }),
    ("license_not_yet_valid", |shop| {
        shop.license.not_before = Some(days(now(), 1));
    }),
    ("license_not_floating", |shop| {
        shop.license.binding = Binding::NodeLocked;
    }),
    ("seats_unbounded", |shop| shop.license.seats = None),
    ("certificate_for_another_license", |shop| {
        shop.licenses = Some(vec![LicenseId::from_bytes([8; 16])]);
    }),
    ("certificate_not_yet_valid", |shop| {
        shop.signs_from = days(now(), 1);
    }),
    ("certificate_ended", |shop| {
        shop.signs_from = days(now(), -2);
        shop.signs_until = Some(days(now(), -1));
    }),
    ("certificate_without_end", |shop| shop.signs_until = None),
    ("certificate_out_of_scope", |shop| {
        shop.kinds = vec![Kind::Activation];
    }),
    // Wider than the key that vouches for it: only the whole chain shows that.
    ("certificate_out_of_scope", |shop| {
        shop.kinds.push(Kind::Challenge);
    }),
    ("unknown_key", |shop| {
        shop.product = SigningKey::from_seed(&[5; 32]);
        let stranger = Shop {
            root: SigningKey::from_seed(&[6; 32]),
            ..Shop::new(1)
        };
        shop.root = stranger.root;
    }),
    ("wrong_product", |shop| {
        "acme.viewer".clone_into(&mut shop.license.product)
    }),
    ("certificate_for_another_key", |_| {}),
];

#[test]
fn each_way_to_be_wrong_has_its_code() {
    let good = Shop::new(3);
    let place = Place::new(&good);
    let trust = good.trust().to_string();
    for (code, change) in CASES {
        let mut shop = Shop::new(3);
        change(&mut shop);
        place.give(&shop);
        if code == "certificate_for_another_key" {
            let other = SigningKey::from_seed(&[9; 32]);
            let text = shop.file(&other).to_text(&[]).expect("writes");
            std::fs::write(place.path().join("office.mtl"), text).expect("is written");
        }
        assert_eq!(place.refused(&["--trust", &trust]), code);
    }
    place.give(&good);
    let above = ["--seats", "4"];
    assert_eq!(place.refused(&above), "seats_above_license");
    assert_eq!(place.refused(&["--lease", "1s"]), "terms_invalid");
    assert_eq!(
        place.refused(&["--lease", "2d", "--borrow", "1d"]),
        "terms_invalid"
    );
    let cut = std::fs::read_to_string(place.path().join("office.mtl")).expect("reads");
    std::fs::write(place.path().join("office.mtl"), &cut[..cut.len() / 2]).expect("is written");
    assert_eq!(place.refused(&[]), "host_file_malformed");
    let bare = cut.split_once('\n').expect("a trust").1;
    std::fs::write(place.path().join("office.mtl"), bare).expect("is written");
    assert_eq!(place.refused(&[]), "host_trust_missing");
    place.start(&["--trust", &trust]).kill();
}

#[tokio::test]
async fn an_expired_license_that_goes_on_is_lent() {
    let mut shop = Shop::at(days(now(), -40), 3);
    shop.license.expires_at = Some(days(now(), -1));
    shop.license.on_expiry = OnExpiry::Maintain;
    shop.signs_until = Some(days(now(), 1));
    let place = Place::new(&shop);
    let host = place.start(&[]);
    let status = host.status().await;
    assert_eq!(status["refusal"], serde_json::Value::Null);
    let ends = status["certificate_ends_at"].as_i64().expect("an end");
    assert!((ends - days(now(), 1).ms()).abs() < 60_000, "{status}");
    host.kill();
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "measures how long the start takes"
)]
fn the_key_is_made_once_for_its_owner_alone_and_the_start_is_quick() {
    let shop = Shop::new(3);
    let place = Place::new(&shop);
    let again = command(place.path(), &[]).output().expect("it runs");
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(said.contains(&place.key.public().to_string()), "{said}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = std::fs::metadata(place.path().join("host/host.key")).expect("a key");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
    let begun = Instant::now();
    let host = place.start(&[]);
    let took = begun.elapsed();
    println!("ready after {} ms", took.as_millis());
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(place.refused(&[]), "host_busy", "one host a folder");
    host.kill();
    place.start(&[]).kill();
}

#[test]
fn the_flags_of_a_host_belong_to_it() {
    let place = Place::new(&Shop::new(3));
    let mut plain = std::process::Command::new(env!("CARGO_BIN_EXE_mintreu"));
    let output = plain
        .current_dir(place.path())
        .args(["serve", "--seats", "2"]);
    assert_eq!(output.output().expect("it runs").status.code(), Some(2));
}
