// Finds the rules and handlers of a channel by its name: classes and the rules file in one list, the narrowest pattern first.
// Knows no backplane and no session.

import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import type { ChannelRouter, ResolvedChannel } from '../core/ports/application.js';
import { RecentMap } from '../core/ports/recent-map.js';
import { compareSpecificity, parseChannelPattern } from '../protocol/channel-pattern.js';
import type { ChannelFamily } from './channel-class.js';
import { toPolicy } from './channel-options.js';
import { shapeOf } from './channel-shape.js';
import { ChannelExplorer } from './channel.explorer.js';
import { CHANNEL_RULES } from './channels.tokens.js';
import type { ChannelRule } from './rules-file.js';

/** Channels that are remembered; each takes about 300 bytes. */
const KNOWN = 10_000;

@Injectable()
export class PatternRouter implements ChannelRouter, OnModuleInit {
  private readonly logger = new Logger('Channels');
  private readonly rules: readonly ChannelFamily[];
  private families: readonly ChannelFamily[] = [];
  private version = -1;
  private known = new RecentMap<ResolvedChannel>(KNOWN);

  constructor(
    @Inject(ChannelExplorer) private readonly explorer: ChannelExplorer,
    @Inject(CHANNEL_RULES) rules: readonly ChannelRule[],
  ) {
    this.rules = rules.map((rule) => ({
      pattern: parseChannelPattern(rule.channel),
      policy: toPolicy(rule),
      handlers: undefined,
      source: 'the rules file',
    }));
  }

  onModuleInit(): void {
    this.refresh();
  }

  resolve(channel: string): ResolvedChannel | undefined {
    this.refresh();
    const known = this.known.get(channel);
    if (known !== undefined) return known;
    const found = this.find(channel);
    if (found !== undefined) this.known.set(channel, found);
    return found;
  }

  private find(channel: string): ResolvedChannel | undefined {
    for (const { pattern, policy, handlers } of this.families) {
      const params = pattern.match(channel);
      if (params !== undefined) return { channel, params, policy, handlers };
    }
    return undefined;
  }

  private refresh(): void {
    this.explorer.refresh();
    if (this.version === this.explorer.version) return;
    this.version = this.explorer.version;
    this.known = new RecentMap(KNOWN);
    const shapes = new Map(this.explorer.families.map((family) => [shapeOf(family.pattern.text), family]));
    const rules = this.rules.filter(({ pattern }) => {
      const owner = shapes.get(shapeOf(pattern.text));
      if (owner !== undefined)
        this.logger.warn(`The rule for ${pattern.text} is not used: ${owner.source} goes before it.`);
      return owner === undefined;
    });
    this.families = [...this.explorer.families, ...rules].sort((a, b) =>
      compareSpecificity(a.pattern, b.pattern),
    );
  }
}
