//! The usage verifier that a server's page runs in the browser.
//!
//! A module without imports: it can reach no network, no file and no clock, and a page needs four
//! calls and no generated code to drive it. The page writes bytes where [`room`] says, and reads the
//! verdict, as JSON, where [`output`] says.
//!
//! Invariants
//! * Conversion only: every rule lives in the `mintreu` crate.
//! * Memory is bounded by one piece of the file and the report.

#![expect(
    unsafe_code,
    reason = "an export is named by an attribute that counts as unsafe; no code here is"
)]

use std::cell::RefCell;

use mintreu::document::PublicKey;
use mintreu::license::Trust;
use mintreu::meter::Audit;

/// The largest piece that is taken at once.
const MAX_PIECE: usize = 1 << 20;

#[derive(Default)]
struct State {
    input: Vec<u8>,
    audit: Option<Audit>,
    output: Vec<u8>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    STATE.with_borrow_mut(work)
}

/// Where `length` bytes may be written; at most a mebibyte.
#[unsafe(no_mangle)]
pub extern "C" fn room(length: usize) -> *mut u8 {
    with(|state| {
        state.input.resize(length.min(MAX_PIECE), 0);
        state.input.as_mut_ptr()
    })
}

/// Begins an audit under the trust whose text was written: nothing for none. 0 for yes; 1 when the
/// text can't be read, and then [`output`] says why.
#[unsafe(no_mangle)]
pub extern "C" fn begin(length: usize) -> u32 {
    with(|state| {
        let text = String::from_utf8_lossy(&state.input[..length.min(state.input.len())]);
        let trust = trust_of(text.trim());
        match trust {
            Ok(trust) => {
                state.audit = Some(Audit::new(trust));
                0
            }
            Err(error) => {
                state.output = error.detail().as_bytes().to_vec();
                1
            }
        }
    })
}

fn trust_of(text: &str) -> mintreu::Result<Option<Trust>> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.starts_with("mt1-trust") {
        return text.parse().map(Some);
    }
    let root: PublicKey = text.parse()?;
    Ok(Some(Trust::for_any_product(root)))
}

/// Judges the next piece of the file, which was written; how many segments were judged so far.
#[unsafe(no_mangle)]
pub extern "C" fn feed(length: usize) -> u32 {
    with(|state| {
        let State { input, audit, .. } = state;
        let Some(audit) = audit else { return 0 };
        audit.feed(&input[..length.min(input.len())]);
        u32::try_from(audit.segments()).unwrap_or(u32::MAX)
    })
}

/// Ends the audit; how long the verdict is.
#[unsafe(no_mangle)]
pub extern "C" fn finish() -> usize {
    with(|state| {
        if let Some(audit) = state.audit.take() {
            state.output = audit.finish().to_json().into_bytes();
        }
        state.output.len()
    })
}

/// Where the verdict is, or what was wrong with the trust.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    with(|state| state.output.as_ptr())
}

/// How long it is.
#[unsafe(no_mangle)]
pub extern "C" fn output_length() -> usize {
    with(|state| state.output.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trust_is_a_line_a_key_or_nothing() {
        assert_eq!(trust_of(""), Ok(None));
        let root = mintreu::document::SigningKey::from_seed(&[1; 32]);
        let key = root.public().to_string();
        assert!(trust_of(&key).unwrap().is_some());
        let line = Trust::new("acme.editor", *root.public())
            .unwrap()
            .to_string();
        assert!(trust_of(&line).unwrap().is_some());
        assert!(trust_of("rubbish").is_err());
    }

    #[test]
    fn what_is_too_long_or_too_early_is_cut_and_ignored() {
        assert_eq!(feed(10), 0);
        room(usize::MAX);
        assert_eq!(begin(0), 0);
        assert_eq!(feed(usize::MAX), 0);
        assert!(finish() > 0);
        with(|state| assert!(state.output.starts_with(b"{\"ok\":false")));
    }
}
