//! The webhook that providers call.
