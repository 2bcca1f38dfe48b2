//! WebKit's way of drawing through DMA-BUF shows a blank or slow window with NVIDIA's own driver, and is half as fast where there is no
//! graphics card at all, such as in a virtual machine. Nobody should have to know a variable to see their messages.

use std::path::Path;

const VARIABLE: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

/// Starts this program anew, in the same process, with the variable that WebKit looks at; returns where that is not needed. Set by
/// hand, even to nothing, the variable stays as it is.
pub(crate) fn work_around() {
    #[cfg(target_os = "linux")]
    if std::env::var_os(VARIABLE).is_none() && has_trouble(Path::new("/")) {
        use std::os::unix::process::CommandExt;
        let Ok(program) = std::env::current_exe() else { return };
        let failed = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(VARIABLE, "1").exec();
        tracing::debug!(error = %failed, "the window may be slow");
    }
}

#[cfg(target_os = "linux")]
fn has_trouble(root: &Path) -> bool {
    let nvidia = root.join("proc/driver/nvidia/version").exists();
    let render_node = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("renderD");
    let card = std::fs::read_dir(root.join("dev/dri"))
        .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(render_node)));
    nvidia || !card
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_a_card_without_known_trouble_is_left_alone() {
        // No crate for temporary folders: with its features the libraries of the program would be built anew for this one test.
        let root = std::env::temp_dir().join(format!("five9s-graphics-{}", std::process::id()));
        let has = |path: &str| std::fs::create_dir_all(root.join(path)).expect("made");
        has("proc");
        assert!(has_trouble(&root), "no card");
        has("dev/dri/renderD128");
        assert!(!has_trouble(&root));
        has("proc/driver/nvidia/version");
        assert!(has_trouble(&root));
        std::fs::remove_dir_all(&root).expect("removed");
    }
}
