//! What a panic does to this program: it ends it.

/// From here on a panic in any thread or task is reported and ends the process at once, caught or not.
///
/// A node that has lost a task must not run on half alive. The profile does not say so (`panic = "abort"`), because one
/// build serves the window as well, and that has to outlive a panic in order to answer it.
pub fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        crate::trap::will_abort();
        std::process::abort();
    }));
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    const SIGABRT: i32 = 6;

    /// Set for the process that is to panic: this test once more.
    const TO_PANIC: &str = "FIVE9S_TEST_PANIC";

    #[test]
    fn a_panic_in_a_task_ends_the_process() {
        if std::env::var_os(TO_PANIC).is_some() {
            abort_on_panic();
            crate::trap::explain_damage();
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            // Tokio catches it, so that without the hook this process would end well.
            runtime.block_on(async { tokio::spawn(async { panic!("on purpose") }).await.expect_err("it panics") });
            return;
        }
        let this = format!("{}::a_panic_in_a_task_ends_the_process", module_path!().trim_start_matches("node::"));
        let mut again = Command::new(std::env::current_exe().expect("this program"));
        let ended = again.args(["--exact", &this, "--nocapture"]).env(TO_PANIC, "1").output().expect("started");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.signal(), Some(SIGABRT), "{} {said}", ended.status);
        assert!(said.contains("on purpose"), "{said}");
        assert!(!said.contains(crate::trap::SENTENCE), "nothing is wrong with the data: {said}");
    }
}
