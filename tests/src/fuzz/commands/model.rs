//! The chat as its promises have it: lists, and the plainest code that could be right.

use std::collections::{BTreeMap, BTreeSet};

use chat::{
    AccountId, Command, ConversationId, CreationId, Cursor, DeviceId, MessageId, NameKey, Numbering, Recipient,
    Rejection, Replica, Reply, Seq, SessionId, Text, Timestamp,
};

pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) name: String,
    key: NameKey,
    creation: CreationId,
    pub(super) is_deleted: bool,
}

pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) account: AccountId,
    device: DeviceId,
    pub(super) numbering: Numbering,
    pub(super) connected: Option<Replica>,
    replies: BTreeMap<Seq, Reply>,
}

pub(super) struct Message {
    pub(super) conversation: ConversationId,
    pub(super) cursor: Cursor,
    pub(super) id: MessageId,
    pub(super) from: AccountId,
    pub(super) to: AccountId,
    pub(super) text: Text,
    pub(super) at: Timestamp,
}

/// See the module.
#[derive(Default)]
pub(super) struct Model {
    /// Of the last command.
    pub(super) place: u64,
    pub(super) accounts: Vec<Account>,
    pub(super) sessions: Vec<Session>,
    pub(super) messages: Vec<Message>,
    /// How far each account has received and read each conversation.
    pub(super) delivered: BTreeMap<(ConversationId, AccountId), Cursor>,
    pub(super) read: BTreeMap<(ConversationId, AccountId), Cursor>,
}

impl Model {
    /// Carries the command out, and answers it.
    pub(super) fn follow(&mut self, command: &Command) -> Reply {
        self.place += 1;
        self.carry_out(command).unwrap_or_else(Reply::Rejected)
    }

    fn carry_out(&mut self, command: &Command) -> Result<Reply, Rejection> {
        match command {
            Command::CreateAccount { creation, name, device, .. } => {
                let known = self.accounts.iter().find(|account| !account.is_deleted && account.key == *name.key());
                let account = match known {
                    Some(account) if account.creation == *creation => account.id,
                    Some(account) => return Err(Rejection::NameTaken(account.name.clone())),
                    None => self.join(*creation, name.as_str(), name.key()),
                };
                Ok(Reply::AccountCreated { account, session: self.open(account, *device).0 })
            }
            Command::OpenSession { account, device, .. } => {
                self.living(*account)?;
                let (session, numbering) = self.open(*account, *device);
                Ok(Reply::SessionOpened { session, numbering })
            }
            Command::CloseSession { session } => {
                self.owner(*session)?;
                self.sessions.retain(|one| one.id != *session);
                Ok(Reply::Done)
            }
            Command::DeleteAccount { session, .. } => Ok(self.delete(self.owner(*session)?)),
            Command::Send { session, seq, follows, id, to, text, at } => {
                let sender = self.owner(*session)?;
                self.send(*session, sender, (*seq, *follows), (*id, to, text, *at))
            }
            Command::MarkDelivered { session, marks } => self.mark_delivered(self.owner(*session)?, marks),
            Command::MarkRead { session, conversation, up_to } => {
                self.mark_read(self.owner(*session)?, *conversation, *up_to)
            }
            Command::Connect { session, at } => {
                self.owner(*session)?;
                self.session_mut(*session).connected = Some(*at);
                Ok(Reply::Done)
            }
            Command::Disconnect { session, at } => {
                self.owner(*session)?;
                let session = self.session_mut(*session);
                session.connected = session.connected.filter(|connected| connected != at);
                Ok(Reply::Done)
            }
        }
    }

    fn join(&mut self, creation: CreationId, name: &str, key: &NameKey) -> AccountId {
        let id = AccountId(self.place);
        self.accounts.push(Account { id, name: name.to_owned(), key: key.clone(), creation, is_deleted: false });
        id
    }

    fn open(&mut self, account: AccountId, device: DeviceId) -> (SessionId, Numbering) {
        if let Some(known) = self.sessions.iter().find(|one| one.account == account && one.device == device) {
            return (known.id, known.numbering);
        }
        let (id, numbering) = (SessionId(self.place), Numbering::default());
        self.sessions.push(Session { id, account, device, numbering, connected: None, replies: BTreeMap::new() });
        (id, numbering)
    }

    fn delete(&mut self, account: AccountId) -> Reply {
        let returned = self.stranded(account).iter().map(|(_, _, count)| count).sum();
        self.sessions.retain(|one| one.account != account);
        self.accounts.iter_mut().filter(|one| one.id == account).for_each(|one| one.is_deleted = true);
        Reply::AccountDeleted { returned }
    }

    /// Whose messages never reached the account, in which conversation, and how many: of those who are there to be told.
    pub(super) fn stranded(&self, account: AccountId) -> Vec<(ConversationId, AccountId, u64)> {
        let mut stranded = Vec::new();
        for conversation in self.conversations().into_iter().map(ConversationId) {
            let lost: Vec<_> = self
                .in_conversation(conversation)
                .filter(|one| one.to == account && one.from != account)
                .filter(|one| one.cursor > self.delivered(conversation, account))
                .collect();
            if let Some(first) = lost.first().filter(|first| self.living(first.from).is_ok()) {
                stranded.push((conversation, first.from, lost.len() as u64));
            }
        }
        stranded
    }

    fn send(
        &mut self,
        session: SessionId,
        sender: AccountId,
        (seq, follows): (Seq, Option<MessageId>),
        draft: (MessageId, &Recipient, &Text, Timestamp),
    ) -> Result<Reply, Rejection> {
        let numbering = self.numbering(session);
        if seq.0 == numbering.high_water.0 + 1 && follows == numbering.last {
            let reply = self.store(sender, draft).unwrap_or_else(Reply::Rejected);
            let session = self.session_mut(session);
            session.numbering = Numbering { high_water: seq, last: Some(draft.0) };
            session.replies.insert(seq, reply.clone());
            return Ok(reply);
        }
        // Runs are shorter than what is remembered.
        match self.session_mut(session).replies.get(&seq).cloned() {
            None => Ok(Reply::SequenceGap { numbering }),
            Some(refused @ Reply::Rejected(_)) => Ok(refused),
            // Where a message is, its id says.
            Some(_) => Ok(self.earlier(sender, draft).unwrap_or(Ok(Reply::Forgotten))?),
        }
    }

    /// The answer about a message that the id names already.
    fn earlier(
        &self,
        from: AccountId,
        (id, to, text, _): (MessageId, &Recipient, &Text, Timestamp),
    ) -> Option<Result<Reply, Rejection>> {
        let earlier = self.messages.iter().find(|one| one.from == from && one.id == id)?;
        let is_same = earlier.text == *text && self.means(to, earlier.to);
        Some(if is_same { Ok(self.stored(earlier)) } else { Err(Rejection::IdConflict(id)) })
    }

    fn store(
        &mut self,
        from: AccountId,
        (id, to, text, at): (MessageId, &Recipient, &Text, Timestamp),
    ) -> Result<Reply, Rejection> {
        if let Some(earlier) = self.earlier(from, (id, to, text, at)) {
            return earlier;
        }
        let to = match to {
            Recipient::Account(id) => self.living(*id)?.id,
            Recipient::Name(key) => {
                let named = self.accounts.iter().find(|account| !account.is_deleted && account.key == *key);
                named.ok_or(Rejection::NoSuchAccount)?.id
            }
        };
        let cursor = Cursor(self.place);
        let both = BTreeSet::from([from, to]);
        let earlier = self.messages.iter().find(|one| BTreeSet::from([one.from, one.to]) == both);
        let conversation = earlier.map_or(ConversationId(self.place), |one| one.conversation);
        let message = Message { conversation, cursor, id, from, to, text: text.clone(), at };
        let reply = self.stored(&message);
        self.messages.push(message);
        Ok(reply)
    }

    fn means(&self, to: &Recipient, account: AccountId) -> bool {
        match to {
            Recipient::Account(id) => *id == account,
            Recipient::Name(key) => self.accounts.iter().any(|one| one.id == account && one.key == *key),
        }
    }

    fn stored(&self, message: &Message) -> Reply {
        Reply::Stored {
            id: message.id,
            conversation: message.conversation,
            cursor: message.cursor,
            to: message.to,
            sent_at: message.at,
            recipient_active: self.is_active(message.to),
        }
    }

    fn mark_delivered(&mut self, reader: AccountId, marks: &[(ConversationId, Cursor)]) -> Result<Reply, Rejection> {
        // All or none.
        for (conversation, _) in marks {
            self.takes_part(reader, *conversation)?;
        }
        for (conversation, up_to) in marks {
            let last = self.last_up_to(*conversation, *up_to);
            let mark = self.delivered.entry((*conversation, reader)).or_default();
            *mark = last.max(*mark);
        }
        Ok(Reply::Done)
    }

    /// What is read was received.
    fn mark_read(
        &mut self,
        reader: AccountId,
        conversation: ConversationId,
        up_to: Cursor,
    ) -> Result<Reply, Rejection> {
        self.takes_part(reader, conversation)?;
        let last = self.last_up_to(conversation, up_to);
        for marks in [&mut self.read, &mut self.delivered] {
            let mark = marks.entry((conversation, reader)).or_default();
            *mark = last.max(*mark);
        }
        Ok(Reply::Done)
    }

    fn takes_part(&self, account: AccountId, conversation: ConversationId) -> Result<(), Rejection> {
        let takes = self.in_conversation(conversation).any(|one| one.from == account || one.to == account);
        if takes { Ok(()) } else { Err(Rejection::NoSuchConversation) }
    }

    fn last_up_to(&self, conversation: ConversationId, up_to: Cursor) -> Cursor {
        let all = self.in_conversation(conversation).map(|one| one.cursor);
        all.filter(|cursor| *cursor <= up_to).max().unwrap_or_default()
    }

    fn living(&self, id: AccountId) -> Result<&Account, Rejection> {
        let account = self.accounts.iter().find(|one| one.id == id).ok_or(Rejection::NoSuchAccount)?;
        if account.is_deleted { Err(Rejection::AccountDeleted) } else { Ok(account) }
    }

    fn owner(&self, id: SessionId) -> Result<AccountId, Rejection> {
        let session = self.sessions.iter().find(|session| session.id == id);
        session.map(|session| session.account).ok_or(Rejection::SessionEnded)
    }

    fn session_mut(&mut self, id: SessionId) -> &mut Session {
        self.sessions.iter_mut().find(|session| session.id == id).expect("its owner was found")
    }

    pub(super) fn in_conversation(&self, id: ConversationId) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |message| message.conversation == id)
    }

    pub(super) fn is_active(&self, account: AccountId) -> bool {
        self.sessions.iter().any(|session| session.account == account && session.connected.is_some())
    }

    pub(super) fn delivered(&self, conversation: ConversationId, account: AccountId) -> Cursor {
        self.delivered.get(&(conversation, account)).copied().unwrap_or_default()
    }

    pub(super) fn read(&self, conversation: ConversationId, account: AccountId) -> Cursor {
        self.read.get(&(conversation, account)).copied().unwrap_or_default()
    }

    pub(super) fn numbering(&self, id: SessionId) -> Numbering {
        self.sessions.iter().find(|session| session.id == id).map(|session| session.numbering).unwrap_or_default()
    }

    pub(super) fn has_carried_out(&self, id: SessionId, seq: Seq) -> bool {
        seq != Seq(0) && self.sessions.iter().any(|session| session.id == id && seq <= session.numbering.high_water)
    }

    pub(super) fn accounts(&self) -> Vec<u64> {
        self.accounts.iter().map(|account| account.id.0).collect()
    }

    pub(super) fn sessions(&self) -> Vec<u64> {
        self.sessions.iter().map(|session| session.id.0).collect()
    }

    pub(super) fn conversations(&self) -> Vec<u64> {
        self.messages.iter().map(|message| message.conversation.0).collect::<BTreeSet<_>>().into_iter().collect()
    }
}
