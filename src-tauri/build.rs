//! What Tauri wants to know at build time, and a page in the place of the front end where that is not built: building Rust never runs npm.

use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::json;
use tauri_build::{AppManifest, Attributes};

const STUB: &str = "<!doctype html><meta charset=utf-8><title>FIVE9sCHAT</title><h1>The front end is not built</h1>\
                    <p>Run <code>npm ci &amp;&amp; npm run build</code> in <code>ui</code>, and build this program again.</p>";

fn main() {
    let built = Path::new("../ui/dist");
    // Tauri does not watch it.
    println!("cargo:rerun-if-changed={}", built.display());
    if !built.join("index.html").exists() {
        assert_ne!(
            env::var("PROFILE").as_deref(),
            Ok("release"),
            "build the front end first: npm ci && npm run build, in ui"
        );
        let out = env::var_os("OUT_DIR").map(PathBuf::from).expect("cargo says where to write");
        let stub = out.join("ui-stub");
        fs::create_dir_all(&stub).expect("the folder can be made");
        fs::write(stub.join("index.html"), STUB).expect("the page can be written");
        println!("cargo:rustc-env=TAURI_CONFIG={}", json!({ "build": { "frontendDist": stub } }));
        println!("cargo:warning=ui/dist is missing: this program shows a page that says so");
    }
    // Without the list every command would be open to every window.
    let commands = AppManifest::new().commands(&["rpc", "subscribe"]);
    tauri_build::try_build(Attributes::new().app_manifest(commands)).expect("tauri.conf.json is right");
}
