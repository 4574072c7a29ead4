//! A small harness: ours beside a bare primitive, in the same run, as a ratio.
//!
//! Absolute times say more about the machine than about the code, so what is kept is a ratio: each
//! round measures both, one right after the other, and the round with the median ratio is shown.
//! A processor that changes its speed, and a neighbour that takes its time, slow both halves of a
//! round; the fastest rounds of each side could be of different speeds.

#[cfg(feature = "server")]
pub mod load;
pub mod peers;

use std::hint::black_box;
use std::time::Duration;

/// Rounds are many and short: one that is shorter than the scheduler's slice is likely to be one
/// that nothing has interrupted, on a busy machine too.
const ROUNDS: u32 = 180;

/// How long `work` takes.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub fn time(work: impl FnOnce()) -> Duration {
    let started = std::time::Instant::now();
    work();
    started.elapsed()
}

/// How long a future takes, and what it comes to.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub async fn time_async<T>(work: impl Future<Output = T>) -> (Duration, T) {
    let started = std::time::Instant::now();
    let done = work.await;
    (started.elapsed(), done)
}

/// Nanoseconds a call of `ours` and of `bare` in the round with the median ratio, of many rounds
/// that together make nine times `calls`.
pub fn compare<A, B>(
    calls: u32,
    mut ours: impl FnMut() -> A,
    mut bare: impl FnMut() -> B,
) -> (f64, f64) {
    let calls = (9 * calls).div_ceil(ROUNDS);
    let mut round = || (per_call(calls, &mut ours), per_call(calls, &mut bare));
    let mut rounds: Vec<_> = (0..ROUNDS).map(|_| round()).collect();
    rounds.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    rounds[rounds.len() / 2]
}

fn per_call<T>(calls: u32, work: &mut impl FnMut() -> T) -> f64 {
    let took = time(|| {
        for _ in 0..calls {
            black_box(work());
        }
    });
    took.as_nanos() as f64 / f64::from(calls)
}

/// Prints one line of the table: both times, their ratio and the goal.
pub fn report(what: &str, (ours, bare): (f64, f64), beside: &str, goal: &str) {
    println!(
        "{what:<34} {:>12}  {beside:<26} {:>12}  ratio {:>7.2}  goal {goal}",
        readable(ours),
        readable(bare),
        ours / bare,
    );
}

/// A time in the unit that suits it.
pub fn readable(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.1} ns"),
        ns if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}
