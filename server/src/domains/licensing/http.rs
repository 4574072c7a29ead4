//! Routes of licenses and activations.
