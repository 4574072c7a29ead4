//! A key-encryption key that a command prints: the way to a key service of any make.

use super::Secret;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// A key is 44 characters; whatever prints more prints something else.
const MOST_BYTES: u64 = 1024;

/// Runs `command`, its words separated by spaces and without a shell, and reads what it prints.
pub(super) fn printed(command: &str) -> Result<Secret, String> {
    printed_within(command, PATIENCE)
}

fn printed_within(command: &str, patience: Duration) -> Result<Secret, String> {
    let mut words = command.split_whitespace();
    let program = words.next().ok_or("names no program")?;
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program} can't be run: {error}"))?;
    let read = read_within(&mut child, patience);
    if read.is_none() {
        // It may have ended just now; then there is nothing to kill.
        child.kill().ok();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let text = read.ok_or_else(|| format!("{program} took longer than {patience:?}"))?;
    if status.success() {
        return Ok(Secret::new(text.as_str()));
    }
    Err(format!("{program} failed: {status}"))
}

/// What the child prints until it closes its output; `None` when that takes too long.
fn read_within(child: &mut Child, patience: Duration) -> Option<Zeroizing<String>> {
    let (send, receive) = mpsc::channel();
    let output = child.stdout.take()?;
    std::thread::spawn(move || {
        let mut text = Zeroizing::new(String::new());
        let read = output.take(MOST_BYTES).read_to_string(&mut text);
        // Whoever waited may have given up.
        send.send(read.map(|_| text)).ok();
    });
    receive.recv_timeout(patience).ok()?.ok()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_command_prints_the_key_in_time_or_is_refused() {
        let printed = printed("echo AQEB").expect("prints");
        assert_eq!(printed.reveal().trim(), "AQEB");
        assert!(super::printed("").is_err());
        assert!(super::printed("/nowhere/at-all").is_err());
        assert!(super::printed("false").is_err(), "a failure");
        let slow = printed_within("sleep 30", Duration::from_millis(50));
        assert!(slow.expect_err("too slow").contains("took longer"));
    }
}
