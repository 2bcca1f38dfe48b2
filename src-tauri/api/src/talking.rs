//! Conversations: what was said, what is to be said, and what is being typed.

use client::{AccountId, ConversationId, Cursor, MessageId};

use crate::api::lock;
use crate::requests::{MessagesPage, Nothing, OfMessage, ReadUpTo, Search, Send, View};
use crate::types::{Conversation, Draft, Message, Page, Pending, Queued, Talk};
use crate::{Api, Refusal};

pub(crate) async fn conversations(api: &Api, _: Nothing) -> Result<Page<Conversation>, Refusal> {
    Ok(api.client()?.conversations().await?.into())
}

pub(crate) async fn messages(api: &Api, request: MessagesPage) -> Result<Talk, Refusal> {
    let MessagesPage { with, before, after, limit } = request;
    let client = api.client()?;
    let (conversation, page) = client.messages(with.into(), before.map(Cursor), after.map(Cursor), limit).await?;
    Ok(Talk { conversation: conversation.map(Into::into), page: page.into() })
}

pub(crate) async fn search(api: &Api, request: Search) -> Result<Page<Message>, Refusal> {
    let Search { text, with, before, limit } = request;
    Ok(api.client()?.search(&text, with.map(Into::into), before.map(Cursor), limit).await?.into())
}

pub(crate) async fn message(api: &Api, OfMessage { id }: OfMessage) -> Result<Option<Message>, Refusal> {
    Ok(api.client()?.message(read(&id)?).await?.map(Into::into))
}

pub(crate) async fn send(api: &Api, Send { to, text, id }: Send) -> Result<Queued, Refusal> {
    let id = id.as_deref().map(read).transpose()?;
    let id = api.client()?.send(to.into(), text, id).await?;
    Ok(Queued { id: id.to_string() })
}

pub(crate) async fn send_draft(api: &Api, Draft { with, text }: Draft) -> Result<Queued, Refusal> {
    let id = api.client()?.send_draft(client::Draft { with: AccountId(with), text }).await?;
    Ok(Queued { id: id.to_string() })
}

pub(crate) async fn pending(api: &Api, _: Nothing) -> Result<Vec<Pending>, Refusal> {
    Ok(api.client()?.pending().await?.into_iter().map(Into::into).collect())
}

pub(crate) async fn discard(api: &Api, OfMessage { id }: OfMessage) -> Result<(), Refusal> {
    Ok(api.client()?.discard(read(&id)?).await?)
}

pub(crate) async fn mark_read(api: &Api, ReadUpTo { conversation, up_to }: ReadUpTo) -> Result<(), Refusal> {
    api.client()?.mark_read(ConversationId(conversation), Cursor(up_to)).await?;
    api.count_anew();
    Ok(())
}

pub(crate) async fn drafts(api: &Api, _: Nothing) -> Result<Vec<Draft>, Refusal> {
    Ok(api.client()?.drafts().await?.into_iter().map(Into::into).collect())
}

pub(crate) async fn keep_draft(api: &Api, Draft { with, text }: Draft) -> Result<(), Refusal> {
    Ok(api.client()?.keep_draft(client::Draft { with: AccountId(with), text }).await?)
}

pub(crate) async fn view(api: &Api, view: View) -> Result<(), Refusal> {
    lock(&api.inner().flow).view = view;
    Ok(())
}

fn read(id: &str) -> Result<MessageId, Refusal> {
    id.parse().map_err(|_| Refusal::malformed("A message id is a ULID: 26 letters and digits of Crockford's base 32."))
}
