//! One file for each kind of promise, with real processes where the point is the process.

mod app;
mod faults;
mod formation;
mod membership;
mod original_session;
mod refusals;
mod room;
mod scripting;
mod stored_data;
mod strangers;
