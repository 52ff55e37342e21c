/** A secret, with the name that stands in its place; without a name it is just `[redacted]`. */
export interface NamedSecret {
  readonly name?: string;
  readonly value: string;
}

interface StreamRedactor {
  /** What can be shown now. Only what may be the beginning of a secret is held back. */
  push(chunk: string): string;
  /** What was held back, at the end of the stream. */
  flush(): string;
}

export interface Redactor {
  text(whole: string): string;
  /** Every string inside, names of members included. */
  value(json: unknown): unknown;
  /** For text that comes in pieces: the pieces' output, joined, is `text` of the pieces joined. */
  stream(): StreamRedactor;
  /** Names of secrets that are too short to look for; say so to whoever set them. */
  readonly ignored: readonly string[];
}

/**
 * Shorter secrets are not looked for: `true` or `1234` would be cut out of ordinary text everywhere, which hides nothing
 * (the pattern of holes gives it away) and ruins the record.
 */
const MIN_SECRET_LENGTH = 6;

interface Form {
  readonly text: string;
  readonly replacement: string;
}

/**
 * Replaces secrets in text, as they are and as programs commonly print them: in JSON, in URLs, in hex, and in base64,
 * also when the secret is only a part of what was encoded (`user:token` in an Authorization header).
 */
export function createRedactor(secrets: readonly (string | NamedSecret)[]): Redactor {
  const named = secrets.map((secret): NamedSecret => (typeof secret === 'string' ? { value: secret } : secret));
  const usable = named.filter((secret) => secret.value.length >= MIN_SECRET_LENGTH);
  const forms = formsOf(usable);
  const longest = forms.reduce((length, form) => Math.max(length, form.text.length), 0);
  const firsts = new Set(forms.map((form) => form.text[0]!));

  /** The first place in `text` from `from` on that may become a secret if more text follows. */
  const openEnd = (text: string, from: number): number => {
    for (let at = Math.max(from, text.length - longest + 1); at < text.length; at++) {
      if (!firsts.has(text[at]!)) continue;
      const tail = text.slice(at);
      if (forms.some((form) => form.text.length > tail.length && form.text.startsWith(tail))) return at;
    }
    return text.length;
  };

  /** Leftmost secret first, the longest where several begin at one place. What is not final yet is `rest`. */
  const redact = (text: string, more: boolean): { done: string; rest: string } => {
    const search = createSearch(forms, text);
    let done = '';
    let from = 0;
    let open = more ? openEnd(text, 0) : text.length;
    for (;;) {
      if (open < from) open = openEnd(text, from);
      const match = search(from);
      if (!match || match.at >= open) return { done: done + text.slice(from, open), rest: text.slice(open) };
      done += text.slice(from, match.at) + match.form.replacement;
      from = match.at + match.form.text.length;
    }
  };

  const whole = (text: string): string => (forms.length === 0 ? text : redact(text, false).done);
  const value = (json: unknown): unknown => {
    if (typeof json === 'string') return whole(json);
    if (Array.isArray(json)) return json.map(value);
    if (typeof json !== 'object' || json === null) return json;
    // fromEntries defines members, so that a member named __proto__ stays one.
    return Object.fromEntries(Object.entries(json).map(([name, member]) => [whole(name), value(member)]));
  };

  return {
    text: whole,
    value: (json) => (forms.length === 0 ? json : value(json)),
    stream() {
      let held = '';
      return {
        push(chunk) {
          if (forms.length === 0) return chunk;
          const { done, rest } = redact(held + chunk, true);
          held = rest;
          return done;
        },
        flush() {
          const { done } = redact(held, false);
          held = '';
          return done;
        },
      };
    },
    ignored: named.filter((secret) => !usable.includes(secret)).map((secret) => secret.name ?? '(unnamed)'),
  };
}

/** Finds the leftmost, longest form. Each form is searched again only once its last find has been passed. */
function createSearch(forms: readonly Form[], text: string): (from: number) => { at: number; form: Form } | undefined {
  const next = forms.map(() => -2);
  return (from) => {
    let best: { at: number; form: Form } | undefined;
    for (const [index, form] of forms.entries()) {
      let at = next[index]!;
      if (at !== -1 && at < from) at = next[index] = text.indexOf(form.text, from);
      // The forms are sorted by length, so at one place the first found is the longest.
      if (at !== -1 && (!best || at < best.at)) best = { at, form };
    }
    return best;
  };
}

function formsOf(secrets: readonly NamedSecret[]): Form[] {
  const forms = new Map<string, Form>();
  for (const { name, value } of secrets) {
    const replacement = name === undefined ? '[redacted]' : `[redacted:${name}]`;
    for (const text of spellings(value)) {
      if (text.length >= MIN_SECRET_LENGTH && !forms.has(text)) forms.set(text, { text, replacement });
    }
  }
  return [...forms.values()].sort((a, b) => b.text.length - a.text.length);
}

/** The ways in which programs print a secret. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const url = encodeURIComponent(secret.replaceAll(/\p{Cs}/gu, '\ufffd'));
  const base64 = [bytes.toString('base64'), ...[0, 1, 2].map((offset) => base64Core(bytes, offset))];
  return [
    secret,
    secret.replaceAll(/\r?\n/g, '\r\n'),
    JSON.stringify(secret).slice(1, -1),
    url,
    url.replaceAll('%20', '+'),
    bytes.toString('hex'),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ];
}

/**
 * The base64 characters that depend on the secret alone when it begins at `offset` (mod 3) of what is encoded (RFC 4648
 * section 4: three bytes are four characters). Those at the edges, which mix in neighbouring bytes, are left out.
 */
function base64Core(secret: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), secret]).toString('base64');
  const start = Math.ceil((offset * 8) / 6);
  const end = Math.floor(((offset + secret.length) * 8) / 6);
  return text.slice(start, end);
}
