// What a tick must be. The time of it is the publication's own.

import { IsNumber, Max, Min } from 'class-validator';

export class TickDto {
  @IsNumber({ allowNaN: false, allowInfinity: false }, { message: 'price must be a number' })
  @Min(0, { message: 'price must be at least 0' })
  @Max(1e12, { message: 'price must be at most 1e12' })
  readonly price!: number;
}
