// The peer `ws-bare`: accepts every socket and does nothing else. The floor for the cost of a connection in Node.
import { WebSocketServer } from 'ws';
import { createFront, listen } from './http-front.js';

const front = createFront();
new WebSocketServer({ server: front, clientTracking: false, perMessageDeflate: false });
listen(front);
