//! Signatures after the Standard Webhooks specification: over `id.timestamp.body`.
//!
//! Invariants
//! * A header lists a signature for every secret that holds, the newest first.

use super::model::Scheme;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use mintreu::Timestamp;
use mintreu::document::SigningKey;
use sha2::Sha256;

/// Bytes of a secret, and of the seed of a key pair.
pub const SECRET_BYTES: usize = 32;

/// How a shared secret is told: `whsec_` and base64.
pub fn secret_text(secret: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(secret))
}

/// Reads what [`secret_text`] wrote.
pub fn secret_bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.strip_prefix("whsec_")?).ok()
}

/// The public key to a seed: `whpk_` and base64.
pub fn public_text(seed: &[u8; SECRET_BYTES]) -> String {
    let key = SigningKey::from_seed(seed);
    format!("whpk_{}", STANDARD.encode(key.public().as_bytes()))
}

/// One signature of the list: `v1,…` or `v1a,…`.
pub fn signature(scheme: Scheme, secret: &[u8], message: &[u8]) -> Option<String> {
    let tag = match scheme {
        Scheme::Shared => {
            let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret);
            let mut mac = mac.ok()?;
            mac.update(message);
            STANDARD.encode(mac.finalize().into_bytes())
        }
        Scheme::Public => {
            let seed = <&[u8; SECRET_BYTES]>::try_from(secret).ok()?;
            STANDARD.encode(SigningKey::from_seed(seed).sign(message))
        }
    };
    Some(format!("{},{tag}", scheme.code()))
}

/// What is signed.
pub fn message(id: &str, at: Timestamp, body: &str) -> Vec<u8> {
    format!("{id}.{}.{body}", at.secs()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_verifies_what_its_seed_signed() {
        let seed = [3; SECRET_BYTES];
        let message = message("evt_1", Timestamp::from_secs(1_800_000_000), "{}");
        assert_eq!(message, b"evt_1.1800000000.{}");
        let signature = signature(Scheme::Public, &seed, &message).unwrap();
        let tag = STANDARD.decode(signature.strip_prefix("v1a,").unwrap());
        let tag = <[u8; 64]>::try_from(tag.unwrap()).unwrap();
        let key = SigningKey::from_seed(&seed);
        assert!(key.public().verify(&message, &tag).is_ok());
        assert!(key.public().verify(b"evt_1.1800000000.{ }", &tag).is_err());
        assert_eq!(super::signature(Scheme::Public, b"short", &message), None);
        assert_eq!(secret_bytes(&secret_text(&seed)), Some(seed.to_vec()));
        assert!(public_text(&seed).starts_with("whpk_") && secret_text(&seed).len() > 40);
    }
}
