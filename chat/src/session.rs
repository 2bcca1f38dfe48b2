//! Sessions: opening, closing, and the numbering that makes a resend harmless.

/// How many answers a session remembers. A client keeps fewer commands than this under way, so an
/// answer that it still waits for is still here; beyond it, `Reply::Forgotten`.
pub const REMEMBERED_REPLIES: u64 = 256;

/// How many sessions an account may have. Beyond it the oldest one that is not connected ends, and
/// its device has to log in again.
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 100;
