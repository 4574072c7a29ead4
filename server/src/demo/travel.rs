//! Letting time go by in a demo: every job on the way runs at its own time, in order.

use crate::app::App;
use crate::gateways::sandbox::clock::keep_move;
use crate::gateways::sandbox::ops::SandboxError;
use crate::queue;
use crate::worker;
use mintreu::Timestamp;
use mintreu::id::TenantId;
use std::sync::Arc;

/// Most stops on the way; beyond them, the rest of the way is one step.
const MOST_STOPS: usize = 5_000;

/// Moves the demo's clock to `to`, stopping at every job that is due on the way. One move at a time:
/// a second is refused with `clock_moving`.
pub async fn travel(app: &Arc<App>, tenant: TenantId, to: Timestamp) -> Result<(), SandboxError> {
    let clock = app.sandbox_clock.clone().ok_or(SandboxError::NotFound)?;
    let alone = clock.moving.try_lock();
    let _alone = alone.map_err(|_| SandboxError::Refused("clock_moving"))?;
    keep_move(app, tenant, to).await?;
    let table = Arc::new(worker::table());
    worker::drain(app, &table).await?;
    for _ in 0..MOST_STOPS {
        let next = app.store.read(queue::sql::next_due).await??;
        let Some(next) = next.filter(|next| *next < to) else {
            break;
        };
        clock.reach(next);
        worker::drain(app, &table).await?;
    }
    clock.reach(to);
    worker::drain(app, &table).await?;
    Ok(())
}
