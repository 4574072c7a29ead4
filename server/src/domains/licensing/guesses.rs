//! How fast codes and keys may be guessed.
//!
//! Every try takes a token for the address it comes from, one for the product and one of all, before
//! anything is looked up; a try that was right gets them back. So a class room behind one router
//! redeems as fast as it types, while wrong tries meet a limit: soon for one address, later, for a
//! guesser with many addresses, at the product's and the house's.
//!
//! A weak key could be guessed within these limits. Wrong tries at a product that has weak keys
//! therefore take from stricter ones as well, and while those are empty its weak keys are answered
//! as wrong ones are. They are asked only after the look-up: strong keys never wait for them.

use super::LicensingError;
use crate::app::App;
use crate::limits::{Limits, Rate};
use mintreu::Timestamp;
use mintreu::activation::Wanted;

/// Wrong tries of codes from one address: forty at once, then one every six seconds.
const CODE_ADDRESS: Rate = rate(40, 6_000);
/// Wrong codes that begin with one product's characters, from everywhere.
const CODE_PRODUCT: Rate = rate(200, 500);
/// Wrong tries of keys from one address.
const KEY_ADDRESS: Rate = rate(20, 30_000);
/// Wrong keys of one product, from everywhere.
const KEY_PRODUCT: Rate = rate(100, 2_000);
/// Wrong tries of everything from everywhere.
const ALL: Rate = rate(600, 100);
/// Wrong keys from one address where weak ones are.
const WEAK_ADDRESS: Rate = rate(5, 600_000);
/// Wrong keys of one product that has weak ones, from everywhere.
const WEAK_PRODUCT: Rate = rate(50, 60_000);

const fn rate(burst: u32, refill_ms: u32) -> Rate {
    Rate { burst, refill_ms }
}

/// What is tried, as far as it can be known without looking it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// A code that begins with these characters.
    Code {
        /// Its product's three characters.
        hint: String,
    },
    /// A key of this product.
    Key {
        /// The product's code.
        product: String,
    },
}

impl Tried {
    /// What a device's request tries; nothing when it names a license, which is no secret.
    pub fn of_request(product: &str, wanted: &Wanted) -> Option<Self> {
        match wanted {
            Wanted::Code(code) => Some(Self::Code { hint: code.hint() }),
            Wanted::Key(_) => Some(Self::Key {
                product: product.to_owned(),
            }),
            Wanted::License(_) | Wanted::Time => None,
        }
    }
}

type Taken = (&'static str, String, Rate);

/// A try under way: its tokens are taken.
pub struct Guess<'a> {
    limits: &'a Limits,
    taken: Vec<Taken>,
    weak: Vec<Taken>,
    weak_wait: Option<u32>,
}

impl<'a> Guess<'a> {
    /// Takes the tokens of a try from `client`; else in how many seconds to try again.
    pub fn begin(app: &'a App, client: &str, tried: &Tried) -> Result<Self, u32> {
        Self::at(&app.limits, client, tried, app.now())
    }

    fn at(limits: &'a Limits, client: &str, tried: &Tried, now: Timestamp) -> Result<Self, u32> {
        let everybody = ("redeem all", String::new(), ALL);
        let client = client.to_owned();
        let (buckets, weak_buckets) = match tried {
            Tried::Code { hint } => {
                let address = ("redeem code", client, CODE_ADDRESS);
                let product = ("redeem product", hint.clone(), CODE_PRODUCT);
                (vec![address, product, everybody], Vec::new())
            }
            Tried::Key { product } => {
                let address = ("redeem key", client.clone(), KEY_ADDRESS);
                let all_of = ("redeem keys", product.clone(), KEY_PRODUCT);
                let weak = vec![
                    ("redeem weak", client, WEAK_ADDRESS),
                    ("redeem weak keys", product.clone(), WEAK_PRODUCT),
                ];
                (vec![address, all_of, everybody], weak)
            }
        };
        let taken = take(limits, buckets, now)?;
        let (weak, weak_wait) = match take(limits, weak_buckets, now) {
            Ok(weak) => (weak, None),
            Err(seconds) => (Vec::new(), Some(seconds)),
        };
        Ok(Self {
            limits,
            taken,
            weak,
            weak_wait,
        })
    }

    /// Whether weak keys are answered.
    pub fn weak_allowed(&self) -> bool {
        self.weak_wait.is_none()
    }

    /// Ends the try: what was right, or wrong for another reason than a guess, cost nothing.
    pub fn end<T>(self, outcome: Result<T, LicensingError>) -> Result<T, LicensingError> {
        use LicensingError as E;
        match &outcome {
            Err(E::KeyUnknown { guessable: true }) => {}
            Err(E::CodeUnknown | E::KeyUnknown { .. }) => give_back(self.limits, &self.weak),
            Err(E::KeyWaits) => {
                let seconds = self.weak_wait.unwrap_or(1);
                return Err(E::TooFast { seconds });
            }
            _ => {
                give_back(self.limits, &self.taken);
                give_back(self.limits, &self.weak);
            }
        }
        outcome
    }
}

/// All of them or none.
fn take(limits: &Limits, buckets: Vec<Taken>, now: Timestamp) -> Result<Vec<Taken>, u32> {
    for (index, (what, whom, rate)) in buckets.iter().enumerate() {
        if let Err(seconds) = limits.take(what, whom, *rate, now) {
            give_back(limits, &buckets[..index]);
            return Err(seconds);
        }
    }
    Ok(buckets)
}

fn give_back(limits: &Limits, taken: &[Taken]) {
    for (what, whom, rate) in taken {
        limits.give_back(what, whom, *rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> Tried {
        Tried::Code {
            hint: "ACM".to_owned(),
        }
    }

    fn key() -> Tried {
        Tried::Key {
            product: "acme.editor".to_owned(),
        }
    }

    /// A try at `ms` that ends so; whether it was let through at all.
    fn attempt(
        limits: &Limits,
        client: &str,
        tried: &Tried,
        ms: i64,
        ends: LicensingError,
    ) -> bool {
        let guess = Guess::at(limits, client, tried, Timestamp::from_ms(ms));
        guess.is_ok_and(|guess| guess.end::<()>(Err(ends)).is_err())
    }

    fn wrong(limits: &Limits, client: &str, ms: i64) -> bool {
        attempt(limits, client, &code(), ms, LicensingError::CodeUnknown)
    }

    #[test]
    fn one_address_meets_its_limit_and_earns_tries_again() {
        let limits = Limits::new(1_000);
        let let_through = (0..100).filter(|_| wrong(&limits, "a", 0)).count();
        assert_eq!(let_through, 40);
        assert!(wrong(&limits, "b", 0), "another address is not to blame");
        assert!(!wrong(&limits, "a", 5_999) && wrong(&limits, "a", 6_000));
    }

    #[test]
    fn a_guesser_with_many_addresses_meets_a_wall() {
        let limits = Limits::new(100_000);
        let through = |from: u32, tried: &Tried, ms| {
            let one = |at| {
                let client = format!("10.{from}.0.{at}");
                attempt(&limits, &client, tried, ms, LicensingError::CodeUnknown)
            };
            (0..1_000).filter(|at| one(*at)).count()
        };
        assert_eq!(through(1, &code(), 0), 200, "the product's");
        let other = |hint: &str| Tried::Code {
            hint: hint.to_owned(),
        };
        assert_eq!(through(2, &other("AAA"), 0), 200);
        assert_eq!(through(3, &other("BBB"), 0), 200);
        assert_eq!(through(4, &other("CCC"), 0), 0, "the house's");
        assert_eq!(through(5, &code(), 10_000), 20, "two a second come back");
    }

    #[test]
    fn a_class_room_is_not_locked_out() {
        let limits = Limits::new(1_000);
        for pupil in 0..1_000 {
            let guess = Guess::at(&limits, "router", &code(), Timestamp::from_ms(pupil));
            assert!(guess.expect("let in").end(Ok(())).is_ok());
        }
        // Forty at the very same time, and each may be wrong once in between.
        let now = Timestamp::from_ms(2_000);
        let all: Vec<_> = (0..40)
            .map(|_| Guess::at(&limits, "router", &code(), now).expect("let in"))
            .collect();
        all.into_iter()
            .for_each(|guess| guess.end(Ok(())).expect("right"));
        for pupil in 0..30 {
            assert!(wrong(&limits, "router", 2_000), "{pupil}");
            let guess = Guess::at(&limits, "router", &code(), now);
            guess.expect("let in").end(Ok(())).expect("right");
        }
    }

    #[test]
    fn weak_keys_wait_long_and_strong_ones_do_not() {
        let limits = Limits::new(1_000);
        let guessed = || LicensingError::KeyUnknown { guessable: true };
        for _ in 0..5 {
            assert!(attempt(&limits, "a", &key(), 0, guessed()));
        }
        let at = |ms| Guess::at(&limits, "a", &key(), Timestamp::from_ms(ms));
        let guess = at(1).expect("may still be a strong one");
        assert!(!guess.weak_allowed());
        let told = guess.end::<()>(Err(LicensingError::KeyWaits));
        assert!(
            matches!(told, Err(LicensingError::TooFast { seconds: 600 })),
            "{told:?}"
        );
        let strong = at(2).expect("let in").end(Ok(()));
        assert!(strong.is_ok());
        assert!(at(600_000).expect("let in").weak_allowed());
        // Where all keys are strong, wrong ones take nothing of this.
        let limits = Limits::new(1_000);
        for _ in 0..20 {
            let missed = LicensingError::KeyUnknown { guessable: false };
            assert!(attempt(&limits, "a", &key(), 0, missed));
        }
        let guess = Guess::at(&limits, "b", &key(), Timestamp::from_ms(0));
        assert!(guess.expect("let in").weak_allowed());
        assert!(Guess::at(&limits, "a", &key(), Timestamp::from_ms(0)).is_err());
    }
}
