// What a notification must be, as the backend writes it. What passes here ends as a link in somebody's page.

import { IsString, Length, Matches, MaxLength, ValidateBy, ValidateIf } from 'class-validator';

/** Stands for the page that shows the link: a path leads back to it, anything else leads away. */
const PAGE = 'https://page.invalid';

/**
 * An http(s) address, or a path on the page's own site. Asks the parser that browsers have, since `//host`, `/\host` and a path with a
 * tab in it look like paths and lead elsewhere.
 */
export function isLink(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value, PAGE)) return false;
  if (value.startsWith('/')) return new URL(value, PAGE).origin === PAGE;
  return /^https?:\/\//iu.test(value);
}

const IsLink = (): PropertyDecorator =>
  ValidateBy({
    name: 'isLink',
    validator: {
      validate: isLink,
      defaultMessage: () => 'url must be an address that begins with http:// or https://, or a path',
    },
  });

/** Unlike `@IsOptional()`, refuses null: who listens shall find a text or nothing. */
const IfGiven = (): PropertyDecorator => ValidateIf((_dto, value) => value !== undefined);

export class NotificationDto {
  @IsString({ message: 'title must be a text' })
  @Length(1, 200, { message: 'title must have 1 to 200 characters' })
  @Matches(/\S/u, { message: 'title must not be blank' })
  readonly title!: string;

  @IfGiven()
  @IsString({ message: 'body must be a text' })
  @MaxLength(2000, { message: 'body must have at most 2000 characters' })
  readonly body?: string;

  @IfGiven()
  @IsLink()
  @MaxLength(2000, { message: 'url must have at most 2000 characters' })
  readonly url?: string;
}
