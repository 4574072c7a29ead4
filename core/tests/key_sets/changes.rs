//! Changes of roots and what leads to them, each refused with its code or taken.

use super::*;

/// The roots go from 1 to 2 at version 10 and to 3 at version 20.
fn two_changes() -> [Vec<u8>; 2] {
    let first = signed(&changing(10, &[2], &[2]), 1);
    let second = after(&changing(20, &[3], &[3]), &first);
    [first, signed(&second, 2)]
}

#[test]
fn changes_of_roots_need_every_step_and_every_consent() {
    let [first, second] = two_changes();
    let alone = signed(&changing(20, &[3], &[3]), 2);
    let newest = |previous: &[u8]| signed(&after(&set(30), previous), 3);
    let borrowed = with(10, |set| {
        set.roots = vec![*key(2).public()];
        set.endorsements = changing(10, &[2, 4], &[2]).endorsements;
    });
    let older = with(10, |set| {
        set.roots = vec![*key(2).public()];
        set.endorsements = changing(9, &[2], &[2]).endorsements;
    });
    let a_license = with(10, |set| {
        set.roots = vec![*key(2).public()];
        set.endorsements = vec![license(2)];
    });
    let one = |set: KeySet, root| signed(&set, root);
    check(vec![
        ("the whole way", vec![], newest(&second), "taken"),
        (
            "from between",
            vec![first.clone()],
            newest(&second),
            "taken",
        ),
        (
            "the first change is missing",
            vec![],
            newest(&alone),
            "unknown_key",
        ),
        (
            "the second change is missing",
            vec![],
            newest(&first),
            "unknown_key",
        ),
        ("both are missing", vec![], one(set(30), 3), "unknown_key"),
        (
            "missing, though followed before",
            vec![first.clone()],
            newest(&alone),
            "unknown_key",
        ),
        (
            "the change alone, later",
            vec![first],
            one(changing(20, &[3], &[3]), 2),
            "unknown_key",
        ),
        (
            "without consent",
            vec![],
            one(changing(10, &[2], &[]), 1),
            SCOPE,
        ),
        (
            "consent of one of two",
            vec![],
            one(changing(10, &[2, 3], &[3]), 1),
            SCOPE,
        ),
        (
            "consent of a stranger",
            vec![],
            one(changing(10, &[2], &[4]), 1),
            SCOPE,
        ),
        (
            "consent of the old root",
            vec![],
            one(changing(10, &[2], &[1]), 1),
            SCOPE,
        ),
        ("consent to other roots", vec![], one(borrowed, 1), SCOPE),
        ("consent to another version", vec![], one(older, 1), SCOPE),
        ("a license for a consent", vec![], one(a_license, 1), SCOPE),
        (
            "signed by the new root",
            vec![],
            one(changing(10, &[2], &[2]), 2),
            "unknown_key",
        ),
        (
            "signed by a stranger",
            vec![],
            one(changing(10, &[2], &[2]), 4),
            "unknown_key",
        ),
        (
            "by the spare, without consent",
            vec![],
            one(changing(10, &[2], &[]), 9),
            "taken",
        ),
    ]);
}

#[test]
fn the_spare_is_a_spare_and_revoked_roots_are_silent() {
    let replaced = signed(&changing(5, &[2, 4], &[2, 4]), 1);
    let kept = signed(&changing(5, &[2, 9], &[2]), 1);
    let revoking = |version, seed: u8| {
        let revoked = RevokedKey {
            key: *key(seed).public(),
            from: at(NOW),
        };
        with(version, |set| set.revoked = vec![revoked])
    };
    let spare_out = signed(&revoking(5, 9), 1);
    let root_out = signed(&revoking(5, 1), 9);
    let chained = |set: KeySet, root| signed(&after(&set, &replaced), root);
    check(vec![
        (
            "the former spare",
            vec![replaced.clone()],
            chained(set(6), 9),
            "unknown_key",
        ),
        (
            "the former root",
            vec![replaced.clone()],
            chained(set(6), 1),
            "unknown_key",
        ),
        (
            "the new spare",
            vec![replaced.clone()],
            chained(set(6), 4),
            "taken",
        ),
        (
            "a change by the new spare",
            vec![replaced.clone()],
            chained(changing(6, &[7], &[]), 4),
            "taken",
        ),
        (
            "by the former spare",
            vec![replaced],
            signed(&changing(6, &[7], &[7]), 9),
            "unknown_key",
        ),
        (
            "the spare forgets a change",
            vec![kept.clone()],
            signed(&set(6), 9),
            SCOPE,
        ),
        (
            "the spare takes it along",
            vec![kept.clone()],
            signed(&after(&set(6), &kept), 9),
            "taken",
        ),
        (
            "a root can't do what a spare may",
            vec![],
            signed(&changing(5, &[7, 9], &[]), 1),
            SCOPE,
        ),
        (
            "a revoked root",
            vec![root_out.clone()],
            signed(&set(6), 1),
            "key_revoked",
        ),
        (
            "a revoked root changes roots",
            vec![root_out.clone()],
            signed(&changing(6, &[7], &[7]), 1),
            "key_revoked",
        ),
        (
            "a revoked spare",
            vec![spare_out.clone()],
            signed(&set(6), 9),
            "key_revoked",
        ),
        (
            "a revoked spare brings itself back",
            vec![spare_out],
            signed(&changing(6, &[9], &[9]), 9),
            "key_revoked",
        ),
        (
            "the other root goes on",
            vec![root_out],
            signed(&changing(6, &[7], &[]), 9),
            "taken",
        ),
    ]);
}

#[test]
fn what_leads_to_a_set_is_bounded_and_whole() {
    let deep = |changes: u64| {
        let mut bytes = signed(&set(1), 1);
        for version in 2..2 + changes {
            bytes = signed(&after(&set(version), &bytes), 1);
        }
        bytes
    };
    let [first, _] = two_changes();
    let mut flipped = first.clone();
    *flipped.last_mut().expect("a signature") ^= 1;
    let after_ = |previous: &[u8]| signed(&after(&set(30), previous), 1);
    let rising = signed(&after(&set(5), &signed(&set(6), 1)), 1);
    let equal = signed(&after(&set(5), &signed(&set(5), 1)), 1);
    check(vec![
        ("eight on the way", vec![], deep(8), "taken"),
        ("nine on the way", vec![], deep(9), "malformed"),
        ("a newer one before", vec![], rising, "malformed"),
        ("one of the same version before", vec![], equal, "malformed"),
        ("nothing before", vec![], after_(&[]), "malformed"),
        ("garbage before", vec![], after_(b"garbage"), "malformed"),
        (
            "a license before",
            vec![],
            after_(&license(1)),
            "wrong_kind",
        ),
        (
            "a cut one before",
            vec![],
            after_(&first[..first.len() - 1]),
            "malformed",
        ),
        (
            "a changed one before",
            vec![],
            after_(&flipped),
            "bad_signature",
        ),
    ]);
}
