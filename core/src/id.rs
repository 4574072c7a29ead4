//! The id registry: sixteen bytes inside, a prefixed name outside.
//!
//! Ids are UUIDv7 bytes (RFC 9562 §5.7): an instant, then randomness, so that rows made later sort
//! later. Their text is the kind's prefix and the bytes in lower-case Crockford base32 (26
//! characters). The list below is alphabetical and append-only: a prefix is never given a second
//! meaning.

use crate::error::Error;
use crate::time::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The UUIDv7 bytes of an instant and ten random bytes.
pub fn uuid_v7(at: Timestamp, random: [u8; 10]) -> [u8; 16] {
    let mut bytes = [0; 16];
    let ms = u64::try_from(at.ms()).unwrap_or(0);
    bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}

/// 128 bits as 26 characters; the first carries the two spare bits' zeros.
pub fn encode(bytes: &[u8; 16]) -> String {
    let mut value = u128::from_be_bytes(*bytes);
    let mut text = [0u8; 26];
    for slot in text.iter_mut().rev() {
        *slot = ALPHABET[(value & 31) as usize];
        value >>= 5;
    }
    text.iter().map(|&byte| char::from(byte)).collect()
}

/// Reads what [`encode`] wrote; exact, since ids are copied by machines.
pub fn decode(text: &str) -> Option<[u8; 16]> {
    if text.len() != 26 {
        return None;
    }
    let mut value: u128 = 0;
    for (index, byte) in text.bytes().enumerate() {
        let digit = ALPHABET.iter().position(|&known| known == byte)? as u128;
        if index == 0 && digit > 7 {
            return None;
        }
        value = (value << 5) | digit;
    }
    Some(value.to_be_bytes())
}

fn malformed(prefix: &str) -> Error {
    Error::new(
        "id_malformed",
        format!("expected an id that starts with {prefix:?}"),
    )
}

/// Declares an id type: `id_type!(OrderId, "ord_");`.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// What the text form starts with.
            pub const PREFIX: &'static str = $prefix;

            /// From sixteen bytes, as stored.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The sixteen bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Reads the text form; another kind's prefix is refused with `id_malformed`.
            pub fn parse(text: &str) -> Result<Self, Error> {
                text.strip_prefix($prefix).and_then(decode).map(Self)
                    .ok_or_else(|| malformed($prefix))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}{}", $prefix, encode(&self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                Self::parse(text)
            }
        }
    };
}

id_type!(/** A person's or organisation's account. */ AccountId, "acc_");
id_type!(/** One device's use of one license. */ ActivationId, "act_");
id_type!(/** A click on an affiliate's link. */ AffiliateClickId, "clk_");
id_type!(/** A person's part in a seller's affiliate programme. */ AffiliationId, "afl_");
id_type!(/** A customer's key for a seller's API. */ ApiKeyId, "apk_");
id_type!(/** A line of the audit log. */ AuditId, "aud_");
id_type!(/** Licenses issued many at a time. */ BatchId, "bat_");
id_type!(/** Products that are sold together at one price. */ BundleId, "bnd_");
id_type!(/** What somebody means to buy. */ CartId, "crt_");
id_type!(/** A node of the category tree. */ CategoryId, "cat_");
id_type!(/** A code that makes things cheaper. */ CouponId, "cpn_");
id_type!(/** Something prepaid for a license's usage. */ CreditId, "crd_");
id_type!(/** What went back of an invoice. */ CreditNoteId, "crn_");
id_type!(/** A device, by its key. */ DeviceId, "dev_");
id_type!(/** A bank's question about a payment. */ DisputeId, "dsp_");
id_type!(/** A fact in the outbox. */ EventId, "evt_");
id_type!(/** A rule of the platform's share. */ FeeRuleId, "fee_");
id_type!(/** An order that is somebody else's to have. */ GiftId, "gft_");
id_type!(/** One import run of a catalog. */ ImportId, "imp_");
id_type!(/** An invoice. */ InvoiceId, "inv_");
id_type!(/** A line of an invoice. */ InvoiceLineId, "inl_");
id_type!(/** A queued job. */ JobId, "job_");
id_type!(/** A signing key held for a seller. */ KeyId, "key_");
id_type!(/** A ledger account. */ LedgerAccountId, "lac_");
id_type!(/** A ledger entry. */ LedgerEntryId, "len_");
id_type!(/** A balanced ledger transaction. */ LedgerTransactionId, "ltx_");
id_type!(/** A license: the `cti` of its document. */ LicenseId, "lic_");
id_type!(/** A meter of a product. */ MeterId, "mtr_");
id_type!(/** A method of payment that a provider keeps for an account. */ MethodId, "pmt_");
id_type!(/** A method of payment on its way to be kept. */ MethodSetupId, "pms_");
id_type!(/** An order. */ OrderId, "ord_");
id_type!(/** A line of an order. */ OrderLineId, "orl_");
id_type!(/** A payment. */ PaymentId, "pay_");
id_type!(/** An event a payment provider sent. */ PaymentEventId, "pev_");
id_type!(/** A payout to a seller. */ PayoutId, "pyo_");
id_type!(/** An event that a provider sent about a payout. */ PayoutEventId, "pye_");
id_type!(/** One run that makes payouts. */ PayoutRunId, "pyr_");
id_type!(/** A price of a product. */ PriceId, "prc_");
id_type!(/** A product. */ ProductId, "prd_");
id_type!(/** Money on its way back to a buyer. */ RefundId, "ref_");
id_type!(/** A buyer's wish for money back. */ RefundWishId, "rfw_");
id_type!(/** Units that are held for work under way. */ ReservationId, "rsv_");
id_type!(/** What was decided of one purchase. */ RiskDecisionId, "rkd_");
id_type!(/** An entry of the allow list or the block list. */ RiskEntryId, "rke_");
id_type!(/** A rule that a checkout asks. */ RiskRuleId, "rkr_");
id_type!(/** One accepted usage segment. */ SegmentId, "seg_");
id_type!(/** A signed-in session. */ SessionId, "ses_");
id_type!(/** Units of a quota in the hands of one server. */ SliceId, "slc_");
id_type!(/** A usage stream: one device's chain of segments for one license. */ StreamId, "str_");
id_type!(/** What somebody pays for again and again. */ SubscriptionId, "sub_");
id_type!(/** A tenant: one host, brand and policy. */ TenantId, "ten_");
id_type!(/** A token by which a seller's programs call. */ TokenId, "tok_");
id_type!(/** What one webhook endpoint is told of one fact. */ WebhookDeliveryId, "whd_");
id_type!(/** Where a seller wants to be told of facts. */ WebhookEndpointId, "whe_");
id_type!(/** A seller's debt that the platform bears. */ WriteOffId, "wof_");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_agree_and_other_prefixes_are_refused() {
        let id = OrderId::from_bytes(uuid_v7(Timestamp::from_ms(1_800_000_000_000), [0xa5; 10]));
        let text = id.to_string();
        assert_eq!(OrderId::parse(&text), Ok(id));
        assert_eq!(text.len(), 30);
        let license = LicenseId::parse(&text).expect_err("an order id is no license id");
        assert_eq!(license.code(), "id_malformed");
        for bad in [
            "",
            "ord_",
            "ord_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "ord_0zzzzzzzzzzzzzzzzzzzzzzzzu",
        ] {
            assert!(OrderId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn later_ids_sort_later() {
        let early = uuid_v7(Timestamp::from_ms(1000), [0xff; 10]);
        let late = uuid_v7(Timestamp::from_ms(1001), [0; 10]);
        assert!(encode(&early) < encode(&late));
        assert_eq!(early[6] >> 4, 7);
        assert_eq!(early[8] >> 6, 2);
    }
}
