//! Routes of access: customers' keys, and the questions of backends.
//!
//! Invariants
//! * A secret is in the answer that made it, which no cache may keep, and in no other.

mod check;
mod keys;
mod slices;

use super::model::AccessError;
use crate::app::App;
use crate::problem::Problem;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(check::routes())
        .merge(keys::routes())
        .merge(slices::routes())
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        use AccessError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found(detail),
            E::NameMalformed => Self::new(422, "name_malformed", detail).at("name"),
            E::RateMalformed(_) => Self::new(422, "rate_invalid", detail).at("rate"),
            E::OutOfRange { field, .. } => Self::new(422, "input_invalid", detail).at(field),
            E::TooManyKeys => Self::new(409, "api_keys_exhausted", detail),
            E::KeyMistyped(_) => Self::new(422, "token_mistyped", detail).at("key"),
            E::KeyUnknown => Self::new(404, "api_key_unknown", detail),
            E::KeyDisabled => Self::new(403, "api_key_disabled", detail),
            E::TokenWrong => Self::new(401, "token_invalid", detail),
            E::Revoked => Self::new(403, "license_revoked", detail),
            E::Expired => Self::new(403, "license_expired", detail),
            E::MeterUnknown(_) => Self::new(422, "meter_unknown", detail).at("meter"),
            E::Refused(_) => Self::new(429, "quota_spent", detail),
            E::TooFast { .. } => Self::new(429, "rate_limited", detail),
            E::TooManyOpen => Self::new(409, "reservations_exhausted", detail),
            E::ReservationOver(_) => Self::new(409, "reservation_over", detail),
            E::SettledOtherwise(_) => Self::new(409, "reservation_settled", detail),
            E::TooManySlices => Self::new(409, "slices_exhausted", detail),
            E::SliceUnknown => Self::new(409, "slice_unknown", detail),
            E::Metering(error) => error.into(),
            E::Quota(error) => error.into(),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}
