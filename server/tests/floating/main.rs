//! Floating seats on a local network: the program, real devices, and what must not happen.

mod common;
mod docs;
mod host;
mod netns;
mod race;
mod start;
mod story;
