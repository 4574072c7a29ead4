//! One account of a quota, whoever spends it: devices offline, keys, reservations, nodes.

use crate::access_keys::{Keyed, ask, keyed_with};
use crate::access_slices::Node;
use crate::facts::sign_up;
use crate::licensing_keys::tamper;
use crate::licensing_seats::{engine, sync};
use crate::money_model::dice::Dice;
use mintreu::Engine;
use mintreu::id::ReservationId;
use mintreu::meter::Decision;
use mintreu_server::domains::access::model::Allowance;
use mintreu_server::domains::access::{AccessError, Ask, Checked, Settle, settle};
use mintreu_server::domains::catalog::model::{Quota, QuotaRollover, Window};
use mintreu_server::domains::licensing;
use mintreu_server::store::Engine as Database;
use mintreu_tests::{Browser, TestApp};
use std::collections::BTreeMap;
use tempfile::TempDir;

const DAY: u32 = 86_400_000;
const METER: &str = "calls";

fn month(limit: i64) -> Quota {
    Quota {
        shared: true,
        ..Quota::new(METER, limit, Window::Month)
    }
}

/// A device of the license, with what it was lent first.
async fn device(test: &TestApp, keyed: &Keyed, guest: &Browser) -> (TempDir, Engine) {
    let folder = tempfile::tempdir().expect("a folder");
    let device = engine(test, folder.path(), &keyed.sold.trust);
    let system = test.system();
    let found = test.app.read(&system, keyed.license, |cx, id| {
        licensing::by_id(cx.tx, cx.caller.tenant, *id)
    });
    let license = found.await.expect("reads").expect("is there");
    device.install_bytes(&license.document).expect("installs");
    sync(&device, guest).await.expect("is activated");
    sync(&device, guest).await.expect("is lent units");
    (folder, device)
}

fn take(device: &Engine, units: u64) -> Decision {
    device.consume(METER, units).expect("answers")
}

/// Units that a device can use without a network.
fn exhaust(device: &Engine) -> i64 {
    (0..1_000).take_while(|_| take(device, 1).granted()).count() as i64
}

async fn call(test: &TestApp, keyed: &Keyed, units: i64, how: Ask) -> Result<Checked, AccessError> {
    ask(test, keyed, keyed.key.secret.reveal(), units, how).await
}

async fn standing(test: &TestApp, keyed: &Keyed) -> Allowance {
    let looked = call(test, keyed, 0, Ask::Look).await.expect("answers");
    looked.allowance.expect("a quota")
}

/// Uses what keys have left, one by one.
async fn exhaust_key(test: &TestApp, keyed: &Keyed) -> i64 {
    let mut used = 0;
    while call(test, keyed, 1, Ask::Count).await.is_ok() {
        used += 1;
    }
    used
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_and_keys_spend_one_quota() {
    TestApp::both(async |test| {
        let keyed = keyed_with(test, month(100), 3).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (_one, first) = device(test, &keyed, &guest).await;
        let (_two, second) = device(test, &keyed, &guest).await;
        assert_eq!(standing(test, &keyed).await.remaining, 80, "a tenth each");
        let counted = call(test, &keyed, 60, Ask::Count).await.expect("is there");
        assert_eq!(counted.allowance.expect("a quota").remaining, 20);
        let refused = call(test, &keyed, 21, Ask::Count).await;
        assert!(
            matches!(refused, Err(AccessError::Refused(_))),
            "{refused:?}"
        );
        let held = call(test, &keyed, 5, Ask::Reserve(3_600))
            .await
            .expect("is there");
        assert_eq!(held.allowance.expect("a quota").remaining, 15);
        let mut used = 60 + exhaust(&first);
        for _ in 0..20 {
            sync(&first, &guest).await.expect("syncs");
            used += exhaust(&first);
        }
        assert_eq!(used, 85, "not what is reserved, nor what the other holds");
        assert_eq!(exhaust_key(test, &keyed).await, 0);
        // A reservation's rest comes back to all.
        let (id, _) = held.reservation.expect("a reservation");
        let command = Settle {
            reservation: ReservationId::parse(&id).expect("an id"),
            units: 2,
        };
        let settled = test.app.transact(&keyed.sold.seller, command, settle).await;
        settled.expect("settles");
        used += 2 + exhaust_key(test, &keyed).await;
        assert_eq!(used, 90);
        assert_eq!(exhaust(&second), 10, "what it was lent is its own");
        assert_eq!(standing(test, &keyed).await.remaining, 0);
        server.stop().await;
    })
    .await;
}

/// What is told: the quota's limit with what was carried over.
async fn limit(test: &TestApp, keyed: &Keyed) -> i64 {
    standing(test, keyed).await.limit
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_a_month_comes_along_also_when_it_comes_back_late() {
    TestApp::both(async |test| {
        let quota = Quota {
            rollover: Some(QuotaRollover { least: 0, most: 72 }),
            ..month(100)
        };
        let keyed = keyed_with(test, quota, 3).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (_one, first) = device(test, &keyed, &guest).await;
        call(test, &keyed, 20, Ask::Count).await.expect("is there");
        assert!(take(&first, 4).granted());
        assert_eq!(limit(test, &keyed).await, 100);
        for _ in 0..31 {
            test.clock.advance(DAY);
        }
        // Ten that the device holds are not known to be left.
        assert_eq!(limit(test, &keyed).await, 170);
        call(test, &keyed, 1, Ask::Count).await.expect("opens it");
        assert_eq!(limit(test, &keyed).await, 170);
        sync(&first, &guest).await.expect("settles");
        assert_eq!(
            limit(test, &keyed).await,
            172,
            "six came back, two of them in time for the cap"
        );
        sync(&first, &guest)
            .await
            .expect("is lent units of the new month");
        let lent = 10;
        assert_eq!(standing(test, &keyed).await.remaining, 172 - 1 - lent);
        let mut used = 1 + exhaust_key(test, &keyed).await;
        used += exhaust(&first);
        assert_eq!(used, 172);
        // Nothing is left, and so nothing comes along.
        sync(&first, &guest).await.expect("settles");
        for _ in 0..31 {
            test.clock.advance(DAY);
        }
        assert_eq!(limit(test, &keyed).await, 100);
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overage_of_a_shared_quota_has_one_bound_for_all() {
    TestApp::both(async |test| {
        let quota = Quota {
            overage: true,
            overage_cap: Some(5),
            ..month(20)
        };
        let keyed = keyed_with(test, quota, 3).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (_one, first) = device(test, &keyed, &guest).await;
        let (_two, second) = device(test, &keyed, &guest).await;
        let mut used = exhaust_key(test, &keyed).await;
        assert_eq!(used, 21, "twenty-five but for what two devices hold");
        let told = standing(test, &keyed).await;
        assert_eq!((told.limit, told.remaining, told.overage), (20, 0, 5));
        for device in [&first, &second] {
            for _ in 0..3 {
                used += exhaust(device);
                sync(device, &guest).await.expect("syncs");
            }
        }
        assert_eq!(used, 25);
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_are_told_once_in_a_window_by_answer_fact_and_device() {
    TestApp::both(async |test| {
        let quota = Quota {
            alerts: vec![50, 80, 100],
            ..month(100)
        };
        let keyed = keyed_with(test, quota, 3).await;
        let owner = keyed.sold.customer.account.expect("an owner");
        sign_up(test, owner, "owner").await;
        let server = test.serve().await;
        let guest = server.browser();
        let (_one, first) = device(test, &keyed, &guest).await;
        assert!(take(&first, 9).granted());
        sync(&first, &guest).await.expect("tells");
        let crossed = async |units| {
            let counted = call(test, &keyed, units, Ask::Count).await;
            counted.expect("is there").crossed
        };
        assert_eq!(crossed(40).await, None);
        assert_eq!(crossed(1).await, Some(50), "nine of the device's count");
        assert_eq!(crossed(29).await, None);
        assert_eq!(crossed(1).await, Some(80));
        // The device learns of it with its next units, and tells its own user.
        assert!(take(&first, 6).granted());
        sync(&first, &guest).await.expect("is told");
        let told: Vec<_> = first
            .alerts()
            .expect("alerts")
            .iter()
            .map(|a| a.percent)
            .collect();
        assert_eq!(told, [50, 80]);
        let status = first.quota(METER).expect("answers").expect("a quota");
        assert_eq!((status.limit, status.used), (Some(100), 86));
        let facts = async || {
            let sql = "SELECT data FROM event WHERE kind = 'quota.reached' ORDER BY happened_at";
            let read = test.app.store.read(move |tx| tx.query(sql, &[])).await;
            let rows = read.expect("reads").expect("rows");
            let data = rows.iter().map(|row| row.text("data").expect("data"));
            let percent = |data: String| {
                let data: serde_json::Value = serde_json::from_str(&data).expect("json");
                (data["percent"].as_i64(), data["used"].as_i64())
            };
            data.map(percent).collect::<Vec<_>>()
        };
        assert_eq!(facts().await, [(Some(50), Some(50)), (Some(80), Some(80))]);
        // The next month has alerts of its own.
        for _ in 0..31 {
            test.clock.advance(DAY);
        }
        assert_eq!(crossed(50).await, Some(50));
        assert_eq!(facts().await.len(), 3);
        test.drain().await;
        let mails = test.mails();
        let about = |percent| {
            let subject = format!("Subject: {percent}% of your call quota is used: Acme API");
            mails
                .iter()
                .filter(move |mail| mail.contains(&subject))
                .count()
        };
        assert_eq!((about(50), about(80), about(100)), (2, 1, 0));
        assert!(
            mails
                .iter()
                .any(|mail| mail.contains("To: owner@example.org"))
        );
        server.stop().await;
    })
    .await;
}

/// What a faulty server does between any two steps.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// It lends again what devices hold.
    ForgetsDevices,
    /// It carries over what was used.
    CarriesTooMuch,
}

impl Fault {
    async fn strike(self, test: &TestApp) {
        let sql = match self {
            Self::None => return,
            Self::ForgetsDevices => "UPDATE unit_lease SET units = used",
            Self::CarriesTooMuch => "UPDATE quota_use SET before_left = 30",
        };
        tamper(test, sql, Vec::new()).await;
    }
}

const LIMIT: i64 = 40;
const MOST: i64 = 30;

/// Everybody who may spend a quota, in random order, with answers that are lost, and what they were
/// granted on each day.
struct Spenders<'a> {
    test: &'a TestApp,
    keyed: &'a Keyed,
    guest: &'a Browser,
    devices: Vec<(TempDir, Engine)>,
    node: Node<'a>,
    nodes: usize,
    /// Reservations, with the day they are of.
    held: Vec<(ReservationId, i64, i64)>,
    granted: BTreeMap<i64, i64>,
    dice: Dice,
}

impl<'a> Spenders<'a> {
    async fn open(test: &'a TestApp, keyed: &'a Keyed, guest: &'a Browser, seed: u64) -> Self {
        let mut devices = Vec::new();
        for _ in 0..2 {
            devices.push(device(test, keyed, guest).await);
        }
        Self {
            test,
            keyed,
            guest,
            devices,
            node: Node::new(test, keyed, name(0)).await,
            nodes: 1,
            held: Vec::new(),
            granted: BTreeMap::new(),
            dice: Dice::new(seed),
        }
    }

    fn today(&self) -> i64 {
        self.test.app.now().ms().div_euclid(i64::from(DAY))
    }

    fn grant(&mut self, day: i64, units: i64) {
        *self.granted.entry(day).or_default() += units;
    }

    async fn step(&mut self) {
        let today = self.today();
        let units = self.dice.below(6) + 1;
        let signed = i64::try_from(units).expect("few");
        let which = self.dice.below(self.devices.len());
        match self.dice.below(13) {
            0..=2 => {
                if take(&self.devices[which].1, units as u64).granted() {
                    self.grant(today, signed);
                }
            }
            3 | 4 => {
                let synced = sync(&self.devices[which].1, self.guest).await;
                synced.expect("syncs");
            }
            5 => self.lose_an_answer(which).await,
            6 | 7 => {
                if call(self.test, self.keyed, signed, Ask::Count)
                    .await
                    .is_ok()
                {
                    self.grant(today, signed);
                }
            }
            8 => {
                let secs = 3_600 * i64::try_from(self.dice.below(23) + 1).expect("a few hours");
                let held = call(self.test, self.keyed, signed, Ask::Reserve(secs)).await;
                if let Some((id, _)) = held.ok().and_then(|held| held.reservation) {
                    let id = ReservationId::parse(&id).expect("an id");
                    self.held.push((id, today, signed));
                }
            }
            9 if !self.held.is_empty() => {
                let (id, day, held) = self.held.swap_remove(self.dice.below(self.held.len()));
                self.settle(id, day, signed.min(held)).await;
            }
            10 => {
                for _ in 0..units {
                    if self.node.spend().await {
                        self.grant(today, 1);
                    }
                }
            }
            11 => {
                let next = Node::new(self.test, self.keyed, name(self.nodes)).await;
                self.nodes += 1;
                // One in two vanishes without a word.
                let before = std::mem::replace(&mut self.node, next);
                if units.is_multiple_of(2) {
                    before.close().await;
                }
            }
            _ => {
                let hours = u32::try_from(self.dice.below(9) + 1).expect("a few hours");
                self.test.clock.advance(hours * 3_600_000);
            }
        }
    }

    async fn lose_an_answer(&self, which: usize) {
        let request = self.devices[which].1.next_request().expect("asks");
        let Some(request) = request else { return };
        let sent = self.guest.request(reqwest::Method::POST, &request.path);
        let sent = sent.header("content-type", request.content_type);
        sent.body(request.body)
            .send()
            .await
            .expect("an answer that is lost");
    }

    async fn settle(&mut self, reservation: ReservationId, day: i64, units: i64) {
        let command = Settle { reservation, units };
        let (app, seller) = (&self.test.app, &self.keyed.sold.seller);
        match app.transact(seller, command, settle).await {
            Ok(settled) => self.grant(day, settled.counted),
            Err(AccessError::ReservationOver(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// What can't be: a day with more than its limit and what may come along, or all days until
    /// one with more than their limits.
    fn wrong(&self) -> Option<String> {
        let (first, mut sum) = (*self.granted.keys().next()?, 0);
        for (&day, &units) in &self.granted {
            sum += units;
            let most = LIMIT * (day - first + 1);
            if units > LIMIT + MOST || sum > most {
                return Some(format!("{units} on day {day}, {sum} of {most} in all"));
            }
        }
        None
    }
}

fn name(number: usize) -> String {
    format!("node-{number:012}-of-a-backend")
}

/// Runs a story; what went wrong in it, and how much was granted in all.
async fn story(test: &TestApp, seed: u64, steps: usize, fault: Fault) -> (Option<String>, i64) {
    let quota = Quota {
        shared: true,
        rollover: Some(QuotaRollover {
            least: 0,
            most: MOST,
        }),
        alerts: vec![50, 100],
        ..Quota::new(METER, LIMIT, Window::Day)
    };
    let keyed = keyed_with(test, quota, 3).await;
    let server = test.serve().await;
    let guest = server.browser();
    let mut spenders = Spenders::open(test, &keyed, &guest, seed).await;
    let mut wrong = None;
    for _ in 0..steps {
        fault.strike(test).await;
        spenders.step().await;
        wrong = spenders.wrong();
        if wrong.is_some() {
            break;
        }
    }
    let granted = spenders.granted.values().sum();
    server.stop().await;
    (wrong, granted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_spends_a_quota_in_whatever_order_never_gets_more_than_there_is() {
    for seed in 0..seeds() {
        let test = TestApp::seeded(Database::Sqlite, seed)
            .await
            .expect("SQLite");
        let (wrong, granted) = story(&test, seed, 300, Fault::None).await;
        test.finish().await;
        assert_eq!(wrong, None, "seed {seed}");
        assert!(
            granted > 100,
            "seed {seed} granted {granted}: nobody could spend"
        );
    }
    TestApp::both(async |test| assert_eq!(story(test, 9, 200, Fault::None).await.0, None)).await;
}

/// How many stories are told: few in an ordinary run.
fn seeds() -> u64 {
    let wanted = std::env::var("MINTREU_TEST_QUOTA_SEEDS").ok();
    wanted.map_or(4, |wanted| wanted.parse().expect("a number of seeds"))
}

/// The negative control: both faults are found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_grants_too_much_is_found_out() {
    for fault in [Fault::ForgetsDevices, Fault::CarriesTooMuch] {
        let mut found = None;
        for seed in 20..24 {
            let test = TestApp::seeded(Database::Sqlite, seed)
                .await
                .expect("SQLite");
            found = found.or(story(&test, seed, 400, fault).await.0);
            test.finish().await;
        }
        assert!(found.is_some(), "{fault:?} was not found out");
    }
}
