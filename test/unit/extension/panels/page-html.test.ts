import { expect, test } from 'vitest';
import { pageHtml } from '../../../../extension/panels/page-html.ts';

const html = pageHtml({
  cspSource: 'https://csp.example',
  scriptUri: 'https://csp.example/run.js',
  styleUri: 'https://csp.example/run.css',
  nonce: 'abc',
  title: '</title><script>alert("1")</script>',
  language: 'de"><img src=x>',
});

test('nothing may load but the page’s own script and style', () => {
  const policy = /content="(default-src[^"]*)"/.exec(html)?.[1]?.split('; ');
  expect(policy).toEqual([
    `default-src 'none'`,
    `script-src 'nonce-abc'`,
    `style-src https://csp.example 'nonce-abc'`,
    'font-src https://csp.example',
    `img-src 'none'`,
    `form-action 'none'`,
    `base-uri 'none'`,
  ]);
  expect(html).not.toMatch(/unsafe|data:|\*/);
});

test('there is one script, and it is not inline', () => {
  expect(html.match(/<script[^>]*>[^<]*/g)).toEqual(['<script nonce="abc" src="https://csp.example/run.js">']);
  expect(html).not.toMatch(/\son\w+=|style=|<img/);
});

test('a title stays a title', () => {
  expect(html).toContain('<title>&lt;/title&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;</title>');
});
