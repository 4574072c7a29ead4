//! The owner's look into the books, a page at a time.

use crate::payouts::{caller, earn, owner, pay, seller, settle_in};
use mintreu::{Currency, Money};
use mintreu_server::caller::Role;
use mintreu_server::domains::ledger::explore::{EntriesQuery, Of, accounts, entries, trial};
use mintreu_server::domains::ledger::{AccountKind, LedgerError};
use mintreu_tests::TestApp;

#[tokio::test]
async fn the_owner_finds_accounts_entries_and_what_belongs_together() {
    TestApp::both(async |test| {
        let (server, ada, owner) = (test.serve().await, seller(1), owner(test));
        settle_in(test, ada, "acct_ok").await;
        for sale in 0..120 {
            let key = format!("sale {sale}");
            earn(test, &key, ada, Money::new(100, Currency::EUR)).await;
        }
        let paid = pay(test).await.payouts.remove(0);
        let found = test
            .app
            .read(&owner, None, accounts)
            .await
            .expect("accounts");
        let balance = |kind| {
            let one = found.iter().find(|one| one.account.kind == kind);
            one.expect("an account").balance.minor()
        };
        assert_eq!(balance(AccountKind::SellerReleasable), 0);
        assert_eq!(balance(AccountKind::PspClearing), 0);
        let lines = test
            .app
            .read(&owner, (), trial)
            .await
            .expect("a trial balance");
        assert_eq!(
            (lines.len(), lines[0].sum.minor(), lines[0].entries),
            (1, 0, 244)
        );
        // 121 entries of one account: a page of a hundred and the rest, none twice.
        let account = found
            .iter()
            .find(|one| one.account.kind == AccountKind::SellerReleasable);
        let of = Of::Account(account.expect("an account").id);
        let mut query = EntriesQuery::of(of);
        let first = test
            .app
            .read(&owner, query.clone(), entries)
            .await
            .expect("entries");
        let last = first.last().expect("an entry");
        query.before = Some((last.at, last.id));
        let second = test
            .app
            .read(&owner, query, entries)
            .await
            .expect("entries");
        assert_eq!((first.len(), second.len()), (100, 21));
        let sum: i64 = first
            .iter()
            .chain(&second)
            .map(|entry| entry.amount.minor())
            .sum();
        assert_eq!(sum, 0);
        let of = Of::Reference(paid.id.to_string());
        let query = EntriesQuery::of(of);
        let both = test
            .app
            .read(&owner, query.clone(), entries)
            .await
            .expect("entries");
        let mut reasons: Vec<_> = both.iter().map(|entry| entry.kind.as_str()).collect();
        // All of one instant, so in the order of their ids.
        reasons.sort_unstable();
        assert_eq!(reasons, ["payout", "payout", "payout_paid", "payout_paid"]);
        let own = caller(test, ada, Role::Developer);
        let denied = test.app.read(&own, query, entries).await;
        assert!(matches!(denied, Err(LedgerError::Denied(_))));
        server.stop().await;
    })
    .await;
}
