//! Licenses that need an activation, with one that fits or doesn't.

use mintreu::activation::{Activation, Fingerprint};
use mintreu::document::{Kind, to_armor, to_qr, to_text};
use mintreu::id::{ActivationId, LicenseId};
use mintreu::license::Binding;
use serde_json::{Value, json};

use super::made::{
    DAY, ISSUED, PRODUCT, as_kind, at, by_root, certificate, key, root, trust, with,
};

pub fn activation() -> Activation {
    Activation {
        id: ActivationId::from_bytes([2; 16]),
        license: LicenseId::from_bytes([7; 16]),
        product: PRODUCT.into(),
        issued_at: at(ISSUED),
        expires_at: None,
        device: *key(5).public(),
        nonce: [9; 16],
        fingerprint: Fingerprint::default(),
        license_bundle: None,
    }
}

fn issued(change: impl FnOnce(&mut Activation)) -> Vec<u8> {
    let mut activation = activation();
    change(&mut activation);
    activation.issue(&root(), &[]).expect("issues")
}

struct Case<'a> {
    name: &'a str,
    activation: Option<String>,
    device: Option<u8>,
    now: i64,
    verdict: &'a str,
}

impl Case<'_> {
    fn json(self, license: &str) -> Value {
        json!({
            "name": self.name,
            "now": self.now * 1_000,
            "trust": trust().to_string(),
            "license": license,
            "activation": self.activation,
            "device": self.device.map(|seed| key(seed).public().to_string()),
            "expect": {
                "verdict": self.verdict,
                "allowed": self.verdict == "valid",
            },
        })
    }
}

pub fn cases() -> Vec<Value> {
    let locked = to_text(&by_root(&with(|claims| {
        claims.binding = Binding::NodeLocked
    })));
    let bound = to_text(&by_root(&with(|claims| {
        claims.device = Some(*key(5).public())
    })));
    let good = issued(|_| ());
    let case = |name, bundle: &[u8], device, verdict| Case {
        name,
        activation: Some(to_text(bundle)),
        device: Some(device),
        now: ISSUED,
        verdict,
    };
    let leased = issued(|a| a.expires_at = Some(at(ISSUED + DAY)));
    let later = |case: Case<'_>, secs| {
        Case {
            now: ISSUED + secs,
            ..case
        }
        .json(&locked)
    };
    let leaf = certificate(3).issue(&root()).expect("certifies");
    let certified = activation().issue(&key(3), &[&leaf]).expect("issues");
    let receipts = certificate(3);
    let receipts = mintreu::license::Certificate {
        kinds: vec![Kind::Receipt],
        ..receipts
    };
    let receipts = receipts.issue(&root()).expect("certifies");
    let unfit = activation().issue(&key(3), &[&receipts]).expect("issues");
    let stranger = activation().issue(&key(8), &[]).expect("issues");
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let other_license = issued(|a| a.license = LicenseId::from_bytes([8; 16]));
    let other_product = issued(|a| a.product = "acme.viewer".into());
    let text = |name, activation: String| Case {
        name,
        activation: Some(activation),
        device: Some(5),
        now: ISSUED,
        verdict: "valid",
    };
    let none = |name, device, verdict| Case {
        name,
        activation: None,
        device,
        now: ISSUED,
        verdict,
    };
    vec![
        case("an activation that fits", &good, 5, "valid").json(&locked),
        case("an activation under a certificate", &certified, 5, "valid").json(&locked),
        text("an activation in armour", to_armor(&good).expect("writes")).json(&locked),
        text(
            "an activation as a code",
            to_qr(&good).expect("writes").join("\n"),
        )
        .json(&locked),
        case("an activation of another device", &good, 6, "wrong_device").json(&locked),
        case(
            "an activation of another license",
            &other_license,
            5,
            "wrong_device",
        )
        .json(&locked),
        case(
            "an activation of another product",
            &other_product,
            5,
            "wrong_product",
        )
        .json(&locked),
        case(
            "an activation signed by a stranger",
            &stranger,
            5,
            "unknown_key",
        )
        .json(&locked),
        case(
            "an activation by a receipt key",
            &unfit,
            5,
            "certificate_out_of_scope",
        )
        .json(&locked),
        case("a flipped activation", &flipped, 5, "bad_signature").json(&locked),
        case("a cut activation", &good[..good.len() - 1], 5, "malformed").json(&locked),
        case(
            "a license as activation",
            &as_kind(Kind::License),
            5,
            "wrong_kind",
        )
        .json(&locked),
        case(
            "a lease as activation",
            &as_kind(Kind::Lease),
            5,
            "wrong_kind",
        )
        .json(&locked),
        later(
            case("a second before the lease ends", &leased, 5, "valid"),
            DAY - 1,
        ),
        later(case("when the lease ends", &leased, 5, "lease_over"), DAY),
        none(
            "a device without activation",
            Some(5),
            "device_not_activated",
        )
        .json(&locked),
        none(
            "neither device nor activation",
            None,
            "device_not_activated",
        )
        .json(&locked),
        none("the bound device", Some(5), "valid").json(&bound),
        none("a device that isn't the bound one", Some(6), "wrong_device").json(&bound),
        none(
            "no device for a bound license",
            None,
            "device_not_activated",
        )
        .json(&bound),
    ]
}
