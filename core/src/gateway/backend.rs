//! The gateway of a backend that counts in its own process: thousands of customers, no network.
//!
//! Every customer is a subject: the keyed hash of their API key. Their quota lies in a cell of the
//! journal beside their count, so that a killed process grants nothing anew; rates are kept in
//! memory, since they are full again in a moment.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::engine::{Engine, Meter};
use crate::error::{Error, Result};
use crate::id;
use crate::journal::CellHandle;
use crate::meter::{
    CellKey, Decision, LimitState, Quota, RateDecision, RateLimit, RateLimitHeaders, Refusal,
};
use crate::time::Timestamp;

/// A limit, where there is one, and what it says.
type Judged<L, D> = Option<(L, D)>;

/// The most plans that one gateway has.
const MAX_PLANS: usize = 256;

/// What a customer on a plan may use of the gateway's meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plan {
    /// Units in each window; without one the use is counted and not limited.
    pub quota: Option<Quota>,
    /// How many requests in how much time.
    pub rate: Option<RateLimit>,
}

/// What a request is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it may go on; its units are counted then.
    pub allowed: bool,
    /// `allowed`, `quota_spent` or `rate_limited`.
    pub code: &'static str,
    /// The customer as usage names them: never the key.
    pub subject: String,
    /// Units left in the window; `None` where the plan has no quota.
    pub remaining: Option<u64>,
    /// When they come back.
    pub resets_at: Option<Timestamp>,
    /// What to send along, refused or not; with a refusal the status 429.
    pub headers: RateLimitHeaders,
}

/// Decides about API keys with the engine in this process, and counts what it allows.
///
/// ```no_run
/// # fn f(engine: mintreu::Engine, secret: [u8; 32], key: &str) -> mintreu::Result<()> {
/// use mintreu::gateway::{Gateway, Plan};
/// use mintreu::meter::{Quota, RateLimit, Window};
/// let free = Plan {
///     quota: Some(Quota::new(1_000, Window::Day)?),
///     rate: Some(RateLimit::parse("10/second")?),
/// };
/// let gateway = Gateway::new(engine, "api.calls", secret)?.plan("free", free)?;
/// // `key` was found among the customers', and says that it is on the plan.
/// let answer = gateway.allow(key, "free", 1)?;
/// for (name, value) in answer.headers.fields() { /* into the response */ }
/// # Ok(())
/// # }
/// ```
pub struct Gateway {
    engine: Engine,
    meter: CellKey,
    secret: Zeroizing<[u8; 32]>,
    plans: BTreeMap<String, Plan>,
    subjects: RwLock<HashMap<[u8; 16], Arc<Subject>>>,
}

/// One customer: a count, and what the plan they were last on left of its limits.
struct Subject {
    name: String,
    meter: Meter,
    quota: RwLock<Option<(Quota, CellHandle)>>,
    rate: AtomicU64,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Gateway").field(&self.meter).finish()
    }
}

impl Gateway {
    /// A gateway that counts into `meter`. `secret` keys the hashes of API keys: keep it for as long
    /// as customers shall be told apart as the same, and erase it to erase who they were.
    pub fn new(engine: Engine, meter: &str, secret: [u8; 32]) -> Result<Self> {
        Ok(Self {
            meter: CellKey::new(meter)?,
            engine,
            secret: Zeroizing::new(secret),
            plans: BTreeMap::new(),
            subjects: RwLock::default(),
        })
    }

    /// Adds a plan, or replaces the one of that name. What a window has used stays used.
    pub fn plan(mut self, name: impl Into<String>, plan: Plan) -> Result<Self> {
        self.plans.insert(name.into(), plan);
        if self.plans.len() > MAX_PLANS {
            let detail = format!("a gateway has at most {MAX_PLANS} plans");
            return Err(Error::new("too_many_plans", detail));
        }
        Ok(self)
    }

    /// The subject that usage names for this key: its keyed hash.
    pub fn subject(&self, api_key: &str) -> String {
        id::encode(&self.digest(api_key))
    }

    /// May the holder of this key use `units`? What is allowed is counted.
    ///
    /// Look the key up first: each new one takes two cells of the folder for good, so that a
    /// stranger who invents keys must not get here. `plan_unknown` for a plan that was never added,
    /// `cells_full` when the folder has no room for one more customer.
    pub fn allow(&self, api_key: &str, plan: &str, units: u64) -> Result<Answer> {
        let Some(plan) = self.plans.get(plan) else {
            let detail = format!("{plan:?} is no plan of this gateway");
            return Err(Error::new("plan_unknown", detail));
        };
        let subject = self.known(api_key)?;
        let now = self.engine.instant();
        let rate = plan
            .rate
            .map(|limit| (limit, limit.take(&subject.rate, 1, now)));
        let too_fast = rate.is_some_and(|(_, decision)| !decision.granted);
        let quota = match (plan.quota, too_fast) {
            (None, _) => None,
            (Some(quota), true) => Some((quota, self.look(&subject, quota, now)?)),
            (Some(quota), false) => {
                let word = self.word(&subject, quota)?;
                Some((quota, quota.take(word.word(), units, now)))
            }
        };
        let spent = quota
            .as_ref()
            .is_some_and(|(_, decision)| !decision.granted());
        if let (Some((limit, _)), true, false) = (rate, spent, too_fast) {
            limit.give_back(&subject.rate, 1);
        }
        let code = match (too_fast, spent) {
            (true, _) => "rate_limited",
            (_, true) => "quota_spent",
            _ => "allowed",
        };
        if code == "allowed" {
            subject.meter.record(units);
        }
        Ok(self.answer(&subject, code, (rate, quota), now))
    }

    fn answer(
        &self,
        subject: &Subject,
        code: &'static str,
        (rate, quota): (Judged<RateLimit, RateDecision>, Judged<Quota, Decision>),
        now: Timestamp,
    ) -> Answer {
        let mut states = Vec::with_capacity(2);
        let (mut left, mut resets) = (None, None);
        if let Some((quota, decision)) = quota {
            (left, resets) = standing(&decision);
            // What is only counted has no limit to tell of.
            if let (Some(limit), Some(left)) = (quota.limit(), left) {
                let name = self.meter.meter();
                let state = LimitState::of_quota(name, limit, left, (resets, now));
                states.push(state.refused(code == "quota_spent"));
            }
        }
        if let Some((limit, decision)) = rate {
            states.push(LimitState::of_rate("requests", limit, decision));
        }
        Answer {
            allowed: code == "allowed",
            code,
            subject: subject.name.clone(),
            remaining: left,
            resets_at: resets,
            headers: RateLimitHeaders::new(&states, now),
        }
    }

    fn digest(&self, api_key: &str) -> [u8; 16] {
        let mac = Hmac::<Sha256>::new_from_slice(self.secret.as_slice());
        let mut mac = mac.expect("HMAC takes keys of any length");
        mac.update(api_key.as_bytes());
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        *whole.first_chunk().unwrap_or(&[0; 16])
    }

    fn known(&self, api_key: &str) -> Result<Arc<Subject>> {
        let digest = self.digest(api_key);
        {
            let subjects = self.subjects.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(subject) = subjects.get(&digest) {
                return Ok(Arc::clone(subject));
            }
        }
        let name = id::encode(&digest);
        let subject = Arc::new(Subject {
            meter: self.engine.meter_for(self.meter.clone().subject(&name)?)?,
            name,
            quota: RwLock::default(),
            rate: AtomicU64::new(0),
        });
        let mut subjects = self
            .subjects
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(subjects.entry(digest).or_insert(subject)))
    }

    /// The cell of a subject's quota; plans with the same kind of window share it.
    fn word(&self, subject: &Subject, quota: Quota) -> Result<CellHandle> {
        {
            let held = subject.quota.read().unwrap_or_else(PoisonError::into_inner);
            let same = |known: &Quota| {
                let key = |quota: &Quota| quota.window().cell_key(quota.limit());
                *known == quota || key(known) == key(&quota)
            };
            if let Some((known, word)) = held.as_ref()
                && same(known)
            {
                return Ok(word.clone());
            }
        }
        let word = self.engine.allowance_of(subject.meter.key(), quota)?;
        *subject
            .quota
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some((quota, word.clone()));
        Ok(word)
    }

    fn look(&self, subject: &Subject, quota: Quota, now: Timestamp) -> Result<Decision> {
        let word = self.word(subject, quota)?;
        Ok(quota.take(word.word(), 0, now))
    }
}

fn standing(decision: &Decision) -> (Option<u64>, Option<Timestamp>) {
    match decision {
        Decision::Granted {
            remaining,
            resets_at,
            ..
        } => (*remaining, *resets_at),
        Decision::Refused { reason, resets_at } => match reason {
            Refusal::QuotaSpent { remaining } => (Some(*remaining), *resets_at),
            _ => (Some(0), *resets_at),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FixedClock;
    use crate::document::SigningKey;
    use crate::engine::Options;
    use crate::license::Trust;
    use crate::meter::Window;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

    fn open(folder: &std::path::Path, clock: &Arc<FixedClock>) -> Engine {
        let trust = Trust::new("acme.api", *SigningKey::from_seed(&[1; 32]).public()).unwrap();
        let options = Options {
            clock: clock.clone(),
            ..Options::default()
        };
        Engine::open_with(folder, trust, options).unwrap()
    }

    fn gateway(engine: Engine) -> Gateway {
        let plan = |quota, rate: Option<&str>| Plan {
            quota: Some(Quota::new(quota, Window::Day).unwrap()),
            rate: rate.map(|text| RateLimit::parse(text).unwrap()),
        };
        let gateway = Gateway::new(engine, "api.calls", [7; 32]).unwrap();
        let gateway = gateway.plan("free", plan(5, Some("2/second"))).unwrap();
        gateway.plan("pro", plan(1_000_000, None)).unwrap()
    }

    #[test]
    fn each_customer_has_their_own_limits_and_a_restart_grants_nothing_anew() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(NOW));
        let gate = gateway(open(folder.path(), &clock));
        let allow = |gate: &Gateway, key, units| gate.allow(key, "free", units).unwrap();
        assert_eq!(allow(&gate, "ada", 2).remaining, Some(3));
        assert!(allow(&gate, "ada", 2).allowed);
        let fast = allow(&gate, "ada", 1);
        assert_eq!((fast.code, fast.remaining), ("rate_limited", Some(1)));
        assert_eq!(fast.headers.field("Retry-After"), Some("1"));
        assert_eq!(
            allow(&gate, "bob", 1).remaining,
            Some(4),
            "another customer"
        );
        clock.advance(1_000);
        let spent = allow(&gate, "ada", 2);
        assert_eq!((spent.code, spent.remaining), ("quota_spent", Some(1)));
        let policy = "\"api.calls\";q=5, \"requests\";q=2;w=1";
        assert_eq!(spent.headers.field("RateLimit-Policy"), Some(policy));
        assert!(allow(&gate, "ada", 1).allowed && allow(&gate, "bob", 1).allowed);
        let usage = gate.engine.usage().unwrap();
        let of = |key: &str| {
            let found = usage
                .iter()
                .find(|cell| cell.key.subject_id() == gate.subject(key));
            found.map(|cell| cell.counted)
        };
        assert_eq!(
            (of("ada"), of("bob")),
            (Some(5), Some(2)),
            "refused units are not counted"
        );
        drop(gate);
        let gate = gateway(open(folder.path(), &clock));
        assert_eq!(allow(&gate, "ada", 1).code, "quota_spent");
        assert!(
            gate.allow("ada", "pro", 1).unwrap().allowed,
            "a larger plan goes on"
        );
        clock.advance(86_400_000);
        assert!(allow(&gate, "ada", 2).allowed);
        assert_eq!(
            gate.allow("ada", "gold", 1).unwrap_err().code(),
            "plan_unknown"
        );
    }

    #[test]
    fn no_key_is_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(NOW));
        let key = "mtk_a-key-that-nobody-else-may-see";
        let gate = gateway(open(folder.path(), &clock));
        let answer = gate.allow(key, "free", 1).unwrap();
        assert!(!answer.subject.contains("nobody") && !format!("{gate:?}").contains("nobody"));
        drop(gate);
        let mut found_subject = false;
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                let bytes = std::fs::read(path).unwrap();
                let holds = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
                assert!(!holds(key));
                found_subject |= holds(&answer.subject);
            }
        }
        assert!(found_subject, "the control: what is looked for is found");
    }

    #[test]
    fn threads_are_granted_each_customer_s_quota_exactly() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(NOW));
        let quota = Some(Quota::new(50, Window::Day).unwrap());
        let gate = Gateway::new(open(folder.path(), &clock), "api.calls", [7; 32]).unwrap();
        let gate = gate.plan("fifty", Plan { quota, rate: None }).unwrap();
        let granted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for ask in 0..300 {
                        let key = format!("customer {}", ask % 3);
                        let answer = gate.allow(&key, "fifty", 1).unwrap();
                        granted.fetch_add(
                            u64::from(answer.allowed),
                            std::sync::atomic::Ordering::Relaxed,
                        );
                    }
                });
            }
        });
        assert_eq!(granted.into_inner(), 150);
    }
}
