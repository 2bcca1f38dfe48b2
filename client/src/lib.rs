//! How to reach whoever is alive.
