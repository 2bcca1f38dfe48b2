//! What a fresh node draws before it can propose a founding record.

use opaque_ke::ServerSetup;
use rand::RngCore;
use wire::opaque::Suite;
use wire::peer::Incarnation;

use crate::clock::Clock;
use crate::formation::Draft;

/// Drawn by every fresh node, for the one that will propose.
pub(super) fn draw(clock: &dyn Clock) -> Draft {
    let mut incarnation = [0; 16];
    clock.fill(&mut incarnation);
    let setup = ServerSetup::<Suite>::new(&mut Chance(clock));
    Draft { incarnation: Incarnation(incarnation), opaque_setup: setup.serialize().to_vec() }
}

/// The clock's randomness, as others want it.
struct Chance<'a>(&'a dyn Clock);

impl RngCore for Chance<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

/// `Clock::fill` promises randomness fit for secrets.
impl rand::CryptoRng for Chance<'_> {}
