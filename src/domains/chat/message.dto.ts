// What a chat message must be, as its sender writes it.

import { IsString, Length, Matches } from 'class-validator';

export class MessageDto {
  @IsString({ message: 'text must be a text' })
  @Length(1, 2000, { message: 'text must have 1 to 2000 characters' })
  @Matches(/\S/u, { message: 'text must not be blank' })
  readonly text!: string;
}
