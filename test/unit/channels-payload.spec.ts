// Payloads: validation by the type of the parameter, by pipes, by schema; and what is published when a handler says nothing.

import {
  ParseIntPipe,
  UsePipes,
  ValidationPipe,
  type ArgumentMetadata,
  type PipeTransform,
} from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { Transform, Type } from 'class-transformer';
import {
  IsArray,
  IsInt,
  IsOptional,
  IsString,
  Length,
  registerDecorator,
  ValidateNested,
} from 'class-validator';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Channel, ChannelParam, OnPublish, OnSubscribe, Payload } from '../../src/index.js';
import { bootChannels, refusalOf } from './channels-app.js';

const isFree =
  (): PropertyDecorator =>
  (target, property): void =>
    registerDecorator({
      name: 'isFree',
      target: target.constructor,
      propertyName: String(property),
      options: { message: '$property is taken' },
      validator: { validate: async (value) => value !== 'taken' },
    });

class CityDto {
  @IsString()
  @Length(2, 10)
  readonly name!: string;
}

class NoteDto {
  @IsString()
  @isFree()
  readonly text!: string;

  @IsOptional()
  @IsInt({ message: 'give a whole number' })
  readonly count?: number;

  @IsOptional()
  @ValidateNested()
  @Type(() => CityDto)
  readonly city?: CityDto;

  @IsOptional()
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => CityDto)
  readonly stops?: CityDto[];
}

class TrimDto {
  @IsString()
  @Length(1, 5)
  @Transform(({ value }) => (value as string).trim())
  readonly text!: string;
}

@Channel('test:{id}')
class Typed {
  calls = 0;
  last: unknown;

  @OnPublish('note')
  note(@Payload() note: NoteDto): void {
    this.keep(note);
  }

  @OnPublish('back')
  back(@Payload() note: NoteDto): object {
    return { ...note, is: note instanceof NoteDto, city: note.city instanceof CityDto };
  }

  @OnPublish('trim')
  trim(@Payload() dto: TrimDto): void {
    this.keep(dto);
  }

  @OnPublish('text')
  text(@Payload() text: string): void {
    this.keep(text);
  }

  @OnPublish('number')
  number(@Payload() value: number): void {
    this.keep(value);
  }

  @OnPublish('flag')
  flag(@Payload() flag: boolean): void {
    this.keep(flag);
  }

  @OnPublish('list')
  list(@Payload() list: readonly unknown[]): void {
    this.keep(list);
  }

  @OnPublish('open')
  open(@Payload() value: unknown): void {
    this.keep(value);
  }

  private keep(value: unknown): void {
    this.calls++;
    this.last = value;
  }
}

describe('a payload typed by a class', () => {
  it('reaches the handler as an instance, with nested instances, without undeclared fields', async () => {
    const app = await bootChannels({ providers: [Typed] });
    const data = { text: 'hi', count: 2, city: { name: 'Rome', spy: 1 }, admin: true };
    expect(await app.published(data, { event: 'back' })).toEqual({
      text: 'hi',
      count: 2,
      is: true,
      city: true,
    });
  });

  it('is published as it was validated when the handler says nothing', async () => {
    const app = await bootChannels({ providers: [Typed] });
    const data = { text: 'hi', city: { name: 'Rome', spy: 1 }, admin: true };
    expect(await app.publish(data)).toBe('{"text":"hi","city":{"name":"Rome"}}');
    expect(await app.publish({ text: '  a  ' }, { event: 'trim' })).toBe('{"text":"a"}');
  });

  it.each([
    ['a wrong type', { text: 5 }, [{ path: 'text', message: 'must be a string' }]],
    ['a missing field', {}, [{ path: 'text', message: 'must be a string' }]],
    ['a sentence of its own', { text: 'a', count: 1.5 }, [{ path: 'count', message: 'give a whole number' }]],
    ['a rule that takes its time', { text: 'taken' }, [{ path: 'text', message: 'is taken' }]],
    [
      'a nested field',
      { text: 'a', city: { name: 'x' } },
      [{ path: 'city.name', message: 'must be longer than or equal to 2 characters' }],
    ],
    [
      'an item of a list',
      { text: 'a', stops: [{ name: 'Rome' }, { name: 7 }] },
      [
        {
          path: 'stops.1.name',
          message: 'must be longer than or equal to 2 and shorter than or equal to 10 characters',
        },
        { path: 'stops.1.name', message: 'must be a string' },
      ],
    ],
    [
      'a text for an object',
      { text: 'a', city: 'Rome' },
      [{ path: 'city', message: 'nested property city must be either object or array' }],
    ],
    ['a list', [{ text: 'a' }], [{ path: '', message: 'must be an object' }]],
    ['null', null, [{ path: '', message: 'must be an object' }]],
    ['a text', '"text"', [{ path: '', message: 'must be an object' }]],
    ['a number', 4, [{ path: '', message: 'must be an object' }]],
  ])('is refused with its place: %s', async (_what, data, details) => {
    const app = await bootChannels({ providers: [Typed] });
    const refusal = await refusalOf(app.publish(data));
    expect(refusal.code).toBe('invalid_data');
    expect(refusal.details).toEqual(details);
    expect(app.module.get(Typed).calls).toBe(0);
  });

  it('is refused with a sentence that names the first fault', async () => {
    const app = await bootChannels({ providers: [Typed] });
    expect((await refusalOf(app.publish({ text: 5 }))).message).toBe('"text" must be a string.');
    expect((await refusalOf(app.publish([]))).message).toBe('The payload must be an object.');
  });

  it('is refused with twenty details at most', async () => {
    const app = await bootChannels({ providers: [Typed] });
    const stops = Array.from({ length: 500 }, () => ({ name: 1 }));
    expect((await refusalOf(app.publish({ text: 'a', stops }))).details).toHaveLength(20);
  });

  it('is refused, not failed, when a transformation meets a value it was not made for', async () => {
    const app = await bootChannels({ providers: [Typed] });
    const refusal = await refusalOf(app.publish({ text: 5 }, { event: 'trim' }));
    expect([refusal.code, refusal.details]).toEqual([
      'invalid_data',
      [{ path: '', message: 'cannot be read' }],
    ]);
  });

  it.each([
    ['__proto__', '{"__proto__":{"text":"x","polluted":true},"text":"a"}'],
    ['constructor', '{"constructor":{"prototype":{"polluted":true}},"text":"a"}'],
    ['nested __proto__', '{"text":"a","city":{"name":"Rome","__proto__":{"polluted":true}}}'],
    ['prototype', '{"prototype":{"polluted":true},"text":"a"}'],
  ])('does not let the key %s through to any object', async (_key, data) => {
    const app = await bootChannels({ providers: [Typed] });
    const text = await app.publish(data);
    expect(text).not.toContain('polluted');
    const last = app.module.get(Typed).last as NoteDto & { polluted?: unknown };
    expect(last).toBeInstanceOf(NoteDto);
    expect(Object.getPrototypeOf(last)).toBe(NoteDto.prototype);
    expect(last.text).toBe('a');
    expect(last.polluted).toBeUndefined();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('is refused when an undeclared object calls itself a class', async () => {
    const app = await bootChannels({ providers: [Typed] });
    expect((await refusalOf(app.publish('{"text":"a","x":{"constructor":"y"}}'))).code).toBe('invalid_data');
  });
});

describe('a payload of a plain type', () => {
  it.each([
    ['text', '"a"', [1, null, {}, ['a']], 'must be a text'],
    ['number', '1', ['"1"', null, {}], 'must be a number'],
    ['flag', 'false', [0, '"true"', null], 'must be true or false'],
    ['list', '[1]', [{ length: 1 }, '"a"', null], 'must be a list'],
  ])('must be a %s', async (event, good, bad, message) => {
    const app = await bootChannels({ providers: [Typed] });
    expect(await app.publish(good, { event })).toBeUndefined();
    for (const data of bad) {
      const refusal = await refusalOf(app.publish(data, { event }));
      expect([refusal.code, refusal.details]).toEqual(['invalid_data', [{ path: '', message }]]);
    }
  });

  it('may be anything when the parameter says nothing, and passes byte for byte', async () => {
    const app = await bootChannels({ providers: [Typed] });
    for (const data of ['null', ' [1, 2]', '{"b":1,"a":1.0}']) {
      expect(await app.publish(data, { event: 'open' })).toBeUndefined();
      expect(app.module.get(Typed).last).toEqual(JSON.parse(data));
    }
  });
});

describe('pipes of the team', () => {
  class Shout implements PipeTransform {
    transform(value: unknown, { type, metatype, data }: ArgumentMetadata): unknown {
      if (type === 'custom') return value;
      return {
        loud: String((value as { text: unknown }).text).toUpperCase(),
        type,
        by: metatype?.name,
        data,
      };
    }
  }

  @Channel('piped:{id}')
  class Piped {
    room: unknown;

    @OnSubscribe()
    join(@ChannelParam('id', ParseIntPipe) id: number): void {
      this.room = id;
    }

    @OnPublish('own')
    own(@Payload(Shout) note: NoteDto): object {
      return note;
    }

    @UsePipes(Shout)
    @OnPublish('method')
    method(@Payload() note: unknown): object {
      return note as object;
    }

    @OnPublish('note')
    note(@Payload() note: NoteDto): object {
      return { is: note instanceof NoteDto, ...note };
    }
  }

  it('given to @Payload() take the place of validation', async () => {
    const app = await bootChannels({ providers: [Piped] });
    expect(await app.published({ text: 'a' }, { channel: 'piped:1', event: 'own' })).toEqual({
      loud: 'A',
      type: 'body',
      by: 'NoteDto',
    });
  });

  it('bound to the method run first', async () => {
    const app = await bootChannels({ providers: [Piped] });
    const published = await app.published({ text: 'a' }, { channel: 'piped:1', event: 'method' });
    expect(published).toMatchObject({ loud: 'A', type: 'body' });
  });

  it('work on parts of the name', async () => {
    const app = await bootChannels({ providers: [Piped] });
    await app.subscribe('piped:12');
    expect(app.module.get(Piped).room).toBe(12);
    expect((await refusalOf(app.subscribe('piped:x'))).code).toBe('invalid_data');
  });

  it.each([
    { transform: true, published: { is: true, text: 'a', more: 1 } },
    { transform: false, published: { is: true, text: 'a' } },
  ])('bound to the application decide alone when they make the instance: $transform', async (row) => {
    const pipe = { provide: APP_PIPE, useValue: new ValidationPipe({ transform: row.transform }) };
    const app = await bootChannels({ providers: [Piped, pipe] });
    const note = { channel: 'piped:1', event: 'note' };
    expect(await app.published({ text: 'a', more: 1 }, note)).toEqual(row.published);
    const refusal = await refusalOf(app.publish({ text: 5 }, note));
    expect([refusal.code, refusal.details]).toEqual([
      'invalid_data',
      [{ path: '', message: 'text must be a string' }],
    ]);
  });
});

describe('a payload with a schema', () => {
  const schema = z.object({
    price: z.number(),
    at: z.object({ place: z.string() }).optional(),
    unit: z.string().default('EUR'),
  });

  @Channel('schema:{id}')
  class Schemed {
    @OnPublish('tick')
    tick(@Payload(schema) tick: z.infer<typeof schema>): void {
      expect(tick.unit).toBe('EUR');
    }
  }

  it('is checked by it and published as the schema gave it', async () => {
    const app = await bootChannels({ providers: [Schemed] });
    const tick = { channel: 'schema:x', event: 'tick' };
    expect(await app.publish({ price: 1, spy: 2 }, tick)).toBe('{"price":1,"unit":"EUR"}');
    const refusal = await refusalOf(app.publish({ price: '1', at: { place: 2 } }, tick));
    expect(refusal.code).toBe('invalid_data');
    expect(refusal.details?.map(({ path }) => path)).toEqual(['price', 'at.place']);
  });
});
