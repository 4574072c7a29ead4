//! Devices on a network of their own that reaches the host and nothing else, where this machine lets
//! a test make networks.

use crate::common::{Device, HostProcess, Place, Shop, command};
use mintreu::SystemClock;
use std::process::{Command, Stdio};
use std::sync::Arc;

const ADDRESS: &str = "10.77.63.1:6350";
/// Tells the other process, which is this program again, where it is.
const INSIDE: &str = "MINTREU_TEST_INSIDE";

/// Two networks joined by one cable, taken down when dropped.
struct Networks {
    host: String,
    devices: String,
}

fn ip(arguments: &str) -> bool {
    let words = arguments.split(' ');
    let run = Command::new("ip")
        .args(words)
        .stderr(Stdio::null())
        .status();
    run.is_ok_and(|status| status.success())
}

impl Networks {
    fn new() -> Option<Self> {
        let id = std::process::id();
        let networks = Self {
            host: format!("mintreu-h{id}"),
            devices: format!("mintreu-d{id}"),
        };
        let Self { host, devices } = &networks;
        let (one, other) = (format!("mh{id}"), format!("md{id}"));
        let steps = [
            format!("netns add {host}"),
            format!("netns add {devices}"),
            format!("link add {one} netns {host} type veth peer name {other} netns {devices}"),
            format!("-n {host} addr add 10.77.63.1/24 dev {one}"),
            format!("-n {devices} addr add 10.77.63.2/24 dev {other}"),
            format!("-n {host} link set {one} up"),
            format!("-n {devices} link set {other} up"),
        ];
        steps.iter().all(|step| ip(step)).then_some(networks)
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        ip(&format!("netns del {}", self.host));
        ip(&format!("netns del {}", self.devices));
    }
}

#[tokio::test]
async fn devices_that_reach_the_host_alone_have_seats() {
    if std::env::var_os(INSIDE).is_some() {
        return on_the_devices_network().await;
    }
    let Some(networks) = Networks::new() else {
        println!("skipped: this machine lets no test make a network");
        return;
    };
    let place = Place::new(&Shop::new(2));
    let mut serve = Command::new("ip");
    serve
        .current_dir(place.path())
        .args(["netns", "exec", &networks.host])
        .arg(env!("CARGO_BIN_EXE_mintreu"))
        .args(command(place.path(), &[]).get_args())
        .args(["--license", "office.mtl", "--listen", ADDRESS]);
    let host = HostProcess::of(serve);
    let inside = Command::new("ip")
        .args(["netns", "exec", &networks.devices])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "--nocapture"])
        .arg("netns::devices_that_reach_the_host_alone_have_seats")
        .env(INSIDE, "1")
        .output()
        .expect("it runs");
    assert!(inside.status.success(), "{inside:?}");
    let said = String::from_utf8_lossy(&inside.stdout);
    assert!(said.contains("two seats, and nothing else"), "{said}");
    assert_eq!(host.kill().len(), 2, "two seats were taken");
}

async fn on_the_devices_network() {
    let elsewhere = tokio::net::TcpStream::connect("192.0.2.1:443").await;
    assert!(elsewhere.is_err(), "the internet can be reached");
    let shop = Shop::new(2);
    let base = format!("http://{ADDRESS}");
    for (number, expected) in [(1, "valid"), (2, "valid"), (3, "device_not_activated")] {
        let device = Device::anywhere(&shop, Arc::new(SystemClock));
        assert_eq!(device.sync_at(&base).await.len(), usize::from(number == 3));
        assert_eq!(device.status(), expected);
    }
    println!("two seats, and nothing else");
}
