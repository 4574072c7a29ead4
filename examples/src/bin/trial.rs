//! A trial that becomes a sale: fourteen days, a clock that is turned back, then the real license.
//!
//! `cargo run -p mintreu-examples --bin trial`

use mintreu::Result;
use mintreu::license::Entitlement;
use mintreu_examples::{DAY_MS, Device, START, Vendor};

fn main() -> Result<()> {
    let vendor = Vendor::new()?;
    let mut trial = vendor.license(3);
    trial.trial = true;
    trial.expires_at = Some(START.plus_ms(14 * DAY_MS));
    trial.suspect_secs = Some(86_400);
    trial
        .entitlements
        .insert("export".parse()?, Entitlement::Value("watermark".into()));

    let device = Device::new(&vendor, None)?;
    device.engine.install(&vendor.sell(&trial)?)?;
    assert_eq!(device.show("the first day")?, "expiring_soon");
    println!("{:<28} {:?}", "export", device.engine.check("export")?);
    device.after_days(14);
    assert_eq!(device.show("two weeks later")?, "expired");

    // The customer buys. The license replaces the trial, so that only one of them counts.
    let mut bought = vendor.license(4);
    bought.supersedes = vec![trial.id];
    bought
        .entitlements
        .insert("export".parse()?, Entitlement::Value("clean".into()));
    device.engine.install(&vendor.sell(&bought)?)?;
    assert_eq!(device.show("after buying")?, "valid");
    println!("{:<28} {:?}", "export", device.engine.check("export")?);
    Ok(())
}
