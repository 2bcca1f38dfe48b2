#![no_main]

five9s_fuzz::program!("requests");
