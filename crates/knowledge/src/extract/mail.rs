//! Mailboxes (mbox) and single messages: what people wrote. Quoted lines are left out, since the message that they quote
//! has them; addresses are left out where there is a name, since nobody agreed to have theirs published.

use std::io::{BufReader, Read};

use mail_parser::{Message, MessageParser};

use super::words::{Words, clean};
use super::{ExtractError, html, input, text};
use crate::BlockKind;

/// Nobody writes a longer message; with its attachments it may be one.
const LONGEST_MESSAGE: usize = 64 << 20;
/// Lines are read in pieces of at most this.
const LINE: u64 = 1 << 20;

pub(super) fn read(bytes: &mut impl Read, words: &mut Words<'_>) -> Result<(), ExtractError> {
    let mut source = BufReader::new(bytes);
    let mut message = Vec::new();
    let mut line = Vec::new();
    let mut messages = 0;
    let mut after_empty = true;
    while input::line(&mut source, &mut line, LINE)? {
        words.check_time()?;
        if after_empty && line.starts_with(b"From ") {
            take(&message, &mut messages, words)?;
            message.clear();
        } else {
            if message.len() + line.len() > LONGEST_MESSAGE {
                return Err(ExtractError::TooLarge {
                    size: (message.len() + line.len()) as u64,
                    limit: LONGEST_MESSAGE as u64,
                });
            }
            message.extend_from_slice(unquoted(&line));
        }
        after_empty = matches!(line.as_slice(), b"\n" | b"\r\n");
    }
    take(&message, &mut messages, words)
}

/// Programs that write mailboxes put `>` before a line that would look like the start of a message.
fn unquoted(line: &[u8]) -> &[u8] {
    let marks = line.iter().take_while(|&&b| b == b'>').count();
    if marks > 0 && line[marks..].starts_with(b"From ") { &line[1..] } else { line }
}

fn take(bytes: &[u8], messages: &mut usize, words: &mut Words<'_>) -> Result<(), ExtractError> {
    if bytes.is_empty() {
        return Ok(());
    }
    *messages += 1;
    if *messages > words.limits.parts {
        return Err(words.too_many("messages", words.limits.parts));
    }
    match MessageParser::default().parse(bytes) {
        Some(message) => one(&message, words),
        None => {
            words.warn(format!("message {messages} could not be read"));
            Ok(())
        }
    }
}

fn one(message: &Message<'_>, words: &mut Words<'_>) -> Result<(), ExtractError> {
    if let Some(subject) = message.subject() {
        words.title(subject);
        words.push(BlockKind::Heading(2), subject)?;
    }
    let from = message.from().and_then(|from| from.first());
    let name = from.and_then(|from| from.name.as_deref().or(from.address.as_deref())).map(clean);
    let date = message.date().map(|date| format!("{:04}-{:02}-{:02}", date.year, date.month, date.day));
    let signed: Vec<String> = [name, date].into_iter().flatten().collect();
    words.push(BlockKind::Paragraph, &signed.join(", "))?;
    if message.text_body_count() > 0
        && let Some(body) = message.body_text(0)
    {
        let own: Vec<&str> = body.lines().filter(|line| !line.starts_with('>')).collect();
        text::paragraphs(&own.join("\n"), words)?;
    } else if let Some(body) = message.body_html(0) {
        html::read(&body, words)?;
    }
    let attachments = message.attachment_count();
    if attachments > 0 {
        words.warn("files that hang on messages were not read; save them, and add them by themselves");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Format;
    use crate::extract::tests::blocks;

    const BOX: &str = "From a@example.org Mon Jan  1 00:00:00 2024\nFrom: =?utf-8?q?Jo=C3=A3o?= <j@example.org>\nDate: Sat, 20 Nov 2021 14:22:01 -0800\nSubject: The well\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nOpen at six, =E9.\n>From here it goes on.\n> quoted\n\nFrom b@example.org Tue Jan  2 00:00:00 2024\nSubject: Two\n\nBring a bottle.\n";

    #[test]
    fn every_message_says_who_wrote_it_and_no_address() {
        assert_eq!(
            blocks(Format::Mbox, BOX.as_bytes()),
            [
                (BlockKind::Heading(2), "The well".into()),
                (BlockKind::Paragraph, "João, 2021-11-20".into()),
                (BlockKind::Paragraph, "Open at six, é. From here it goes on.".into()),
                (BlockKind::Heading(2), "Two".into()),
                (BlockKind::Paragraph, "Bring a bottle.".into()),
            ]
        );
    }
}
