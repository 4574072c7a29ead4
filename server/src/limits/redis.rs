//! Rates shared by several servers, in Redis: one script, so that all limits are taken or none.
//!
//! The script keeps the rule of [`RateLimit::decide`]: a word is an instant, written as whole
//! milliseconds and the nanoseconds beyond, since a script's numbers hold no 64 bits. It answers the
//! words as they were, and the pure rule says again what that means; a test holds both together.

use super::RateAsked;
use mintreu::Timestamp;
use mintreu::meter::{RateDecision, RateLimit};
use redis::Script;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use std::time::Duration;
use tokio::sync::OnceCell;

const NS_IN_MS: u64 = 1_000_000;
/// How long a request waits for Redis before this process decides alone.
const PATIENCE: Duration = Duration::from_millis(250);

const TAKE: &str = r"
local now, granted = tonumber(ARGV[1]), 1
local seen, after = {}, {}
local function past(ms, ns, other_ms, other_ns)
  return ms > other_ms or (ms == other_ms and ns > other_ns)
end
local function text(ms, ns) return string.format('%.0f:%.0f', ms, ns) end
for i, key in ipairs(KEYS) do
  local a = 2 + (i - 1) * 5
  local cost_ms, cost_ns = tonumber(ARGV[a]), tonumber(ARGV[a + 1])
  local most_ms, most_ns = now + tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
  local ms, ns = now, 0
  local kept = redis.call('GET', key)
  if kept then
    local m, n = string.match(kept, '^(%d+):(%d+)$')
    if m and tonumber(m) >= now then ms, ns = tonumber(m), tonumber(n) end
  end
  if past(ms, ns, most_ms, most_ns) then
    ms, ns = most_ms, most_ns
    redis.call('SET', key, text(ms, ns), 'PX', ARGV[a + 4])
  end
  seen[i] = text(ms, ns)
  ms, ns = ms + cost_ms, ns + cost_ns
  if ns >= 1000000 then ms, ns = ms + 1, ns - 1000000 end
  if past(ms, ns, most_ms, most_ns) then granted = 0 end
  after[i] = text(ms, ns)
end
if granted == 1 then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, after[i], 'PX', ARGV[2 + (i - 1) * 5 + 4])
  end
end
return seen
";

/// A Redis that several servers share.
pub(super) struct Shared {
    client: redis::Client,
    connection: OnceCell<ConnectionManager>,
    script: Script,
}

impl Shared {
    /// For an address; nothing is connected yet.
    pub fn new(url: &str) -> Result<Self, String> {
        Ok(Self {
            client: redis::Client::open(url).map_err(|error| error.to_string())?,
            connection: OnceCell::new(),
            script: Script::new(TAKE),
        })
    }

    /// Takes `n` units under each limit, all or none; `None` when Redis doesn't answer in time.
    pub async fn take(
        &self,
        asked: &[RateAsked],
        n: u64,
        now: Timestamp,
    ) -> Option<Vec<RateDecision>> {
        let words = tokio::time::timeout(PATIENCE, self.words(asked, n, now)).await;
        let words = match words {
            Ok(Ok(words)) if words.len() == asked.len() => words,
            Ok(Ok(_)) => return None,
            Ok(Err(error)) => {
                tracing::warn!(%error, "rate limits are counted in this process: Redis");
                return None;
            }
            Err(_) => {
                tracing::warn!("rate limits are counted in this process: Redis is slow");
                return None;
            }
        };
        let pairs = asked.iter().zip(&words);
        let decide =
            |n: u64| move |(one, word): (&RateAsked, &u64)| one.limit.decide(*word, n, now).1;
        let decided: Vec<_> = pairs.clone().map(decide(n)).collect();
        Some(super::rates::all_or_none(decided, |index| {
            asked[index].limit.decide(words[index], 0, now).1
        }))
    }

    async fn words(
        &self,
        asked: &[RateAsked],
        n: u64,
        now: Timestamp,
    ) -> redis::RedisResult<Vec<u64>> {
        let connect = || {
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(1)
                .set_connection_timeout(Some(PATIENCE))
                .set_response_timeout(Some(PATIENCE));
            ConnectionManager::new_with_config(self.client.clone(), config)
        };
        let mut connection = self.connection.get_or_try_init(connect).await?.clone();
        let mut call = self.script.prepare_invoke();
        call.arg(now.ms().max(0));
        for one in asked {
            let cost = parts(one.limit, n);
            let most = parts(one.limit, one.limit.burst());
            call.key(format!("mintreu:rate:{}", one.whom));
            call.arg(cost.0)
                .arg(cost.1)
                .arg(most.0)
                .arg(most.1)
                .arg(most.0 + 1_000);
        }
        let seen: Vec<String> = call.invoke_async(&mut connection).await?;
        let words = seen.iter().map(|text| word(text));
        let words: Option<Vec<u64>> = words.collect();
        words.ok_or_else(|| {
            let kind = redis::ErrorKind::UnexpectedReturnType;
            redis::RedisError::from((kind, "a word that the script doesn't write"))
        })
    }
}

/// The time that `n` units cost: milliseconds, and nanoseconds beyond.
fn parts(limit: RateLimit, n: u64) -> (u64, u64) {
    // More than the burst is refused whatever it costs; so much a script's number still holds.
    let n = n.min(limit.burst().saturating_add(1));
    let cost = limit.interval_ns().saturating_mul(n);
    (cost / NS_IN_MS, cost % NS_IN_MS)
}

fn word(text: &str) -> Option<u64> {
    let (ms, ns) = text.split_once(':')?;
    let ms: u64 = ms.parse().ok()?;
    ms.checked_mul(NS_IN_MS)?.checked_add(ns.parse().ok()?)
}
