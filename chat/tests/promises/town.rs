//! A small town of people who talk, so that a test reads as their story.

use std::collections::BTreeSet;

use chat::{
    AccountId, Change, Command, ConversationId, CreationId, Cursor, Delivery, DeviceId, FeedRow, Memory, MessageId,
    Name, NameKey, Notice, Numbering, Outcome, Recipient, Rejection, Replica, Reply, Seq, SessionId, Text, Timestamp,
    View,
};

/// Where people listen, unless a test says otherwise.
pub(crate) const HERE: Replica = Replica(1);

/// One replica, and what it told its listeners.
#[derive(Clone, Debug, Default)]
pub(crate) struct Town {
    pub(crate) memory: Memory,
    pub(crate) position: Cursor,
    pub(crate) notices: Vec<Notice>,
}

/// Somebody with a session open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
}

pub(crate) fn device(number: u8) -> DeviceId {
    DeviceId([number; 32])
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).expect("the tests' own names are fine")
}

pub(crate) fn to(name: &str) -> Recipient {
    Recipient::Name(NameKey::fold(name))
}

/// The command that creates the account of this name, the same each time it is called.
pub(crate) fn creation(who: &str, number: u128) -> Command {
    Command::CreateAccount {
        creation: CreationId(number),
        name: name(who),
        credentials: vec![1, 2, 3],
        device: device(1),
        token_hash: [1; 32],
        at: Timestamp(1_000),
    }
}

impl Town {
    /// Applies the command as the next entry of the log.
    pub(crate) fn then(&mut self, command: &Command) -> Reply {
        self.position = Cursor(self.position.0 + 1);
        let outcome = chat::apply(&self.memory, self.position, command);
        assert_written_once(&outcome);
        for change in &outcome.changes {
            self.memory.write(change);
        }
        self.notices.extend(outcome.notices);
        outcome.reply
    }

    pub(crate) fn joined(&mut self, who: &str) -> Person {
        let number = u128::from(self.position.0);
        match self.then(&creation(who, number)) {
            Reply::AccountCreated { account, session } => Person { account, session },
            other => panic!("{who} could not join: {other:?}"),
        }
    }

    pub(crate) fn log_in(&mut self, account: AccountId, device: DeviceId) -> Reply {
        self.then(&Command::OpenSession { account, device, token_hash: [2; 32], at: Timestamp(2_000) })
    }

    /// The same person on another device.
    pub(crate) fn on_device(&mut self, who: Person, number: u8) -> Person {
        match self.log_in(who.account, device(number)) {
            Reply::SessionOpened { session, .. } => Person { session, ..who },
            other => panic!("could not log in: {other:?}"),
        }
    }

    /// Sends as the next of the session's numbers.
    pub(crate) fn send(&mut self, from: Person, to: Recipient, text: &str) -> Reply {
        let seq = self.numbering(from).high_water.next();
        self.send_as(from, seq, MessageId(u128::from(self.position.0)), to, text)
    }

    /// Sends behind whatever was sent last.
    pub(crate) fn send_as(&mut self, from: Person, seq: Seq, id: MessageId, to: Recipient, text: &str) -> Reply {
        self.send_after(self.numbering(from).last, from, seq, id, to, text)
    }

    pub(crate) fn send_after(
        &mut self,
        follows: Option<MessageId>,
        from: Person,
        seq: Seq,
        id: MessageId,
        to: Recipient,
        text: &str,
    ) -> Reply {
        let text = Text::parse(text).expect("the tests' own texts are fine");
        self.then(&Command::Send { session: from.session, seq, follows, id, to, text, at: Timestamp(3_000) })
    }

    /// How far the session has come; not at all, if it has ended.
    pub(crate) fn numbering(&self, who: Person) -> Numbering {
        self.memory.session(who.session).map(|session| session.numbering).unwrap_or_default()
    }

    /// Sends what will be stored, and says where.
    pub(crate) fn says(&mut self, from: Person, to: Recipient, text: &str) -> (ConversationId, Cursor) {
        match self.send(from, to, text) {
            Reply::Stored { conversation, cursor, .. } => (conversation, cursor),
            other => panic!("{text:?} was not stored: {other:?}"),
        }
    }

    pub(crate) fn receives(&mut self, who: Person, conversation: ConversationId, up_to: Cursor) -> Reply {
        self.then(&Command::MarkDelivered { session: who.session, marks: vec![(conversation, up_to)] })
    }

    pub(crate) fn reads(&mut self, who: Person, conversation: ConversationId, up_to: Cursor) -> Reply {
        self.then(&Command::MarkRead { session: who.session, conversation, up_to })
    }

    pub(crate) fn connects(&mut self, who: Person) -> Reply {
        self.then(&Command::Connect { session: who.session, at: HERE })
    }

    pub(crate) fn disconnects(&mut self, who: Person) -> Reply {
        self.then(&Command::Disconnect { session: who.session, at: HERE })
    }

    pub(crate) fn logs_out(&mut self, who: Person) -> Reply {
        self.then(&Command::CloseSession { session: who.session })
    }

    pub(crate) fn leaves_for_good(&mut self, who: Person) -> Reply {
        self.then(&Command::DeleteAccount { session: who.session, at: Timestamp(9_000) })
    }

    pub(crate) fn unread(&self, conversation: ConversationId, who: Person) -> u64 {
        self.memory.member(conversation, who.account).unread()
    }

    pub(crate) fn is_active(&self, who: Person) -> bool {
        self.memory.account(who.account).expect("accounts stay").is_active()
    }

    pub(crate) fn delivery(&self, conversation: ConversationId, cursor: Cursor) -> Delivery {
        let message = self.memory.message(conversation, cursor).expect("there is such a message");
        let recipient = self.memory.conversation(conversation).expect("it is in a conversation").other(message.sender);
        let account = self.memory.account(recipient).expect("accounts stay");
        chat::delivery(&message, &account, &self.memory.member(conversation, recipient))
    }

    pub(crate) fn feed(&self, who: Person) -> Vec<(Cursor, FeedRow)> {
        let row = |change| match change {
            Change::PutFeed(account, cursor, row) if account == who.account => Some((cursor, row)),
            _ => None,
        };
        self.memory.records().filter_map(row).collect()
    }

    pub(crate) fn texts(&self, conversation: ConversationId) -> Vec<String> {
        let text = |change| match change {
            Change::PutMessage(message) if message.conversation == conversation => Some(message.text.into()),
            _ => None,
        };
        self.memory.records().filter_map(text).collect()
    }
}

pub(crate) fn rejected(why: Rejection) -> Reply {
    Reply::Rejected(why)
}

/// An outcome that wrote the same record twice would lose one of them.
fn assert_written_once(outcome: &Outcome) {
    let mut written = BTreeSet::new();
    for change in &outcome.changes {
        assert!(written.insert(record(change)), "written twice: {change:?}");
    }
}

fn record(change: &Change) -> String {
    match change {
        Change::PutAccount(account) => format!("account {}", account.id),
        Change::PutName(key, _) | Change::RemoveName(key) => format!("name {key:?}"),
        Change::AddSession(session) | Change::PutSession(session) => format!("session {}", session.id),
        Change::RemoveSession { session, .. } => format!("session {session}"),
        Change::Remember { session, seq, .. } | Change::Forget { session, seq } => format!("reply {session} {seq}"),
        Change::AddConversation(conversation) | Change::PutConversation(conversation) => {
            format!("conversation {}", conversation.id)
        }
        Change::PutMember(conversation, account, _) => format!("member {conversation} {account}"),
        Change::PutMessage(message) => format!("message {}", message.cursor),
        Change::PutFeed(account, cursor, _) | Change::RemoveFeed(account, cursor) => format!("feed {account} {cursor}"),
    }
}
