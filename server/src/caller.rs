//! Who calls, and what they may do: the permission table.
//!
//! A face (HTTP, job, command line) only says who the caller is; [`crate::app::App::transact`]
//! holds the command's capability against this table. Ownership is a WHERE clause, not a
//! capability.

use mintreu::id::{AccountId, TenantId};

/// What a person or a part of the house may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nobody signed in.
    Guest,
    /// A signed-in person: every account is one.
    Customer,
    /// Sells products.
    Developer,
    /// Runs the platform.
    Admin,
    /// The house itself: jobs, start-up, the command line on its own database.
    System,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Guest,
        Self::Customer,
        Self::Developer,
        Self::Admin,
        Self::System,
    ];

    /// As in `docs/permissions.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Customer => "customer",
            Self::Developer => "developer",
            Self::Admin => "admin",
            Self::System => "system",
        }
    }
}

/// What a command needs its caller to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Look at the shop; check out as a guest; redeem, activate and report usage (proved by keys).
    Browse,
    /// Own orders, licenses and invoices.
    Buy,
    /// Manage one's own products, keys and sales.
    Sell,
    /// Verify developers, settle, configure.
    Administer,
    /// What only the house does: settle payments, close periods, deliver mail.
    Operate,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 5] = [
        Self::Browse,
        Self::Buy,
        Self::Sell,
        Self::Administer,
        Self::Operate,
    ];

    /// As in `docs/permissions.csv` and `docs/permissions-routes.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::Buy => "buy",
            Self::Sell => "sell",
            Self::Administer => "administer",
            Self::Operate => "operate",
        }
    }
}

/// Who calls, in which tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant whose host was asked.
    pub tenant: TenantId,
    /// The account, when somebody is signed in.
    pub account: Option<AccountId>,
    /// The roles held, [`Role::Guest`] at least.
    pub roles: Vec<Role>,
}

impl Caller {
    /// Nobody in particular.
    pub fn guest(tenant: TenantId) -> Self {
        Self {
            tenant,
            account: None,
            roles: vec![Role::Guest],
        }
    }

    /// The house itself.
    pub fn system(tenant: TenantId) -> Self {
        Self {
            tenant,
            account: None,
            roles: vec![Role::System],
        }
    }

    /// Whether any role held grants `capability`.
    pub fn may(&self, capability: Capability) -> bool {
        self.roles.iter().any(|role| grants(*role, capability))
    }
}

/// The permission table: deny by default.
pub fn grants(role: Role, capability: Capability) -> bool {
    use Capability::{Administer, Browse, Buy, Operate, Sell};
    let granted: &[Capability] = match role {
        Role::Guest => &[Browse],
        Role::Customer => &[Browse, Buy],
        Role::Developer => &[Browse, Buy, Sell],
        Role::Admin => &[Browse, Buy, Administer],
        Role::System => &[Browse, Buy, Sell, Administer, Operate],
    };
    granted.contains(&capability)
}

/// The caller may not do this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this needs the capability {capability:?}")]
pub struct Denied {
    /// What was missing.
    pub capability: Capability,
    /// Whether somebody is signed in: if not, signing in may help.
    pub signed_in: bool,
}
