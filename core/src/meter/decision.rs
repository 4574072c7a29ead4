//! The answer to "may I use so many units?".

use crate::time::Timestamp;

/// The answer to "may I use `n` units?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes, and they are counted.
    Granted {
        /// Units left; `None` when the license sets no limit for this meter.
        remaining: Option<u64>,
        /// When the window ends and units come back; `None` when time alone brings none.
        resets_at: Option<Timestamp>,
        /// Units used beyond the limit in this window, these included; they are charged.
        overage: u64,
        /// The highest of the quota's alerts, in percent of its limit, that this use was the
        /// first of its window to reach.
        crossed: Option<u8>,
    },
    /// No, and nothing was counted.
    Refused {
        /// Why not.
        reason: Refusal,
        /// When asking again may help; `None` when time alone will not.
        resets_at: Option<Timestamp>,
    },
}

/// Why units were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There are fewer units than were asked for.
    QuotaSpent {
        /// Units that are still left.
        remaining: u64,
    },
    /// No license in force allows it; the verdict's own stable code says why.
    License {
        /// The verdict's stable code.
        code: &'static str,
    },
}

impl Decision {
    /// Granted without any limit.
    pub const UNLIMITED: Self = Self::Granted {
        remaining: None,
        resets_at: None,
        overage: 0,
        crossed: None,
    };

    /// Whether the units were granted.
    pub const fn granted(&self) -> bool {
        matches!(self, Self::Granted { .. })
    }

    /// Units left: `None` without a limit, and where no license allows any use.
    pub const fn remaining(&self) -> Option<u64> {
        match self {
            Self::Granted { remaining, .. } => *remaining,
            Self::Refused {
                reason: Refusal::QuotaSpent { remaining },
                ..
            } => Some(*remaining),
            Self::Refused { .. } => None,
        }
    }

    /// When units come back; `None` when time alone brings none.
    pub const fn resets_at(&self) -> Option<Timestamp> {
        match self {
            Self::Granted { resets_at, .. } | Self::Refused { resets_at, .. } => *resets_at,
        }
    }

    /// Units used beyond the limit in this window.
    pub const fn overage(&self) -> u64 {
        match self {
            Self::Granted { overage, .. } => *overage,
            Self::Refused { .. } => 0,
        }
    }

    /// The alert that these units set off, in percent of the limit.
    pub const fn crossed(&self) -> Option<u8> {
        match self {
            Self::Granted { crossed, .. } => *crossed,
            Self::Refused { .. } => None,
        }
    }

    /// The stable code of a refusal.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Granted { .. } => None,
            Self::Refused { reason, .. } => Some(reason.code()),
        }
    }
}

impl Refusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::QuotaSpent { .. } => "quota_spent",
            Self::License { code } => code,
        }
    }
}
