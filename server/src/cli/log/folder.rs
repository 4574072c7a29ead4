//! An auditor's folder: what was seen of a log, kept to hold later answers against it.
//!
//! * `log.txt`: the log's name and key, as first seen, on one line
//! * `heads.txt`: every head that was seen, one `MT1-…` a line, the oldest first
//! * `hashes.txt`: the hash of every leaf, one a line
//! * `own.csv`, `statement.txt`: a seller's own leaves, and the head that was signed with them
//! * `evidence.txt`: heads that can't both be true, if ever

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use mintreu::Timestamp;
use mintreu::document::{PublicKey, from_text, to_text};
use mintreu::id::LicenseId;
use mintreu::log::{Frontier, Hash, Leaf, TreeHead};
use serde::{Deserialize, Serialize};

use super::rewritten;
use crate::cli::CliError;
use crate::cli::files::read_bytes;
use crate::domains::transparency::model::{from_hex, hex};

const LOG: &str = "log.txt";
const HEADS: &str = "heads.txt";
const HASHES: &str = "hashes.txt";
const OWN: &str = "own.csv";
const STATEMENT: &str = "statement.txt";
const EVIDENCE: &str = "evidence.txt";

/// The most bytes of one file: four million leaves.
const MAX_FILE: u64 = 256 << 20;

/// A line of `own.csv`, which is also what the server answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnLeaf {
    /// Its place in the log.
    pub index: u64,
    /// The license.
    pub license_id: String,
    /// The product's code.
    pub product: String,
    /// The license's `iat` in seconds.
    pub issued_at: i64,
    /// SHA-256 of its document.
    pub document_sha256: String,
}

impl OwnLeaf {
    /// Its hash in the tree.
    pub fn hash(&self) -> Result<Hash, CliError> {
        let document = from_hex(&self.document_sha256);
        let document = document.ok_or_else(|| damaged("document_sha256 is no hash"))?;
        let license = LicenseId::parse(&self.license_id)?;
        let issued_at = Timestamp::from_secs(self.issued_at);
        Ok(Leaf::new(&self.product, license, issued_at, document)?.hash()?)
    }
}

/// What is in the folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The log's name.
    pub origin: String,
    /// The log's key.
    pub key: PublicKey,
    /// Every head seen, verified, the oldest first.
    pub heads: Vec<TreeHead>,
    /// The newest head's bytes.
    newest: Vec<u8>,
    /// The hash of every leaf under the newest head.
    pub hashes: Vec<Hash>,
}

fn damaged(what: &str) -> CliError {
    CliError::new("folder_damaged", format!("the auditor's folder: {what}"))
}

impl Folder {
    /// Opens a folder; `None` when nothing of a log is in it.
    pub fn open(path: &Path) -> Result<Option<Self>, CliError> {
        if !path.join(LOG).exists() {
            return Ok(None);
        }
        let first = read(path, LOG)?;
        let (origin, key) = first
            .trim()
            .split_once(' ')
            .ok_or_else(|| damaged("log.txt has a name and a key"))?;
        let mut folder = Self {
            path: path.to_owned(),
            origin: origin.to_owned(),
            key: key.parse()?,
            heads: Vec::new(),
            newest: Vec::new(),
            hashes: Vec::new(),
        };
        for line in read(path, HEADS)?.lines() {
            folder.newest = from_text(line)?;
            let head = folder.verified(&folder.newest)?;
            folder.heads.push(head);
        }
        for line in read(path, HASHES)?.lines() {
            let hash = from_hex(line).ok_or_else(|| damaged("a line of hashes.txt is no hash"))?;
            folder.hashes.push(hash);
        }
        // What a run wrote that didn't come to its end counts for nothing.
        let size = usize::try_from(folder.size()).unwrap_or(usize::MAX);
        if folder.hashes.len() < size {
            return Err(damaged("hashes.txt ends before the newest head"));
        }
        folder.hashes.truncate(size);
        Ok(Some(folder))
    }

    /// Begins a folder with the name and key as first seen.
    pub fn create(path: &Path, origin: &str, key: PublicKey) -> Result<Self, CliError> {
        std::fs::create_dir_all(path).map_err(|error| unwritable(path, &error))?;
        let folder = Self {
            path: path.to_owned(),
            origin: origin.to_owned(),
            key,
            heads: Vec::new(),
            newest: Vec::new(),
            hashes: Vec::new(),
        };
        folder.replace(HEADS, b"")?;
        folder.replace(HASHES, b"")?;
        folder.replace(LOG, format!("{origin} {key}\n").as_bytes())?;
        Ok(folder)
    }

    /// How many leaves the newest head has.
    pub fn size(&self) -> u64 {
        self.heads.last().map_or(0, |head| head.size)
    }

    /// A head of this log, verified.
    pub fn verified(&self, document: &[u8]) -> Result<TreeHead, CliError> {
        let head = TreeHead::verify(document, &self.key)?;
        if head.origin != self.origin {
            let detail = format!("a head of {} instead of {}", head.origin, self.origin);
            return Err(CliError::new("log_key_changed", detail));
        }
        Ok(head)
    }

    /// Takes a new head with the leaves that are new in it. The hashes must make its root.
    pub fn grow(
        &mut self,
        head: TreeHead,
        document: &[u8],
        new: Vec<Hash>,
    ) -> Result<(), CliError> {
        let before = self.hashes.len();
        self.hashes.extend(new);
        if self.hashes.len() as u64 != head.size || self.root_of(head.size)? != head.root {
            self.hashes.truncate(before);
            self.keep_evidence(document)?;
            return Err(rewritten(
                "the leaves that the server gives don't make the root it signed",
            ));
        }
        let lines: String = self.hashes.iter().map(|hash| hex(hash) + "\n").collect();
        self.replace(HASHES, lines.as_bytes())?;
        self.append(HEADS, document)?;
        document.clone_into(&mut self.newest);
        self.heads.push(head);
        Ok(())
    }

    /// Keeps two heads that can't both be true.
    pub fn keep_evidence(&self, document: &[u8]) -> Result<(), CliError> {
        if !self.newest.is_empty() {
            self.append(EVIDENCE, &self.newest)?;
        }
        self.append(EVIDENCE, document)
    }

    /// Keeps a seller's own leaves and what was signed of them.
    pub fn keep_own(&self, own: &[OwnLeaf], statement: &[u8]) -> Result<(), CliError> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        for leaf in own {
            let written = csv.serialize(leaf);
            written.map_err(|error| damaged(&error.to_string()))?;
        }
        let bytes = csv
            .into_inner()
            .map_err(|error| damaged(&error.to_string()))?;
        self.replace(OWN, &bytes)?;
        self.replace(STATEMENT, format!("{}\n", to_text(statement)).as_bytes())
    }

    /// A seller's own leaves and the head that was signed with them, if they were fetched.
    pub fn own(&self) -> Result<Option<(Vec<OwnLeaf>, TreeHead)>, CliError> {
        if !self.path.join(STATEMENT).exists() {
            return Ok(None);
        }
        let head = self.verified(&from_text(&read(&self.path, STATEMENT)?)?)?;
        let text = read(&self.path, OWN)?;
        let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
        let own: Result<Vec<OwnLeaf>, csv::Error> = rows.collect();
        let own = own.map_err(|error| damaged(&format!("own.csv: {error}")))?;
        Ok(Some((own, head)))
    }

    /// The root of the first `size` leaves.
    pub fn root_of(&self, size: u64) -> Result<Hash, CliError> {
        let roots = self.roots(&BTreeSet::from([size]))?;
        let root = roots.get(&size).copied();
        root.ok_or_else(|| damaged("it has fewer leaves than that"))
    }

    /// The roots at these sizes, as far as there are leaves.
    pub fn roots(&self, sizes: &BTreeSet<u64>) -> Result<BTreeMap<u64, Hash>, CliError> {
        let (mut tree, mut roots) = (Frontier::default(), BTreeMap::new());
        let mut leaves = self.hashes.iter();
        loop {
            if sizes.contains(&tree.size()) {
                roots.insert(tree.size(), tree.root());
            }
            let Some(leaf) = leaves.next() else {
                return Ok(roots);
            };
            tree.push(*leaf)?;
        }
    }

    /// Writes a file whole or not at all.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), CliError> {
        let (path, fresh) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let written = std::fs::File::create(&fresh).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)
        });
        written.map_err(|error| unwritable(&path, &error))
    }

    fn append(&self, name: &str, document: &[u8]) -> Result<(), CliError> {
        let path = self.path.join(name);
        let mut options = std::fs::OpenOptions::new();
        let file = options.create(true).append(true).open(&path);
        let written = file.and_then(|mut file| {
            file.write_all(format!("{}\n", to_text(document)).as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| unwritable(&path, &error))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> CliError {
    let shown = path.display();
    CliError::new(
        "file_unwritable",
        format!("{shown} can't be written: {error}"),
    )
}

fn read(folder: &Path, name: &str) -> Result<String, CliError> {
    let bytes = read_bytes(&folder.join(name), MAX_FILE)?;
    String::from_utf8(bytes).map_err(|_| damaged(&format!("{name} is no text")))
}
