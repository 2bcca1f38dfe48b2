//! Who may come in.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use data_encoding::HEXLOWER;

/// See the module.
#[derive(Debug)]
pub(crate) struct Door {
    token: String,
    hosts: [String; 2],
    origins: Vec<String>,
}

impl Door {
    /// With a token that is drawn for this run.
    pub(crate) fn new(port: u16, more_origins: Vec<String>) -> Self {
        let hosts = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{port}"));
        let own = hosts.iter().map(|host| format!("http://{host}"));
        let origins = own.chain(more_origins).collect();
        Self { token: HEXLOWER.encode(&rand::random::<[u8; 16]>()), hosts, origins }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Where the socket is.
    pub(crate) fn sockets(&self) -> [String; 2] {
        self.hosts.clone().map(|host| format!("ws://{host}"))
    }

    /// Whether the page may be read: a browser that was led here under another name is refused.
    pub(crate) fn lets_read(&self, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        host.is_some_and(|host| self.hosts.iter().any(|own| own == host))
    }

    /// Whether calls may be made. What is no browser sends no origin.
    pub(crate) fn lets_call(&self, headers: &HeaderMap, token: &str) -> bool {
        let origin_fits = headers
            .get(ORIGIN)
            .is_none_or(|origin| origin.to_str().is_ok_and(|origin| self.origins.iter().any(|own| own == origin)));
        self.lets_read(headers) && origin_fits && token == self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &'static str, origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().expect("a value"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn only_a_page_of_ours_with_the_token_of_this_run_comes_in() {
        let door = Door::new(4000, vec!["http://localhost:5173".into()]);
        let token = door.token().to_owned();
        let own = headers("127.0.0.1:4000", Some("http://127.0.0.1:4000"));
        assert!(door.lets_call(&own, &token));
        assert!(door.lets_call(&headers("localhost:4000", Some("http://localhost:5173")), &token));
        assert!(door.lets_call(&headers("127.0.0.1:4000", None), &token), "no browser");
        assert!(!door.lets_call(&own, "guessed"));
        assert!(!door.lets_call(&own, ""));
        assert!(!door.lets_call(&headers("127.0.0.1:4000", Some("http://evil.example")), &token));
        assert!(!door.lets_call(&headers("evil.example:4000", None), &token), "a name that was rebound");
        assert!(!door.lets_read(&headers("evil.example", None)));
        assert_ne!(Door::new(4000, vec![]).token(), token);
    }
}
