//! Bringing whole catalogs in.
