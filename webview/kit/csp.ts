import * as z from 'zod';

/**
 * Imported before anything else on a page, for what has to be said under a strict Content Security Policy before other
 * modules load. zod would try `new Function` for each schema that is made; the toolkit finds out with a style element
 * of its own whether `:focus-visible` works, and takes that element's nonce from this meta element.
 */
z.config({ jitless: true });

const nonce = document.currentScript?.nonce;
if (nonce) {
  const meta = document.createElement('meta');
  meta.setAttribute('property', 'csp-nonce');
  meta.content = nonce;
  document.head.append(meta);
}
