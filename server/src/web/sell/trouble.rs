//! What a seller should look at in a product's usage: disputes, forks, quiet devices, restores.

use super::must_sell;
use crate::domains::metering::evidence::http::evidence_path;
use crate::domains::metering::evidence::{
    DecideDispute, Dispute, DisputesOf, Fork, Quiet, Trouble, TroubleOf, decide_dispute, trouble,
};
use crate::domains::quotas::WrittenOff;
use crate::problem::Problem;
use crate::web::ask::{Answer, Ask};
use crate::web::page::Page;
use crate::wire::CsrfForm;
use axum::response::{IntoResponse, Redirect};
use mintreu::id::{ProductId, StreamId};
use serde::Deserialize;

/// As the page shows it.
pub struct TroubleView {
    pub disputes: Vec<DisputeRow>,
    pub forks: Vec<[String; 3]>,
    pub quiet: Vec<[String; 3]>,
    pub written_off: Vec<WrittenOffRow>,
    /// Empty for a server that was never put back from a backup.
    pub restored: String,
}

/// Units that were taken back from a device.
pub struct WrittenOffRow {
    pub activation: String,
    pub license: String,
    pub meter: String,
    pub units: String,
    pub when: String,
    pub who: String,
    pub reason: String,
}

/// One dispute, with what its form sends.
pub struct DisputeRow {
    pub stream: String,
    pub epoch: i64,
    pub license: String,
    pub meter: String,
    pub units: String,
    pub opened: String,
    pub open: bool,
    pub state: String,
}

impl TroubleView {
    /// Whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.disputes.is_empty()
            && self.forks.is_empty()
            && self.quiet.is_empty()
            && self.written_off.is_empty()
            && self.restored.is_empty()
    }
}

/// Looks for trouble in one product.
pub async fn of(ask: &Ask, page: &Page, product: ProductId) -> Result<TroubleView, Problem> {
    let caller = &ask.visitor.caller;
    let found = ask.app.read(caller, TroubleOf { product }, trouble).await?;
    Ok(view(page, &found))
}

fn view(page: &Page, found: &Trouble) -> TroubleView {
    let restored = match found.server_epoch {
        ..=1 => String::new(),
        epoch => page.say_one("trouble-restored", "count", page.format.signed(epoch - 1)),
    };
    let fork = |fork: &Fork| {
        [
            format!("{} {}/{}", fork.stream, fork.epoch, fork.seq),
            page.format.instant(fork.received_at),
            evidence_path(fork),
        ]
    };
    let quiet = |quiet: &Quiet| {
        [
            format!("{} {}/{}", quiet.stream, quiet.epoch, quiet.seq),
            quiet.license.to_string(),
            page.format.instant(quiet.last_at),
        ]
    };
    TroubleView {
        disputes: found.disputes.iter().map(|one| row(page, one)).collect(),
        forks: found.forks.iter().map(fork).collect(),
        quiet: found.quiet.iter().map(quiet).collect(),
        written_off: found
            .written_off
            .iter()
            .map(|one| written_off(page, one))
            .collect(),
        restored,
    }
}

fn written_off(page: &Page, one: &WrittenOff) -> WrittenOffRow {
    WrittenOffRow {
        activation: one.activation.to_string(),
        license: one.license.to_string(),
        meter: one.meter.clone(),
        units: page.format.number(one.units),
        when: page.format.instant(one.at),
        who: one.by.to_string(),
        reason: one.reason.clone(),
    }
}

fn row(page: &Page, dispute: &Dispute) -> DisputeRow {
    let state = match dispute.state.as_str() {
        "accepted" => page.say("dispute-accepted"),
        "written_off" => page.say("dispute-written-off"),
        _ => page.say("dispute-open"),
    };
    DisputeRow {
        stream: dispute.stream.to_string(),
        epoch: dispute.epoch,
        license: dispute.license.to_string(),
        meter: dispute.key.meter().to_owned(),
        units: page.format.signed(dispute.units),
        opened: page.format.instant(dispute.opened_at),
        open: dispute.state == "open",
        state,
    }
}

/// A decision as the form sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DecideForm {
    stream: String,
    epoch: i64,
    decision: String,
    reason: String,
    product: String,
}

/// `POST /sell/usage/decide`.
pub async fn decide(ask: Ask, form: Result<CsrfForm<DecideForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let missing = || Problem::not_found("There is no such dispute.");
    let stream = StreamId::parse(&form.stream).map_err(|_| missing())?;
    let product = ProductId::parse(&form.product).map_err(|_| missing())?;
    let accept = match form.decision.as_str() {
        "accept" => true,
        "write_off" => false,
        _ => return Err(missing().into()),
    };
    let command = DecideDispute {
        of: DisputesOf {
            stream,
            epoch: form.epoch,
        },
        accept,
        reason: form.reason,
    };
    let caller = &ask.visitor.caller;
    ask.app.transact(caller, command, decide_dispute).await?;
    Ok(Redirect::to(&format!("/sell/usage?product={product}")).into_response())
}
