"""E-mail on the local host: mails that are delivered by hand or over HTTP, and an outbox for what is sent."""
