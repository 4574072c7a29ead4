//! Import runs, what they brought and what they refused.
