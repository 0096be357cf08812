// What a note on an order must be.

import { IsString, Length } from 'class-validator';

export class NoteDto {
  @IsString()
  @Length(1, 500)
  readonly text!: string;
}
