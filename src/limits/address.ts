// From where a request comes: the address that limits count, believing X-Forwarded-For only as far as trusted proxies wrote it.
// Knows no limit.

import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv4 } from 'node:net';

/** Where a network's border is in the counted part of an IPv6 address: a provider gives each customer at least a /64 (RFC 6177). */
const COUNTED_GROUPS = 4;
const GROUPS = 8;
/** For a socket that is already gone. */
const UNKNOWN = 'unknown';

/** What proxies of one's own usually have: a hint in the log is right for these, and a client on the Internet cannot cause it. */
const PRIVATE = ['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '::1', 'fc00::/7'];

export class Addresses {
  private readonly trusted: BlockList;
  private readonly near = blockList(PRIVATE);

  /** `trusted`: addresses and networks of proxies. `onUnnamed` is called when a request seems to come by a proxy that is not among them. */
  constructor(
    trusted: readonly string[] = [],
    private readonly onUnnamed: (proxy: string) => void = () => {},
  ) {
    this.trusted = blockList(trusted);
  }

  /** The right-most address that no trusted proxy vouches to be another one of ours. `Forwarded` (RFC 7239) is not read. */
  of(
    request: Pick<IncomingMessage, 'headers'> & {
      readonly socket: { readonly remoteAddress?: string | undefined };
    },
  ): string {
    let address = normalAddress(request.socket.remoteAddress ?? '');
    if (address === undefined) return UNKNOWN;
    const header = request.headers['x-forwarded-for'];
    const chain = Array.isArray(header) ? header.join(',') : header;
    if (chain === undefined) return address;
    if (!this.trusts(address)) {
      if (has(this.near, address)) this.onUnnamed(address);
      return address;
    }
    // Read from the right, and only as far as it is believed: what a client wrote to the left may be long.
    for (let end = chain.length; end >= 0 && this.trusts(address);) {
      const cut = chain.lastIndexOf(',', end - 1);
      const before = normalAddress(withoutPort(chain.slice(cut + 1, end).trim()));
      // What a proxy of ours cannot name it can still be counted by.
      if (before === undefined) return address;
      address = before;
      end = cut;
      if (cut <= 0) break;
    }
    return address;
  }

  /** `address` as `normalAddress` gives it. */
  trusts(address: string): boolean {
    return has(this.trusted, address);
  }
}

/** What is counted together: an IPv4 address, or the /64 of an IPv6 address. */
export function countedKey(address: string): string {
  if (!address.includes(':')) return address;
  const groups = groupsOf(address);
  return groups === undefined
    ? address
    : `${groups
        .slice(0, COUNTED_GROUPS)
        .map((group) => group.toString(16))
        .join(':')}::/64`;
}

/** One text for each address: IPv4 written into IPv6 (RFC 4291 §2.5.5.2) is IPv4. Undefined when the text is no address. */
export function normalAddress(text: string): string | undefined {
  const kind = isIP(text);
  if (kind === 0) return undefined;
  if (kind === 4) return text;
  const groups = groupsOf(text);
  if (groups === undefined) return undefined;
  const [high = 0, low = 0] = groups.slice(6);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
  return groups.map((group) => group.toString(16)).join(':');
}

/** An address, or a network such as `10.0.0.0/8`; one that holds everything would let each client choose its address. */
export function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const kind = isIP(address);
  if (kind === 0 || rest.length > 0 || address.includes('%')) return false;
  if (bits === undefined) return true;
  return /^[1-9][0-9]{0,2}$/.test(bits) && Number(bits) <= (kind === 4 ? 32 : 128);
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [written = '', bits] = network.split('/');
    const address = bits === undefined ? (normalAddress(written) ?? written) : written;
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function has(list: BlockList, address: string): boolean {
  return list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}

/** Some proxies write the port too: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(text: string): string {
  const bracketed = /^\[([^\]]*)\](?::[0-9]{1,5})?$/.exec(text);
  if (bracketed !== null) return bracketed[1] as string;
  return /^[0-9.]+:[0-9]{1,5}$/.test(text) ? text.slice(0, text.indexOf(':')) : text;
}

/** The eight groups of an address that `isIP` calls IPv6. */
function groupsOf(text: string): readonly number[] | undefined {
  const [address = ''] = text.split('%', 1);
  const cut = address.indexOf('::');
  if (cut < 0) return complete(numbersOf(address));
  const left = numbersOf(address.slice(0, cut));
  const right = numbersOf(address.slice(cut + 2));
  const missing = GROUPS - left.length - right.length;
  return missing < 0 ? undefined : complete([...left, ...Array.from({ length: missing }, () => 0), ...right]);
}

function complete(groups: readonly number[]): readonly number[] | undefined {
  return groups.length === GROUPS && groups.every((group) => group >= 0 && group <= 0xffff)
    ? groups
    : undefined;
}

function numbersOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return Number.parseInt(group, 16);
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
