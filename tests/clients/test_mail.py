"""Our mail, read by another author's SMTP server (aiosmtpd) and Python's own parser."""

import email.policy
import os
import socket
import subprocess

from aiosmtpd.controller import Controller


class Inbox:
    """Keeps every envelope that it is handed."""

    def __init__(self):
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):
        self.envelopes.append(envelope)
        return "250 taken"


def test_a_foreign_server_takes_our_mail():
    inbox = Inbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        environment = dict(os.environ, MINTREU_TEST_SMTP=f"smtp://127.0.0.1:{port}")
        name = "notify_mail::a_foreign_mail_server_takes_mail"
        command = "cargo test -q --locked -p mintreu-tests --test it -- --exact".split()
        run = subprocess.run([*command, name], env=environment, capture_output=True, text=True)
    finally:
        controller.stop()
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout

    (envelope,) = inbox.envelopes
    assert envelope.mail_from == "shop@mintreu.example"
    assert envelope.rcpt_tos == ["ada@buyer.example"]
    message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
    assert message["Message-ID"] == "<evt_1@mintreu.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.isoformat() == "2027-01-15T08:00:00+00:00"
    assert message.defects == []
    plain, html = message.iter_parts()
    assert plain.get_content_type() == "text/plain"
    assert html.get_content_type() == "text/html"
    assert "\n.\nA dot alone, and text in 日本語." in plain.get_content().replace("\r\n", "\n")
    assert "日本語" in html.get_content()
