#![no_main]

five9s_fuzz::program!("snapshot_stream");
