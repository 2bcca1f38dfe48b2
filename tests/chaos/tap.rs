//! Network interfaces whose other end is a file of this process: a frame that leaves the interface is read from the file, and what is
//! written to the file arrives.

#![allow(unsafe_code, reason = "the kernel gives such an interface to nothing but an ioctl")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// An interface of this name, in the network namespace of this thread. It is gone once the file is closed.
pub(crate) fn open(name: &str) -> io::Result<File> {
    let file = File::options().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: all zeros is a valid value of this plain structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::other(format!("{name} is too long for the name of an interface")));
    }
    for (into, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *into = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the file is open, and the structure is the one that this ioctl takes; both outlive the call.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw const request) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(file) }
}
