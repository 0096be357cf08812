// What may be asked of the job of this example.

import { IsInt, IsOptional, Max, Min } from 'class-validator';

export class ExportDto {
  /** Rows to export. A row takes no time; each hundredth part of them does. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  readonly rows?: number;
}
