//! What may be found wrong in a folder.

/// Something that was found wrong when a folder was opened, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// The counter file was gone: counts restart from what was sealed; what was not is lost.
    CountersMissing,
    /// The counter file was unreadable: it was set aside, counts restart from what was sealed.
    CountersUnreadable,
    /// One cell's key was unreadable: its count restarts from what was sealed.
    CellUnreadable {
        /// The cell's place in the counter file.
        slot: usize,
    },
    /// A cell was behind what the journal had sealed and was raised to it.
    CellBehind {
        /// The meter.
        meter: String,
        /// Units by which it was raised.
        units: u64,
    },
    /// The journal was behind the counters (restored, or its tail was lost): a new epoch began,
    /// and the server works out what is still owed.
    JournalBehind {
        /// The epoch that began.
        new_epoch: u64,
    },
    /// The journal was gone while counters remained: this device must be activated again, and
    /// what it had not reported stays unreported.
    JournalMissing,
    /// The device's key was gone, as in a folder restored from a backup: this is a new device,
    /// which asks for an activation of its own. What the former one had not reported stays
    /// unreported by this one.
    DeviceKeyMissing,
    /// The device's key was cut or changed: this is a new device, as above.
    DeviceKeyUnreadable,
    /// The machine stopped without notice while the folder was open: counts go on from what had
    /// reached the disk. What was counted in the last flush interval may be missing, and as much
    /// of a quota may be granted again; nothing counted with durability `power` is.
    PowerLost,
    /// The folder came here from another host: this is a new device, as above, and the one it was
    /// copied from goes on undisturbed.
    HostChanged,
}

impl Damage {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CountersMissing => "counters_missing",
            Self::CountersUnreadable => "counters_unreadable",
            Self::CellUnreadable { .. } => "cell_unreadable",
            Self::CellBehind { .. } => "cell_behind",
            Self::JournalBehind { .. } => "journal_behind",
            Self::JournalMissing => "journal_missing",
            Self::DeviceKeyMissing => "device_key_missing",
            Self::DeviceKeyUnreadable => "device_key_unreadable",
            Self::PowerLost => "power_lost",
            Self::HostChanged => "host_changed",
        }
    }
}
