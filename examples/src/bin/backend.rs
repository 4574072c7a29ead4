//! A service that meets a hundred thousand license keys: each is verified once, then known.
//!
//! `cargo run --release -p mintreu-examples --bin backend`; a smaller number may be given.

use mintreu::Result;
use mintreu::cache::VerifiedCache;
use mintreu::document::from_text;
use mintreu::id::LicenseId;
use mintreu::license::{Entitlement, Facts, judge};
use mintreu_examples::{START, Vendor, timed};

fn main() -> Result<()> {
    let keys = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let keys: u32 = keys.unwrap_or(100_000);
    let vendor = Vendor::new()?;

    let (took, lines) = timed(|| -> Result<Vec<String>> {
        let sell = |number: u32| {
            let mut license = vendor.license(0);
            let mut id = [0; 16];
            id[..4].copy_from_slice(&number.to_be_bytes());
            license.id = LicenseId::from_bytes(id);
            license
                .entitlements
                .insert("requests".parse()?, Entitlement::Limit(u64::from(number)));
            vendor.sell(&license)
        };
        (0..keys).map(sell).collect()
    });
    let lines = lines?;
    println!("{keys} licenses signed in {took} ms");

    let cache = VerifiedCache::new(vendor.trust()?, u64::from(keys) + 1);
    let check_all = || -> Result<u64> {
        let facts = Facts::at(START);
        let mut allowed = 0;
        for line in &lines {
            let license = cache.verify(&from_text(line)?)?;
            allowed += u64::from(judge(&license, &facts).is_allowed());
        }
        Ok(allowed)
    };
    let (took, allowed) = timed(check_all);
    println!("{} verified and judged in {took} ms", allowed?);
    let (took, allowed) = timed(check_all);
    println!("{} known and judged again in {took} ms", allowed?);

    // A key that was changed by one character is refused, cached or not.
    if let Some(line) = lines.first() {
        let mut forged = line.clone();
        let last = if forged.ends_with('A') { 'Q' } else { 'A' };
        forged.pop();
        forged.push(last);
        let refused = from_text(&forged).and_then(|bundle| cache.verify(&bundle).map(drop));
        println!("one character changed: {refused:?}");
        assert!(refused.is_err());
    }
    Ok(())
}
