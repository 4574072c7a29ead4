//! A monthly subscription: a warning before its end, a week of grace, and a renewal.
//!
//! `cargo run -p mintreu-examples --bin subscription`

use mintreu::license::Entitlement;
use mintreu::meter::Decision;
use mintreu::meter::Window;
use mintreu::{Result, license::QuotaClaim};
use mintreu_examples::{DAY_MS, Device, START, Vendor};

fn main() -> Result<()> {
    let vendor = Vendor::new()?;
    let mut license = vendor.license(2);
    license.expires_at = Some(START.plus_ms(30 * DAY_MS));
    license.warn_secs = Some(5 * 86_400);
    license.grace_secs = 7 * 86_400;
    license
        .entitlements
        .insert("projects".parse()?, Entitlement::Limit(50));
    license
        .quotas
        .insert("renders".parse()?, QuotaClaim::new(3, Window::Day));

    let device = Device::new(&vendor, None)?;
    device.engine.install(&vendor.sell(&license)?)?;
    for (day, expected) in [
        (0, "valid"),
        (26, "expiring_soon"),
        (31, "in_grace"),
        (38, "expired"),
    ] {
        device.after_days(day);
        assert_eq!(device.show(&format!("day {day}"))?, expected);
    }

    // The payment went through: the same license again, a month longer. Nothing else is needed.
    license.expires_at = Some(START.plus_ms(60 * DAY_MS));
    license.issued_at = START.plus_ms(38 * DAY_MS);
    device.engine.install(&vendor.sell(&license)?)?;
    assert_eq!(device.show("day 38, renewed")?, "valid");
    println!("{:<28} {:?}", "projects", device.engine.check("projects")?);

    // Its quota is decided here, by compare-and-swap, without asking anybody.
    for _ in 0..4 {
        match device.engine.consume("renders", 1)? {
            Decision::Granted { remaining, .. } => println!("rendered; left today: {remaining:?}"),
            Decision::Refused { reason, resets_at } => {
                println!("not rendered: {}; again at {resets_at:?}", reason.code());
            }
        }
    }
    Ok(())
}
