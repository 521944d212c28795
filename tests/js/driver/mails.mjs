// Writes mails with npm `mimetext`, and reads mails with npm `postal-mime`: what other programs make of them.
import PostalMime from "postal-mime";
import { createMimeMessage } from "mimetext";

const base = ({ subject, text, html, ...more }) => {
  const mail = createMimeMessage();
  mail.setSender({ name: more.name ?? "Ada", addr: "ada@example.com" });
  mail.setRecipient("desk+front@example.org");
  mail.setSubject(subject);
  if (text !== undefined) mail.addMessage({ contentType: "text/plain", data: text, ...(more.encoding ? { encoding: more.encoding } : {}) });
  if (html !== undefined) mail.addMessage({ contentType: "text/html", data: html });
  if (more.attachment) mail.addAttachment({ filename: "note ü.txt", contentType: "text/plain", data: Buffer.from("attached").toString("base64") });
  for (const [name, value] of Object.entries(more.headers ?? {})) mail.setHeader(name, value);
  return { raw: mail.asRaw(), subject, text, html: html ?? null, id: mail.getHeaders()["Message-ID"] };
};

const written = () => [
  base({ subject: "Plain", text: "hello" }),
  base({ subject: "Grüße aus Köln 🌍", name: "Ada Löwe", text: "Schöne Grüße\nund zwei Zeilen" , encoding: "8bit" }),
  base({ subject: "x".repeat(200), text: "long subject" }),
  base({ subject: "Both", text: "plain", html: "<p>rich</p>" }),
  base({ subject: "With a file", text: "see below", attachment: true }),
  base({ subject: "Thread", text: "again", headers: { "In-Reply-To": "<0@example.com>", "References": "<0@example.com>" } }),
];

async function read(raws) {
  return await Promise.all(raws.map(async (raw) => {
    const mail = await PostalMime.parse(Buffer.from(raw, "latin1"));
    const { from, to, subject, messageId, inReplyTo, references, text, html } = mail;
    return { from, to, subject, messageId, inReplyTo, references, text, html, headers: Object.fromEntries(mail.headers.map(({ key, value }) => [key, value])) };
  }));
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const given = JSON.parse(Buffer.concat(chunks).toString() || "null");
console.log(JSON.stringify(given === null ? await written() : await read(given)));
