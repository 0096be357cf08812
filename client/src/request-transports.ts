// The transports made of requests, in one file that is loaded when the first of them is tried. Only a door.

export { pollingTransport } from './polling-transport.js';
export { sseTransport } from './sse-transport.js';
