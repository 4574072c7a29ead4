//! Receipts of the transparency log, for whoever may see the license.

use super::model::{License, LicensingError};
use super::ops::view;
use crate::app::ReadCx;
use crate::domains::transparency::LogError;
use crate::domains::transparency::proofs::{self, ReceiptWanted};
use mintreu::id::LicenseId;
use mintreu::log::{LogReceipt, document_hash};

/// The receipt of a license that the caller owns or sold.
pub fn receipt(cx: &mut ReadCx<'_>, id: &LicenseId) -> Result<LogReceipt, LogError> {
    let view = view(cx, id).map_err(|error| match error {
        LicensingError::Store(error) => LogError::Store(error),
        _ => LogError::NotFound,
    })?;
    receipt_of(cx, &view.license)
}

/// The receipt of this license; whoever calls this knows who may have it.
pub fn receipt_of(cx: &mut ReadCx<'_>, license: &License) -> Result<LogReceipt, LogError> {
    let document = document_hash(&license.document).map_err(LogError::Broken)?;
    let license = license.id;
    proofs::receipt(cx, &ReceiptWanted { license, document })
}
