//! SMTP (RFC 5321): one mail with text and an attachment (RFC 5322, RFC 2045, RFC 2046).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::{Rng, RngCore};

use super::{Activity, connect};
use crate::session::stream::Filler;
use crate::session::{Close, Side, Stream};
use crate::trace::calendar::Moment;
use crate::trace::truth::Protocol;
use crate::trace::world::Conversation;

const PORT: u16 = 25;
/// Bytes that make a line of 76 base64 characters (RFC 2045 6.8).
const BYTES_PER_LINE: usize = 57;

const PEOPLE: [(&str, &str); 5] = [
    ("Ada Marsh", "ada.marsh"),
    ("Piet de Vries", "piet"),
    ("Office", "office"),
    ("Jana Horak", "j.horak"),
    ("No Reply", "no-reply"),
];

pub(crate) fn activity(mut conversation: Conversation<'_>) -> Activity {
    let server = conversation.tenant.mail(conversation.index);
    let mut session = connect(&mut conversation, server, PORT);
    let (sender_name, sender) = conversation.pick(&PEOPLE, ("Office", "office"));
    let (_, recipient) = conversation.pick(&PEOPLE, ("Office", "office"));
    let sender = format!("{sender}@branch-{}.example", conversation.tenant.vlan);
    let recipient = format!("{recipient}@post-and-parcel.example");
    let queue_id = format!("{:010X}", conversation.rng.random_range(0..1_u64 << 40));

    session.send(Side::Server, Stream::new("220 mx1.post-and-parcel.example ESMTP ready\r\n"), 2_000_000);
    let dialogue = [
        (
            format!("EHLO mail.branch-{}.example\r\n", conversation.tenant.vlan),
            "250-mx1.post-and-parcel.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250 DSN\r\n",
        ),
        (format!("MAIL FROM:<{sender}> SIZE=20000\r\n"), "250 2.1.0 Ok\r\n"),
        (format!("RCPT TO:<{recipient}>\r\n"), "250 2.1.5 Ok\r\n"),
        ("DATA\r\n".to_owned(), "354 End data with <CR><LF>.<CR><LF>\r\n"),
    ];
    for (command, reply) in dialogue {
        session.send(Side::Client, Stream::new(command), conversation.think_ns(0, 4));
        session.send(Side::Server, Stream::new(reply), conversation.think_ns(0, 8));
    }
    let mail = mail(&mut conversation, (sender_name, &sender), &recipient);
    session.send(Side::Client, mail, conversation.think_ns(0, 4));
    let accepted = format!("250 2.0.0 Ok: queued as {queue_id}\r\n");
    session.send(Side::Server, Stream::new(accepted), conversation.think_ns(5, 80));
    session.send(Side::Client, Stream::new("QUIT\r\n"), conversation.think_ns(0, 4));
    session.send(Side::Server, Stream::new("221 2.0.0 Bye\r\n"), conversation.think_ns(0, 4));
    session.close(Close::Fin(Side::Server), 100_000);
    Activity::tcp(Protocol::Smtp, session)
}

/// The mail with the line that ends it. No line of it begins with a dot, so none needs stuffing (RFC 5321 4.5.2).
fn mail(conversation: &mut Conversation<'_>, (name, sender): (&str, &str), recipient: &str) -> Stream {
    let date = Moment::from_ns(conversation.start_ns).mail();
    let number = conversation.index;
    let boundary = format!("=_{:032x}", conversation.rng.random::<u128>());
    let mut text = Vec::new();
    let (seed, length) = (conversation.rng.random(), conversation.rng.random_range(200..1_500));
    Stream::default().filler(Filler::Text, seed, length).copy(0, length, &mut text);
    let text = String::from_utf8_lossy(&text).replace('\n', "\r\n");
    let mut attachment = vec![0; conversation.rng.random_range(1_000..30_000)];
    conversation.rng.fill_bytes(&mut attachment);

    let mut mail = format!(
        "From: {name} <{sender}>\r\nTo: <{recipient}>\r\nSubject: Delivery note {number}\r\nDate: {date}\r\n\
         Message-ID: <{number}.{seed:x}@branch-{}.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n{text}\r\n--{boundary}\r\n\
         Content-Type: application/octet-stream; name=\"note-{number}.bin\"\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"note-{number}.bin\"\r\n\r\n",
        conversation.tenant.vlan
    );
    for line in attachment.chunks(BYTES_PER_LINE) {
        mail.push_str(&STANDARD.encode(line));
        mail.push_str("\r\n");
    }
    Stream::new(mail).bytes(format!("--{boundary}--\r\n.\r\n"))
}
