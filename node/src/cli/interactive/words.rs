//! What the conversation says: the original's words, which its users and scripts know.

pub(super) const ACCOUNTS: &str = "The server holds the following accounts.";
pub(super) const CHOICE: &str = "Type C to create an account. Type L to login in.";
pub(super) const NEITHER: &str = "Please select either C or L";
pub(super) const NAMES: &str = "Usernames must be alphanumeric characters.";
pub(super) const BACK: &str = "(Type ! to go back)";
pub(super) const USERNAME: &str = "Please enter a username:";
pub(super) const CREATED: &str = "Successful-Account-Creation.";
pub(super) const NAME_TAKEN: &str = "Username-Already-Exists.";
pub(super) const LOGGED_IN: &str = "Login-Successful.";
pub(super) const LOGIN_FAILED: &str = "Login-Failed";
pub(super) const COMMANDS: [&str; 5] = [
    "COMMANDS: ",
    "LA - List accounts.",
    "USERNAME-> MESSAGE - Send USERNAME MESSAGE.",
    "DA - Delete your account.",
    "Q - Quit client program.",
];
pub(super) const UNSEEN: &str = "Messages you haven't seen yet:";
pub(super) const EMPTY: &str = "Empty input";
pub(super) const UNADDRESSED: &str = "NEED TO SPECIFY USER. Correct usage: USER-> Message.";
pub(super) const DELIVERED: &str = "Your message has successfully delivered.";
pub(super) const UNKNOWN: &str = "The user you are trying to contact does not exist.";
pub(super) const DELETED: &str = "Account-Successfully-Deleted";
pub(super) const BYE: &str = "Your account has been deleted. Your client connection will end. Bye, Bye";
pub(super) const EXITING: &str = "EXITING CLIENT PROGRAM.";

/// Unlike the original, nothing typed is lost while nobody can be reached.
pub(super) const QUEUED: &str = "Queued: no node can store it now; it will be sent once.";

/// A row of the account list.
pub(super) fn account(name: &str, active: bool) -> String {
    format!(" -- > {name} ( {} )", if active { "active" } else { "inactive" })
}

/// The answer where the recipient is not there.
pub(super) fn will_be_delivered(name: &str) -> String {
    format!("{name} is not logged in. But your message will be delivered")
}

/// A message of somebody else.
pub(super) fn incoming(sender: &str, text: &str) -> String {
    format!("[{sender}] {text}")
}

/// Somebody came.
pub(super) fn connected(name: &str) -> String {
    format!("{name} has connected to the chat room")
}

/// Somebody left.
pub(super) fn left(name: &str) -> String {
    format!("{name} has left the chat room!")
}
