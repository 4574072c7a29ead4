use super::*;
use crate::Timestamp;
use crate::document::SigningKey;
use crate::id::LicenseId;
use std::collections::HashMap;

/// A tree as a log stores it: complete subtrees only.
#[derive(Default)]
struct Stored {
    frontier: Frontier,
    nodes: HashMap<Node, Hash>,
    roots: Vec<Hash>,
}

impl Stored {
    fn of(leaves: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut stored = Self::default();
        stored.roots.push(stored.frontier.root());
        for leaf in leaves {
            for (node, hash) in stored.frontier.push(leaf_hash(&leaf)).expect("fits") {
                let before = stored.nodes.insert(node, hash);
                assert_eq!(before, None, "a stored node changed");
            }
            stored.roots.push(stored.frontier.root());
        }
        stored
    }

    fn path(&self, plan: &Plan) -> Vec<Hash> {
        let fetch = |node: Node| self.nodes.get(&node).copied().ok_or(node);
        plan.path(fetch).expect("every node is stored")
    }

    fn leaf(&self, index: u64) -> Hash {
        let node = Node {
            level: 0,
            position: index,
        };
        self.nodes[&node]
    }
}

fn numbered(count: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|number| number.to_be_bytes().to_vec())
}

fn hex(text: &str) -> Hash {
    let digits = text.as_bytes().chunks(2);
    let bytes = digits.map(|pair| {
        let pair = std::str::from_utf8(pair).expect("ASCII");
        u8::from_str_radix(pair, 16).expect("hex")
    });
    let bytes: Vec<u8> = bytes.collect();
    bytes.try_into().expect("32 bytes")
}

/// The leaves that Certificate Transparency's implementations are tested with.
fn reference() -> Stored {
    let lengths = [0_u8, 1, 1, 2, 2, 4, 8, 16];
    let first = [0_u8, 0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60];
    let leaf = |(length, first): (u8, u8)| -> Vec<u8> {
        (0..length)
            .map(|at| match length {
                // 2021 and 3031: the second byte counts on.
                2 | 4 | 8 | 16 => first + at,
                _ => first,
            })
            .collect()
    };
    Stored::of(lengths.into_iter().zip(first).map(leaf))
}

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn roots_and_proofs_are_those_of_certificate_transparency() {
    let stored = reference();
    for (size, root) in ROOTS.into_iter().enumerate() {
        assert_eq!(stored.roots[size], hex(root), "root of {size}");
    }
    let one = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    let pair = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    let half = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
    let fifth = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    let last = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
    let middle = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
    let inclusions: [(u64, u64, &[&str]); 5] = [
        (0, 1, &[]),
        (0, 8, &[one, pair, half]),
        (5, 8, &[fifth, last, ROOTS[4]]),
        (2, 3, &[ROOTS[2]]),
        (1, 5, &[ROOTS[1], pair, fifth]),
    ];
    for (index, size, expected) in inclusions {
        let path = stored.path(&inclusion(index, size).expect("in range"));
        let expected: Vec<Hash> = expected.iter().map(|text| hex(text)).collect();
        assert_eq!(path, expected, "{index} of {size}");
    }
    let consistencies: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (1, 8, &[one, pair, half]),
        (6, 8, &[middle, last, ROOTS[4]]),
        (2, 5, &[pair, fifth]),
    ];
    for (old, new, expected) in consistencies {
        let path = stored.path(&consistency(old, new).expect("in range"));
        let expected: Vec<Hash> = expected.iter().map(|text| hex(text)).collect();
        assert_eq!(path, expected, "{old} to {new}");
    }
}

/// Every way to bend a proof by one bit or one hash; all bits of small ones, one of each hash else.
fn bent(path: &[Hash], thorough: bool) -> Vec<Vec<Hash>> {
    let mut bent = Vec::new();
    for at in 0..path.len() {
        let bits = if thorough { 0..256 } else { at..at + 1 };
        for bit in bits {
            let mut one = path.to_vec();
            one[at][bit / 8] ^= 1 << (bit % 8);
            bent.push(one);
        }
        let mut without = path.to_vec();
        without.remove(at);
        bent.push(without);
    }
    bent.push([path, &[[0; 32]]].concat());
    bent
}

#[test]
fn every_leaf_of_every_size_is_proved_and_nothing_else() {
    let stored = Stored::of(numbered(64));
    for size in 1..=64_u64 {
        let root = &stored.roots[size as usize];
        for index in 0..size {
            let leaf = stored.leaf(index);
            let path = stored.path(&inclusion(index, size).expect("in range"));
            let judge = |leaf: &Hash, index, size, path: &[Hash]| {
                verify_inclusion(leaf, index, size, path, root).map_err(|error| error.code())
            };
            assert_eq!(judge(&leaf, index, size, &path), Ok(()));
            for bent in bent(&path, size < 12) {
                assert_eq!(judge(&leaf, index, size, &bent), Err("not_in_log"));
            }
            for other in (0..size.min(20)).filter(|&other| other != index) {
                assert_eq!(judge(&leaf, other, size, &path), Err("not_in_log"));
                let stranger = stored.leaf(other);
                assert_eq!(judge(&stranger, index, size, &path), Err("not_in_log"));
            }
            assert_eq!(judge(&leaf, index + 64, size, &path), Err("not_in_log"));
        }
        assert!(inclusion(size, size).is_err());
    }
    assert!(inclusion(0, 0).is_err() && inclusion(0, MAX_SIZE + 1).is_err());
}

#[test]
fn every_pair_of_sizes_is_consistent_and_nothing_else() {
    let stored = Stored::of(numbered(64));
    let forked = Stored::of(numbered(64).map(|mut leaf| {
        leaf[0] ^= u8::from(leaf[7] == 3);
        leaf
    }));
    let root = |size: u64| &stored.roots[size as usize];
    for old in 0..=64_u64 {
        for new in old..=64 {
            let path = stored.path(&consistency(old, new).expect("in range"));
            let judge = |a: &Hash, b: &Hash, path: &[Hash]| {
                verify_consistency((old, a), (new, b), path).map_err(|error| error.code())
            };
            assert_eq!(judge(root(old), root(new), &path), Ok(()), "{old} to {new}");
            for bent in bent(&path, new < 12) {
                assert_eq!(judge(root(old), root(new), &bent), Err("log_rewritten"));
            }
            // A log whose fourth leaf was rewritten, with the best proof it can give.
            if new > 3 && old > 0 {
                let theirs = &forked.roots[new as usize];
                let path = forked.path(&consistency(old, new).expect("in range"));
                let expected = if old <= 3 {
                    Ok(())
                } else {
                    Err("log_rewritten")
                };
                assert_eq!(judge(root(old), theirs, &path), expected, "{old} to {new}");
            }
        }
        if old > 0 {
            let back = verify_consistency((old, root(old)), (old - 1, root(old - 1)), &[]);
            assert!(back.is_err(), "a log that shrank");
            assert!(consistency(old, old - 1).is_err());
        }
    }
    let wrong = verify_consistency((0, root(1)), (1, root(1)), &[]);
    assert!(wrong.is_err(), "an empty log has one root");
}

#[test]
fn lengths_are_bounded_before_anything_is_hashed() {
    let root = [0; 32];
    let long = vec![[0; 32]; MAX_PATH + 1];
    let code = |result: crate::Result<()>| result.expect_err("refused").code();
    let inclusion = verify_inclusion(&root, 0, 5, &long, &root);
    assert_eq!(code(inclusion), "too_large");
    let inclusion = verify_inclusion(&root, 0, u64::MAX, &[], &root);
    assert_eq!(code(inclusion), "too_large");
    let consistency = verify_consistency((1, &root), (u64::MAX, &root), &[]);
    assert_eq!(code(consistency), "too_large");
    let consistency = verify_consistency((u64::MAX, &root), (1, &root), &long);
    assert_eq!(code(consistency), "too_large");
    assert!(Frontier::new(MAX_SIZE, vec![root]).is_ok_and(|mut full| full.push(root).is_err()));
    assert!(Frontier::new(3, vec![root]).is_err());
    // Plans of the largest log ask for no more than they say.
    let mut most = 0;
    for (old, new) in [(1, MAX_SIZE), (MAX_SIZE - 1, MAX_SIZE), (3, MAX_SIZE - 1)] {
        let plan = super::consistency(old, new).expect("in range");
        let mut asked = 0;
        let path = plan.path(|_| {
            asked += 1;
            Ok::<Hash, ()>(root)
        });
        assert!(path.expect("answers").len() <= MAX_PATH);
        most = most.max(asked);
    }
    assert!(most > MAX_PATH && most <= 97, "{most} nodes");
}

#[test]
fn an_edge_that_was_stored_goes_on_as_if_it_never_was() {
    let whole = Stored::of(numbered(64));
    for size in 0..64_u64 {
        let peaks = peaks(size).iter().map(|node| whole.nodes[node]).collect();
        let mut edge = Frontier::new(size, peaks).expect("an edge");
        assert_eq!(edge.root(), whole.roots[size as usize]);
        edge.push(whole.leaf(size)).expect("fits");
        assert_eq!(edge.root(), whole.roots[size as usize + 1]);
    }
}

/// A receipt of the third of five licenses, and the key that vouches for it.
fn receipt() -> (LogReceipt, SigningKey, Vec<u8>) {
    let key = SigningKey::from_seed(&[1; 32]);
    let now = Timestamp::from_secs(1_795_008_000);
    let claims = crate::license::Claims::new(LicenseId::from_bytes([7; 16]), "acme.editor", now);
    let bundle = crate::license::issue(&claims, &key, &[]).expect("issues");
    let leaf = |number: u8| {
        let document = match number {
            2 => document_hash(&bundle).expect("a bundle"),
            _ => [number; 32],
        };
        Leaf::new("acme.editor", claims.id, now, document).expect("a leaf")
    };
    let stored = Stored::of((0..5).map(|number| leaf(number).to_bytes().expect("encodes")));
    let head = TreeHead::new("ten_1", 5, stored.frontier.root(), now).expect("a head");
    let receipt = LogReceipt {
        leaf: leaf(2),
        index: 2,
        path: stored.path(&inclusion(2, 5).expect("in range")),
        head: head.issue(&key).expect("signs"),
    };
    (receipt, key, bundle)
}

#[test]
fn a_receipt_holds_with_the_key_alone_and_for_its_license_alone() {
    let (receipt, key, bundle) = receipt();
    let text = receipt.to_text().expect("writes");
    assert!(text.starts_with("-----BEGIN MINTREU LOG RECEIPT-----\n"));
    let read = LogReceipt::from_text(&text).expect("reads");
    assert_eq!(read, receipt);
    assert_eq!(read.verify(key.public()).expect("verifies").size, 5);
    read.check_license(&bundle).expect("that license");
    let other = crate::license::Claims::new(
        LicenseId::from_bytes([8; 16]),
        "acme.editor",
        Timestamp::from_secs(1_795_008_000),
    );
    let other = crate::license::issue(&other, &key, &[]).expect("issues");
    let refused = read.check_license(&other).expect_err("another license");
    assert_eq!(refused.code(), "wrong_license");
    let stranger = SigningKey::from_seed(&[2; 32]);
    let refused = read
        .verify(stranger.public())
        .expect_err("a stranger's log");
    assert_eq!(refused.code(), "unknown_key");
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_receipt_is_refused() {
    let (receipt, key, _) = receipt();
    let bytes = receipt.to_bytes().expect("encodes");
    let judge = |bytes: &[u8]| {
        LogReceipt::from_bytes(bytes)?
            .verify(key.public())
            .map(drop)
    };
    assert_eq!(judge(&bytes), Ok(()));
    for bit in 0..bytes.len() * 8 {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(judge(&bent).is_err(), "bit {bit}");
    }
    for cut in 0..bytes.len() {
        assert!(judge(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let armour = receipt.to_text().expect("writes");
    let renamed = armour.replace("LOG RECEIPT", "LICENSE");
    let refused = LogReceipt::from_text(&renamed).expect_err("another name");
    assert_eq!(refused.code(), "wrong_kind");
    assert!(LogReceipt::from_text(&armour.repeat(40)).is_err());
}
