import { createPublicKey, generateKeyPairSync, sign as edSign, verify as edVerify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  formatNoteKey,
  openRunHead,
  parseNoteKey,
  signRunHead,
  type NoteKey,
  type Verify,
} from '../../../shared/audit/checkpoint.ts';

function keyPair(name: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const key: NoteKey = { name, publicKey: new Uint8Array(raw) };
  return { key, sign: (message: Uint8Array) => new Uint8Array(edSign(null, message, privateKey)) };
}

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const verify: Verify = (publicKey, message, signature) =>
  edVerify(
    null,
    message,
    createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' }),
    signature,
  );

const head = { runId: 'run_0123456789abcdefghjkmnpqrs', seq: 42, hash: 'ab'.repeat(32) };

describe('the signed head of a run', () => {
  test('reads the verifier key and the signed note that the C2SP page and Go publish', () => {
    // https://pkg.go.dev/golang.org/x/mod/sumdb/note: PeterNeumann's key; the key id must come out as printed there.
    const text = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
    expect(formatNoteKey(parseNoteKey(text))).toBe(text);
    expect(() => parseNoteKey(text.replace('c74f20a3', 'c74f20a4'))).toThrow(/key id/);
  });

  test('is one that its key opens', () => {
    const { key, sign } = keyPair('caisson.example/srv_1');
    const note = signRunHead(head, key, sign);
    expect(note).toMatch(
      /^caisson\/run\/run_0123456789abcdefghjkmnpqrs\n42\nq6urq[\w+/]+=\n\n— caisson\.example\/srv_1 [\w+/]{91}=\n$/,
    );
    expect(openRunHead(note, parseNoteKey(formatNoteKey(key)), verify)).toEqual({ ok: true, head });
  });

  test('may carry signatures of others', () => {
    const ours = keyPair('ours');
    const other = keyPair('witness');
    const note = signRunHead(head, ours.key, ours.sign) + signRunHead(head, other.key, other.sign).split('\n\n')[1]!;
    expect(openRunHead(note, ours.key, verify).ok).toBe(true);
    expect(openRunHead(note, other.key, verify).ok).toBe(true);
  });

  const { key, sign } = keyPair('ours');
  const note = signRunHead(head, key, sign);
  test.each([
    ['another place', note.replace('\n42\n', '\n43\n'), 'signature'],
    ['another run', note.replace('pqrs', 'pqrt'), 'signature'],
    ['a place with a leading zero', note.replace('\n42\n', '\n042\n'), 'malformed'],
    ['no signature', note.split('—')[0]!, 'unsigned'],
    ['the key of another with the same name', signRunHead(head, keyPair('ours').key, sign), 'unsigned'],
    ['a cut end', note.slice(0, -1), 'malformed'],
    ['a cut signature', note.slice(0, -10), 'malformed'],
    ['something after the hash', note.replace('\n\n', '\nmore\n\n'), 'malformed'],
    ['nothing', '', 'malformed'],
  ])('refuses %s', (_name, forged, problem) => {
    expect(openRunHead(forged, key, verify)).toMatchObject({ ok: false, problem });
  });

  test('refuses a right signature next to a wrong one by the same key', () => {
    const wrong = note.replace('\n42\n', '\n43\n').split('\n\n')[1]!;
    const bad = signRunHead({ ...head, seq: 1 }, key, sign).split('\n\n')[1]!;
    expect(openRunHead(note + wrong, key, verify).ok).toBe(true);
    expect(openRunHead(note + bad, key, verify)).toMatchObject({ ok: false, problem: 'signature' });
  });

  test('a name that could be read as something else is not signed with', () => {
    expect(() => signRunHead(head, { ...key, name: 'a b' }, sign)).toThrow(TypeError);
    expect(() => signRunHead({ ...head, runId: 'a\nb' }, key, sign)).toThrow(TypeError);
  });
});
