//! Fifty sets, of which an old client meets some.

use super::*;

/// Fifty sets. The roots change at every seventh version, once by the spare while the first root is
/// stolen and revoked; every set certifies a license key of its own.
fn fifty() -> Vec<Vec<u8>> {
    let (mut root, mut spare) = (1, 9);
    let mut previous: Option<Vec<u8>> = None;
    let sets = (1..=50_u64).map(|version| {
        let seed = version as u8;
        let changes = version % 7 == 0;
        let stolen = version == 21;
        let next = (10 + seed, 100 + seed);
        let mut this = match changes {
            true if stolen => changing(version, &[next.0, next.1], &[]),
            true => changing(version, &[next.0, next.1], &[next.0, next.1]),
            false => set(version),
        };
        let signer = if stolen { spare } else { root };
        if version >= 21 {
            let stolen = RevokedKey {
                key: *key(10 + 14).public(),
                from: at(NOW + 21),
            };
            this.revoked = vec![stolen];
        }
        this.certificates = vec![certificate(200, signer, NOW)];
        this.previous.clone_from(&previous);
        let bytes = signed(&this, signer);
        if changes {
            previous = Some(bytes.clone());
            (root, spare) = next;
        }
        bytes
    });
    sets.collect()
}

#[test]
fn an_old_client_follows_fifty_sets_however_few_it_meets() {
    let sets = fifty();
    let (newest, license) = (&sets[49], license(200));
    let mut followed = 0;
    let mut follow = |met: &[usize]| {
        let mut ring = Ring::new(trust());
        for &version in met {
            let taken = ring.install_key_set(&sets[version - 1]);
            assert_eq!(taken, Ok(true), "version {version} of {met:?}");
        }
        assert_eq!(ring.install_key_set(newest), Ok(true), "after {met:?}");
        assert_eq!(ring.key_set().map(|set| set.version), Some(50));
        assert!(verify(&license, &ring).is_ok(), "after {met:?}");
        for older in &sets[..49] {
            let error = ring.install_key_set(older).expect_err("an older set");
            assert!(
                ["keyset_old", "unknown_key"].contains(&error.code()),
                "{error}"
            );
        }
        followed += 1;
    };
    follow(&[]);
    follow(&(1..=49).collect::<Vec<_>>());
    for step in [2, 3, 7, 11] {
        follow(&(step..50).step_by(step).collect::<Vec<_>>());
    }
    for single in 1..=49 {
        follow(&[single]);
    }
    assert_eq!(followed, 55);
}

/// The negative control: with one change left out of the way, nobody arrives.
#[test]
fn fifty_sets_with_a_change_left_out_are_not_followed() {
    let sets = fifty();
    let newest = KeySet::verify(&sets[49], &[key(59).public()]).expect("the root since 49");
    let mut ring = Ring::new(trust());
    for version in [1, 35, 42] {
        let cut = after(&newest, &sets[version - 1]);
        let refused = ring.install_key_set(&signed(&cut, 59));
        let refused = refused.map_err(|error| error.code());
        assert_eq!(refused, Err("unknown_key"), "only the way to {version}");
    }
    let whole = after(&newest, &sets[48]);
    assert_eq!(ring.install_key_set(&signed(&whole, 59)), Ok(true));
}
