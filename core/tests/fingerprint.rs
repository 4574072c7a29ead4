//! What a license that is bound to a host says after one part of it was changed.

#![cfg(feature = "host")]
#![cfg_attr(
    feature = "host",
    expect(clippy::unwrap_used, reason = "what fails here fails the test")
)]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{Fault, NOW, PRODUCT, Server, sync};
use mintreu::activation::Fingerprint;
use mintreu::host::{HostKind, Probe};
use mintreu::license::{Binding, Matching, Status};
use mintreu::{Engine, FixedClock, Options};

const MACHINE: &str = "etc/machine-id";
const BOARD: &str = "proc/device-tree/serial-number";
const DISK: &str = "sys/block/mmcblk0/device/cid";
const CARD: &str = "sys/class/net/eth0/address";

/// A small board with one component of each kind, all readable by everybody.
fn board(root: &Path) {
    for (path, text) in [
        (MACHINE, "3f9c1a7be2d84056a1b7c0d9e8f70123\n"),
        (BOARD, "10000000a1b2c3d4\0"),
        (DISK, "035344534431364780a1b2c3d4015a01\n"),
        (CARD, "dc:a6:32:01:02:03\n"),
        (
            "sys/class/net/eth0/device/modalias",
            "of:NethernetT(null)\n",
        ),
    ] {
        set(root, path, text);
    }
}

fn set(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Changes one part of the host.
fn change(root: &Path, part: &str) {
    let new = match part {
        MACHINE => "00ff1a7be2d84056a1b7c0d9e8f70999\n",
        BOARD => "10000000ffffffff\0",
        DISK => "0353445344313647ff00ff00ff015a02\n",
        _ => "dc:a6:32:99:99:99\n",
    };
    set(root, part, new);
}

fn print(root: &Path) -> Fingerprint {
    let host = Probe::new().with_root(root).read();
    assert_eq!(host.kind(), HostKind::Physical);
    host.fingerprint(PRODUCT).unwrap()
}

fn open(dir: &Path, server: &Server, fingerprint: Fingerprint) -> Engine {
    let options = Options {
        clock: Arc::new(FixedClock::at(NOW)),
        fingerprint,
        ..Options::default()
    };
    Engine::open_with(dir, server.trust(), options).unwrap()
}

/// The verdict after these parts were changed, under a policy.
fn after(matching: Matching, parts: &[&str]) -> Status {
    let (dir, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    board(root.path());
    let mut server = Server::new(Fault::None);
    server.license.binding = Binding::NodeLocked;
    server.license.matching = matching;
    let engine = open(dir.path(), &server, print(root.path()));
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    assert_eq!(engine.verdict().unwrap().status(), Status::Valid);
    drop(engine);
    for part in parts {
        change(root.path(), part);
    }
    let now = print(root.path());
    assert_eq!(now.len(), 4);
    let engine = open(dir.path(), &server, now);
    engine.verdict().unwrap().status()
}

#[test]
fn one_new_part_is_forgiven_by_all_policies_but_one() {
    for part in [DISK, CARD, BOARD, MACHINE] {
        for policy in [
            Matching::Ignore,
            Matching::Any,
            Matching::Two,
            Matching::Most,
        ] {
            assert_eq!(after(policy, &[part]), Status::Valid, "{policy:?} {part}");
        }
        assert_eq!(after(Matching::All, &[part]), Status::WrongDevice, "{part}");
    }
}

#[test]
fn each_policy_refuses_what_it_says() {
    let parts = [DISK, CARD, BOARD, MACHINE];
    let table = [
        (Matching::Most, 1, 2),
        (Matching::Two, 2, 3),
        (Matching::Any, 3, 4),
    ];
    for (policy, forgiven, refused) in table {
        let changed = |n: usize| after(policy, &parts[..n]);
        assert_eq!(changed(forgiven), Status::Valid, "{policy:?}");
        assert_eq!(changed(refused), Status::WrongDevice, "{policy:?}");
    }
    assert_eq!(after(Matching::Ignore, &parts), Status::Valid);
}

#[test]
fn a_container_is_told_apart_by_the_callers_id_alone() {
    let root = tempfile::tempdir().unwrap();
    board(root.path());
    set(root.path(), ".dockerenv", "");
    let container = || Probe::new().with_root(root.path()).read();
    assert_eq!(container().kind(), HostKind::Container);
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::new(Fault::None);
    server.license.binding = Binding::NodeLocked;
    server.license.matching = Matching::All;
    let pod = |name: &str| container().with("pod", name).fingerprint(PRODUCT).unwrap();
    let engine = open(dir.path(), &server, pod("renderer-0"));
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    drop(engine);
    for (name, expected) in [
        ("renderer-0", Status::Valid),
        ("renderer-1", Status::WrongDevice),
        ("", Status::WrongDevice),
    ] {
        let engine = open(dir.path(), &server, pod(name));
        assert_eq!(engine.verdict().unwrap().status(), expected, "{name:?}");
    }
}
