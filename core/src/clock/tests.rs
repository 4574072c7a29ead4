use super::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-11-19: when the walks begin.
const START: i64 = 1_795_000_000_000;
/// What a license tolerates under suspicion unless it says otherwise.
const BUDGET: i64 = 72 * HOUR;

/// A small generator of repeatable randomness (xorshift64*, Vigna 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        i64::try_from(drawn % u64::try_from(bound).expect("positive")).expect("small")
    }
}

/// A machine in the true time, with a wall clock that somebody moves.
struct Machine {
    truth: i64,
    wall: i64,
    boot: u8,
    ran: i64,
    watch: Watch,
}

impl Machine {
    /// A license was issued and installed just now.
    fn new() -> Self {
        let mut watch = Watch::default();
        watch.raise(Timestamp::from_ms(START));
        Self {
            truth: START,
            wall: START,
            boot: 0,
            ran: 0,
            watch,
        }
    }

    fn running(&self) -> Option<Running> {
        Some(Running {
            boot: [self.boot; 16],
            ms: self.ran,
        })
    }

    fn look(&mut self) -> Look {
        let running = self.running();
        self.watch.look(Timestamp::from_ms(self.wall), running)
    }

    fn run(&mut self, ms: i64) {
        self.truth += ms;
        self.wall += ms;
        self.ran += ms;
    }

    /// Switched off for a while; the wall clock goes on, unless its battery is dead.
    fn off(&mut self, ms: i64) {
        self.truth += ms;
        self.wall += ms;
        self.boot = self.boot.wrapping_add(1);
        self.ran = 0;
    }

    fn prove(&mut self, age: i64) {
        let at = Timestamp::from_ms(self.truth - age);
        let running = self.running();
        self.watch.prove(at, age, running);
    }

    /// Whether a license that ends at `end` lets a product run.
    fn allows(&mut self, end: i64) -> bool {
        let look = self.look();
        let within = match look.clock {
            ClockState::Sound => true,
            ClockState::Suspect { ran_ms } => ran_ms <= BUDGET,
        };
        within && look.now.ms() < end
    }
}

/// One day's cheating: moves the clock as it likes, starts the machine again, leaves it off.
fn cheat(machine: &mut Machine, random: &mut Random) {
    match random.below(12) {
        0 => machine.wall = START + random.below(40 * DAY) - 5 * DAY,
        1 => machine.wall -= random.below(10 * DAY),
        2 => machine.wall -= TOLERANCE_MS - 1,
        3 => machine.wall = START,
        4 => machine.wall = machine.truth,
        5 => machine.wall += random.below(400 * DAY),
        6 => {
            machine.off(random.below(3 * DAY));
            machine.wall = machine.watch.furthest.ms();
        }
        7 => {
            machine.off(random.below(HOUR));
            machine.wall = machine.watch.furthest.ms() - TOLERANCE_MS + 1;
        }
        _ => {}
    }
}

/// How long a product could be run in all under a license of 30 days, whatever was done to the
/// clock, and for how long the machine ran.
fn cheated(seed: u64, mut machine: Machine) -> (i64, i64, u8) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let end = START + 30 * DAY;
    let (mut granted, mut ran) = (0, 0);
    for _ in 0..12_000 {
        if random.below(10) == 0 {
            cheat(&mut machine, &mut random);
        }
        let step = 1 + random.below(15 * MINUTE);
        let allowed = machine.allows(end);
        machine.run(step);
        machine.look();
        granted += if allowed { step } else { 0 };
        ran += step;
    }
    (granted, ran, machine.boot)
}

#[test]
fn a_thousand_cheats_gain_no_more_than_is_tolerated() {
    for seed in 0..1000 {
        let (granted, ran, _) = cheated(seed, Machine::new());
        // Of the running time a thousandth isn't counted for certain, nor its last second at a start.
        let slack = ran / 1000 + 15 * MINUTE + 12_000 * BLOCK_MS / 10;
        let most = 30 * DAY + TOLERANCE_MS + BUDGET + slack;
        assert!(
            granted <= most,
            "seed {seed}: {} min",
            (granted - 30 * DAY) / MINUTE
        );
    }
}

/// The negative control: a device that believes its wall clock is cheated by the same walks.
#[test]
fn the_same_cheats_fool_a_device_that_keeps_no_watch() {
    let fooled = (0..20).filter(|&seed| {
        let mut random = Random(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15) | 1);
        let mut machine = Machine::new();
        let mut granted = 0;
        for _ in 0..12_000 {
            if random.below(10) == 0 {
                cheat(&mut machine, &mut random);
            }
            let step = 1 + random.below(15 * MINUTE);
            granted += if machine.wall < START + 30 * DAY {
                step
            } else {
                0
            };
            machine.run(step);
        }
        granted > 30 * DAY + TOLERANCE_MS + BUDGET
    });
    assert!(fooled.count() > 10);
}

/// Without switching off, the end comes at its own true time, to a thousandth.
#[test]
fn a_machine_that_runs_through_gains_nothing_by_its_clock() {
    for seed in 0..200 {
        let mut random = Random(seed * 2 + 1);
        let mut machine = Machine::new();
        let end = START + 10 * DAY;
        while machine.truth < START + 20 * DAY {
            if random.below(5) == 0 {
                machine.wall = START - DAY + random.below(12 * DAY);
            }
            let allowed = machine.allows(end);
            let late = machine.truth - end;
            assert!(
                !allowed || late <= TOLERANCE_MS + 10 * DAY / 1000,
                "seed {seed}: {} min after the end",
                late / MINUTE
            );
            machine.run(1 + random.below(HOUR));
        }
    }
}

/// What happens to honest people's clocks.
fn mishap(machine: &mut Machine, random: &mut Random, copy: &mut (Watch, u8, i64)) {
    match random.below(9) {
        // The battery is dead: every start is in the year 2000 until somebody sets the clock.
        0 => {
            machine.off(random.below(2 * DAY));
            machine.wall = 946_684_800_000;
        }
        // A year ahead, noticed and corrected later.
        1 => machine.wall = machine.truth + 365 * DAY,
        // Another system on the same machine keeps local time.
        2 => machine.wall = machine.truth - random.below(14) * HOUR,
        3 => machine.off(random.below(5 * DAY)),
        // A copy of the machine is put back: its clocks and its folder go on from there.
        4 => (machine.watch, machine.boot, machine.ran) = *copy,
        5 => *copy = (machine.watch, machine.boot, machine.ran),
        _ => machine.wall = machine.truth,
    }
}

#[test]
fn an_honest_device_is_heard_out_and_recovers_by_one_answer() {
    let mut refused = 0;
    for seed in 0..1000 {
        let mut random = Random(seed * 2 + 1);
        let mut machine = Machine::new();
        let end = START + 10_000 * DAY;
        let mut copy = (machine.watch, machine.boot, machine.ran);
        let mut suspect = 0;
        for _ in 0..400 {
            if random.below(8) == 0 {
                mishap(&mut machine, &mut random, &mut copy);
            }
            let look = machine.look();
            let doubted = look.clock != ClockState::Sound;
            assert!(
                look.now.ms() <= machine.truth.max(machine.wall),
                "seed {seed}: later than anything has shown"
            );
            if !machine.allows(end) {
                refused += 1;
                assert!(suspect > BUDGET, "seed {seed}: after {} h", suspect / HOUR);
                let age = random.below(10 * MINUTE);
                machine.prove(age);
                assert!(machine.allows(end), "seed {seed}: an answer did not help");
                let now = machine.look().now.ms();
                assert!(
                    (now - machine.truth).abs() <= TOLERANCE_MS + age,
                    "seed {seed}"
                );
                suspect = age;
                copy = (machine.watch, machine.boot, machine.ran);
            }
            let step = 1 + random.below(6 * HOUR);
            machine.run(step);
            suspect += if doubted { step } else { 0 };
        }
    }
    assert!(
        refused > 100,
        "the walks come to the end of the budget: {refused}"
    );
}

#[test]
fn a_wrong_year_at_first_start_ends_with_one_answer() {
    let mut machine = Machine::new();
    machine.wall += 73 * 365 * DAY;
    machine.look();
    machine.wall = machine.truth;
    assert!(matches!(machine.look().clock, ClockState::Suspect { .. }));
    assert_eq!(machine.look().now.ms(), START, "as late as is certain");
    machine.prove(2 * MINUTE);
    machine.run(HOUR);
    assert_eq!(machine.look().clock, ClockState::Sound);
    machine.off(DAY);
    let look = machine.look();
    assert_eq!(
        (look.clock, look.now.ms()),
        (ClockState::Sound, machine.truth)
    );
}

#[test]
fn a_dead_battery_is_no_doubt_while_an_answer_of_this_boot_holds() {
    let mut machine = Machine::new();
    machine.off(DAY);
    machine.wall = 0;
    assert!(matches!(machine.look().clock, ClockState::Suspect { .. }));
    machine.prove(0);
    for _ in 0..30 * 24 {
        machine.run(HOUR);
        let look = machine.look();
        assert_eq!(look.clock, ClockState::Sound);
        let behind = machine.truth - look.now.ms();
        assert!((0..=30 * DAY / 1000).contains(&behind), "{behind} ms");
    }
    machine.off(DAY);
    machine.wall = 0;
    let ClockState::Suspect { ran_ms } = machine.look().clock else {
        panic!("another start is another doubt");
    };
    assert_eq!(ran_ms, 0, "the answer gave the whole budget back");
}

#[test]
fn sitting_on_an_answer_is_held_against_the_budget() {
    let mut machine = Machine::new();
    machine.run(DAY);
    machine.prove(20 * HOUR);
    let look = machine.look();
    assert_eq!(look.clock, ClockState::Sound);
    assert!(look.now.ms() <= machine.truth, "never later than the truth");
    machine.off(0);
    machine.wall = 0;
    let ClockState::Suspect { ran_ms } = machine.look().clock else {
        panic!("suspect");
    };
    assert_eq!(ran_ms, 20 * HOUR);
}

#[test]
fn small_steps_add_up_like_large_ones() {
    let mut fine = Machine::new();
    let mut coarse = Machine::new();
    fine.look();
    coarse.look();
    for _ in 0..100_000 {
        fine.run(7);
        fine.wall = 0;
        fine.look();
    }
    coarse.run(700_000);
    coarse.wall = 0;
    coarse.look();
    let apart = (fine.watch.floor.ms() - coarse.watch.floor.ms()).abs();
    assert!(apart <= BLOCK_MS, "{apart} ms apart");
}

#[test]
fn two_copies_come_to_the_newer_one() {
    let mut machine = Machine::new();
    machine.look();
    let old = machine.watch;
    machine.run(DAY);
    machine.look();
    let newer = machine.watch;
    assert_eq!(old.merged(newer), newer);
    assert_eq!(newer.merged(old), newer);
    machine.wall += 400 * DAY;
    machine.look();
    let ahead = machine.watch;
    machine.prove(0);
    let proven = machine.watch;
    assert_eq!(ahead.merged(proven), proven, "a proof brings it back");
    assert_eq!(proven.merged(ahead), proven);
    for watch in [Watch::default(), old, newer, ahead, proven] {
        assert_eq!(Watch::from_words(&watch.to_words()), watch);
        assert_eq!(watch.merged(watch), watch);
    }
}
