#![no_main]

five9s_fuzz::program!("raft_frames");
