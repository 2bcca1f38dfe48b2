//! `message send`: one message, or one for each line of stdin.
//!
//! Lines are pipelined: up to [`UNDER_WAY_MAX`] of them are on their way at once, and they are
//! reported in their order. A line that is refused does not hold up the others.

use std::io::{BufRead, IsTerminal, Read};
use std::time::Duration;

use chat::TEXT_SIZE_MAX_BYTES;
use client::{AccountInfo, Client, ClientError, Code, MessageId, MessageInfo, To, Want};
use futures::stream::FuturesOrdered;
use futures::{StreamExt, TryFutureExt};
use tokio::sync::mpsc;

use crate::cli::args::{SendArgs, Wait};
use crate::cli::context::Context;
use crate::cli::exit::{self, CliError};
use crate::cli::print::Queued;

/// Messages on their way at once. Beyond it no further line is read until the first is answered.
const UNDER_WAY_MAX: usize = 128;

/// Lines read ahead of what is sent. Beyond it the reader waits, and so does whoever writes to it.
const LINES_AHEAD_MAX: usize = 16;

/// How long to look once more, where nobody waits for the answer.
const MOMENT: Duration = Duration::from_secs(1);

pub(super) async fn run(args: SendArgs, context: &mut Context) -> Result<(), CliError> {
    refuse_what_would_hang(&args, context)?;
    let sending = Sending::begin(&args, context).await?;
    if args.lines { lines(sending, context).await } else { one(sending, &args, context).await }
}

/// Whether stdin is read for what to say.
fn reads_stdin(args: &SendArgs) -> bool {
    args.lines || matches!(args.text.as_deref(), None | Some("-"))
}

fn refuse_what_would_hang(args: &SendArgs, context: &Context) -> Result<(), CliError> {
    if args.lines && !matches!(args.text.as_deref(), None | Some("-")) {
        return Err(CliError::Usage("--lines reads the messages from stdin; leave TEXT out.".into()));
    }
    if reads_stdin(args) && context.passwords.take_stdin() {
        return Err(CliError::Usage(
            "stdin can be the password or the message, not both; give --password-file.".into(),
        ));
    }
    // A person who typed `-` or `--lines` means to type the message.
    if args.text.is_none() && !args.lines && std::io::stdin().is_terminal() {
        return Err(CliError::Usage("Say what to send: TEXT, or - to type it here and end it with Ctrl-D.".into()));
    }
    Ok(())
}

/// One sender, one recipient, one thing to wait for.
#[derive(Clone)]
struct Sending {
    client: Client,
    account: AccountInfo,
    to: String,
    wait: Wait,
    limit: Duration,
}

/// A message in the outbox.
struct Submitted {
    id: MessageId,
    text: String,
}

/// A message that has come as far as was asked; None: in the outbox, where that is enough.
type Settled = (Submitted, Option<MessageInfo>);

impl Sending {
    async fn begin(args: &SendArgs, context: &Context) -> Result<Self, CliError> {
        let (client, account) = context.log_in().await?;
        let limit = context.settings.timeout.value;
        Ok(Self { client, account, to: args.name.clone(), wait: args.wait, limit })
    }

    /// Puts a message into the outbox.
    async fn submit(&self, text: String, id: Option<MessageId>) -> Result<Submitted, CliError> {
        let id = self.client.send(To::Name(self.to.clone()), text.clone(), id).await?;
        Ok(Submitted { id, text })
    }

    /// Waits until the message has come as far as was asked.
    async fn settle(self, message: Submitted) -> Result<Settled, CliError> {
        let want = match self.wait {
            Wait::Queued => return Ok((message, None)),
            Wait::Stored => Want::Stored,
            Wait::Delivered => Want::Delivered,
        };
        match self.client.settled(message.id, want, self.limit).await {
            Ok(info) => Ok((message, Some(info))),
            Err(error) if is_unknown(&error) => Err(self.unsettled(error, message.id).await),
            Err(error) => Err(error.into()),
        }
    }

    fn show(&self, (message, info): Settled, context: &mut Context) -> Result<(), CliError> {
        match info {
            Some(info) => context.output.message(&info, self.account.id),
            None => context.output.queued(&Queued {
                id: message.id.to_string(),
                cursor: None,
                conversation: &self.to,
                from: &self.account.name,
                to: &self.to,
                text: &message.text,
                sent_at: None,
                state: "queued",
            }),
        }
    }

    /// What to do about a message that has not come so far in time.
    async fn unsettled(&self, error: ClientError, id: MessageId) -> CliError {
        let stored = self.wait == Wait::Delivered && self.client.settled(id, Want::Stored, MOMENT).await.is_ok();
        if stored {
            let sentence = format!("The message {id} is stored, but no device of {} has received it yet.", self.to);
            return CliError::refused(Code::Timeout, sentence);
        }
        // That no node is reachable now says nothing about one that was a moment ago.
        let code = if error.code() == Code::NoNode { Code::Timeout } else { error.code() };
        let sentence = format!(
            "{}. The message is queued on this machine and will be sent once; run again with the same --id {id} to see \
             what became of it.",
            error.refusal.message.trim_end_matches('.')
        );
        CliError::refused(code, sentence)
    }

    /// A process that only had to queue does not run away from a node that is right there.
    async fn linger(&self, last: Option<MessageId>) {
        if let (Wait::Queued, Some(id)) = (self.wait, last) {
            let _ = self.client.settled(id, Want::Stored, MOMENT.min(self.limit)).await;
        }
    }
}

/// Whether the message may yet come as far as it should: it merely was not in time.
fn is_unknown(error: &ClientError) -> bool {
    matches!(exit::of_code(error.code()), exit::UNKNOWN | exit::NO_NODE)
}

async fn one(sending: Sending, args: &SendArgs, context: &mut Context) -> Result<(), CliError> {
    let text = match args.text.clone().filter(|text| text != "-") {
        Some(text) => text,
        None => blocking(read_whole).await??,
    };
    let message = sending.submit(text, args.id).await?;
    let id = message.id;
    let settled = sending.clone().settle(message).await?;
    sending.show(settled, context)?;
    sending.linger(Some(id)).await;
    Ok(())
}

async fn lines(sending: Sending, context: &mut Context) -> Result<(), CliError> {
    let mut lines = read_lines();
    let mut under_way = FuturesOrdered::new();
    let mut worst = exit::DONE;
    let mut last = None;
    loop {
        let done = tokio::select! {
            Some((number, line)) = lines.recv(), if under_way.len() < UNDER_WAY_MAX => {
                submit_line(&sending, line).await.map_err(|error| in_line(number, error)).map(|message| {
                    last = Some(message.id);
                    under_way.push_back(sending.clone().settle(message).map_err(move |error| in_line(number, error)));
                })
            }
            Some(settled) = under_way.next() => settled.and_then(|settled| sending.show(settled, context)),
            else => break,
        };
        match done {
            Ok(()) => {}
            Err(error @ CliError::Refused(_)) => {
                context.output.error(&error);
                worst = worst.max(error.exit_code());
            }
            Err(end) => return Err(end),
        }
    }
    sending.linger(last).await;
    if worst == exit::DONE { Ok(()) } else { Err(CliError::Told(worst)) }
}

async fn submit_line(sending: &Sending, line: Result<String, CliError>) -> Result<Submitted, CliError> {
    sending.submit(line?, None).await
}

fn in_line(number: u64, error: CliError) -> CliError {
    match error {
        CliError::Refused(mut refusal) => {
            refusal.message = format!("Line {number}: {}", refusal.message);
            CliError::Refused(refusal)
        }
        other => other,
    }
}

/// The whole of stdin, less one newline at its end.
fn read_whole() -> Result<String, CliError> {
    let mut bytes = Vec::new();
    // One byte more than the longest text and its newline tells that there is too much.
    let size_max = TEXT_SIZE_MAX_BYTES + 2;
    let read = std::io::stdin().lock().take(size_max as u64).read_to_end(&mut bytes);
    read.map_err(|error| CliError::Usage(format!("stdin cannot be read: {error}.")))?;
    let text = to_text(bytes)?;
    if text.len() > TEXT_SIZE_MAX_BYTES {
        let sentence =
            format!("A message has at most {TEXT_SIZE_MAX_BYTES} bytes (16 KiB); stdin has more. Nothing was sent.");
        return Err(CliError::refused(Code::TextTooLong, sentence));
    }
    Ok(text)
}

/// The lines of stdin, numbered from 1, read by a thread of their own.
fn read_lines() -> mpsc::Receiver<(u64, Result<String, CliError>)> {
    let (to, lines) = mpsc::channel(LINES_AHEAD_MAX);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        for number in 1.. {
            let mut bytes = Vec::new();
            let line = match input.read_until(b'\n', &mut bytes) {
                Ok(0) => return,
                Ok(_) => to_text(bytes),
                Err(error) => Err(CliError::Usage(format!("stdin cannot be read: {error}."))),
            };
            if to.blocking_send((number, line)).is_err() {
                return;
            }
        }
    });
    lines
}

fn to_text(bytes: Vec<u8>) -> Result<String, CliError> {
    let mut text = String::from_utf8(bytes).map_err(|_| {
        CliError::refused(Code::TextEmpty, "A message is text in UTF-8; this is not. Nothing was sent.")
    })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CliError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| CliError::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_at_the_end_of_stdin_is_not_part_of_the_message() {
        let table = [("hi\n", "hi"), ("hi\r\n", "hi"), ("hi", "hi"), ("a\n\n", "a\n"), ("\n", ""), ("a\nb", "a\nb")];
        for (input, text) in table {
            assert_eq!(to_text(input.into()).unwrap(), text, "{input:?}");
        }
    }

    #[test]
    fn what_is_not_text_is_refused() {
        assert_eq!(to_text(vec![0xff, b'\n']).unwrap_err().exit_code(), 1);
    }
}
