//! A shop in a few lines, the host's program, and devices that talk to it.

use mintreu::document::{Kind, SigningKey};
use mintreu::id::LicenseId;
use mintreu::license::{Binding, Certificate, Claims, Products, Trust, issue};
use mintreu::{Clock, Engine, Options, SystemClock, Timestamp};
use mintreu_server::hostfile::HostFile;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub const PRODUCT: &str = "acme.editor";
pub const DAY: i64 = 86_400;

/// Whoever sells: a root, a product key under it, and one floating license.
pub struct Shop {
    pub root: SigningKey,
    pub product: SigningKey,
    pub license: Claims,
    /// What the host's certificate says; its key is the host's.
    pub kinds: Vec<Kind>,
    pub licenses: Option<Vec<LicenseId>>,
    pub signs_from: Timestamp,
    pub signs_until: Option<Timestamp>,
}

pub fn now() -> Timestamp {
    Timestamp::from_secs(SystemClock.now().secs())
}

pub fn days(from: Timestamp, days: i64) -> Timestamp {
    from.plus_ms(days * DAY * 1000)
}

impl Shop {
    pub fn new(seats: u32) -> Self {
        Self::at(now(), seats)
    }

    pub fn at(now: Timestamp, seats: u32) -> Self {
        let id = LicenseId::from_bytes([7; 16]);
        let mut license = Claims::new(id, PRODUCT, now);
        license.binding = Binding::Floating;
        license.seats = Some(seats);
        Self {
            root: SigningKey::from_seed(&[1; 32]),
            product: SigningKey::from_seed(&[2; 32]),
            license,
            kinds: vec![Kind::Activation, Kind::Lease],
            licenses: Some(vec![id]),
            signs_from: now,
            signs_until: Some(days(now, 30)),
        }
    }

    pub fn trust(&self) -> Trust {
        Trust::new(PRODUCT, *self.root.public()).expect("a trust")
    }

    fn certificate(&self, key: &SigningKey, kinds: &[Kind]) -> Certificate {
        Certificate {
            key: *key.public(),
            kinds: kinds.to_vec(),
            products: Products::Only(vec![PRODUCT.to_owned()]),
            issued_at: self.license.issued_at,
            signs_from: Timestamp::from_secs(0),
            signs_until: None,
            delegate: true,
            licenses: None,
        }
    }

    /// The product key's certificate.
    pub fn products(&self) -> Vec<u8> {
        let kinds = [Kind::License, Kind::Activation, Kind::Lease];
        let certificate = self.certificate(&self.product, &kinds);
        certificate.issue(&self.root).expect("signs")
    }

    pub fn bundle(&self) -> Vec<u8> {
        let product = self.products();
        issue(&self.license, &self.product, &[&product]).expect("signs")
    }

    /// What the shop gives for a host's key.
    pub fn file(&self, host: &SigningKey) -> HostFile {
        let certificate = Certificate {
            delegate: false,
            signs_from: self.signs_from,
            signs_until: self.signs_until,
            licenses: self.licenses.clone(),
            ..self.certificate(host, &self.kinds)
        };
        HostFile {
            trust: Some(self.trust()),
            license: self.bundle(),
            certificates: vec![
                self.products(),
                certificate.issue(&self.product).expect("signs"),
            ],
        }
    }
}

/// A folder with the host's key and file, as an operator would have set them up.
pub struct Place {
    folder: TempDir,
    pub key: SigningKey,
}

/// `mintreu serve --floating …` in a folder.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mintreu"));
    let fixed = ["--json", "serve", "--floating", "--dir", "host"];
    command.current_dir(folder).args(fixed).args(arguments);
    command
}

impl Place {
    /// The first start, which makes the key, and the shop's answer to it.
    pub fn new(shop: &Shop) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let first = command(folder.path(), &[]).output().expect("it runs");
        assert!(first.status.success(), "{first:?}");
        let key = host_key(&folder.path().join("host"));
        let said: Value = serde_json::from_slice(&first.stdout).expect("JSON");
        assert_eq!(said["host_key"], key.public().to_string());
        let place = Self { folder, key };
        place.give(shop);
        place
    }

    /// Puts the shop's file where the host reads it.
    pub fn give(&self, shop: &Shop) {
        let text = shop.file(&self.key).to_text(&[]).expect("writes");
        std::fs::write(self.path().join("office.mtl"), text).expect("is written");
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn start(&self, arguments: &[&str]) -> HostProcess {
        HostProcess::start(self.path(), arguments)
    }

    /// The code with which the host refuses to start.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let given = ["--license", "office.mtl", "--listen", "127.0.0.1:0"];
        let output = command(self.path(), &[&given, arguments].concat()).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        let error: Value =
            serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
        error["code"].as_str().expect("a code").to_owned()
    }
}

/// The key as `mintreu serve --floating` wrote it.
pub fn host_key(dir: &Path) -> SigningKey {
    use base64::Engine as _;
    let text = std::fs::read_to_string(dir.join("host.key")).expect("a key");
    let body = text.lines().nth(1).expect("a body");
    let bytes = base64::prelude::BASE64_STANDARD
        .decode(body)
        .expect("base64");
    SigningKey::from_seed(bytes[..32].try_into().expect("a seed"))
}

/// A running host.
pub struct HostProcess {
    child: Child,
    pub base: String,
    audit: std::thread::JoinHandle<Vec<Value>>,
}

impl HostProcess {
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let given = ["--license", "office.mtl", "--listen", "127.0.0.1:0"];
        Self::of(command(folder, &[&given, arguments].concat()))
    }

    /// Starts it by a command of one's own, and waits until it listens.
    pub fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut said = Vec::new();
        let base = loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("{said:?}"))
                .expect("text");
            match line.split_once("http://") {
                Some((_, address)) => break format!("http://{address}"),
                None => said.push(line),
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let audit = std::thread::spawn(move || {
            let lines = out.lines().map_while(Result::ok);
            lines
                .map(|line| serde_json::from_str(&line).expect("a line of JSON"))
                .collect()
        });
        Self { child, base, audit }
    }

    /// `kill -9`, in the middle of whatever it does; gives its audit lines.
    pub fn kill(mut self) -> Vec<Value> {
        self.child.kill().expect("a signal");
        self.child.wait().expect("it ends");
        self.audit.join().expect("its lines")
    }

    /// The devices that have seats, by name.
    pub async fn holders(&self) -> Vec<String> {
        let status = self.status().await;
        let devices = status["devices"].as_array().expect("devices").iter();
        let names = devices.map(|one| one["device"].as_str().expect("a name").to_owned());
        names.collect()
    }

    pub async fn status(&self) -> Value {
        let asked = client(65_000).get(format!("{}/status", self.base));
        let answer = asked.send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }
}

/// An answer as a device sees it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub code: String,
    pub retry_after: Option<u32>,
    pub body: Vec<u8>,
}

/// A client of its own network address.
pub fn client(number: u16) -> reqwest::Client {
    let [high, low] = number.to_be_bytes();
    let from = IpAddr::V4(Ipv4Addr::new(127, 1, high, low));
    let client = mintreu_server::net::client().local_address(from).no_proxy();
    client
        .timeout(Duration::from_secs(20))
        .build()
        .expect("a client")
}

/// Sends a document; `None` when the host went away.
pub async fn send(client: &reqwest::Client, url: &str, body: Vec<u8>) -> Option<Answer> {
    let request = client.post(url).header("content-type", "application/cose");
    let answer = request.body(body).send().await.ok()?;
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get("retry-after").cloned();
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
    let body = answer.bytes().await.ok()?.to_vec();
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    Some(Answer {
        status,
        code: problem["code"].as_str().unwrap_or_default().to_owned(),
        retry_after,
        body,
    })
}

/// A product on a device: the engine and a client.
pub struct Device {
    folder: PathBuf,
    pub engine: Engine,
    client: reqwest::Client,
    _home: TempDir,
}

impl Device {
    /// With the license installed and nothing else.
    pub fn new(number: u16, shop: &Shop, clock: Arc<dyn Clock>) -> Self {
        Self::with(client(number), shop, clock)
    }

    /// At whatever address the network gives it.
    pub fn anywhere(shop: &Shop, clock: Arc<dyn Clock>) -> Self {
        let client = mintreu_server::net::client().no_proxy().build();
        Self::with(client.expect("a client"), shop, clock)
    }

    fn with(client: reqwest::Client, shop: &Shop, clock: Arc<dyn Clock>) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let options = Options {
            clock,
            ..Options::default()
        };
        let engine = Engine::open_with(home.path(), shop.trust(), options).expect("opens");
        engine.install_bytes(&shop.bundle()).expect("installs");
        Self {
            folder: home.path().to_owned(),
            engine,
            client,
            _home: home,
        }
    }

    /// Syncs to the end: the answers that stood in the way.
    pub async fn sync(&self, host: &HostProcess) -> Vec<Answer> {
        self.sync_at(&host.base).await
    }

    /// The same with a host at an address.
    pub async fn sync_at(&self, base: &str) -> Vec<Answer> {
        let mut refused = Vec::new();
        for _ in 0..20 {
            let Some(request) = self.engine.next_request().expect("a request") else {
                return refused;
            };
            let url = format!("{base}{}", request.path);
            let answer = send(&self.client, &url, request.body)
                .await
                .expect("an answer");
            if self
                .engine
                .on_response(answer.status, &answer.body)
                .is_err()
            {
                refused.push(answer);
                return refused;
            }
        }
        panic!("the sync of {} does not end", self.folder.display());
    }

    pub fn status(&self) -> &'static str {
        self.engine.verdict().expect("a verdict").status().code()
    }

    pub fn name(&self) -> String {
        let kid = self.engine.device().kid();
        kid.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
