//! Facts are told by mail, once, and only to those they concern.

use crate::metered::{Device, report, sold_to};
use mintreu::Timestamp;
use mintreu_server::domains::billing::{BillNow, bill_now};
use mintreu_server::notify::letter::Letter;
use mintreu_server::notify::transport::{Envelope, MailOptions, Mailer, TransportError};
use mintreu_server::text::Locale;
use mintreu_tests::TestApp;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const TARIFFS: [&str; 2] = ["EUR per_unit 0.01", "EUR per_unit 0.00"];

#[tokio::test]
async fn an_account_and_its_invoice_are_told_once() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let body = json!({
            "email": "ada@buyer.example", "name": "Ada", "password": "a tame raven sings",
        });
        let (status, account) = server.browser().post_json("/v1/accounts", &body).await;
        assert_eq!(status, 201, "{account}");
        server.stop().await;
        let customer = account["account_id"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("an id");
        let sold = sold_to(test, TARIFFS, customer).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        report(test, &device.seal(test, 1_234, 0))
            .await
            .expect("is believed");
        let license = sold.license;
        test.app
            .transact(&sold.customer, BillNow { license }, bill_now)
            .await
            .expect("bills");
        for _ in 0..2 {
            test.drain().await;
        }
        let mails = test.mails();
        let about = |subject: &str| {
            let line = format!("Subject: {subject}");
            let found: Vec<_> = mails.iter().filter(|mail| mail.contains(&line)).collect();
            assert_eq!(found.len(), 1, "{subject} in {mails:#?}");
            assert!(found[0].contains("To: ada@buyer.example"));
            found[0]
        };
        about("Welcome to Mintreu");
        let invoice = about("Invoice INV-000001");
        assert!(
            invoice.contains("12.34 EUR") && invoice.contains("Acme API"),
            "{invoice}"
        );
        assert!(invoice.contains("/invoices/inv_"), "{invoice}");
        assert_eq!(mails.len(), 2, "{mails:#?}");
        // What waits in the queue and what is kept for good names nobody.
        for table in ["job", "event", "audit", "mail"] {
            let dump = dump(test, table).await;
            assert!(!dump.contains("ada@"), "{table}: {dump}");
        }
    })
    .await;
}

/// Every text of a table, for looking for what shouldn't be there.
async fn dump(test: &TestApp, table: &str) -> String {
    let columns = match table {
        "job" => "kind || payload",
        "event" => "kind || subject || data",
        "audit" => "command || COALESCE(subject, '')",
        _ => "fact || subject || message_id",
    };
    let sql = format!("SELECT {columns} AS line FROM {table}");
    let read = move |tx: &mut dyn mintreu_server::store::Tx| {
        let rows = tx.query(&sql, &[])?;
        rows.iter()
            .map(|row| row.text("line"))
            .collect::<Result<Vec<_>, _>>()
    };
    let lines = test
        .app
        .store
        .read(read)
        .await
        .expect("reads")
        .expect("texts");
    lines.join("\n")
}

/// A mail server that answers `verdict` to every message and gives what it was sent.
async fn receive(listener: TcpListener, verdict: &'static str) -> String {
    let (socket, _) = listener.accept().await.expect("a client");
    let mut session = BufReader::new(socket);
    say(&mut session, "220 test").await;
    let mut seen = String::new();
    let mut in_message = false;
    loop {
        let mut line = String::new();
        if session.read_line(&mut line).await.expect("a line") == 0 {
            return seen;
        }
        seen.push_str(&line);
        let answer = match line.trim_end() {
            "." if in_message => {
                in_message = false;
                verdict
            }
            _ if in_message => continue,
            "DATA" => {
                in_message = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        say(&mut session, answer).await;
    }
}

async fn say(session: &mut BufReader<TcpStream>, answer: &str) {
    let line = format!("{answer}\r\n");
    // A client that has hung up needs no answer.
    session.get_mut().write_all(line.as_bytes()).await.ok();
}

async fn send(url: &str) -> Result<String, TransportError> {
    let mailer = Mailer::open(&MailOptions {
        url: url.to_owned(),
        from: "Mintreu <shop@mintreu.example>".to_owned(),
        base_url: "https://shop.example".to_owned(),
    })?;
    let mut letter = Letter::new(Locale::English, "Hello".to_owned());
    letter
        .intro
        .push("A line.\n.\nA dot alone, and text in 日本語.".to_owned());
    let envelope = Envelope {
        to: "ada@buyer.example",
        reference: "evt_1",
        at: Timestamp::from_secs(1_800_000_000),
        letter: &letter,
    };
    mailer.deliver(&envelope).await
}

#[tokio::test]
async fn a_mail_server_takes_delays_or_refuses() {
    for (verdict, expected) in [
        ("250 taken", "taken"),
        ("451 come back later", "not ready"),
        ("550 nobody here", "refused"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(receive(listener, verdict));
        let sent = send(&format!("smtp://{address}")).await;
        let came_to = match &sent {
            Ok(_) => "taken",
            Err(TransportError::NotReady(_)) => "not ready",
            Err(TransportError::Refused(_)) => "refused",
            Err(_) => "something else",
        };
        assert_eq!(came_to, expected, "{sent:?}");
        let seen = server.await.expect("no panic");
        assert!(seen.contains("MAIL FROM:<shop@mintreu.example>"), "{seen}");
        assert!(seen.contains("RCPT TO:<ada@buyer.example>"), "{seen}");
        assert!(seen.contains("multipart/alternative"), "{seen}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let away = send(&format!("smtp://{address}")).await;
    assert!(matches!(away, Err(TransportError::NotReady(_))), "{away:?}");
}

/// Another author's mail server: aiosmtpd, run by the client suite, which then reads the mail.
#[tokio::test]
async fn a_foreign_mail_server_takes_mail() {
    match std::env::var("MINTREU_TEST_SMTP") {
        Ok(url) => {
            let id = send(&url).await.expect("is taken");
            assert_eq!(id, "<evt_1@mintreu.example>");
        }
        Err(_) => println!("aiosmtpd skipped: MINTREU_TEST_SMTP is not set"),
    }
}
