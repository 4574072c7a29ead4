//! A small log, as a shop would keep and show it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use mintreu::Timestamp;
use mintreu::document::{SigningKey, to_text};
use mintreu::id::LicenseId;
use mintreu::license::{Claims, issue};
use mintreu::log::{
    Frontier, Hash, Leaf, LogReceipt, Node, Part, TreeHead, consistency, document_hash, inclusion,
};
use serde_json::{Value, json};

pub const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

pub fn license(number: u8) -> Vec<u8> {
    let key = SigningKey::from_seed(&[9; 32]);
    let id = LicenseId::from_bytes([number; 16]);
    issue(&Claims::new(id, "acme.editor", NOW), &key, &[]).expect("issues")
}

pub fn leaf(number: u8) -> Leaf {
    let document = document_hash(&license(number)).expect("a bundle");
    let id = LicenseId::from_bytes([number; 16]);
    Leaf::new("acme.editor", id, NOW, document).expect("a leaf")
}

pub fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A log of nine licenses, of which those with odd numbers are the seller's.
pub struct Log {
    pub key: SigningKey,
    nodes: HashMap<Node, Hash>,
    roots: Vec<Hash>,
}

impl Log {
    pub fn new() -> Self {
        Self::of([0, 1, 2, 3, 4, 5, 6, 7, 8])
    }

    /// A log of these licenses, in this order.
    pub fn of(numbers: [u8; 9]) -> Self {
        let (mut tree, mut nodes) = (Frontier::default(), HashMap::new());
        let mut roots = vec![tree.root()];
        for number in numbers {
            nodes.extend(
                tree.push(leaf(number).hash().expect("hashes"))
                    .expect("fits"),
            );
            roots.push(tree.root());
        }
        Self {
            key: SigningKey::from_seed(&[1; 32]),
            nodes,
            roots,
        }
    }

    pub fn head(&self, size: usize, part: Option<Part>) -> Vec<u8> {
        let head = TreeHead::new("ten_1", size as u64, self.roots[size], NOW);
        let mut head = head.expect("a head");
        head.part = part;
        head.issue(&self.key).expect("signs")
    }

    pub fn receipt(&self, number: u8) -> LogReceipt {
        let plan = inclusion(number.into(), 9).expect("in range");
        LogReceipt {
            leaf: leaf(number),
            index: number.into(),
            path: plan
                .path(|node| self.nodes.get(&node).copied().ok_or(()))
                .expect("stored"),
            head: self.head(9, None),
        }
    }

    fn hashes(&self, path: Vec<Hash>) -> Value {
        json!({ "hashes": path.iter().map(hex).collect::<Vec<_>>() })
    }

    /// What a server answers that shows the first `size` leaves, by path.
    pub fn answers(&self, size: usize) -> HashMap<String, Value> {
        let mut answers = HashMap::new();
        let head = json!({
            "origin": "ten_1", "key": self.key.public().to_string(),
            "head": to_text(&self.head(size, None)),
        });
        answers.insert(format!("/v1/log/heads/{size}"), head.clone());
        answers.insert("/v1/log".to_owned(), head);
        for from in 0..=size as u64 {
            for to in from..=size as u64 {
                let leaves = (from..to).map(|position| self.nodes[&Node { level: 0, position }]);
                let path = format!("/v1/log/entries?from={from}&to={to}");
                answers.insert(path, self.hashes(leaves.collect()));
                let plan = consistency(from, to).expect("in range");
                let proof = plan.path(|node| self.nodes.get(&node).copied().ok_or(()));
                let path = format!("/v1/log/consistency?from={from}&to={to}");
                answers.insert(path, self.hashes(proof.expect("stored")));
            }
        }
        answers
    }

    /// Writes the folder as `mintreu log fetch` does.
    pub fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("a folder");
        let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("writes");
        write("log.txt", format!("ten_1 {}\n", self.key.public()));
        let heads = [4, 9].map(|size| to_text(&self.head(size, None)) + "\n");
        write("heads.txt", heads.concat());
        let hashes = (0..9).map(|number| hex(&leaf(number).hash().expect("hashes")) + "\n");
        write("hashes.txt", hashes.collect());
        let mut own = "index,license_id,product,issued_at,document_sha256\n".to_owned();
        let mut part = Frontier::default();
        for number in [1, 3, 5, 7] {
            let leaf = leaf(number);
            part.push(leaf.hash().expect("hashes")).expect("fits");
            own += &format!(
                "{number},{},acme.editor,{},{}\n",
                leaf.license(),
                NOW.secs(),
                hex(leaf.document())
            );
        }
        write("own.csv", own);
        let part = Part {
            of: "acc_1".to_owned(),
            size: part.size(),
            root: part.root(),
        };
        write("statement.txt", to_text(&self.head(9, Some(part))) + "\n");
    }
}
