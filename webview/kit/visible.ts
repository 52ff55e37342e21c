/**
 * Text that was made by an agent or a program, so that what a person reads is what it says. Control characters and
 * bidirectional overrides (Unicode UAX #9, «Trojan Source», CVE-2021-42574) could hide the end of a command from the
 * one who allows it; they are shown by their code instead.
 */
export function visible(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Output of a program: without the colours of a terminal (ECMA-48 control sequences), and with plain line ends. */
export function plainOutput(text: string): string {
  return visible(text.replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, '').replace(/\r\n?/g, '\n'));
}

/** A value from an event as readable JSON. */
export function json(value: unknown): string {
  return visible(JSON.stringify(value, null, 2) ?? String(value));
}
