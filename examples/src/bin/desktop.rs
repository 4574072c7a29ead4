//! A desktop program that is bought once: it runs for ever, and gets updates for a year.
//!
//! `cargo run -p mintreu-examples --bin desktop`

use mintreu::Result;
use mintreu::license::Entitlement;
use mintreu_examples::{DAY_MS, Device, START, Vendor};

fn main() -> Result<()> {
    let vendor = Vendor::new()?;

    // The sale: no end, but only versions that come out within a year.
    let mut license = vendor.license(1);
    license.edition = Some("pro".into());
    license.updates_until = Some(START.plus_ms(365 * DAY_MS));
    license
        .entitlements
        .insert("export-4k".parse()?, Entitlement::Granted);
    let line = vendor.sell(&license)?;
    println!(
        "The customer gets one line of {} characters:\n{line}\n",
        line.len()
    );

    // Version 2.0 is out today. There is no activation, no server and no network.
    let today = Device::new(&vendor, Some(("2.0", START)))?;
    today.engine.install(&line)?;
    today.engine.check("export-4k")?;
    today.show("on the day of the sale")?;
    today.after_days(20 * 365);
    assert_eq!(today.show("version 2.0, 20 years on")?, "valid");

    // Version 4.0 comes out two years later: the license doesn't cover it, and says so.
    let later = Device::new(&vendor, Some(("4.0", START.plus_ms(730 * DAY_MS))))?;
    later.after_days(730);
    later.engine.install(&line)?;
    assert_eq!(later.show("version 4.0, 2 years on")?, "wrong_version");
    let refused = later.engine.check("export-4k");
    println!("{:<28} {refused:?}", "its 4k export");

    // A mistake while copying is an error with a code, and changes nothing.
    let half = &line[..line.len() / 2];
    if let Err(error) = today.engine.install(half) {
        println!(
            "{:<28} {}: {}",
            "half of the line pasted",
            error.code(),
            error.detail()
        );
    }
    today.engine.check("export-4k")?;
    Ok(())
}
