//! The log of issued licenses, as a seller's overview shows it: key, newest head, how to audit.

use super::super::ask::Ask;
use super::super::license::key_box;
use super::super::page::Page;
use super::super::parts::KeyBox;
use crate::domains::transparency::{self, LogError};

/// What the card shows.
pub struct LogCard {
    pub key: KeyBox,
    pub head: String,
    pub command: KeyBox,
    /// Where the newest head is, for everybody.
    pub address: String,
}

/// The log of the seller's tenant.
pub async fn card(ask: &Ask, page: &Page) -> Result<LogCard, LogError> {
    let caller = &ask.visitor.caller;
    let log = ask
        .app
        .transact(caller, transparency::State, transparency::state)
        .await?;
    let base = ask.app.config.server.base_url.trim_end_matches('/');
    let command = format!(
        "mintreu log fetch --server {base} --out audit --log-key {} --token-file session.txt",
        log.key
    );
    let head = page.words.say_with(
        "sell-log-head",
        [
            (
                "count",
                i64::try_from(log.head.size).unwrap_or(i64::MAX).into(),
            ),
            ("when", page.format.instant(log.head.signed_at).into()),
        ],
    );
    Ok(LogCard {
        key: KeyBox {
            label: page.say("sell-log-key"),
            ..key_box(page, "log-key".to_owned(), log.key.to_string())
        },
        command: KeyBox {
            label: page.say("sell-log-title"),
            ..key_box(page, "log-command".to_owned(), command)
        },
        head,
        address: format!("/v1/log/heads/{}", log.head.size),
    })
}
