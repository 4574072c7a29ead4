//! Licenses and activations judged by what reached the device later: leases, key sets and
//! revocation lists.

use mintreu::activation::{Activation, Lease};
use mintreu::document::{Kind, SigningKey, to_armor, to_text};
use mintreu::id::ActivationId;
use mintreu::license::{
    Binding, Claims, Freshness, KeySet, ListEntry, Products, Revocations, RevokedKey, StaleAction,
    issue,
};
use serde_json::{Value, json};

use super::made::{
    DAY, END, ISSUED, PRODUCT, as_kind, at, by_root, certificate, key, root, trust, with,
};

const HOUR: i64 = 3_600;
const PLACE: ListEntry = ListEntry {
    list: 4,
    index: 321,
};

/// A row: what is presented, when, and what is said to it.
struct Case {
    name: &'static str,
    license: Vec<u8>,
    activation: Option<Vec<u8>>,
    lease: Option<String>,
    key_sets: Vec<Vec<u8>>,
    lists: Vec<Vec<u8>>,
    now: i64,
    expect: (&'static str, bool),
}

impl Case {
    fn json(self) -> Value {
        let texts = |all: &[Vec<u8>]| all.iter().map(|one| to_text(one)).collect::<Vec<_>>();
        json!({
            "name": self.name,
            "now": self.now * 1_000,
            "trust": trust().to_string(),
            "license": to_text(&self.license),
            "activation": self.activation.as_deref().map(to_text),
            "device": self.activation.as_ref().map(|_| key(5).public().to_string()),
            "lease": self.lease,
            "key_sets": texts(&self.key_sets),
            "revocations": texts(&self.lists),
            "expect": { "verdict": self.expect.0, "allowed": self.expect.1 },
        })
    }
}

fn case(name: &'static str, license: Vec<u8>, now: i64, expect: (&'static str, bool)) -> Case {
    Case {
        name,
        license,
        activation: None,
        lease: None,
        key_sets: Vec::new(),
        lists: Vec::new(),
        now,
        expect,
    }
}

pub fn cases() -> Vec<Value> {
    let all = [leases(), key_sets(), lists(), stale()]
        .into_iter()
        .flatten();
    all.map(Case::json).collect()
}

fn activation() -> Activation {
    Activation {
        expires_at: Some(at(ISSUED + HOUR)),
        ..super::activations::activation()
    }
}

fn lease(activation: u8, issued: i64, seconds: u32) -> Lease {
    Lease {
        issued_at: at(issued),
        activation: ActivationId::from_bytes([activation; 16]),
        seconds,
    }
}

fn leases() -> Vec<Case> {
    let floating = || by_root(&with(|claims| claims.binding = Binding::Floating));
    let kept = |name, lease: String, now, expect| Case {
        activation: Some(activation().issue(&root(), &[]).expect("issues")),
        lease: Some(lease),
        ..case(name, floating(), ISSUED + now, expect)
    };
    let issued = |lease: Lease, by: &SigningKey| lease.issue(by, &[]).expect("issues");
    let hour = issued(lease(2, ISSUED + HOUR / 2, 3_600), &root());
    let text = to_text(&hour);
    let older = issued(lease(2, ISSUED - DAY, 60), &root());
    let foreign = issued(lease(3, ISSUED + HOUR / 2, 3_600), &root());
    let stranger = issued(lease(2, ISSUED + HOUR / 2, 3_600), &key(8));
    let leaf = certificate(3).issue(&root()).expect("certifies");
    let unfit = lease(2, ISSUED + HOUR / 2, 3_600);
    let unfit = unfit.issue(&key(3), &[&leaf]).expect("issues");
    let mut flipped = hour.clone();
    *flipped.last_mut().expect("a signature") ^= 1;
    let armor = to_armor(&hour).expect("writes");
    let end = HOUR / 2 + HOUR;
    vec![
        kept(
            "a lease keeps the seat",
            text.clone(),
            end - 1,
            ("valid", true),
        ),
        kept("a lease in armour", armor, end - 1, ("valid", true)),
        kept("a lease has ended", text, end, ("lease_over", false)),
        kept(
            "an older lease takes nothing away",
            to_text(&older),
            HOUR - 1,
            ("valid", true),
        ),
        kept(
            "an older lease adds nothing",
            to_text(&older),
            HOUR,
            ("lease_over", false),
        ),
        kept(
            "a lease of another activation",
            to_text(&foreign),
            0,
            ("malformed", false),
        ),
        kept(
            "a lease by a stranger",
            to_text(&stranger),
            0,
            ("unknown_key", false),
        ),
        kept(
            "a lease by a key for licenses",
            to_text(&unfit),
            0,
            ("certificate_out_of_scope", false),
        ),
        kept(
            "a flipped lease",
            to_text(&flipped),
            0,
            ("bad_signature", false),
        ),
        kept(
            "an activation as lease",
            to_text(&as_kind(Kind::Activation)),
            0,
            ("wrong_kind", false),
        ),
        kept("no lease at all", "MT1-".into(), 0, ("malformed", false)),
    ]
}

fn set(version: u64, change: impl FnOnce(&mut KeySet)) -> KeySet {
    let mut set = KeySet::new(version, at(ISSUED + version as i64));
    change(&mut set);
    set
}

fn signed(set: &KeySet) -> Vec<u8> {
    set.issue(&root()).expect("issues")
}

fn revoked(seed: u8, from: i64) -> RevokedKey {
    RevokedKey {
        key: *key(seed).public(),
        from: at(from),
    }
}

fn key_sets() -> Vec<Case> {
    let claims = super::made::claims;
    let alone = || issue(&claims(), &key(3), &[]).expect("issues");
    let leaf = certificate(3).issue(&root()).expect("certifies");
    let under = || issue(&claims(), &key(3), &[&leaf]).expect("issues");
    let adds = signed(&set(1, |set| set.certificates = vec![leaf.clone()]));
    let empty = signed(&set(2, |_| ()));
    let theft = ISSUED + 10 * DAY;
    let revokes = signed(&set(3, |set| set.revoked = vec![revoked(3, theft)]));
    let again = by_root(&claims());
    let resigned = signed(&set(3, |set| {
        set.revoked = vec![revoked(3, theft)];
        set.licenses = vec![again];
    }));
    let ends = |products| signed(&set(4, |set| set.sunset = Some(products)));
    let stranger = set(1, |set| set.certificates = vec![leaf.clone()]);
    let stranger = stranger.issue(&key(8)).expect("issues");
    let mut flipped = adds.clone();
    *flipped.last_mut().expect("a signature") ^= 1;
    let by = |name, license: Vec<u8>, sets: &[&Vec<u8>], now, expect| Case {
        key_sets: sets.iter().map(|&set| set.clone()).collect(),
        ..case(name, license, now, expect)
    };
    let only = |code: &str| Products::Only(vec![code.to_owned()]);
    vec![
        by(
            "no set vouches for the key",
            alone(),
            &[],
            ISSUED,
            ("unknown_key", false),
        ),
        by(
            "a set vouches for the key",
            alone(),
            &[&adds],
            ISSUED,
            ("valid", true),
        ),
        by(
            "the newest set no longer vouches",
            alone(),
            &[&adds, &empty],
            ISSUED,
            ("unknown_key", false),
        ),
        by(
            "sets in the wrong order",
            alone(),
            &[&empty, &adds],
            ISSUED,
            ("unknown_key", false),
        ),
        by(
            "a set by a stranger",
            under(),
            &[&stranger],
            ISSUED,
            ("unknown_key", false),
        ),
        by(
            "a flipped set",
            under(),
            &[&flipped],
            ISSUED,
            ("bad_signature", false),
        ),
        by(
            "a second before its key is revoked",
            under(),
            &[&revokes],
            theft - 1,
            ("replace_by", true),
        ),
        by(
            "its key is revoked",
            under(),
            &[&revokes],
            theft,
            ("key_revoked", false),
        ),
        by(
            "revoked however long ago it was signed",
            under(),
            &[&revokes],
            END - DAY,
            ("key_revoked", false),
        ),
        by(
            "the set carries it signed anew",
            under(),
            &[&resigned],
            theft,
            ("valid", true),
        ),
        by(
            "a later set without revocations takes nothing back from one before it",
            under(),
            &[&revokes, &signed(&set(9, |_| ()))],
            theft,
            ("valid", true),
        ),
        by(
            "a license over, without a sunset",
            by_root(&claims()),
            &[],
            END,
            ("expired", false),
        ),
        by(
            "a sunset frees what was not over",
            by_root(&claims()),
            &[&ends(only(PRODUCT))],
            END,
            ("valid", true),
        ),
        by(
            "a sunset of everything",
            by_root(&claims()),
            &[&ends(Products::Any)],
            END + 900 * DAY,
            ("valid", true),
        ),
        by(
            "a sunset of another product",
            by_root(&claims()),
            &[&ends(only("acme.viewer"))],
            END,
            ("expired", false),
        ),
        by(
            "a license as key set",
            by_root(&claims()),
            &[&as_kind(Kind::License)],
            ISSUED,
            ("wrong_kind", false),
        ),
    ]
}

/// The list with this version, issued so many seconds after the license.
fn list(version: u64, issued: i64, bits: &[u32]) -> Revocations {
    let list = Revocations::new(PRODUCT, PLACE.list, 1_024).expect("a list");
    let mut list = list.at(version, at(ISSUED + issued));
    for &bit in bits {
        list.revoke(bit).expect("in range");
    }
    list
}

fn placed(change: impl FnOnce(&mut Claims)) -> Vec<u8> {
    by_root(&with(|claims| {
        claims.status = Some(PLACE);
        change(claims);
    }))
}

fn by_seller(list: &Revocations) -> Vec<u8> {
    list.issue(&root(), &[]).expect("issues")
}

fn lists() -> Vec<Case> {
    let with_lists = |name, lists: &[&Vec<u8>], expect| Case {
        lists: lists.iter().map(|&list| list.clone()).collect(),
        ..case(name, placed(|_| ()), ISSUED + HOUR, expect)
    };
    let clean = by_seller(&list(1, 0, &[]));
    let neighbours = by_seller(&list(1, 0, &[PLACE.index - 1, PLACE.index + 1]));
    let hit = by_seller(&list(2, 60, &[PLACE.index]));
    let stranger = list(2, 60, &[PLACE.index]).issue(&key(8), &[]);
    let mut flipped = hit.clone();
    *flipped.last_mut().expect("a signature") ^= 1;
    let other = Revocations::new(PRODUCT, 5, 1_024).expect("a list");
    let mut other = other.at(2, at(ISSUED));
    other.revoke(PLACE.index).expect("in range");
    vec![
        with_lists("no list", &[], ("valid", true)),
        with_lists("a list without it", &[&clean], ("valid", true)),
        with_lists(
            "its neighbours are withdrawn",
            &[&neighbours],
            ("valid", true),
        ),
        with_lists("withdrawn", &[&hit], ("revoked", false)),
        with_lists("withdrawn since", &[&clean, &hit], ("revoked", false)),
        with_lists(
            "an older list after a newer",
            &[&hit, &clean],
            ("revoked", false),
        ),
        with_lists(
            "a place in another list",
            &[&by_seller(&other)],
            ("valid", true),
        ),
        with_lists(
            "a list by a stranger",
            &[&stranger.expect("issues")],
            ("unknown_key", false),
        ),
        with_lists("a flipped list", &[&flipped], ("bad_signature", false)),
        with_lists(
            "a license as list",
            &[&as_kind(Kind::License)],
            ("wrong_kind", false),
        ),
    ]
}

fn stale() -> Vec<Case> {
    let after = |name, action, age: Option<i64>, expect| {
        let freshness = Freshness {
            max_age_secs: 3_600,
            action,
            grace_secs: 600,
        };
        let license = placed(|claims| claims.freshness = Some(freshness));
        let lists = age.map(|_| by_seller(&list(1, 0, &[])));
        Case {
            lists: lists.into_iter().collect(),
            ..case(name, license, ISSUED + age.unwrap_or(HOUR + 601), expect)
        }
    };
    use StaleAction::{Ignore, Lock, Warn};
    vec![
        after(
            "a list just fresh enough",
            Lock,
            Some(HOUR - 1),
            ("valid", true),
        ),
        after(
            "a stale list in its grace",
            Lock,
            Some(HOUR),
            ("revocations_stale", true),
        ),
        after(
            "the last second of the grace",
            Lock,
            Some(HOUR + 599),
            ("revocations_stale", true),
        ),
        after(
            "a stale list locks",
            Lock,
            Some(HOUR + 600),
            ("revocations_stale", false),
        ),
        after(
            "no list locks too",
            Lock,
            None,
            ("revocations_stale", false),
        ),
        after(
            "a stale list warns",
            Warn,
            Some(100 * DAY),
            ("revocations_stale", true),
        ),
        after(
            "a stale list is let pass",
            Ignore,
            Some(100 * DAY),
            ("valid", true),
        ),
    ]
}
