//! Instants and the clock they come from.
//!
//! Nothing in the engine reads the operating system's clock except [`SystemClock`]; everything
//! else is given a [`Timestamp`] or a [`Clock`].

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// An instant: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted (RFC 3339 time).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// From whole seconds since the Unix epoch; saturates at the ends of the range.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded towards the past.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved by `ms` milliseconds (may be negative); saturates.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this instant; negative when this one is first.
    pub const fn since_ms(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// For how long this boot of the machine has run, the time it slept counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// Which boot: another one after every start of the machine.
    pub boot: [u8; 16],
    /// Milliseconds since it began; only ever rises.
    pub ms: i64,
}

/// Where instants come from.
pub trait Clock: Send + Sync {
    /// The wall clock now, to the next few milliseconds: cheap enough to be asked on every call.
    fn now(&self) -> Timestamp;

    /// For how long the machine has run, where that can be known.
    fn running(&self) -> Option<Running> {
        None
    }
}

/// The operating system's clocks.
///
/// On Linux the wall clock is the coarse one, which follows the tick (4 ms at most), and the
/// running time is `CLOCK_BOOTTIME`. Elsewhere running time is known within one process only.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[cfg(target_os = "linux")]
impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Timestamp {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
        Timestamp(millis(now.tv_sec, now.tv_nsec))
    }

    fn running(&self) -> Option<Running> {
        // The kernel's own name for this boot: 36 characters of a UUID.
        let name = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let digits = name.bytes().filter_map(|b| char::from(b).to_digit(16));
        let boot = digits.fold(0u128, |boot, digit| boot << 4 | u128::from(digit));
        let ran = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Some(Running {
            boot: boot.to_be_bytes(),
            ms: millis(ran.tv_sec, ran.tv_nsec),
        })
    }
}

#[cfg(target_os = "linux")]
const fn millis(seconds: i64, nanoseconds: i64) -> i64 {
    seconds
        .saturating_mul(1000)
        .saturating_add(nanoseconds / 1_000_000)
}

#[cfg(not(target_os = "linux"))]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the system's clocks"
)]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now();
        let ms = match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        Timestamp(ms)
    }

    fn running(&self) -> Option<Running> {
        static PROCESS: std::sync::OnceLock<Option<([u8; 16], std::time::Instant)>> =
            std::sync::OnceLock::new();
        let begin = || {
            let mut boot = [0; 16];
            getrandom::fill(&mut boot).ok()?;
            Some((boot, std::time::Instant::now()))
        };
        let (boot, since) = (*PROCESS.get_or_init(begin))?;
        let ms = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
        Some(Running { boot, ms })
    }
}

/// Clocks that stand still until told to move: for tests and simulations.
#[derive(Debug, Default)]
pub struct FixedClock {
    wall: AtomicI64,
    boot: AtomicU64,
    ran: AtomicI64,
}

impl FixedClock {
    /// A machine that was just started, whose clock reads `at`.
    pub const fn at(at: Timestamp) -> Self {
        Self {
            wall: AtomicI64::new(at.ms()),
            boot: AtomicU64::new(0),
            ran: AtomicI64::new(0),
        }
    }

    /// Lets `ms` milliseconds go by.
    pub fn advance(&self, ms: u32) {
        self.wall.fetch_add(i64::from(ms), Ordering::SeqCst);
        self.ran.fetch_add(i64::from(ms), Ordering::SeqCst);
    }

    /// Sets the wall clock, backward too: tests of tampering need it.
    pub fn set(&self, at: Timestamp) {
        self.wall.store(at.ms(), Ordering::SeqCst);
    }

    /// Starts the machine again.
    pub fn restart(&self) {
        self.boot.fetch_add(1, Ordering::SeqCst);
        self.ran.store(0, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::SeqCst))
    }

    fn running(&self) -> Option<Running> {
        let boot = u128::from(self.boot.load(Ordering::SeqCst));
        Some(Running {
            boot: boot.to_be_bytes(),
            ms: self.ran.load(Ordering::SeqCst),
        })
    }
}
