//! What makes a program for libFuzzer of a target in `tests::fuzz`.

pub use libfuzzer_sys;
pub use tests::fuzz;

/// The program of the target with this name, with an allocator that counts.
#[macro_export]
macro_rules! program {
    ($name:literal) => {
        #[global_allocator]
        static MEMORY: $crate::fuzz::memory::Counting = $crate::fuzz::memory::Counting;

        $crate::libfuzzer_sys::fuzz_target!(|input: &[u8]| {
            let target = $crate::fuzz::target($name).expect("a target of this name");
            (target.run)(input);
        });
    };
}
