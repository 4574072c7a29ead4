//! Floating seats: two for three programs, kept by a heartbeat, given back, borrowed for a journey.
//!
//! `cargo run -p mintreu-examples --bin floating`

use std::collections::BTreeMap;

use mintreu::activation::Request;
use mintreu::document::PublicKey;
use mintreu::license::{Binding, Claims};
use mintreu::{Clock, Result, Timestamp, sync};
use mintreu_examples::{Device, Vendor};

/// How long a seat is kept without a heartbeat.
const LEASE_SECS: u32 = 4 * 3600;

/// Who holds a seat, and until when: what `mintreu serve`, or its floating host, keeps in tables.
struct Seats {
    vendor: Vendor,
    license: Claims,
    held: BTreeMap<[u8; 32], Timestamp>,
}

impl Seats {
    /// Answers one request of a device, as the server's routes do.
    fn answer(&mut self, path: &str, body: &[u8], now: Timestamp) -> Result<(u16, Vec<u8>)> {
        match path {
            sync::ACTIVATIONS => self.seat(body, now),
            sync::DEACTIVATIONS => {
                let (device, _) = mintreu::activation::Deactivation::verify(body)?;
                self.held.remove(device.as_bytes());
                Ok((200, self.vendor.take_back(body, now)?.1))
            }
            sync::TIME => Ok((200, self.vendor.tell_time(body, now)?)),
            _ => Ok((204, Vec::new())),
        }
    }

    fn seat(&mut self, body: &[u8], now: Timestamp) -> Result<(u16, Vec<u8>)> {
        let (device, request) = Request::verify(body)?;
        self.held.retain(|_, end| *end > now);
        let secs = request.lend_secs.unwrap_or(LEASE_SECS);
        let end = now.plus_ms(i64::from(secs) * 1000);
        let holds = self.held.contains_key(device.as_bytes());
        if !holds && self.held.len() >= 2 {
            return Ok((409, b"{\"code\":\"seats_exhausted\"}".to_vec()));
        }
        self.hold(&device, end);
        let answer = match request.renews {
            Some(_) if holds => self.vendor.renew(body, secs, now)?,
            _ => {
                let license = &self.license;
                self.vendor.activate(body, license, Some(end), now)?
            }
        };
        Ok((200, answer))
    }

    fn hold(&mut self, device: &PublicKey, end: Timestamp) {
        self.held.insert(*device.as_bytes(), end);
    }

    /// One sync of a program; tells why it got no seat, if it got none.
    fn sync(&mut self, device: &Device) -> Result<()> {
        while let Some(request) = device.engine.next_request()? {
            let now = device.clock.now();
            let (status, body) = self.answer(&request.path, &request.body, now)?;
            if let Err(refused) = device.engine.on_response(status, &body) {
                println!("{:<28} {}", "no seat", refused.detail());
                return Ok(());
            }
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let vendor = Vendor::new()?;
    let mut license = vendor.license(6);
    license.binding = Binding::Floating;
    license.seats = Some(2);
    let pasted = vendor.sell(&license)?;
    let programs = ["anna", "bert", "cleo"].map(|name| (name, Device::new(&vendor, None)));
    let mut seats = Seats {
        vendor,
        license,
        held: BTreeMap::new(),
    };
    let mut devices = Vec::new();
    for (name, device) in programs {
        let device = device?;
        device.engine.install(&pasted)?;
        seats.sync(&device)?;
        device.show(&format!("{name}, at first"))?;
        devices.push(device);
    }
    let (anna, bert, cleo) = (&devices[0], &devices[1], &devices[2]);

    // Anna's program syncs now and then, Bert's computer sleeps: after four hours his seat is free.
    for _ in 0..2 {
        devices.iter().for_each(|device| device.later_by_hours(3));
        seats.sync(anna)?;
    }
    assert_eq!(anna.show("anna, six hours later")?, "valid");
    assert_eq!(bert.show("bert, asleep since")?, "lease_over");
    seats.sync(cleo)?;
    assert_eq!(cleo.show("cleo, in his place")?, "valid");

    // Cleo closes her program: the seat is free at once, and Bert has it again.
    cleo.engine.deactivate(None)?;
    seats.sync(cleo)?;
    seats.sync(bert)?;
    assert_eq!(cleo.show("cleo, closed")?, "device_not_activated");
    assert_eq!(bert.show("bert, awake")?, "valid");

    // Anna takes her seat along for a week without any network.
    anna.engine.borrow(None, 7 * 86_400)?;
    seats.sync(anna)?;
    devices
        .iter()
        .for_each(|device| device.later_by_hours(6 * 24));
    assert_eq!(anna.show("anna, six days away")?, "valid");
    devices
        .iter()
        .for_each(|device| device.later_by_hours(2 * 24));
    assert_eq!(anna.show("anna, too long away")?, "lease_over");
    Ok(())
}
