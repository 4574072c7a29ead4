//! Slices of a quota: units that a node holds of it, and spends without asking.
//!
//! The server lends by [`lend`], whose number makes a repeated request the same one. A node keeps
//! its side in a [`Slice`]: it sends what [`Slice::request`] says and hands the answer back.

use crate::meter::{AskedUnits, Lending, Lent, lend};
use crate::time::Timestamp;

/// The most units that one request is lent.
pub const MAX_SLICE: u64 = 1_000_000;

/// How long a node asks one by one when no slice is to be had, before it wants one again.
const PAUSE_MS: i64 = 1_000;
/// A slice that is used up faster than this was too small.
const SHORT_MS: i64 = 10_000;

/// Units to lend to one of `nodes` when `left` are left: half of its even part, so that what idle
/// nodes hold shrinks with what there is. 0 near the end: ask for each unit then.
pub fn slice_size(left: u64, nodes: u64, wanted: u64) -> u64 {
    let part = left / nodes.max(1).saturating_mul(2);
    wanted.min(part).min(MAX_SLICE)
}

/// Lends a slice of a quota to a node, as [`lend`] does to a device, at most its [`slice_size`].
///
/// A node that goes on spending while it asks (`closed` is false) gets no other window: what it
/// spends until the answer still belongs to the one that it knows.
pub fn lend_slice(
    (limit, others): (u64, u64),
    held: Option<Lent>,
    asked: AskedUnits,
    (window, nodes): (u32, u64),
) -> Lending {
    let nothing = AskedUnits { wanted: 0, ..asked };
    if let Some(held) = held.filter(|held| !asked.closed && held.window < window) {
        return lend(limit, 0, Some(held), nothing, held.window);
    }
    let settled = lend(limit, others, held, nothing, window).now;
    let left = limit.saturating_sub(others).saturating_sub(settled.units);
    let wanted = slice_size(left, nodes, asked.wanted);
    lend(limit, others, held, AskedUnits { wanted, ..asked }, window)
}

/// What the server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceGiven {
    /// The number of the slice, its window, and what is lent of it in all.
    pub lent: Lent,
    /// For how long, from when the request was sent.
    pub ends_in_ms: i64,
    /// Units that nobody holds; `None` where there is no quota.
    pub left: Option<u64>,
    /// When the window ends.
    pub resets_at: Option<Timestamp>,
}

/// What a node does with a request of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spend {
    /// Let it on: it is counted.
    Granted {
        /// Units of the quota that this node knows to be left.
        remaining: Option<u64>,
        /// When they come back.
        resets_at: Option<Timestamp>,
    },
    /// Send what [`Slice::request`] says, then try again.
    Lease,
    /// Ask about this request alone: there are too few units left for slices.
    Check,
}

/// What one node holds of one key's quota of one meter.
///
/// It is in memory only: a node that is killed leaves what it held deducted until the window ends.
/// So a node's name must be random and new for each `Slice`.
///
/// ```
/// use mintreu::gateway::{Slice, SliceGiven, Spend};
/// use mintreu::meter::Lent;
/// use mintreu::time::Timestamp;
/// let now = Timestamp::from_ms(0);
/// let mut slice = Slice::new(10);
/// assert_eq!(slice.spend(1, now), Spend::Lease);
/// let asked = slice.request(now).expect("something to send");
/// assert_eq!((asked.last, asked.wanted), (0, 10));
/// // POST /v1/gateway/slices answered:
/// let lent = Lent { number: 1, window: 7, units: 10, used: 0 };
/// slice.answered(SliceGiven { lent, ends_in_ms: 60_000, left: Some(90), resets_at: None }, now);
/// assert_eq!(slice.spend(1, now), Spend::Granted { remaining: Some(99), resets_at: None });
/// ```
#[derive(Debug, Clone)]
pub struct Slice {
    held: Lent,
    begun_at: Timestamp,
    ends_at: Timestamp,
    left: Option<u64>,
    resets_at: Option<Timestamp>,
    size: u64,
    waiting: Option<(AskedUnits, Timestamp)>,
    check_until: Timestamp,
    /// The least that the next slice must hold.
    short_of: u64,
}

impl Slice {
    /// Nothing yet; `size` is how many units the first request wants.
    pub fn new(size: u64) -> Self {
        let never = Timestamp::from_ms(i64::MIN);
        Self {
            held: Lent {
                number: 0,
                window: 0,
                units: 0,
                used: 0,
            },
            begun_at: never,
            ends_at: never,
            left: None,
            resets_at: None,
            size: size.clamp(1, MAX_SLICE),
            waiting: None,
            check_until: never,
            short_of: 0,
        }
    }

    /// Units that may be spent at `now`.
    pub fn unspent(&self, now: Timestamp) -> u64 {
        let sealed = self.waiting.is_some_and(|(asked, _)| asked.closed);
        if sealed || now >= self.ends_at {
            return 0;
        }
        self.held.units.saturating_sub(self.held.used)
    }

    /// Spends units of the slice, or says whom to ask. No network.
    pub fn spend(&mut self, units: u64, now: Timestamp) -> Spend {
        let unspent = self.unspent(now);
        if unspent > 0 && units <= unspent {
            self.held.used += units;
            let rest = unspent - units;
            return Spend::Granted {
                remaining: self.left.map(|left| left.saturating_add(rest)),
                resets_at: self.resets_at,
            };
        }
        if now < self.check_until {
            return Spend::Check;
        }
        self.short_of = units;
        Spend::Lease
    }

    /// Whether a new slice is worth asking for while this one still holds: a quarter is left.
    pub fn is_low(&self, now: Timestamp) -> bool {
        now >= self.check_until && self.unspent(now) <= self.size / 4
    }

    /// What to send; the same again until it was answered.
    pub fn request(&mut self, now: Timestamp) -> Option<AskedUnits> {
        if let Some((asked, _)) = self.waiting {
            return Some(asked);
        }
        let over = now >= self.ends_at;
        if !over && !self.is_low(now) && self.short_of <= self.unspent(now) {
            return None;
        }
        self.resize(over, now);
        let wanted = self.size.max(self.short_of);
        Some(self.seal(over && self.held.number > 0, wanted, now))
    }

    /// The last word of a node that ends: what was used; the rest goes back.
    pub fn close(&mut self, now: Timestamp) -> Option<AskedUnits> {
        if self.waiting.is_none() && self.held.number == 0 {
            return None;
        }
        match self.waiting {
            Some((asked, _)) => Some(asked),
            None => Some(self.seal(true, 0, now)),
        }
    }

    /// Takes an answer; one that came before is ignored.
    pub fn answered(&mut self, given: SliceGiven, now: Timestamp) {
        let Some((asked, sent_at)) = self.waiting else {
            return;
        };
        if given.lent.number <= self.held.number {
            return;
        }
        let same = given.lent.window == asked.window && self.held.number > 0;
        let used = if same {
            self.held.used
        } else {
            given.lent.used
        };
        self.held = Lent { used, ..given.lent };
        self.begun_at = sent_at;
        self.ends_at = sent_at.plus_ms(given.ends_in_ms);
        (self.left, self.resets_at) = (given.left, given.resets_at);
        self.waiting = None;
        let unspent = self.unspent(now);
        if unspent == 0 || unspent < self.short_of {
            // A window that ended meanwhile is asked about at once.
            let over = now >= self.ends_at;
            self.check_until = if over { now } else { now.plus_ms(PAUSE_MS) };
        }
        self.short_of = 0;
    }

    fn seal(&mut self, closed: bool, wanted: u64, now: Timestamp) -> AskedUnits {
        let asked = AskedUnits {
            last: self.held.number,
            window: self.held.window,
            used: self.held.used,
            closed,
            wanted,
        };
        self.waiting = Some((asked, now));
        asked
    }

    /// Twice as many when a slice was soon used up, half when most of it wasn't used.
    fn resize(&mut self, over: bool, now: Timestamp) {
        if self.held.number == 0 {
            return;
        }
        let unspent = self.held.units.saturating_sub(self.held.used);
        if over && unspent > self.size / 2 {
            self.size = (self.size / 2).max(1);
        } else if !over && now < self.begun_at.plus_ms(SHORT_MS) {
            self.size = self.size.saturating_mul(2).min(MAX_SLICE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEASE_MS: i64 = 100;
    const WINDOW_MS: i64 = 1_000;

    /// A server's row of a node's window, and when its lease ends.
    #[derive(Debug, Clone, Copy)]
    struct Row {
        lent: Lent,
        ends_at: i64,
    }

    /// Faulty rules, as negative controls.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Rule {
        Right,
        /// Units of a lease that is over are given to others, although nobody said what was used.
        ReturnsUnreported,
        /// Any answer is a new slice.
        ForgetsNumbers,
    }

    struct Server {
        limit: u64,
        rule: Rule,
        rows: Vec<(usize, Row)>,
        exact: Vec<u64>,
        counted: u64,
    }

    impl Server {
        fn others(&self, node: usize, window: u32, now: i64) -> u64 {
            let counts = |row: &Row| row.ends_at > now || self.rule != Rule::ReturnsUnreported;
            let rows = self.rows.iter().filter(|(who, _)| *who != node);
            let rows = rows.filter(|(_, row)| row.lent.window == window);
            let units = rows.map(|(_, row)| match counts(row) {
                true => row.lent.units,
                false => row.lent.used,
            });
            units.sum::<u64>() + self.exact[window as usize]
        }

        fn answer(&mut self, node: usize, asked: AskedUnits, now: i64) -> SliceGiven {
            let window = (now / WINDOW_MS) as u32;
            let live = |(who, row): &&(usize, Row)| *who != node && row.ends_at > now;
            let nodes = 1 + self.rows.iter().filter(live).count() as u64;
            let at = self.rows.iter().rposition(|(who, _)| *who == node);
            let mut held = at.map(|at| self.rows[at].1.lent);
            if let (Rule::ForgetsNumbers, Some(held)) = (self.rule, &mut held) {
                held.number = held.number.min(asked.last);
            }
            let limits = (self.limit, self.others(node, window, now));
            let lending = lend_slice(limits, held, asked, (window, nodes));
            let ends_at = (now + LEASE_MS).min(i64::from(lending.now.window + 1) * WINDOW_MS);
            let row = Row {
                lent: lending.now,
                ends_at,
            };
            if let (Some(before), Some(at)) = (lending.before, at) {
                self.counted += before.used - self.rows[at].1.lent.used;
                self.rows[at].1.lent = before;
            }
            match at {
                Some(at) if self.rows[at].1.lent.number == row.lent.number => {}
                Some(at) if self.rows[at].1.lent.window == row.lent.window => self.rows[at].1 = row,
                _ => self.rows.push((node, row)),
            }
            let ends_at = self.rows.iter().rfind(|(who, _)| *who == node);
            SliceGiven {
                lent: lending.now,
                ends_in_ms: ends_at.map_or(0, |(_, row)| row.ends_at - now),
                left: None,
                resets_at: None,
            }
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Use(usize, u64),
        Seal(usize),
        /// The sealed request arrives; its answer is lost, or comes back.
        Arrive(usize, bool),
        /// An old request arrives again.
        Replay(usize),
        Kill(usize),
        Check(u64),
        Wait(i64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let who = 0usize..3;
        let step = prop_oneof![
            6 => (who.clone(), 1u64..5).prop_map(|(who, n)| Step::Use(who, n)),
            4 => who.clone().prop_map(Step::Seal),
            4 => (who.clone(), prop::bool::weighted(0.8)).prop_map(|(who, ok)| Step::Arrive(who, ok)),
            1 => who.clone().prop_map(Step::Replay),
            1 => who.prop_map(Step::Kill),
            1 => (1u64..3).prop_map(Step::Check),
            2 => (1i64..150).prop_map(Step::Wait),
        ];
        proptest::collection::vec(step, 1..400)
    }

    /// Used units by window, units that were counted, and units that surviving nodes report.
    fn run(steps: &[Step], limit: u64, rule: Rule) -> (Vec<u64>, u64, u64) {
        let mut now = 0;
        let mut used = vec![0u64; 128];
        let mut server = Server {
            limit,
            rule,
            rows: Vec::new(),
            exact: vec![0; 128],
            counted: 0,
        };
        let mut nodes: Vec<(usize, Slice, Vec<AskedUnits>, u64)> = (0..3)
            .map(|id| (id, Slice::new(8), Vec::new(), 0))
            .collect();
        let (mut next, mut lost) = (3, 0);
        let at = Timestamp::from_ms;
        for step in steps {
            match *step {
                Step::Use(who, n) => {
                    let (_, slice, _, spent) = &mut nodes[who];
                    if matches!(slice.spend(n, at(now)), Spend::Granted { .. }) {
                        used[slice.held.window as usize] += n;
                        *spent += n;
                    }
                }
                Step::Seal(who) => {
                    let (_, slice, sent, _) = &mut nodes[who];
                    sent.extend(slice.request(at(now)));
                }
                Step::Arrive(who, back) => {
                    let (id, slice, _, _) = &mut nodes[who];
                    if let Some((asked, _)) = slice.waiting {
                        let given = server.answer(*id, asked, now);
                        if back {
                            slice.answered(given, at(now));
                        }
                    }
                }
                Step::Replay(who) => {
                    let (id, slice, sent, _) = &mut nodes[who];
                    if let Some(asked) = sent.first().copied() {
                        let given = server.answer(*id, asked, now);
                        slice.answered(given, at(now));
                    }
                }
                Step::Kill(who) => {
                    lost += nodes[who].3;
                    nodes[who] = (next, Slice::new(8), Vec::new(), 0);
                    next += 1;
                }
                Step::Check(n) => {
                    let window = (now / WINDOW_MS) as u32;
                    if server.others(usize::MAX, window, now) + n <= limit {
                        server.exact[window as usize] += n;
                        used[window as usize] += n;
                    }
                }
                Step::Wait(ms) => now = (now + ms).min(120 * WINDOW_MS),
            }
        }
        let mut spent = 0;
        for (id, slice, _, by_node) in &mut nodes {
            spent += *by_node;
            // What waits is answered first, then the node says its last word.
            for _ in 0..3 {
                if let Some(asked) = slice.close(at(now)) {
                    let given = server.answer(*id, asked, now);
                    slice.answered(given, at(now));
                }
            }
        }
        assert!(
            server.counted <= spent + lost,
            "counted more than was spent"
        );
        (used, server.counted, spent)
    }

    proptest! {
        #[test]
        fn nodes_never_use_more_together_than_there_is(steps in steps(), limit in 1u64..60) {
            let (used, counted, spent) = run(&steps, limit, Rule::Right);
            for used in used {
                prop_assert!(used <= limit, "{used} used of {limit}");
            }
            prop_assert!(counted >= spent, "{counted} counted of {spent} that were spent");
        }

        #[test]
        fn a_slice_is_no_more_than_half_of_an_even_part(left: u64, nodes in 0u64..2000, wanted: u64) {
            let size = slice_size(left, nodes, wanted);
            prop_assert!(size <= wanted && size <= MAX_SLICE);
            prop_assert!(size.checked_mul(nodes.max(1) * 2).is_some_and(|all| all <= left));
        }
    }

    /// The negative controls: both faulty rules are found out by what the property looks at.
    #[test]
    fn faulty_rules_use_too_much() {
        let lease = |who| [Step::Use(who, 1), Step::Seal(who), Step::Arrive(who, true)];
        let spend = |who| [Step::Use(who, 4), Step::Use(who, 4)];
        let mut returned: Vec<Step> = Vec::new();
        for _ in 0..20 {
            returned.extend(lease(0));
            returned.extend(spend(0));
            returned.extend([Step::Kill(0), Step::Wait(LEASE_MS / 2)]);
        }
        let most = |rule| run(&returned, 20, rule).0.into_iter().max();
        assert!(most(Rule::ReturnsUnreported) > Some(20));
        assert!(most(Rule::Right) <= Some(20));
        let lent = |rule| {
            let mut server = Server {
                limit: 100,
                rule,
                rows: Vec::new(),
                exact: vec![0; 8],
                counted: 0,
            };
            let asked = AskedUnits {
                last: 0,
                window: 0,
                used: 0,
                closed: false,
                wanted: 8,
            };
            (0..3).map(|_| server.answer(0, asked, 0).lent.units).max()
        };
        assert_eq!(lent(Rule::Right), Some(8), "three times asked, once lent");
        assert_eq!(lent(Rule::ForgetsNumbers), Some(24));
    }

    #[test]
    fn slices_grow_with_demand_and_shrink_without() {
        let mut slice = Slice::new(8);
        let given = |number, units, used| SliceGiven {
            lent: Lent {
                number,
                window: 1,
                units,
                used,
            },
            ends_in_ms: 60_000,
            left: Some(100),
            resets_at: None,
        };
        let at = Timestamp::from_ms;
        assert_eq!(slice.spend(1, at(0)), Spend::Lease);
        assert_eq!(slice.request(at(0)).map(|asked| asked.wanted), Some(8));
        slice.answered(given(1, 8, 0), at(0));
        assert_eq!(slice.request(at(1)), None, "enough is held");
        for _ in 0..6 {
            assert!(matches!(slice.spend(1, at(1)), Spend::Granted { .. }));
        }
        let more = slice.request(at(1)).expect("low");
        assert_eq!((more.wanted, more.used, more.closed), (16, 6, false));
        assert_eq!(slice.request(at(2)), Some(more), "the same until answered");
        assert!(
            matches!(slice.spend(2, at(2)), Spend::Granted { .. }),
            "goes on meanwhile"
        );
        slice.answered(given(2, 24, 6), at(2));
        assert_eq!(slice.unspent(at(2)), 16);
        assert_eq!(
            slice.spend(1, at(60_001)),
            Spend::Lease,
            "the lease is over"
        );
        let over = slice.request(at(60_001)).expect("over");
        assert_eq!((over.wanted, over.used, over.closed), (8, 8, true));
        slice.answered(given(3, 8, 8), at(60_001));
        assert_eq!(
            slice.spend(1, at(60_002)),
            Spend::Check,
            "none was to be had"
        );
        assert_eq!(slice.spend(1, at(61_002)), Spend::Lease);
    }
}
