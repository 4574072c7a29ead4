//! A machine that never has a network: everything goes by codes that a phone photographs.
//!
//! `cargo run -p mintreu-examples --bin air_gapped`
//!
//! Each `MT1:` text is one QR code; of a longer document there are several, in any order.

use mintreu::activation::RedeemCode;
use mintreu::document::{from_text, to_qr};
use mintreu::license::{Binding, Entitlement};
use mintreu::{Clock, Result};
use mintreu_examples::{DAY_MS, Device, START, Vendor};

/// What is on one screen is photographed and read on the other.
fn photograph(what: &str, document: &[u8]) -> Result<String> {
    let codes = to_qr(document)?;
    println!("{what}: {} code(s)", codes.len());
    for code in &codes {
        println!("{code}");
    }
    Ok(codes.join("\n"))
}

fn main() -> Result<()> {
    let vendor = Vendor::new()?;
    let mut license = vendor.license(7);
    license.binding = Binding::NodeLocked;
    license.expires_at = Some(START.plus_ms(365 * DAY_MS));
    license
        .entitlements
        .insert("export-4k".parse()?, Entitlement::Granted);
    let machine = Device::new(&vendor, None)?;

    // The customer types the code from the box; the request goes out, the activation comes back and
    // brings the license along.
    machine
        .engine
        .install(&RedeemCode::generate("acme")?.to_string())?;
    let request = from_text(&machine.engine.activation_request()?)?;
    let shown = photograph("request", &request)?;
    let answer = vendor.activate(&from_text(&shown)?, &license, None, START)?;
    machine
        .engine
        .install(&photograph("activation", &answer)?)?;
    assert_eq!(machine.show("activated by codes")?, "valid");

    // Its battery is dead: after each start it is the year 2000.
    machine.later_by_hours(24);
    let truth = machine.clock.now();
    machine
        .clock
        .set(mintreu::Timestamp::from_secs(946_684_800));
    assert_eq!(machine.show("a clock that is wrong")?, "clock_suspect");
    for _ in 0..73 {
        machine.later_by_hours(1);
        machine.engine.verdict()?;
    }
    assert_eq!(machine.show("wrong for three days")?, "clock_refused");
    let question = from_text(&machine.engine.time_request()?)?;
    let shown = photograph("question for the time", &question)?;
    let told = vendor.tell_time(&from_text(&shown)?, truth.plus_ms(73 * 3_600_000))?;
    machine.engine.install(&photograph("the time", &told)?)?;
    assert_eq!(machine.show("told what time it is")?, "valid");

    // The license moves to another machine: this one signs that it gives its seat back.
    let said = from_text(&machine.engine.deactivate(None)?)?;
    let (back, heard) = vendor.take_back(&from_text(&photograph("given back", &said)?)?, truth)?;
    assert_eq!(back, license.id);
    machine.engine.install(&photograph("heard", &heard)?)?;
    assert_eq!(machine.show("given back")?, "device_not_activated");
    Ok(())
}
