//! A license's journal, as this server accepted it, written out a page at a time.

use super::super::model::MeteringError;
use super::ops::visible;
use super::sql::{self, Kept, StreamHead};
use crate::app::{App, ReadCx};
use crate::caller::Caller;
use crate::domains::licensing;
use mintreu::Timestamp;
use mintreu::id::{LicenseId, StreamId};
use mintreu::meter::{ExportWriter, Source};
use std::future::Future;
use std::sync::Arc;

/// Segments of one read.
const PAGE: i64 = 256;

/// Writes everything to `out`, which may be slow: each page is a read of its own, and what is
/// accepted meanwhile behind it is part of the file. `out` says whether anybody still listens.
pub async fn export<F: Future<Output = bool>>(
    app: Arc<App>,
    caller: Caller,
    license: LicenseId,
    mut out: impl FnMut(Vec<u8>) -> F,
) -> Result<(), MeteringError> {
    let (mut writer, head) = ExportWriter::begin(Source::Server);
    if !out(head).await {
        return Ok(());
    }
    let mut after = StreamId::from_bytes([0; 16]);
    loop {
        let next = app.read(&caller, (license, after), next_stream).await?;
        let Some((stream, activation)) = next else {
            break;
        };
        after = stream.stream;
        let Ok(key) = <[u8; 32]>::try_from(stream.device_key.as_slice()) else {
            continue;
        };
        if !out(writer.device(&key, activation.as_deref())).await {
            return Ok(());
        }
        let mut place = (0, 0);
        loop {
            let page = app.read(&caller, (after, place), next_segments).await?;
            let Some(last) = page.last() else { break };
            place = last.place;
            let mut bytes = Vec::new();
            for kept in &page {
                bytes.extend(writer.segment(&kept.document));
                if let Some(receipt) = &kept.receipt {
                    bytes.extend(writer.receipt(receipt));
                }
            }
            if !out(bytes).await {
                return Ok(());
            }
        }
        for (document, received_at) in app.read(&caller, after, forks).await? {
            if !out(writer.fork(&document, received_at)).await {
                return Ok(());
            }
        }
    }
    out(writer.end()).await;
    Ok(())
}

type Section = (StreamHead, Option<Vec<u8>>);

/// The next stream with its activation; the license is looked at each time, so that nobody goes on
/// reading what was taken from them.
fn next_stream(
    cx: &mut ReadCx<'_>,
    (license, after): &(LicenseId, StreamId),
) -> Result<Option<Section>, MeteringError> {
    let of = (cx.caller.tenant, visible(cx, *license)?);
    let Some(stream) = sql::streams_of_license(cx.tx, of, *after, 1)?.pop() else {
        return Ok(None);
    };
    let view = licensing::view(cx, license).map_err(|_| MeteringError::NotFound)?;
    let mut devices = view.activations.into_iter();
    let activation = devices.find(|one| one.id == stream.activation);
    Ok(Some((stream, activation.map(|one| one.document))))
}

fn next_segments(
    cx: &mut ReadCx<'_>,
    after: &(StreamId, (i64, i64)),
) -> Result<Vec<Kept>, MeteringError> {
    Ok(sql::segments(cx.tx, cx.caller.tenant, *after, PAGE)?)
}

fn forks(
    cx: &mut ReadCx<'_>,
    stream: &StreamId,
) -> Result<Vec<(Vec<u8>, Timestamp)>, MeteringError> {
    Ok(sql::forks_of_stream(cx.tx, cx.caller.tenant, *stream)?)
}
