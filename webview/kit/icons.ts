/**
 * The few symbols that the pages need, as outlines in a square of 16. They take the colour of the text around them, so
 * they follow every theme, and need no font file.
 */
const PATHS = {
  check: 'M3 8.5 6.5 12 13 4.5',
  cross: 'M4 4l8 8M12 4l-8 8',
  circle: 'M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11z',
  dot: 'M8 5a3 3 0 1 1 0 6a3 3 0 0 1 0-6z',
  spinner: 'M8 2.5a5.5 5.5 0 1 1-5.5 5.5',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M5 3l7.5 5L5 13z',
  stop: 'M4 4h8v8H4z',
  question: 'M5.8 6a2.2 2.2 0 1 1 3.3 1.9c-.8.5-1.1.9-1.1 1.8M8 12v.6',
  clock: 'M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11zM8 5v3.2l2.2 1.6',
  warning: 'M8 2.5 14 13.5H2zM8 6.5v3.2M8 11.4v.5',
  blocked: 'M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11zM4.2 4.2l7.6 7.6',
  shield: 'M8 2l5 1.8v3.7c0 3-2 5.3-5 6.5c-3-1.2-5-3.5-5-6.5V3.8zM5.8 8l1.6 1.6l3-3.2',
  broken: 'M8 2l5 1.8v3.7c0 3-2 5.3-5 6.5c-3-1.2-5-3.5-5-6.5V3.8zM6 6.2l4 4M10 6.2l-4 4',
  terminal: 'M3 4.5 6.5 8 3 11.5M8.5 12H13',
  person: 'M8 3a2.3 2.3 0 1 1 0 4.6A2.3 2.3 0 0 1 8 3zM3.5 13.2c.4-2.5 2.1-3.8 4.5-3.8s4.1 1.3 4.5 3.8',
  agent: 'M3.5 6h9v6.5h-9zM8 3.2V6M6.2 8.7v1.3M9.8 8.7v1.3',
  tool: 'M9.7 3.2a3 3 0 0 0-1 4L3.5 12.4l1.1 1.1l5.2-5.2a3 3 0 0 0 4-3.8L11.9 6.3 10 5.2z',
  file: 'M4 2.500h5l3 3v8H4zM9 2.500v3h3',
  flag: 'M4 13.500V3M4 3.500h8l-2 2.7l2 2.8H4',
  info: 'M8 2.500a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11zM8 7.3v3.7M8 5v.5',
  down: 'M8 3v9.500M4 8.7l4 4l4-4',
} as const;

export type IconName = keyof typeof PATHS;

/** A decoration: what it says must also be said in words beside it. */
export function icon(name: IconName, extraClass = ''): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', `icon icon-${name}${extraClass && ` ${extraClass}`}`);
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}
