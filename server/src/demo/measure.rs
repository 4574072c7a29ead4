//! A seller's meters and a fortnight of events, as the seller's service would send them.

use super::{People, SeedError};
use crate::app::App;
use crate::caller::Caller;
use crate::domains::meters::MeterError;
use crate::domains::meters::model::event::Event;
use crate::domains::meters::model::meter::DraftIn;
use crate::domains::meters::ops::{CreateMeter, IngestEvents, create_meter, ingest};
use mintreu::Timestamp;
use serde_json::json;
use serde_json::value::to_raw_value;
use std::collections::BTreeMap;

/// Whose service it is.
const SELLER: &str = "tomasz@northbeam.example";
const KIND: &str = "api.request";
const DAYS: i64 = 14;
const HOUR_MS: i64 = 3_600_000;
const ENDPOINTS: [&str; 3] = ["/v1/translate", "/v1/speech", "/v1/languages"];

/// Makes the meters, then sends the events.
pub(super) async fn measure(app: &App, people: &People) -> Result<(), SeedError> {
    let caller = people.seller(SELLER)?;
    let seller = caller.account.ok_or(SeedError::Incomplete("a seller"))?;
    for draft in meters() {
        let draft: DraftIn = serde_json::from_value(draft).map_err(|_| unread())?;
        let draft = draft.read()?;
        send(app, &caller, CreateMeter { seller, draft }).await?;
    }
    let events = events(app.now())?;
    ingest(app, &caller, IngestEvents { seller, events }).await?;
    Ok(())
}

async fn send(app: &App, caller: &Caller, command: CreateMeter) -> Result<(), MeterError> {
    app.transact(caller, command, create_meter).await.map(drop)
}

fn meters() -> [serde_json::Value; 3] {
    [
        json!({"slug": "api_requests", "name": "API requests", "eventType": KIND,
            "aggregation": "COUNT", "groupBy": {"endpoint": "$.endpoint"}}),
        json!({"slug": "response_ms_p95", "name": "Response time, 95th percentile", "eventType": KIND,
            "aggregation": "PERCENTILE", "valueProperty": "$.ms"}),
        json!({"slug": "active_customers", "name": "Active customers", "eventType": KIND,
            "aggregation": "UNIQUE_COUNT", "valueProperty": "$.customer"}),
    ]
}

/// More by day than by night, and a little more every day.
fn events(now: Timestamp) -> Result<Vec<Event>, SeedError> {
    let mut events = Vec::new();
    for hour in 0..DAYS * 24 {
        let daytime = (7..20).contains(&(hour % 24));
        let count = if daytime { 2 + hour / 72 } else { hour % 2 };
        for nth in 0..count {
            let draw = hour * 31 + nth * 17;
            let at = now.plus_ms((hour - DAYS * 24) * HOUR_MS + nth * 60_000);
            events.push(event(draw, at)?);
        }
    }
    Ok(events)
}

fn event(draw: i64, at: Timestamp) -> Result<Event, SeedError> {
    let customer = format!("customer-{}", draw % 23);
    let endpoint = ENDPOINTS[usize::try_from(draw % 7 % 3).unwrap_or(0)];
    let data = json!({"endpoint": endpoint, "ms": 20 + draw * draw % 180, "customer": customer});
    let event = Event {
        source: "api.northbeam.example".into(),
        id: format!("request-{}-{draw}", at.ms()),
        kind: KIND.into(),
        subject: customer,
        at: Some(at),
        data: String::new(),
        leaves: BTreeMap::new(),
        reverses: None,
    };
    let data = to_raw_value(&data).map_err(|_| unread())?;
    let read = event.with_data(Some(&data), at);
    read.map_err(|_| unread())
}

/// Never: all of it is compiled in.
fn unread() -> SeedError {
    SeedError::Incomplete("readable meters and events")
}
