//! Systems as folders: what each tells of itself, and what stays when a part is changed.

use std::fs;
use std::path::Path;

use super::{Host, HostKind, Probe};
use crate::activation::Fingerprint;

const PRODUCT: &str = "acme.editor";
const MACHINE_ID: &str = "3f9c1a7be2d84056a1b7c0d9e8f70123\n";

/// Paths and texts, or names and values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

/// A system's files in a folder that goes away.
struct System(tempfile::TempDir);

impl System {
    fn new(files: Pairs<'_>) -> Self {
        let system = Self(tempfile::tempdir().expect("a folder"));
        for (path, text) in files {
            system.set(path, text);
        }
        system
    }

    fn set(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        // What is there is read-only: written anew.
        let _absent = fs::remove_file(&path);
        fs::write(&path, text).expect("written");
        everybody_may_read(&path, true);
    }

    #[cfg(unix)]
    fn link(&self, path: &str, target: &str) {
        let (path, target) = (self.0.path().join(path), self.0.path().join(target));
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::os::unix::fs::symlink(target, path).expect("linked");
    }

    fn hide(&self, path: &str) {
        everybody_may_read(&self.0.path().join(path), false);
    }

    fn remove(&self, path: &str) {
        let path = self.0.path().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).expect("removed");
        } else {
            fs::remove_file(path).expect("removed");
        }
    }

    fn read(&self) -> Host {
        Probe::new().with_root(self.0.path()).read()
    }

    fn read_with(&self, variables: Pairs<'_>) -> Host {
        let owned = variables.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        let probe = Probe::new().with_root(self.0.path());
        probe.with_variables(owned).read()
    }

    fn print(&self) -> Fingerprint {
        self.read().fingerprint(PRODUCT).expect("a fingerprint")
    }
}

fn everybody_may_read(path: &Path, may: bool) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if may { 0o444 } else { 0o400 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    }
    #[cfg(not(unix))]
    let _ = (path, may);
}

fn card(system: &System, name: &str, address: &str, has_device: bool) {
    let base = format!("sys/class/net/{name}");
    system.set(&format!("{base}/address"), &format!("{address}\n"));
    system.set(&format!("{base}/type"), "1\n");
    system.set(&format!("{base}/addr_assign_type"), "0\n");
    if has_device {
        system.set(&format!("{base}/device/modalias"), "pci:v00008086d0000\n");
    }
}

/// A laptop with a board that shows its serial numbers to root alone, two cards and two disks.
fn laptop() -> System {
    let system = System::new(&[
        ("etc/machine-id", MACHINE_ID),
        ("sys/class/dmi/id/sys_vendor", "LENOVO\n"),
        ("sys/class/dmi/id/product_name", "20XW\n"),
        ("sys/class/dmi/id/product_uuid", "4c4c4544-0042-3510-8058\n"),
        ("sys/class/dmi/id/board_serial", "L1HF19A01C2\n"),
        ("sys/block/nvme0n1/wwid", "eui.0025388b01234567\n"),
        ("sys/block/nvme0n1/removable", "0\n"),
        ("sys/block/loop0/serial", "not a disk\n"),
        ("sys/block/sda/device/serial", "STICK-0001\n"),
        ("sys/block/sda/removable", "1\n"),
        ("proc/cpuinfo", "flags\t\t: fpu vme sse2\n"),
        ("proc/self/cgroup", "0::/user.slice/session-2.scope\n"),
        (
            "proc/self/mountinfo",
            "29 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw\n",
        ),
    ]);
    system.hide("sys/class/dmi/id/product_uuid");
    system.hide("sys/class/dmi/id/board_serial");
    card(&system, "enp0s31f6", "8c:8c:aa:01:02:03", true);
    card(&system, "wlp0s20f3", "f4:a4:75:0a:0b:0c", true);
    card(&system, "docker0", "02:42:ac:11:00:01", false);
    card(&system, "veth1a2b", "8c:8c:aa:99:99:99", false);
    card(&system, "lo", "00:00:00:00:00:00", false);
    system
}

#[test]
fn a_laptop_shows_its_installation_disk_and_cards() {
    let host = laptop().read();
    assert_eq!((host.kind(), host.platform()), (HostKind::Physical, None));
    assert_eq!(host.names(), ["machine", "disk", "mac", "mac"]);
    let shown = format!("{host:?}");
    assert!(
        !shown.contains("3f9c") && !shown.contains("8c:8c"),
        "{shown}"
    );
}

#[test]
fn another_product_sees_another_host() {
    let host = laptop().read();
    let (ours, theirs) = (host.fingerprint(PRODUCT), host.fingerprint("other"));
    let (ours, theirs) = (ours.expect("ours"), theirs.expect("theirs"));
    assert_eq!((ours.len(), ours.matched(&theirs)), (4, 0));
}

#[cfg(unix)]
#[test]
fn root_sees_no_more_than_others_unless_they_may_too() {
    let system = laptop();
    assert!(!system.read().names().contains(&"board"));
    for file in ["product_uuid", "board_serial"] {
        everybody_may_read(&system.0.path().join("sys/class/dmi/id").join(file), true);
    }
    let expected = ["machine", "system", "board", "disk", "mac", "mac"];
    assert_eq!(system.read().names(), expected);
    system.set("sys/class/dmi/id/board_serial", "To be filled by O.E.M.\n");
    system.set("sys/class/dmi/id/product_uuid", "00000000-0000-0000-0000\n");
    assert_eq!(system.read().names(), ["machine", "disk", "mac", "mac"]);
}

#[test]
fn one_changed_part_changes_one_component() {
    let before = laptop().print();
    type Change = fn(&System);
    let changes: [(&str, Change, usize); 4] = [
        (
            "a new disk",
            |s| s.set("sys/block/nvme0n1/wwid", "eui.99aa\n"),
            3,
        ),
        (
            "a new card",
            |s| s.set("sys/class/net/wlp0s20f3/address", "f4:a4:75:ff:ff:ff\n"),
            3,
        ),
        ("a new system", |s| s.remove("etc/machine-id"), 3),
        (
            "a dock and a stick",
            |s| {
                card(s, "enx00e04c", "00:e0:4c:68:00:01", true);
                s.set("sys/class/net/enx00e04c/device/modalias", "usb:v0BDA\n");
                s.set("sys/block/sdb/device/serial", "STICK-0002\n");
                s.set("sys/block/sdb/removable", "1\n");
            },
            4,
        ),
    ];
    for (what, change, still) in changes {
        let system = laptop();
        change(&system);
        let after = system.print();
        assert_eq!(before.matched(&after), still, "{what}");
        assert!(after.len() <= 4, "{what} adds nothing");
    }
}

#[cfg(unix)]
#[test]
fn what_hangs_on_usb_is_not_the_host() {
    let system = laptop();
    let device = "sys/devices/pci0000/usb1/1-4/host6/block/sdc";
    system.set(&format!("{device}/device/serial"), "PORTABLE-7\n");
    system.set(&format!("{device}/removable"), "0\n");
    system.link("sys/block/sdc", device);
    assert_eq!(system.read().names(), ["machine", "disk", "mac", "mac"]);
}

#[test]
fn addresses_that_are_drawn_or_set_are_left_out() {
    let system = laptop();
    card(&system, "eth1", "0a:11:22:33:44:55", true);
    card(&system, "eth2", "01:00:5e:00:00:01", true);
    card(&system, "eth3", "8c:8c:aa:77:77:77", true);
    system.set("sys/class/net/eth3/addr_assign_type", "1\n");
    card(&system, "eth4", "no address", true);
    card(&system, "tun0", "8c:8c:aa:66:66:66", true);
    system.set("sys/class/net/tun0/type", "65534\n");
    assert_eq!(system.read().names(), ["machine", "disk", "mac", "mac"]);
}

#[test]
fn a_small_board_without_dmi_shows_its_own_serial_and_card() {
    let system = System::new(&[
        ("etc/machine-id", MACHINE_ID),
        ("proc/device-tree/serial-number", "10000000a1b2c3d4\0"),
        (
            "proc/cpuinfo",
            "processor\t: 0\nModel\t\t: Raspberry Pi 4\n",
        ),
        (
            "sys/block/mmcblk0/device/cid",
            "035344534431364780a1b2c3d4015a01\n",
        ),
        ("sys/block/mmcblk0/removable", "1\n"),
    ]);
    card(&system, "eth0", "dc:a6:32:01:02:03", true);
    let host = system.read();
    assert_eq!(host.kind(), HostKind::Physical);
    assert_eq!(host.names(), ["machine", "board", "disk", "mac"]);
}

#[test]
fn a_virtual_machine_is_known_by_its_maker_or_its_processor() {
    let system = System::new(&[
        ("etc/machine-id", MACHINE_ID),
        ("sys/class/dmi/id/sys_vendor", "QEMU\n"),
        ("sys/class/dmi/id/product_name", "Standard PC (Q35)\n"),
        ("sys/block/vda/serial", "\n"),
    ]);
    card(&system, "ens3", "52:54:00:12:34:56", true);
    let host = system.read();
    assert_eq!(
        (host.kind(), host.platform()),
        (HostKind::Virtual, Some("kvm"))
    );
    assert_eq!(host.names(), ["machine"]);
    let bare = System::new(&[("proc/cpuinfo", "flags\t\t: fpu hypervisor sse2\n")]);
    assert_eq!(bare.read().platform(), Some("hypervisor"));
}

/// A container on the laptop: it sees the image's machine id and the laptop's disks.
fn contained(files: Pairs<'_>) -> System {
    let system = System::new(&[
        ("etc/machine-id", MACHINE_ID),
        ("sys/block/nvme0n1/wwid", "eui.0025388b01234567\n"),
    ]);
    for (path, text) in files {
        system.set(path, text);
    }
    system
}

#[test]
fn containers_are_recognised_and_have_no_components() {
    let overlay = "590 480 0:51 / / rw - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l\n";
    let elsewhere = "29 1 259:2 / / rw - ext4 /dev/x rw\n\
                     590 29 0:51 / /var/lib/docker/overlay2/x rw - overlay overlay rw\n";
    let table: [(Pairs, Option<&str>); 9] = [
        (&[(".dockerenv", "")], Some("docker")),
        (&[("run/.containerenv", "engine=podman\n")], Some("podman")),
        (
            &[(
                "var/run/secrets/kubernetes.io/serviceaccount/namespace",
                "x",
            )],
            Some("kubernetes"),
        ),
        (&[("run/systemd/container", "lxc\n")], Some("lxc")),
        (
            &[("run/systemd/container", "systemd-nspawn\n")],
            Some("nspawn"),
        ),
        (
            &[("proc/self/cgroup", "12:pids:/kubepods/burstable/pod1\n")],
            Some("kubernetes"),
        ),
        (&[("proc/self/mountinfo", overlay)], Some("docker")),
        (&[("proc/self/mountinfo", elsewhere)], None),
        (&[], None),
    ];
    for (files, platform) in table {
        let host = contained(files).read();
        assert_eq!(host.platform(), platform, "{files:?}");
        let kind = if platform.is_some() {
            HostKind::Container
        } else {
            HostKind::Physical
        };
        assert_eq!(host.kind(), kind, "{files:?}");
        assert_eq!(host.names().is_empty(), platform.is_some(), "{files:?}");
    }
}

#[test]
fn variables_tell_what_files_do_not() {
    let table: [(Pairs, HostKind, Option<&str>); 8] = [
        (
            &[("GITHUB_ACTIONS", "true"), ("CI", "true")],
            HostKind::Ci,
            Some("github-actions"),
        ),
        (&[("GITLAB_CI", "true")], HostKind::Ci, Some("gitlab-ci")),
        (&[("CI", "1")], HostKind::Ci, Some("ci")),
        (&[("CI", "false")], HostKind::Physical, None),
        (&[("CI", "")], HostKind::Physical, None),
        (
            &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")],
            HostKind::Container,
            Some("kubernetes"),
        ),
        (
            &[("container", "podman")],
            HostKind::Container,
            Some("podman"),
        ),
        (&[("container", "flatpak")], HostKind::Physical, None),
    ];
    for (variables, kind, platform) in table {
        let host = laptop().read_with(variables);
        assert_eq!(
            (host.kind(), host.platform()),
            (kind, platform),
            "{variables:?}"
        );
        assert_eq!(host.names().is_empty(), !kind.has_components());
    }
    let runner = contained(&[(".dockerenv", "")]);
    let host = runner.read_with(&[("CI", "true")]);
    assert_eq!(host.kind(), HostKind::Ci, "a job in a container is a job");
}

#[test]
fn two_containers_of_one_image_differ_by_what_the_caller_says() {
    let pod = |name: &str| {
        let host = contained(&[(".dockerenv", "")]).read();
        let host = host.with("pod", name).with("instance", "");
        host.fingerprint(PRODUCT).expect("a fingerprint")
    };
    assert_eq!(pod("db-0"), pod("db-0"));
    assert_eq!(pod("db-0").matched(&pod("db-1")), 0);
    assert_eq!(pod("db-0").len(), 1, "nothing of the image");
    assert!(pod("").is_empty());
}

#[test]
fn machine_ids_that_are_none_are_left_out() {
    for id in [
        "",
        "uninitialized\n",
        "00000000000000000000000000000000\n",
        "short\n",
    ] {
        let system = System::new(&[("etc/machine-id", id)]);
        assert!(system.read().names().is_empty(), "{id:?}");
        system.set("var/lib/dbus/machine-id", MACHINE_ID);
        assert_eq!(system.read().names(), ["machine"], "{id:?}");
    }
}

#[test]
fn odd_and_endless_files_do_no_harm() {
    let long = "x1".repeat(100_000);
    let system = System::new(&[("etc/machine-id", &long), ("proc/self/cgroup", &long)]);
    for at in 0..300 {
        let serial = format!("SERIAL-{at:04}");
        system.set(&format!("sys/block/sd{at:04}/device/serial"), &serial);
        card(
            &system,
            &format!("e{at:04}"),
            &format!("8c:8c:aa:00:{:02x}:{:02x}", at / 256, at % 256),
            true,
        );
    }
    assert_eq!(system.read().names().len(), 8);
    assert!(system.print().len() <= 16);
    let nowhere = Probe::new().with_root("/no/such/folder").read();
    assert!(nowhere.names().is_empty());
}
