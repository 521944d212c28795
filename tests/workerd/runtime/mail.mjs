// What the platform has around a worker for e-mail and workerd alone has not: a message to give to the `email` handler,
// `cloudflare:email`, and a service behind a `send_email` binding. Everything sent is kept in memory, for tests to read.
import { WorkerEntrypoint } from "cloudflare:workers";

const sent = [];
const bytes = async (stream) => new Uint8Array(await new Response(stream).arrayBuffer());
const latin1 = (data) => Array.from(data, (byte) => String.fromCharCode(byte)).join("");
const fromLatin1 = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** As `cloudflare:email` has it; a plain object, so that it can be sent to another worker. */
export class EmailMessage {
  constructor(from, to, raw) {
    return { from, to, raw };
  }
}

/** The fields of a mail's head, as `Headers`. */
function headersOf(raw) {
  const headers = new Headers();
  const head = raw.split(/\r?\n\r?\n/, 1)[0].replace(/\r?\n[ \t]+/g, " ");
  for (const line of head.split(/\r?\n/)) {
    const at = line.indexOf(":");
    if (at > 0) headers.append(line.slice(0, at), line.slice(at + 1).trim());
  }
  return headers;
}

/** Deliver a mail to the worker's default entrypoint; says what became of it. */
export async function deliver(entrypoint, { from, to, raw }) {
  const outcome = { rejected: null, replies: [], forwards: [] };
  await entrypoint.email({
    from,
    to,
    raw: new Response(fromLatin1(raw)).body,
    rawSize: raw.length,
    headers: headersOf(raw),
    setReject: (reason) => { outcome.rejected = reason; },
    forward: async (recipient, headers) => {
      if (recipient.startsWith("refused")) throw new Error("destination address not verified");
      outcome.forwards.push({ to: recipient, headers: Object.fromEntries(headers ?? []) });
    },
    reply: async (message) => {
      if (outcome.replies.length) throw new Error("the mail was answered already");
      outcome.replies.push({ from: message.from, to: message.to, raw: latin1(await bytes(message.raw)) });
    },
  });
  return outcome;
}

/** What stands behind a `send_email` binding. */
export class SendEmail extends WorkerEntrypoint {
  async send(message) {
    if (!message.from || !message.to) throw new Error("a mail needs from and to");
    sent.push(message);
    return { messageId: message.headers?.["Message-ID"] ?? "<none@example.com>" };
  }
}

export const takeSent = () => sent.splice(0);
