//! The inputs that everything begins with: what the encoders write, and what is committed because it once mattered.

use std::fs;
use std::path::{Path, PathBuf};

use tests::fuzz::{TARGETS, Target};

/// The committed inputs of the target, a file each.
fn committed(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name)
}

/// Where inputs that matter now are put.
pub(crate) fn found_in() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz")
}

/// The committed inputs, in the order of their names, and those that the encoders write.
pub(crate) fn of(target: &Target) -> Result<Vec<Vec<u8>>, String> {
    let folder = committed(target);
    let mut files: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        // Not every target has been wrong yet.
        Err(_) => Vec::new(),
    };
    files.sort();
    let read = |file: PathBuf| fs::read(&file).map_err(|error| format!("{}: {error}", file.display()));
    let mut inputs: Vec<Vec<u8>> = files.into_iter().map(read).collect::<Result<_, _>>()?;
    inputs.extend((target.seeds)());
    Ok(inputs)
}

/// Keeps an input under a name that follows from it.
pub(crate) fn keep(folder: &Path, input: &[u8]) -> Result<PathBuf, String> {
    let file = folder.join(&blake3::hash(input).to_hex()[..16]);
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&file, input));
    written.map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// Writes all of them into the folder, a folder for each target: the form that `cargo fuzz` takes.
pub(crate) fn write_seeds(folder: &Path) -> Result<bool, String> {
    for target in TARGETS {
        for input in of(target)? {
            keep(&folder.join(target.name), &input)?;
        }
    }
    Ok(true)
}
