//! Which OPAQUE (RFC 9807) client and node speak, said once so that they cannot disagree.
//!
//! A password never reaches a node: the client registers and logs in with messages that tell a node
//! nothing it could try passwords against without doing the work of [`stretching`] for each.

use argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::{CipherSuite, Ristretto255, TripleDh};

/// Ristretto255 for the OPRF and the key exchange, 3DH, SHA-512, Argon2id.
#[derive(Clone, Copy, Debug)]
pub struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, sha2::Sha512>;
    type Ksf = Argon2<'static>;
}

/// What both ends bind a login to (`context` in the parameters of either); the identifiers of the
/// two parties stay opaque-ke's defaults, their public keys.
pub const CONTEXT: &[u8] = b"five9s login v1";

/// Memory for stretching a password, in KiB: OWASP's first choice for Argon2id.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How a password is stretched. Runs at the client alone, for some tens of milliseconds.
pub fn stretching() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the constants are within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}
