//! The components of a machine, from files that everybody may read.

use super::Component;
use super::files::Files;

/// The id of the operating system's installation.
pub(super) const MACHINE: &str = "machine";

/// The most disks and the most network cards that count.
const MAX_OF_A_KIND: usize = 4;
/// An address of Ethernet, as Linux numbers its kinds of network.
const ETHERNET: &str = "1";
/// The card's own address, neither drawn at random nor set by somebody.
const PERMANENT: &str = "0";

/// Every component that can be read, at most twelve.
pub(super) fn of(files: &Files<'_>) -> Vec<Component> {
    let mut found: Vec<Component> = machine(files).into_iter().collect();
    found.extend(board(files));
    found.extend(disks(files));
    found.extend(network_cards(files));
    found
}

pub(super) fn machine(files: &Files<'_>) -> Option<Component> {
    let ids = ["etc/machine-id", "var/lib/dbus/machine-id"].into_iter();
    ids.filter_map(|path| files.public_text(path))
        .filter(|id| id.trim().len() == 32 && id.trim().chars().all(|c| c.is_ascii_hexdigit()))
        .find_map(|id| Component::new(MACHINE, &id))
}

/// The board and the system. Linux shows their ids to root alone unless somebody changed that;
/// boards with a device tree show one to everybody.
fn board(files: &Files<'_>) -> Vec<Component> {
    let dmi = |name, file: &str| {
        let text = files.public_text(&format!("sys/class/dmi/id/{file}"))?;
        Component::new(name, &text)
    };
    let trees = [
        "proc/device-tree/serial-number",
        "sys/firmware/devicetree/base/serial-number",
    ];
    let tree = trees.into_iter().find_map(|path| {
        let text = files.public_text(path)?;
        Component::new("board", &text)
    });
    let system = dmi("system", "product_uuid");
    let board = dmi("board", "board_serial").or(tree);
    system.into_iter().chain(board).collect()
}

/// The serial numbers of the disks that are built in.
fn disks(files: &Files<'_>) -> Vec<Component> {
    let names = files.names("sys/block").into_iter();
    let serials = names.filter_map(|name| {
        let built_in = ["nvme", "sd", "mmcblk", "vd", "xvd"];
        if !built_in.iter().any(|kind| name.starts_with(kind)) {
            return None;
        }
        let disk = format!("sys/block/{name}");
        let removable = files.public_text(&format!("{disk}/removable"));
        // A memory card of a small board counts as built in: it is what the board starts from.
        let moves = removable.is_some_and(|text| text.trim() == "1") && !name.starts_with("mmc");
        if moves || files.leads_through(&disk, "/usb") {
            return None;
        }
        let ids = [
            "wwid",
            "device/wwid",
            "device/serial",
            "serial",
            "device/cid",
        ]
        .into_iter();
        ids.filter_map(|id| files.public_text(&format!("{disk}/{id}")))
            .find_map(|id| Component::new("disk", &id))
    });
    let mut distinct: Vec<Component> = Vec::new();
    for serial in serials {
        if !distinct.contains(&serial) {
            distinct.push(serial);
        }
    }
    distinct.truncate(MAX_OF_A_KIND);
    distinct
}

/// The addresses of the network cards that are built in: not those of bridges, tunnels and
/// containers, which have no device, nor those of docks and sticks.
fn network_cards(files: &Files<'_>) -> Vec<Component> {
    let names = files.names("sys/class/net").into_iter();
    let addresses = names.filter_map(|name| {
        let card = format!("sys/class/net/{name}");
        let is = |file: &str, expected: &str| {
            let text = files.public_text(&format!("{card}/{file}"));
            text.is_none_or(|text| text.trim() == expected)
        };
        let bus = files.public_text(&format!("{card}/device/modalias"));
        let plugged = bus.is_some_and(|bus| bus.starts_with("usb:"))
            || files.leads_through(&format!("{card}/device"), "/usb");
        let built_in = files.has(&format!("{card}/device")) && !plugged;
        if !built_in || !is("type", ETHERNET) || !is("addr_assign_type", PERMANENT) {
            return None;
        }
        let address = files.public_text(&format!("{card}/address"))?;
        let address = address.trim();
        burned_in(address).then(|| Component::new("mac", address))?
    });
    addresses.take(MAX_OF_A_KIND).collect()
}

/// Whether an address was given by the card's maker: neither local nor for a group.
fn burned_in(address: &str) -> bool {
    let bytes: Option<Vec<u8>> = address
        .split(':')
        .map(|part| u8::from_str_radix(part, 16).ok())
        .collect();
    bytes.is_some_and(|bytes| bytes.len() == 6 && bytes[0] & 0b11 == 0)
}
