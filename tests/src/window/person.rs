//! A person at the app's window.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::PATIENCE;
use crate::window::driver::Refused;
use crate::window::program::program;
use crate::window::{Display, Session};

/// The Enter key, as WebDriver writes it.
const ENTER: &str = "\u{e007}";

/// How often a click is tried.
const GLANCE: Duration = Duration::from_millis(50);

/// The password of every account here.
const PASSWORD: &str = "correct horse battery staple";

/// See the module.
#[derive(Debug)]
pub struct Window {
    session: Session,
}

impl Window {
    /// Starts the app with the files of the user who has this home, and a profile of its own.
    pub async fn open(display: &Display, home: &Path, profile: &Path) -> Self {
        let (home, own) = (home.to_owned(), PathBuf::from(profile));
        let arguments = ["--profile", profile.to_str().expect("a path of ours")];
        let session = Session::open(display, program(), &arguments, move |command| {
            for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FIVE9S_")) {
                command.env_remove(name);
            }
            // Everything that GTK and WebKit keep stays in the profile, too.
            command.env("FIVE9S_HOME", &home).env("FIVE9S_MDNS", "false").env("HOME", &own);
            // Part of the report of a test that fails.
            command.env("RUST_LOG", "warn,client=debug");
            for (name, folder) in [("DATA", "data"), ("CONFIG", "config"), ("CACHE", "cache")] {
                command.env(format!("XDG_{name}_HOME"), own.join("desktop").join(folder));
            }
        });
        let session = session.await;
        session.watch_for_errors().await;
        Self { session }
    }

    /// What is beneath: to measure.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.session.kill();
    }

    /// Waits until the app has ended by itself.
    pub fn ended(&self) {
        self.session.ended();
    }

    /// Clicks a button or an entry of a menu, by what it is called.
    pub async fn click(&self, name: &str) {
        let name = quoted(name);
        self.click_at(&format!(
            "//*[self::button or @role='menuitem'][normalize-space(.)={name} or @aria-label={name}][not(@disabled)]"
        ))
        .await;
    }

    /// Types into the field with this label.
    pub async fn fill(&self, label: &str, text: &str) {
        let field = format!("//input[@id=//label[normalize-space(.)={}]/@for]", quoted(label));
        self.keys(&field, text).await;
    }

    /// Chooses from the list with this label.
    pub async fn select(&self, label: &str, option: &str) {
        let list = format!("//select[@id=//label[normalize-space(.)={}]/@for]", quoted(label));
        self.click_at(&format!("{list}/option[normalize-space(.)={}]", quoted(option))).await;
    }

    /// Waits until the page says so, somewhere.
    pub async fn says(&self, text: &str) {
        let script = "return document.body.innerText";
        let flat = |seen: &Value| seen.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        self.session.until(&format!("the page says {text:?}"), script, |seen| flat(seen).contains(text)).await;
    }

    /// Waits until the page does not say so any more.
    pub async fn says_no_more(&self, text: &str) {
        let script = "return document.body.innerText";
        let gone = |seen: &Value| !seen.as_str().unwrap_or_default().contains(text);
        self.session.until(&format!("the page no longer says {text:?}"), script, gone).await;
    }

    /// From the screen that asks for an account into the chat.
    pub async fn create_account(&self, name: &str) {
        self.says("Create your account").await;
        self.fill("Name", name).await;
        self.fill("Password", PASSWORD).await;
        self.fill("Password, again", PASSWORD).await;
        self.click("Create account").await;
        self.session.until("the chat", "return document.querySelector('nav') !== null", |there| *there == true).await;
    }

    /// Opens the entry of the menu behind one's own name.
    pub async fn choose(&self, entry: &str) {
        self.click_at("//nav//button[starts-with(normalize-space(.), 'Account and app')]").await;
        self.click_at(&format!("//*[@role='menuitem'][starts-with(normalize-space(.), {})]", quoted(entry))).await;
    }

    /// The node that this app talks to, as the picture of the machines tells; opens it, and closes it again.
    pub async fn node_in_use(&self) -> String {
        let machines = "//nav//button[starts-with(normalize-space(.), 'Machines')]";
        self.click_at(machines).await;
        let script = "return document.querySelector('article:has(.yours) strong')?.textContent";
        let name = self.session.until("the node in use is shown", script, Value::is_string).await;
        self.click_at(machines).await;
        name.as_str().unwrap_or_default().to_owned()
    }

    /// Opens the conversation with this person from the sidebar.
    pub async fn talk_to(&self, name: &str) {
        let person = format!("//nav//li//button[.//*[contains(@class, 'name')][normalize-space(.)={}]]", quoted(name));
        self.click_at(&person).await;
        let script = "return document.querySelector('main h1')?.textContent";
        self.session.until(&format!("the conversation with {name}"), script, |seen| seen == name).await;
    }

    /// Types where messages are written.
    pub async fn write(&self, text: &str) {
        self.keys("//main//textarea", text).await;
    }

    /// Enter, in the field where messages are written; returns once the outbox has the text.
    pub async fn enter(&self) {
        self.write(ENTER).await;
        self.session.until("the outbox has it", WRITTEN, |text| text == "").await;
    }

    /// Writes and sends.
    pub async fn send(&self, text: &str) {
        self.write(text).await;
        self.enter().await;
    }

    /// What stands where messages are written.
    pub async fn written(&self) -> String {
        self.session.eval(WRITTEN, Vec::new()).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until that stands where messages are written.
    pub async fn has_written(&self, text: &str) {
        self.session.until("the draft is there", WRITTEN, |seen| seen == text).await;
    }

    /// Waits until the conversation in view is exactly these messages, in this order.
    pub async fn shows(&self, texts: &[&str]) {
        let script =
            "return [...document.querySelectorAll('main [role=listitem] .text')].map((text) => text.textContent)";
        self.session.until(&format!("the messages {texts:?}"), script, |seen| *seen == serde_json::json!(texts)).await;
    }

    /// Waits until one's own messages in view are in exactly these states.
    pub async fn shows_states(&self, states: &[&str]) {
        let script = "return [...document.querySelectorAll('main [data-state-of-message]')].map((each) => each.dataset.stateOfMessage)";
        self.session.until(&format!("the states {states:?}"), script, |seen| *seen == serde_json::json!(states)).await;
    }

    /// From now on whatever interrupts a person is written down.
    pub async fn watch_for_interruptions(&self) {
        let script = "
            window.interruptions = [];
            const look = () => {
              for (const each of document.querySelectorAll('[role=dialog], [role=alertdialog], [role=alert]')) {
                if (!window.interruptions.includes(each.textContent)) window.interruptions.push(each.textContent);
              }
            };
            new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true });";
        self.session.eval(script, Vec::new()).await;
    }

    /// Fails the test if anything interrupted since that was watched for.
    pub async fn was_not_interrupted(&self) {
        let seen = self.session.eval("return window.interruptions", Vec::new()).await;
        assert_eq!(seen, serde_json::json!([]), "nothing should interrupt");
    }

    async fn click_at(&self, path: &str) {
        self.patiently(path, async |element| self.session.click(element).await).await;
    }

    async fn keys(&self, path: &str, keys: &str) {
        self.patiently(path, async |element| self.session.keys(element, keys).await).await;
    }

    /// Tries until the element is there, and lets that be done to it: a page that is about to change covers or
    /// replaces it.
    async fn patiently(&self, path: &str, act: impl AsyncFn(&str) -> Result<(), Refused>) {
        let started = Instant::now();
        loop {
            let done = match self.session.find(path).await {
                Ok(element) => act(&element).await,
                Err(refused) => Err(refused),
            };
            let Err(refused) = done else { return };
            if started.elapsed() > PATIENCE {
                let page = self.session.eval("return document.body.innerText", Vec::new()).await;
                panic!("not within {PATIENCE:?}: {path}: {refused}; the page:\n{}", page.as_str().unwrap_or_default());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

const WRITTEN: &str = "return document.querySelector('main textarea')?.value";

/// For XPath, which has no way to write both kinds of quotes.
fn quoted(text: &str) -> String {
    assert!(!text.contains('"'), "{text} cannot be quoted");
    format!("\"{text}\"")
}
