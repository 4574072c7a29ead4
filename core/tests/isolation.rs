//! Verifying touches no file and no network: under a filter of the kernel that ends a process at
//! the first system call beyond those for memory, every kind of document is read and judged.
//!
//! The filtered process is this program again, told by a variable what to do behind the filter.

#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};

use mintreu::Timestamp;
use mintreu::activation::{Activation, Fingerprint, Presented, Request, Wanted, judge_texts};
use mintreu::document::{Kind, SigningKey, to_armor, to_qr, to_text};
use mintreu::id::{ActivationId, LicenseId, StreamId};
use mintreu::license::{
    Binding, Certificate, Claims, Facts, KeySet, Products, Revocations, Schema, Trust, issue,
    open_bundle, verify_text,
};
use mintreu::meter::{
    Condition, Export, GENESIS, Position, Receipt, Segment, TimeQuality, chain_hash, seal_segment,
    stream_id, verify_chain,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

const TASK: &str = "MINTREU_TEST_BEHIND_FILTER";
const PRODUCT: &str = "acme.editor";
const NOW: Timestamp = Timestamp::from_secs(1_795_008_000);

/// What an allocator, a lock and the end of a process ask of the kernel, and randomness for the
/// hasher of a map.
const ALLOWED: [i64; 16] = [
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

fn shut_out() {
    let rules = ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
    let arch = std::env::consts::ARCH.try_into().expect("a known machine");
    let (else_, allowed) = (SeccompAction::KillProcess, SeccompAction::Allow);
    let filter = SeccompFilter::new(rules, else_, allowed, arch).expect("a filter");
    let program: BpfProgram = filter.try_into().expect("a program");
    apply_filter(&program).expect("the kernel takes the filter");
}

fn behind_the_filter(task: &str) -> ExitStatus {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program);
    child.args(["--exact", "what_runs_behind_the_filter", "--quiet"]);
    child.env(TASK, task).status().expect("a child")
}

#[test]
fn verifying_asks_nothing_of_the_system() {
    let status = behind_the_filter("verify");
    assert_eq!(status.code(), Some(0), "{status}");
}

/// The negative control: the filter does end whoever opens a file, looks at one, connects, or asks
/// for the time by a file.
#[test]
fn files_and_connections_end_the_process() {
    for task in ["open", "look", "connect", "bind", "start"] {
        let status = behind_the_filter(task);
        assert_eq!(status.signal(), Some(libc::SIGSYS), "{task}: {status}");
    }
}

#[test]
fn what_runs_behind_the_filter() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let documents = Documents::new();
    shut_out();
    let holds = match task.as_str() {
        "verify" => documents.hold(),
        "open" => std::fs::File::open("/dev/null").is_ok(),
        "look" => std::fs::exists("/").is_ok(),
        "connect" => std::net::TcpStream::connect(("127.0.0.1", 9)).is_ok(),
        "bind" => std::net::UdpSocket::bind(("127.0.0.1", 0)).is_ok(),
        "start" => Command::new("/bin/true").status().is_ok(),
        other => panic!("no task {other}"),
    };
    std::process::exit(if holds { 0 } else { 1 });
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn id() -> LicenseId {
    LicenseId::from_bytes([7; 16])
}

/// One document of every kind that a product or its server reads.
struct Documents {
    trust: Trust,
    licenses: Vec<String>,
    activation: String,
    key_set: String,
    list: String,
    request: Vec<u8>,
    receipt: Vec<u8>,
    export: Vec<u8>,
}

impl Documents {
    fn new() -> Self {
        let root = key(1);
        let certificate = Certificate {
            key: *key(3).public(),
            kinds: Kind::all().collect(),
            products: Products::Any,
            issued_at: NOW,
            signs_from: NOW,
            signs_until: None,
            delegate: false,
            licenses: None,
        };
        let certificate = certificate.issue(&root).expect("certifies");
        let mut claims = Claims::new(id(), PRODUCT, NOW);
        claims.binding = Binding::NodeLocked;
        let license = issue(&claims, &key(3), &[&certificate]).expect("issues");
        let segment = seal_segment(&segment(), &key(5)).expect("seals");
        let receipt = receipt(&segment);
        let mut set = KeySet::new(1, NOW);
        set.certificates = vec![certificate];
        let export = Export {
            device: *key(5).public().as_bytes(),
            activation: None,
            checkpoints: vec![],
            segments: vec![segment],
            receipts: vec![receipt.clone()],
        };
        let list = Revocations::new(PRODUCT, 4, 1 << 20).expect("a list");
        let list = list.at(1, NOW).issue(&root, &[]).expect("issues");
        Self {
            trust: Trust::new(PRODUCT, *root.public()).expect("a trust"),
            licenses: vec![
                to_text(&license),
                to_armor(&license).expect("writes"),
                to_qr(&license).expect("writes").join("\n"),
            ],
            activation: to_text(&activation().issue(&root, &[]).expect("issues")),
            key_set: to_text(&set.issue(&root).expect("issues")),
            list: to_text(&list),
            request: request().seal(&key(5)).expect("seals"),
            receipt,
            export: export.to_bytes(),
        }
    }

    fn hold(&self) -> bool {
        let facts = Facts::at(NOW);
        let alone = |text: &String| verify_text(text, &self.trust, &facts).code();
        let judged = |license: &String| {
            let presented = Presented {
                license,
                activation: Some(&self.activation),
                device: Some(*key(5).public()),
                key_sets: &[&self.key_set],
                revocations: &[&self.list],
                ..Presented::default()
            };
            judge_texts(&presented, &self.trust, &facts).code()
        };
        let export = Export::from_bytes(&self.export).expect("reads");
        let receipt = open_bundle(Kind::Receipt, &self.receipt, &self.trust).expect("opens");
        let receipt = Receipt::from_claims(receipt.claims()).expect("reads");
        let chain = verify_chain(key(5).public(), &export.segments, &[receipt]);
        let trust: Trust = self.trust.to_string().parse().expect("a trust");
        self.licenses
            .iter()
            .all(|text| alone(text) == "device_not_activated")
            && self.licenses.iter().all(|text| judged(text) == "valid")
            && verify_text("MT1-nonsense", &trust, &facts).code() == "malformed"
            && Request::verify(&self.request).is_ok()
            && chain.is_ok_and(|report| report.segments == 1 && report.receipts == 1)
            && Schema::parse("mt1-schema a=1").is_ok()
            && "ACME".parse::<mintreu::activation::RedeemCode>().is_err()
    }
}

fn activation() -> Activation {
    Activation {
        id: ActivationId::from_bytes([4; 16]),
        license: id(),
        product: PRODUCT.into(),
        issued_at: NOW,
        expires_at: None,
        device: *key(5).public(),
        nonce: [9; 16],
        fingerprint: Fingerprint::default(),
        license_bundle: None,
    }
}

fn request() -> Request {
    Request {
        product: PRODUCT.into(),
        issued_at: NOW,
        nonce: [9; 16],
        wanted: Wanted::License(id()),
        fingerprint: Fingerprint::default(),
        version: None,
        renews: None,
        lend_secs: None,
    }
}

fn stream() -> StreamId {
    stream_id(key(5).public(), id())
}

fn segment() -> Segment {
    Segment {
        product: PRODUCT.into(),
        device: *key(5).public(),
        license: id(),
        stream: stream(),
        epoch: 1,
        seq: 1,
        prev: GENESIS,
        totals: Vec::new(),
        sealed_at: NOW,
        time_quality: TimeQuality::Plausible,
        opening: None,
        events: Vec::new(),
        disputed_events: Vec::new(),
        condition: Condition::default(),
    }
}

fn receipt(segment: &[u8]) -> Vec<u8> {
    let receipt = Receipt {
        product: PRODUCT.into(),
        stream: stream(),
        position: Position {
            epoch: 1,
            seq: 1,
            head: chain_hash(segment),
        },
        issued_at: NOW,
        server_epoch: 1,
    };
    receipt.seal(&key(1), &[]).expect("seals")
}
